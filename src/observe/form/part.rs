//! The head of a part of a `multipart/form-data` body (RFC 7578 §4.2 to §4.8).
//!
//! Invariant: each header stands on one line and once, and no name is said in two ways.

use std::collections::HashSet;

use super::kind::is_utf8;
use super::parameters::{self, Parameter};
use super::problem::FormProblem;
use crate::observe::token::is_token;

/// The most headers of a part.
const HEADERS_MAX: usize = 16;

/// What a part says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHead {
    /// The name of its field.
    pub name: String,
    /// The name of its file, as it is written; `None`: it is a text.
    pub file_name: Option<String>,
    /// Its media type in lower case, without parameters; `None`: it says none.
    pub media_type: Option<String>,
    /// How its text is encoded.
    pub(super) charset: Charset,
}

/// How the text of a part is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Charset {
    /// UTF-8, or it says nothing.
    #[default]
    Utf8,
    /// In one that agrees with UTF-8 as far as ASCII goes.
    Ascii,
    /// In another one.
    Other,
}

impl PartHead {
    /// Reads the lines of a head, without the empty one that ends it. None of them may begin with `delimiter`.
    pub(super) fn read(lines: &[u8], delimiter: &[u8]) -> Result<Self, FormProblem> {
        let mut head = Self::default();
        let mut names = HashSet::new();
        for line in split(lines) {
            if line.starts_with(delimiter) {
                return Err(FormProblem::Stray);
            }
            let (name, value) = header(line).ok_or(FormProblem::PartHead)?;
            head.take(&name, value)?;
            if !names.insert(name) || names.len() > HEADERS_MAX {
                return Err(FormProblem::PartHead);
            }
        }
        if names.contains("content-disposition") { Ok(head) } else { Err(FormProblem::PartName) }
    }

    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), FormProblem> {
        match name {
            "content-disposition" => self.disposition(value),
            "content-type" => self.content_type(value),
            "content-transfer-encoding" => {
                let plain = [&b"7bit"[..], b"8bit", b"binary"];
                let is_plain = plain.iter().any(|word| value.eq_ignore_ascii_case(word));
                if is_plain { Ok(()) } else { Err(FormProblem::Encoding) }
            }
            _ => Ok(()),
        }
    }

    fn disposition(&mut self, value: &[u8]) -> Result<(), FormProblem> {
        let (word, parameters) = parameters::read(value).ok_or(FormProblem::PartName)?;
        if word != "form-data" {
            return Err(FormProblem::PartName);
        }
        let mut seen = HashSet::new();
        for Parameter { name, value } in parameters {
            match name.as_str() {
                "name" => self.name = plain(value).ok_or(FormProblem::PartName)?,
                "filename" | "filename*" => {
                    let shown = String::from_utf8_lossy(&value).into_owned();
                    self.file_name.get_or_insert(shown);
                }
                // `name*`, `Name`, `filename*0` (RFC 2231) are names to some servers.
                other if is_name(other) => return Err(FormProblem::PartName),
                _ => {}
            }
            if !seen.insert(name) {
                return Err(FormProblem::PartName);
            }
        }
        if seen.contains("name") { Ok(()) } else { Err(FormProblem::PartName) }
    }

    fn content_type(&mut self, value: &[u8]) -> Result<(), FormProblem> {
        let (word, parameters) = parameters::read(value).ok_or(FormProblem::PartHead)?;
        if word.starts_with("multipart/") || word.starts_with("message/") {
            return Err(FormProblem::Nested);
        }
        let mut charsets = parameters.iter().filter(|one| {
            one.name.get(..7).is_some_and(|name| name.eq_ignore_ascii_case("charset"))
        });
        self.charset = match (charsets.next(), charsets.next()) {
            (None, _) => Charset::Utf8,
            (Some(one), None) if one.name.len() == 7 => charset(&one.value),
            _ => Charset::Other,
        };
        self.media_type = Some(word);
        Ok(())
    }

    /// Whether every server takes the part for a text.
    pub(super) fn is_text(&self) -> bool {
        // A part of plain octets is a file to some even without a file's name.
        let media = self.media_type.as_deref().unwrap_or("text/plain");
        let text = media.starts_with("text/") || media == "application/json";
        self.file_name.is_none() && text && self.charset != Charset::Other
    }
}

fn split(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    // A lone CR or LF is a control character, which no line may have.
    let mut rest = Some(lines);
    std::iter::from_fn(move || {
        let text = rest?;
        match memchr::memmem::find(text, b"\r\n") {
            Some(end) => {
                rest = text.get(end.saturating_add(2)..);
                text.get(..end)
            }
            None => rest.take(),
        }
    })
}

/// The name in lower case and the value of a header; `None`: it is none, it is folded, or it has control
/// characters.
fn header(line: &[u8]) -> Option<(String, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
    if !name.bytes().all(is_token) || line.iter().any(u8::is_ascii_control) {
        return None;
    }
    Some((name.to_ascii_lowercase(), value.strip_prefix(b":")?.trim_ascii()))
}

/// A name without anything that servers take for an escape (`\"`, `=?utf-8?…?=` of RFC 2047).
fn plain(value: Vec<u8>) -> Option<String> {
    let name = String::from_utf8(value).ok()?;
    (name.len() <= super::NAME_MAX && !name.contains('\\') && !name.contains("=?")).then_some(name)
}

fn is_name(parameter: &str) -> bool {
    let name = parameter.to_ascii_lowercase();
    let name = name.split('*').next().unwrap_or_default();
    matches!(name, "name" | "filename")
}

fn charset(name: &[u8]) -> Charset {
    let ascii = [&b"us-ascii"[..], b"ascii", b"iso-8859-1", b"latin1", b"windows-1252"];
    if is_utf8(name) {
        Charset::Utf8
    } else if ascii.iter().any(|one| name.eq_ignore_ascii_case(one)) {
        Charset::Ascii
    } else {
        Charset::Other
    }
}
