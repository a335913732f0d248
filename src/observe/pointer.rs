//! Places in a JSON document: RFC 6901 pointers, with `*` for every item of an array.

use std::fmt;
use std::str::FromStr;

/// A place in a JSON document, or with `*` many.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(Vec<Step>);

/// One step of a pointer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The member of this name, or the item of this index.
    Name(String),
    /// Every item of an array.
    Each,
}

/// Why a text is not a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a JSON pointer is empty or begins with /, as in /usage/total_tokens; ~ is written ~0 and / is written ~1"
)]
pub struct PointerError;

impl Pointer {
    /// Its steps from the root.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Where the list of its first `*` is; `None`: it has none.
    #[must_use]
    pub fn list(&self) -> Option<Self> {
        let star = self.0.iter().position(|step| *step == Step::Each)?;
        self.0.get(..star).map(|steps| Self(steps.to_vec()))
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let steps = text.strip_prefix('/').ok_or(PointerError)?.split('/').map(step);
        steps.collect::<Result<_, _>>().map(Self)
    }
}

fn step(token: &str) -> Result<Step, PointerError> {
    if token == "*" {
        return Ok(Step::Each);
    }
    let mut name = String::with_capacity(token.len());
    let mut rest = token.chars();
    while let Some(c) = rest.next() {
        name.push(match (c, c == '~') {
            (c, false) => c,
            _ => match rest.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(PointerError),
            },
        });
    }
    Ok(Step::Name(name))
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Name(name) => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1"))?,
                Step::Each => f.write_str("/*")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for text in ["", "/", "/a", "/a/0/b", "/data/*/seconds", "/a~1b/m~0n"] {
            assert_eq!(text.parse::<Pointer>().unwrap().to_string(), text);
        }
        for text in ["a", "/~", "/~2", "#/a"] {
            assert!(text.parse::<Pointer>().is_err(), "{text}");
        }
    }
}
