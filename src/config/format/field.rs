//! Names of form fields, and units behind numbers.

use schemars::Schema;

use super::{Format, text};

/// The longest name of a field, in bytes; the reader of forms keeps as much of a name.
const NAME_MAX: usize = 256;
/// The longest unit, in bytes.
const UNIT_MAX: usize = 16;

/// The name of a field of a form.
#[derive(Clone, Debug)]
pub(in crate::config) struct FieldName(pub(in crate::config) String);

/// What stands behind a number.
#[derive(Clone, Debug)]
pub(in crate::config) struct Unit(pub(in crate::config) String);

impl Format for FieldName {
    fn read(text: &str) -> Result<Self, String> {
        let seen = !text.is_empty() && text.len() <= NAME_MAX && text.trim() == text;
        // A name that begins with a bracket is another one to some servers.
        if seen && !text.starts_with('[') && !text.contains(['"', '\\']) && !has_control(text) {
            return Ok(Self(text.to_owned()));
        }
        Err("a field has a name of at most 256 bytes, without quotes, such as seconds".to_owned())
    }

    fn schema() -> Schema {
        text("field", "^[^\"\\\\[ ][^\"\\\\]*$")
    }
}

impl Format for Unit {
    fn read(text: &str) -> Result<Self, String> {
        let digits = text.contains(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
        if text.is_empty() || text.len() > UNIT_MAX || digits || has_control(text) {
            return Err("a unit is what stands behind the digits, such as p".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Schema {
        text("unit", "^[^0-9.+-]{1,16}$")
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}
