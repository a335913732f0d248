//! The id of a request: what a client quotes when it asks what happened.

use crate::credit::encode;
use crate::seam::{Clock, Entropy};

/// A fresh id, `req_…`: time, then randomness. It is no secret: without randomness the time must do.
#[must_use]
pub fn request_id(clock: &dyn Clock, entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    let (head, random) = bytes.split_at_mut(8);
    head.copy_from_slice(&(clock.now().0 << 16).to_be_bytes());
    drop(entropy.fill(random));
    format!("req_{}", encode(&bytes))
}
