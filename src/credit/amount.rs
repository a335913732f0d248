//! Amounts of credit.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits after the point.
const SCALE: usize = 6;

/// An amount of credit in micro-credits (10⁻⁶), at least 0 and below 2^53: every store and language that
/// counts in doubles holds it exactly. Text is a decimal such as `12.5`, with at most six digits behind
/// the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits with at most one point between them.
    #[error("an amount is a decimal number such as 12.5, without sign, exponent or spaces")]
    Malformed,
    /// More than six digits behind the point.
    #[error("an amount has at most six digits behind the point")]
    TooFine,
    /// At or above 2^53 micro-credits.
    #[error("an amount is at most 9007199254.740991 credits")]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount: 2^53 − 1 micro-credits.
    pub const MAX: Self = Self((1 << 53) - 1);
    /// Micro-credits in one credit.
    pub const MICRO: u64 = 1_000_000;

    /// `micro` micro-credits, unless that is 2^53 or more.
    #[must_use]
    pub const fn from_micro(micro: u64) -> Option<Self> {
        if micro <= Self::MAX.0 { Some(Self(micro)) } else { None }
    }

    /// Whole credits, unless that is too many.
    #[must_use]
    pub const fn from_credits(credits: u64) -> Option<Self> {
        match credits.checked_mul(Self::MICRO) {
            Some(micro) => Self::from_micro(micro),
            None => None,
        }
    }

    /// The number of micro-credits.
    #[must_use]
    pub const fn micro(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, unless it is out of range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(micro) => Self::from_micro(micro),
            None => None,
        }
    }

    /// The difference, unless `other` is larger.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(micro) => Some(Self(micro)),
            None => None,
        }
    }

    /// The sum, or the largest amount.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        match self.checked_add(other) {
            Some(sum) => sum,
            None => Self::MAX,
        }
    }

    /// The difference, or nothing.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Amount {
    /// The shortest decimal: `12.5`, `0`, `3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / Self::MICRO, self.0 % Self::MICRO);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:06}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(rest) {
            return Err(AmountError::Malformed);
        }
        let rest = rest.trim_end_matches('0');
        if rest.len() > SCALE {
            return Err(AmountError::TooFine);
        }
        let micro: u64 = format!("{rest:0<SCALE$}").parse().map_err(|_| AmountError::Malformed)?;
        let whole: u64 = whole.parse().map_err(|_| AmountError::TooLarge)?;
        whole
            .checked_mul(Self::MICRO)
            .and_then(|credits| credits.checked_add(micro))
            .and_then(Self::from_micro)
            .ok_or(AmountError::TooLarge)
    }
}

impl Sum for Amount {
    /// Saturates; every sum that decides something uses `checked_add`.
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

impl Serialize for Amount {
    /// A decimal string for people; the number of micro-credits in packed records.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            let micro = u64::deserialize(deserializer)?;
            return Self::from_micro(micro)
                .ok_or_else(|| serde::de::Error::custom(AmountError::TooLarge));
        }
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for (text, micro) in [
            ("0", 0),
            ("0.000001", 1),
            ("12.5", 12_500_000),
            ("007", 7_000_000),
            ("1.50", 1_500_000),
            ("9007199254.740991", (1 << 53) - 1),
        ] {
            assert_eq!(text.parse::<Amount>().map(Amount::micro), Ok(micro), "{text}");
        }
        assert_eq!("1.50".parse::<Amount>().unwrap().to_string(), "1.5");
        assert_eq!(Amount::MAX.to_string(), "9007199254.740991");
    }

    #[test]
    fn what_is_no_amount() {
        use AmountError::{Malformed, TooFine, TooLarge};
        for (text, error) in [
            ("", Malformed),
            ("-1", Malformed),
            ("+1", Malformed),
            ("1e3", Malformed),
            (".5", Malformed),
            ("5.", Malformed),
            (" 5", Malformed),
            ("0.0000001", TooFine),
            ("9007199254.740992", TooLarge),
            ("99999999999999999999999", TooLarge),
        ] {
            assert_eq!(text.parse::<Amount>(), Err(error), "{text}");
        }
    }
}
