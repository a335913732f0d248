//! What a receipt says beside the amounts: why a charge is not simply what the upstream stated.
//!
//! Invariant: the words are stable; people search for them and programs compare them.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::credit::Name;

/// Something that a person who looks at a charge should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// The response did not state this quantity: the held or declared value was charged.
    MissingQuantity(Name),
    /// The response stated this quantity in a form that cannot be used (not a number, twice), or not all of it
    /// could be counted: at least the held value was charged.
    UnreadableQuantity(Name),
    /// The response stated less than nothing: the least of the quantity's range was charged.
    NegativeQuantity(Name),
    /// The response stated more than anybody can have used: that was passed over.
    AbsurdQuantity(Name),
    /// A later event stated less than an earlier one: the larger value was charged.
    DecreasingQuantity(Name),
    /// The response stated more than the quantity's range allows: charged as stated.
    OverMaximum(Name),
    /// A part of a unit was rounded up.
    RoundedQuantity(Name),
    /// The response's figures come to less than zero: zero was charged.
    ClampedQuantity(Name),
    /// How long the uploaded file is could not be told: the quantity's maximum was held.
    UnknownLength(Name),
    /// The answer lasts longer than was asked for: its own length is charged.
    OverAsked(Name),
    /// The body was needed, and it was no JSON or event stream that can be read.
    UnreadableBody,
    /// The body was needed, and it was compressed and could not be decoded.
    EncodedBody,
    /// The body, or an event of it, was needed, and it was larger than is kept or decoded.
    OversizedBody,
    /// The body ended before its end.
    BrokenBody,
    /// The stated quantities have no rate: what was held was charged.
    NoRate,
    /// The stated quantities come to more than can be counted: what was held was charged.
    AmountOutOfRange,
    /// A WebSocket was closed because it had used up what was held.
    HoldUsedUp,
    /// The answer began a job and does not say which.
    MissingJobId,
    /// Said before the body had ended: it was taken to end well.
    CompletenessAssumed,
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingQuantity(name) => write!(f, "missing_quantity:{name}"),
            Self::UnreadableQuantity(name) => write!(f, "unreadable_quantity:{name}"),
            Self::NegativeQuantity(name) => write!(f, "negative_quantity:{name}"),
            Self::AbsurdQuantity(name) => write!(f, "absurd_quantity:{name}"),
            Self::DecreasingQuantity(name) => write!(f, "decreasing_quantity:{name}"),
            Self::OverMaximum(name) => write!(f, "over_maximum:{name}"),
            Self::RoundedQuantity(name) => write!(f, "rounded_quantity:{name}"),
            Self::ClampedQuantity(name) => write!(f, "clamped_quantity:{name}"),
            Self::UnknownLength(name) => write!(f, "unknown_length:{name}"),
            Self::OverAsked(name) => write!(f, "over_asked:{name}"),
            Self::UnreadableBody => f.write_str("unreadable_body"),
            Self::EncodedBody => f.write_str("encoded_body"),
            Self::OversizedBody => f.write_str("oversized_body"),
            Self::BrokenBody => f.write_str("broken_body"),
            Self::NoRate => f.write_str("no_rate"),
            Self::AmountOutOfRange => f.write_str("amount_out_of_range"),
            Self::HoldUsedUp => f.write_str("hold_used_up"),
            Self::MissingJobId => f.write_str("missing_job_id"),
            Self::CompletenessAssumed => f.write_str("completeness_assumed"),
        }
    }
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Not one of our words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such flag")]
pub struct FlagError;

impl FromStr for Flag {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        let of_quantities: [fn(Name) -> Self; 10] = [
            Self::MissingQuantity,
            Self::UnreadableQuantity,
            Self::NegativeQuantity,
            Self::AbsurdQuantity,
            Self::DecreasingQuantity,
            Self::OverMaximum,
            Self::RoundedQuantity,
            Self::ClampedQuantity,
            Self::UnknownLength,
            Self::OverAsked,
        ];
        let others = [
            Self::UnreadableBody,
            Self::EncodedBody,
            Self::OversizedBody,
            Self::BrokenBody,
            Self::NoRate,
            Self::AmountOutOfRange,
            Self::HoldUsedUp,
            Self::MissingJobId,
            Self::CompletenessAssumed,
        ];
        let name = text.split_once(':').and_then(|(_, name)| name.parse::<Name>().ok());
        let named = name.iter().flat_map(|name| of_quantities.map(|flag| flag(name.clone())));
        named.chain(others).find(|flag| flag.to_string() == text).ok_or(FlagError)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["unknown_length:seconds", "over_asked:n", "hold_used_up", "broken_body"] {
            assert_eq!(text.parse::<Flag>().unwrap().to_string(), text);
        }
        for text in ["", "unknown_length", "hold_used_up:n", "n:unknown_length"] {
            assert_eq!(text.parse::<Flag>(), Err(FlagError), "{text}");
        }
    }
}
