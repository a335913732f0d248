//! Names, amounts, sums of money, numbers, pointers and the scalars that a price compares.

use schemars::{Schema, json_schema};

use super::{Format, digits, text};
use crate::credit::{Amount, Decimal, Kind, Name, Paid};
use crate::observe::Pointer;

/// A word, a number, yes or no, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Scalar(pub(in crate::config) String);

/// As `Scalar`, and `null` as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Testable(pub(in crate::config) String);

impl Format for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

impl Format for Name {
    fn read(text: &str) -> Result<Self, String> {
        let say =
            |_| "a name has lower-case letters, digits, `_`, `-` or `.`, at most 128".to_owned();
        text.parse().map_err(say)
    }

    fn schema() -> Schema {
        text("name", r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$")
    }
}

impl Format for Kind {
    fn read(text: &str) -> Result<Self, String> {
        let say = |_| {
            "a kind of credit has lower-case letters, digits, `_` or `-`, at most 128".to_owned()
        };
        text.parse().map_err(say)
    }

    fn schema() -> Schema {
        text("kind", "^[a-z0-9_-]+$")
    }
}

impl Format for Amount {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: crate::credit::AmountError| error.to_string())
    }

    fn schema() -> Schema {
        digits("amount", r"^[0-9]+(\.[0-9]+)?$")
    }
}

impl Format for Paid {
    /// An amount, a space, a currency of three capitals.
    fn read(text: &str) -> Result<Self, String> {
        let say = "what is paid is an amount and a currency (ISO 4217), such as 5.00 USD";
        let (amount, currency) = text.split_once(' ').ok_or(say)?;
        let capitals = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
        let amount = Amount::read(amount).ok().filter(|_| capitals).ok_or(say)?;
        Ok(Self { amount, currency: currency.to_owned() })
    }

    fn schema() -> Schema {
        text("money", r"^[0-9]+(\.[0-9]+)? [A-Z]{3}$")
    }
}

impl Format for Decimal {
    fn read(text: &str) -> Result<Self, String> {
        let say = |error| {
            format!("a number is written like 12 or 0.5 and is at least 0: this is {error}")
        };
        if text.contains(['e', 'E']) {
            return Err(
                "a number is written with digits and at most one point, such as 0.0001".to_owned()
            );
        }
        Self::exact(text).map_err(say)
    }

    fn schema() -> Schema {
        digits("number", r"^[0-9]+(\.[0-9]+)?$")
    }
}

impl Format for Pointer {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: crate::observe::PointerError| error.to_string())
    }

    fn schema() -> Schema {
        text("pointer", "^(/.*)?$")
    }
}

impl Format for Scalar {
    fn read(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl Format for Testable {
    fn read(text: &str) -> Result<Self, String> {
        let null = matches!(text, "" | "~" | "Null" | "NULL");
        Ok(Self(if null { "null".to_owned() } else { text.to_owned() }))
    }

    fn schema() -> Schema {
        json_schema!({ "type": ["string", "number", "boolean", "null"], "format": "testable" })
    }
}
