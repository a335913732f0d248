//! Durations and sizes: a whole number and its unit.

use schemars::Schema;

use super::{Format, text};

/// A duration in milliseconds; at least 1, less than 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Millis(pub(in crate::config) u64);

/// A size in bytes, less than 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Bytes(pub(in crate::config) u64);

impl Format for Millis {
    fn read(text: &str) -> Result<Self, String> {
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        let say = "a duration is a whole number and a unit: 250ms, 30s, 5m, 1h or 30d";
        match read(text, &units) {
            Some(0) => Err("a duration is longer than nothing".to_owned()),
            Some(ms) => Ok(Self(ms)),
            None => Err(say.to_owned()),
        }
    }

    fn schema() -> Schema {
        text("duration", "^[0-9]+(ms|s|m|h|d)$")
    }
}

impl Format for Bytes {
    fn read(text: &str) -> Result<Self, String> {
        let units = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let say = "a size is a whole number and a unit: 512B, 64KiB, 10MiB or 1GiB";
        read(text, &units).map(Self).ok_or_else(|| say.to_owned())
    }

    fn schema() -> Schema {
        text("size", "^[0-9]+(B|KiB|MiB|GiB)$")
    }
}

/// A whole number directly followed by one of the units.
fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let product = number.parse::<u64>().ok()?.checked_mul(*factor)?;
    (product < 1 << 53).then_some(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(Millis::read(text), Ok(Millis(ms)), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "0s",
            "1 s",
            "1S",
            "1w",
            "99999999999999999999s",
            "3000000000h",
        ] {
            assert!(Millis::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0B", 0), ("64KiB", 65_536), ("10MiB", 10_485_760), ("1GiB", 1 << 30)]
        {
            assert_eq!(Bytes::read(text), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "10", "10MB", "10 MiB", "1.5MiB", "MiB"] {
            assert!(Bytes::read(text).is_err(), "{text}");
        }
    }
}
