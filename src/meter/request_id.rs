//! The id of a request: what a client quotes when it asks what happened.
//!
//! A paid request has the id of its charge under another prefix, so the one finds the other without a look
//! into anything. Other requests, free ones and refused ones, have ids of their own and no charge.

use crate::credit::{ChargeId, encode};
use crate::seam::{Clock, Entropy};

const PREFIX: &str = "req_";
const CHARGE: &str = "chg_";

/// A fresh id, `req_…`: time, then randomness. It is no secret: without randomness the time must do.
#[must_use]
pub fn request_id(clock: &dyn Clock, entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    let (head, random) = bytes.split_at_mut(8);
    head.copy_from_slice(&(clock.now().0 << 16).to_be_bytes());
    drop(entropy.fill(random));
    format!("{PREFIX}{}", encode(&bytes))
}

/// The id of the request that has this charge.
#[must_use]
pub fn request_of(charge: ChargeId) -> String {
    format!("{PREFIX}{}", encode(charge.as_bytes()))
}

/// The charge that an id of a charge or of a request names, if it could be one.
#[must_use]
pub fn charge_named(id: &str) -> Option<ChargeId> {
    match id.strip_prefix(PREFIX) {
        Some(rest) => format!("{CHARGE}{rest}").parse().ok(),
        None => id.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::{SeededEntropy, SimulatedClock, Timestamp};

    #[test]
    fn a_charge_is_found_by_both_of_its_names() {
        let charge = ChargeId::from_bytes([7; 16]);
        let request = request_of(charge);
        assert!(request.starts_with("req_"), "{request}");
        assert_eq!(charge_named(&request), Some(charge));
        assert_eq!(charge_named(&charge.to_string()), Some(charge));
        for other in ["", "req_", "req_x", "chatcmpl-1", "key_00000000000000000000000000"] {
            assert_eq!(charge_named(other), None, "{other}");
        }
        // A request without a charge has a well-formed name all the same.
        let clock = SimulatedClock::at(Timestamp(1_790_000_000_000));
        assert!(charge_named(&request_id(&clock, &SeededEntropy::new(7))).is_some());
    }
}
