//! Whole numbers and flags.

use schemars::{Schema, json_schema};

use super::Format;

macro_rules! whole {
    ($($type:ty),*) => {$(
        impl Format for $type {
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("a whole number from 0 to {} is wanted", Self::MAX))
            }

            fn schema() -> Schema {
                json_schema!({ "type": "integer", "minimum": 0, "maximum": Self::MAX })
            }
        }
    )*};
}

whole!(u8, u16, u32);

impl Format for u64 {
    /// At most 2^53 − 1, which every reader of JSON keeps exactly.
    fn read(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| *number < 1 << 53);
        number.ok_or_else(|| "a whole number from 0 to 9007199254740991 is wanted".to_owned())
    }

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": (1_u64 << 53) - 1 })
    }
}

impl Format for bool {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "true" | "True" | "TRUE" => Ok(true),
            "false" | "False" | "FALSE" => Ok(false),
            _ => Err("`true` or `false` is wanted".to_owned()),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "boolean" })
    }
}
