//! Exact decimals: what a quantity is measured in.

use std::fmt;
use std::str::FromStr;

/// The most digits behind the point that a quantity keeps.
const SCALE_MAX: u8 = 9;

/// A number ≥ 0 that is exactly `mantissa / 10^scale`, with at most nine digits behind the point and a
/// mantissa below 2^63. Kept without trailing zeros, so equal numbers are equal values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: u64,
    scale: u8,
}

/// Why a text is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a JSON number.
    #[error("not a number")]
    Malformed,
    /// Below zero. `-0` is zero.
    #[error("below zero")]
    Negative,
    /// More digits than can be kept exactly.
    #[error("more digits than can be counted exactly")]
    OutOfRange,
}

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };
    /// The largest.
    pub const MAX: Self = Self { mantissa: i64::MAX.unsigned_abs(), scale: 0 };

    /// A whole number, unless it is 2^63 or more.
    #[must_use]
    pub const fn whole(number: u64) -> Option<Self> {
        if number > i64::MAX.unsigned_abs() {
            None
        } else {
            Some(Self { mantissa: number, scale: 0 })
        }
    }

    /// The number times `10^scale`.
    #[must_use]
    pub const fn mantissa(self) -> u64 {
        self.mantissa
    }

    /// Digits behind the point, at most nine.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The number, if it is whole.
    #[must_use]
    pub const fn as_whole(self) -> Option<u64> {
        if self.scale == 0 { Some(self.mantissa) } else { None }
    }

    /// The sum, unless it is out of range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let sum = self.raised(scale)?.checked_add(other.raised(scale)?)?;
        Self::lowered(sum, scale)
    }

    /// The difference, unless it is below zero or has more digits than can be kept.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let left = self.raised(scale)?.checked_sub(other.raised(scale)?)?;
        Self::lowered(left, scale)
    }

    /// The mantissa that it has at a larger scale.
    fn raised(self, scale: u8) -> Option<u128> {
        let zeros = u32::from(scale.checked_sub(self.scale)?);
        u128::from(self.mantissa).checked_mul(10_u128.checked_pow(zeros)?)
    }

    /// Without zeros at the end: they may be all that makes it too long.
    fn lowered(mut mantissa: u128, mut scale: u8) -> Option<Self> {
        while scale > 0 && mantissa.is_multiple_of(10) {
            mantissa /= 10;
            scale = scale.checked_sub(1)?;
        }
        Self::new(u64::try_from(mantissa).ok()?, scale)
    }

    /// The next whole number, or itself if it is whole.
    #[must_use]
    pub fn ceil(self) -> Self {
        let unit = 10_u64.saturating_pow(u32::from(self.scale));
        Self { mantissa: self.mantissa.div_ceil(unit), scale: 0 }
    }

    /// Reads a JSON number (RFC 8259 §6). Digits beyond the ninth behind the point are refused.
    ///
    /// # Errors
    /// What is no number, is below zero, or has more digits than can be kept.
    pub fn exact(text: &str) -> Result<Self, DecimalError> {
        Self::read(text, Rest::Refuse)
    }

    /// Reads a JSON number as an upstream may state it: digits beyond the ninth behind the point round up.
    ///
    /// # Errors
    /// What is no number, is below zero, or is too large to be kept.
    pub fn rounded_up(text: &str) -> Result<Self, DecimalError> {
        Self::read(text, Rest::RoundUp)
    }

    fn read(text: &str, rest: Rest) -> Result<Self, DecimalError> {
        let number = Parts::of(text).ok_or(DecimalError::Malformed)?;
        let digits = format!("{}{}", number.whole, number.fraction);
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Ok(Self::ZERO);
        }
        if number.negative {
            return Err(DecimalError::Negative);
        }
        let behind = i64::try_from(number.fraction.len()).map_err(|_| DecimalError::OutOfRange)?;
        let scale = behind.checked_sub(number.exponent).ok_or(DecimalError::OutOfRange)?;
        Self::place(digits, scale, rest)
    }

    /// The number whose digits are `digits`, of which `scale` stand behind the point.
    fn place(digits: &str, scale: i64, rest: Rest) -> Result<Self, DecimalError> {
        let kept = digits.trim_end_matches('0');
        let dropped = i64::try_from(digits.len().saturating_sub(kept.len()))
            .map_err(|_| DecimalError::OutOfRange)?;
        let scale = scale.checked_sub(dropped).ok_or(DecimalError::OutOfRange)?;
        let excess = scale.saturating_sub(i64::from(SCALE_MAX));
        if excess <= 0 {
            return Self::scaled(kept, scale);
        }
        if matches!(rest, Rest::Refuse) {
            return Err(DecimalError::OutOfRange);
        }
        let excess = usize::try_from(excess).unwrap_or(usize::MAX);
        let head = kept.get(..kept.len().saturating_sub(excess)).unwrap_or("");
        let head: u64 = if head.is_empty() { Ok(0) } else { head.parse() }
            .map_err(|_| DecimalError::OutOfRange)?;
        let up = head.checked_add(1).ok_or(DecimalError::OutOfRange)?;
        Self::new(up, SCALE_MAX).ok_or(DecimalError::OutOfRange)
    }

    fn scaled(digits: &str, scale: i64) -> Result<Self, DecimalError> {
        let mantissa: u64 = digits.parse().map_err(|_| DecimalError::OutOfRange)?;
        let zeros = u32::try_from(scale.checked_neg().unwrap_or(0).max(0));
        let factor = zeros.ok().and_then(|zeros| 10_u64.checked_pow(zeros));
        let mantissa = factor.and_then(|factor| mantissa.checked_mul(factor));
        let scale = u8::try_from(scale.max(0)).map_err(|_| DecimalError::OutOfRange)?;
        mantissa.and_then(|m| Self::new(m, scale)).ok_or(DecimalError::OutOfRange)
    }

    /// `mantissa / 10^scale` without trailing zeros, unless it is out of range.
    fn new(mut mantissa: u64, mut scale: u8) -> Option<Self> {
        while scale > 0 && mantissa.is_multiple_of(10) {
            mantissa /= 10;
            scale = scale.checked_sub(1)?;
        }
        (mantissa <= i64::MAX.unsigned_abs() && scale <= SCALE_MAX)
            .then_some(Self { mantissa, scale })
    }
}

