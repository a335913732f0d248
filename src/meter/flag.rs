//! What a receipt says beside the amounts: why a charge is not simply what the upstream stated.
//!
//! Invariant: the words are stable; people search for them and programs compare them.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::credit::Name;

/// Something that a person who looks at a charge should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// The response did not state this quantity: the held or declared value was charged.
    MissingQuantity(Name),
    /// The response stated this quantity in a form that cannot be used (negative, not a number, twice).
    UnreadableQuantity(Name),
    /// The response stated more than the quantity's range allows: charged as stated.
    OverMaximum(Name),
    /// A part of a unit was rounded up.
    RoundedQuantity(Name),
    /// The response's figures come to less than zero: zero was charged.
    ClampedQuantity(Name),
    /// The body was needed, and it was no JSON or event stream that can be read.
    UnreadableBody,
    /// The body was needed, and it was compressed.
    EncodedBody,
    /// The body, or an event of it, was needed, and it was larger than is kept.
    OversizedBody,
    /// The body ended before its end.
    BrokenBody,
    /// The stated quantities have no rate: what was held was charged.
    NoRate,
    /// The stated quantities come to more than can be counted: what was held was charged.
    AmountOutOfRange,
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
            Self::OverMaximum(name) => write!(f, "over_maximum:{name}"),
            Self::RoundedQuantity(name) => write!(f, "rounded_quantity:{name}"),
            Self::ClampedQuantity(name) => write!(f, "clamped_quantity:{name}"),
            Self::UnreadableBody => f.write_str("unreadable_body"),
            Self::EncodedBody => f.write_str("encoded_body"),
            Self::OversizedBody => f.write_str("oversized_body"),
            Self::BrokenBody => f.write_str("broken_body"),
            Self::NoRate => f.write_str("no_rate"),
            Self::AmountOutOfRange => f.write_str("amount_out_of_range"),
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
