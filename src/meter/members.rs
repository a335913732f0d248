//! Strict reading of what a call to a pane says: members of a JSON object, and pages of a list.
//!
//! Invariant: each name is read once, and a name that nobody reads is an error; so a slip of the pen in
//! `expires_at` can never make a grant that lasts for ever.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// How many items a page has if nobody says.
const PAGE: usize = 20;
/// How many items a page has at most.
const PAGE_MAX: usize = 100;

/// What is wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The member or parameter at fault; `None`: the whole body or query.
    pub name: Option<String>,
    /// What is wrong with it. Printed, it is English.
    pub fault: Fault,
}

impl Misread {
    /// What is wrong with this member or parameter.
    #[must_use]
    pub fn of(name: &str, fault: Fault) -> Self {
        Self { name: Some(name.to_owned()), fault }
    }
}

/// What is wrong with a member or a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The query is no form.
    Query,
    /// The body is no JSON object; in the reader's own words.
    NotAnObject(String),
    /// It is not what it should be; in the reader's own words.
    Malformed(String),
    /// It should look like this.
    Example(&'static str),
    /// It is not there.
    Missing,
    /// There is no such member.
    NoMember,
    /// There is no such parameter.
    NoParameter,
    /// It is said twice.
    Twice,
    /// It is no number from the first to the last.
    Range(usize, usize),
    /// It is no id of this list.
    Cursor,
    /// It is neither `today` nor `month`, or both.
    Period,
    /// One of the headers' names is wrong.
    HeaderName,
    /// One of the headers' values is wrong.
    HeaderValue,
    /// One of the headers is a key, and the call has its own.
    OtherKey,
}

/// The members of a JSON object that have not been read yet.
#[derive(Debug, Default)]
pub struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    /// Reads a body. An empty one has no members.
    ///
    /// # Errors
    /// When it is no JSON object, or says a name twice.
    pub fn read(body: &[u8]) -> Result<Self, Misread> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body)
            .map_err(|error| Misread { name: None, fault: Fault::NotAnObject(error.to_string()) })
    }

    /// Reads a member that need not be there; `null` is as good as absent.
    ///
    /// # Errors
    /// When it is not what it should be.
    pub fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Misread> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        serde_json::from_str(raw.get()).map_err(|error| {
            // The place would count from the member's own beginning, which nobody sees.
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            Misread::of(name, Fault::Malformed(text.to_owned()))
        })
    }

    /// Reads a member that must be there.
    ///
    /// # Errors
    /// When it is not there or not what it should be.
    pub fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Misread> {
        self.optional(name)?.ok_or_else(|| Misread::of(name, Fault::Missing))
    }

    /// Reads a member that may be there to take something away: `Some(None)` is `null`.
    ///
    /// # Errors
    /// When it is not what it should be.
    pub fn nullable<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<Option<T>>, Misread> {
        if self.0.get(name).is_some_and(|raw| raw.get() == "null") {
            self.0.remove(name);
            return Ok(Some(None));
        }
        Ok(self.optional(name)?.map(Some))
    }

    /// Takes a member as the bytes that came; `None` if it is absent or `null`.
    pub fn raw(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.0.remove(name).filter(|raw| raw.get() != "null")
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When a member is left that nobody asked for.
    pub fn end(self) -> Result<(), Misread> {
        match self.0.into_keys().next() {
            Some(name) => Err(Misread::of(&name, Fault::NoMember)),
            None => Ok(()),
        }
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if let Some(_twice) = members.insert(name.clone(), value) {
                        return Err(A::Error::custom(format_args!("{name:?} is said twice")));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many items at most; between 1 and 100.
    pub limit: usize,
    /// The id of the last item of the page before.
    pub after: Option<String>,
}

impl Page {
    /// Reads it from the parameters of a query: `limit` and `starting_after`.
    ///
    /// # Errors
    /// When a parameter is unknown, said twice, or not what it should be.
    pub fn read(query: &[(String, String)]) -> Result<Self, Misread> {
        let mut page = Self { limit: PAGE, after: None };
        let mut seen = Vec::new();
        for (name, value) in query {
            if seen.contains(&name) {
                return Err(Misread::of(name, Fault::Twice));
            }
            seen.push(name);
            match name.as_str() {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
                    let wrong = || Misread::of(name, Fault::Range(1, PAGE_MAX));
                    page.limit = limit.ok_or_else(wrong)?;
                }
                "starting_after" => page.after = Some(value.clone()),
                _ => return Err(Misread::of(name, Fault::NoParameter)),
            }
        }
        Ok(page)
    }

    /// That a query has no parameters at all.
    ///
    /// # Errors
    /// When it has one.
    pub fn none(query: &[(String, String)]) -> Result<(), Misread> {
        match query.first() {
            Some((name, _)) => Err(Misread::of(name, Fault::NoParameter)),
            None => Ok(()),
        }
    }

    /// The id that the page starts after.
    ///
    /// # Errors
    /// When it is not an id of this list.
    pub fn cursor<T: std::str::FromStr>(&self) -> Result<Option<T>, Misread> {
        let wrong = |_| Misread::of("starting_after", Fault::Cursor);
        let read = |text: &String| text.parse().map_err(wrong);
        self.after.as_ref().map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misread<T: fmt::Debug>(result: Result<T, Misread>) -> (Option<String>, String) {
        let wrong = result.unwrap_err();
        (wrong.name.clone(), wrong.to_string())
    }

    #[test]
    fn members_are_read_once_and_none_is_left() {
        let mut members = Members::read(br#"{"a":1,"b":null,"c":[1.10]}"#).unwrap();
        assert_eq!(members.required::<u8>("a"), Ok(1));
        assert_eq!(members.optional::<u8>("b"), Ok(None));
        assert_eq!(members.raw("c").unwrap().get(), "[1.10]");
        assert_eq!(members.optional::<u8>("d"), Ok(None));
        assert!(members.end().is_ok());
        let mut members = Members::read(br#"{"a":1,"b":null}"#).unwrap();
        assert_eq!(members.nullable::<u8>("a"), Ok(Some(Some(1))));
        assert_eq!(members.nullable::<u8>("b"), Ok(Some(None)));
        assert_eq!(members.nullable::<u8>("c"), Ok(None));
        assert!(members.end().is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let read = |text: &str| Members::read(text.as_bytes());
        assert_eq!(misread(read("[]")).0, None);
        assert!(misread(read(r#"{"a":1,"a":2}"#)).1.contains("twice"));
        let (name, detail) = misread(read(r#"{"a":"x"}"#).unwrap().required::<u8>("a"));
        assert_eq!(name.as_deref(), Some("a"));
        assert_eq!(detail, "a: invalid type: string \"x\", expected u8");
        assert_eq!(misread(read("{}").unwrap().required::<u8>("b")).0.as_deref(), Some("b"));
        assert_eq!(misread(read(r#"{"z":1}"#).unwrap().end()).0.as_deref(), Some("z"));
    }

    #[test]
    fn pages() {
        let query = |pairs: &[(&str, &str)]| {
            let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
            Page::read(&pairs.iter().map(own).collect::<Vec<_>>())
        };
        assert_eq!(query(&[]).unwrap(), Page { limit: 20, after: None });
        assert_eq!(query(&[("limit", "100")]).unwrap().limit, 100);
        for wrong in [("limit", "0"), ("limit", "101"), ("limit", "x"), ("page", "2")] {
            assert_eq!(misread(query(&[wrong])).0.as_deref(), Some(wrong.0), "{wrong:?}");
        }
        assert!(query(&[("limit", "1"), ("limit", "2")]).is_err());
    }
}