/// What becomes of digits that cannot be kept.
#[derive(Clone, Copy)]
enum Rest {
    Refuse,
    RoundUp,
}

/// A JSON number taken apart.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (number, exponent) = match text.find(['e', 'E']) {
            Some(at) => (text.get(..at)?, exponent(text.get(at..)?.get(1..)?)?),
            None => (text, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (number, ""),
        };
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        (digits(whole) && !leading_zero).then_some(Self { negative, whole, fraction, exponent })
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// An exponent; one that is too long to read is as good as endless.
fn exponent(text: &str) -> Option<i64> {
    const ENDLESS: i64 = 1_000_000;
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits(magnitude) {
        return None;
    }
    let size = magnitude.parse::<i64>().unwrap_or(ENDLESS).min(ENDLESS);
    if negative { size.checked_neg() } else { Some(size) }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // At most 2^63 × 10^9 on either side: it fits into 128 bits.
        let raised = |number: Self, by: u8| {
            u128::from(number.mantissa).saturating_mul(10_u128.saturating_pow(u32::from(by)))
        };
        raised(*self, other.scale).cmp(&raised(*other, self.scale))
    }
}

impl fmt::Display for Decimal {
    /// The shortest decimal, as a JSON number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(f, "{}", self.mantissa);
        }
        let unit = 10_u64.saturating_pow(u32::from(self.scale));
        let (whole, rest) = (self.mantissa.checked_div(unit), self.mantissa.checked_rem(unit));
        let width = usize::from(self.scale);
        write!(f, "{}.{:0width$}", whole.unwrap_or(0), rest.unwrap_or(0))
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::exact(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_back() {
        for (text, shown) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0e7", "0"),
            ("1", "1"),
            ("1.50", "1.5"),
            ("1e3", "1000"),
            ("1.5E+1", "15"),
            ("25e-1", "2.5"),
            ("0.000000001", "0.000000001"),
            ("100e-2", "1"),
            ("9223372036854775807", "9223372036854775807"),
        ] {
            assert_eq!(Decimal::exact(text).map(|d| d.to_string()), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn sums_and_differences() {
        let number = |text: &str| Decimal::exact(text).unwrap();
        for (one, other, sum, less) in [
            ("1.5", "0.5", Some("2"), Some("1")),
            ("1", "0.000000001", Some("1.000000001"), Some("0.999999999")),
            ("1", "1", Some("2"), Some("0")),
            ("1", "1.1", Some("2.1"), None),
            ("0.5", "0.25", Some("0.75"), Some("0.25")),
            ("9223372036854775807", "1", None, Some("9223372036854775806")),
            ("9223372036854775807", "0.1", None, None),
        ] {
            let (one, other) = (number(one), number(other));
            assert_eq!(one.checked_add(other), sum.map(number), "{one} + {other}");
            assert_eq!(one.checked_sub(other), less.map(number), "{one} - {other}");
        }
        assert_eq!(Decimal::MAX, number("9223372036854775807"));
    }

    #[test]
    fn what_is_refused() {
        use DecimalError::{Malformed, Negative, OutOfRange};
        for (text, error) in [
            ("", Malformed),
            ("NaN", Malformed),
            ("Infinity", Malformed),
            ("01", Malformed),
            ("1.", Malformed),
            (".1", Malformed),
            ("+1", Malformed),
            ("1e", Malformed),
            ("0x10", Malformed),
            ("1_000", Malformed),
            ("-1", Negative),
            ("-0.1", Negative),
            ("0.0000000001", OutOfRange),
            ("1e400", OutOfRange),
            ("1e99999999999999999999", OutOfRange),
            ("9223372036854775808", OutOfRange),
        ] {
            assert_eq!(Decimal::exact(text), Err(error), "{text}");
        }
    }

    #[test]
    fn upstreams_round_up() {
        for (text, shown) in [
            ("0.0000000001", "0.000000001"),
            ("1.23456789012", "1.234567891"),
            ("1e-400", "0.000000001"),
            ("2.5", "2.5"),
        ] {
            let read = Decimal::rounded_up(text).map(|d| d.to_string());
            assert_eq!(read, Ok(shown.to_owned()), "{text}");
        }
        assert_eq!(Decimal::rounded_up("1e400"), Err(DecimalError::OutOfRange));
    }

    #[test]
    fn sums_and_whole_numbers() {
        let of = |text: &str| Decimal::exact(text).unwrap();
        for (a, b, sum) in
            [("1.5", "2.5", "4"), ("0.000000001", "1", "1.000000001"), ("0", "0", "0")]
        {
            assert_eq!(of(a).checked_add(of(b)), Some(of(sum)), "{a} + {b}");
        }
        assert_eq!(of("9223372036854775807").checked_add(of("1")), None);
        for (number, whole) in [("0", "0"), ("2", "2"), ("2.000000001", "3"), ("0.9", "1")] {
            assert_eq!(of(number).ceil(), of(whole), "{number}");
        }
    }

    #[test]
    fn order_is_by_value() {
        let of = |text: &str| Decimal::exact(text).unwrap();
        assert!(of("1.5") < of("2"));
        assert!(of("10") > of("9.999999999"));
        assert_eq!(of("1.0"), of("1"));
    }
}
