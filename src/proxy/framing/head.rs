//! One head: held until it is whole, then judged (RFC 9112 §2.2, §3, §5, §6).

use std::ops::Range;

use httparse::{EMPTY_HEADER, Header, Status, parse_headers};

use super::lines::{Lines, Next};
use super::target::{first_line, is_host};
use super::{Bounds, Doubt};
use crate::observe::is_token;

/// So many headers are read without an allocation.
const FEW: usize = 32;

/// A head on its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    lines: Lines,
    /// Where its first word ends, as far as it was read.
    word: usize,
    /// Whether an empty line came before it: one may.
    led: bool,
    /// Its first line, whether that says HTTP/1.1, and whether it names a host.
    first: Option<(Range<usize>, bool, bool)>,
    headers: usize,
}

/// How far it has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to come.
    More,
    /// It has so many bytes, and its body this length.
    Whole(usize, Length),
}

/// How the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many bytes.
    Exact(u64),
    /// In chunks.
    Chunked,
}

impl Head {
    /// Reads on in `bytes`, which begin where the head begins.
    pub(super) fn read(&mut self, bytes: &[u8], bounds: &Bounds) -> Result<Progress, Doubt> {
        let within = bytes.get(..bounds.head_bytes).unwrap_or(bytes);
        loop {
            self.first_word(within)?;
            match self.lines.next(within) {
                Next::Line(line) => self.line(line, within, bounds)?,
                Next::Empty(end) => {
                    if let Some(first) = &self.first {
                        let whole = within.get(..end).unwrap_or_default();
                        return Ok(Progress::Whole(end, self.judge(first, whole)?));
                    }
                    if self.led {
                        return Err(Doubt::Unclear("empty lines stand before it"));
                    }
                    self.led = true;
                    self.word = end;
                }
                Next::More if within.len() < bytes.len() => {
                    return Err(Doubt::TooLong(bounds.head_bytes));
                }
                Next::More => return Ok(Progress::More),
                Next::Bad(why) => return Err(Doubt::Unclear(why)),
            }
        }
    }

    /// The method must be a word. Judged byte by byte: the rest of a body may never have a second one.
    fn first_word(&mut self, bytes: &[u8]) -> Result<(), Doubt> {
        let rest = bytes.get(self.word..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| is_token(**byte)).count();
        self.word = self.word.saturating_add(length);
        match rest.get(length..).unwrap_or_default() {
            [] | [b' ', ..] | [b'\r'] | [b'\r', b'\n', ..] | [b'\n', ..] => Ok(()),
            _ => Err(Doubt::Unclear("it does not begin with a method")),
        }
    }

    fn line(&mut self, line: Range<usize>, bytes: &[u8], bounds: &Bounds) -> Result<(), Doubt> {
        if self.first.is_some() {
            self.headers = self.headers.saturating_add(1);
            let fit = self.headers <= bounds.headers;
            return if fit { Ok(()) } else { Err(Doubt::TooMany(bounds.headers)) };
        }
        // Judged at once: whoever does not speak HTTP may never send a second line.
        let read = first_line(bytes.get(line.clone()).unwrap_or_default())?;
        self.first = Some((line, read.is_1_1, read.authority.is_some()));
        Ok(())
    }

    /// The whole head, `bytes` being all of it.
    fn judge(&self, first: &(Range<usize>, bool, bool), bytes: &[u8]) -> Result<Length, Doubt> {
        let (line, is_1_1, absolute) = first;
        let rest = bytes.get(line.end.saturating_add(2)..).unwrap_or_default();
        let mut few = [EMPTY_HEADER; FEW];
        let mut many = Vec::new();
        let room = match few.get_mut(..self.headers) {
            Some(room) => room,
            None => {
                many.resize(self.headers, EMPTY_HEADER);
                &mut many[..]
            }
        };
        let found = match parse_headers(rest, room) {
            Ok(Status::Complete((length, headers))) if length == rest.len() => {
                Found::among(headers)?
            }
            _ => return Err(Doubt::Unclear("a line of its head is not a header")),
        };
        let authority = if *absolute {
            first_line(bytes.get(line.clone()).unwrap_or_default())?.authority
        } else {
            None
        };
        found.host(authority, *is_1_1)?;
        found.length(*is_1_1)
    }
}

/// The headers that decide where a message ends and for whom it is.
#[derive(Debug, Default)]
struct Found<'a> {
    host: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    coding: Option<&'a [u8]>,
    expect: Option<&'a [u8]>,
}

impl<'a> Found<'a> {
    fn among(headers: &[Header<'a>]) -> Result<Self, Doubt> {
        let mut found = Self::default();
        for header in headers {
            let named = |name: &str| header.name.eq_ignore_ascii_case(name);
            let (place, twice) = match header.name.len() {
                4 if named("host") => (&mut found.host, "it has two hosts"),
                6 if named("expect") => (&mut found.expect, "it has two expectations"),
                14 if named("content-length") => (&mut found.length, "it has two lengths"),
                17 if named("transfer-encoding") => (&mut found.coding, "it has two codings"),
                _ => continue,
            };
            if place.replace(header.value).is_some() {
                return Err(Doubt::Unclear(twice));
            }
        }
        Ok(found)
    }

    /// RFC 9112 §3.2: 1.1 needs a host; a target with another one is for somebody else.
    fn host(&self, authority: Option<&[u8]>, is_1_1: bool) -> Result<(), Doubt> {
        match self.host {
            None if is_1_1 => return Err(Doubt::Unclear("it has no host")),
            Some(host) if !is_host(host) => {
                return Err(Doubt::Unclear("its host is not a name with or without a port"));
            }
            _ => {}
        }
        match (authority, self.host) {
            (Some(named), _) if !is_host(named) => {
                Err(Doubt::Unclear("its target's host is not a name with or without a port"))
            }
            (Some(named), Some(host)) if !named.eq_ignore_ascii_case(host) => {
                Err(Doubt::Unclear("its target and its Host header name different hosts"))
            }
            _ => Ok(()),
        }
    }

    /// RFC 9112 §6.3, but where it lets a server mend something, it is refused.
    fn length(&self, is_1_1: bool) -> Result<Length, Doubt> {
        // Of another expectation nobody would know whether it was met (RFC 9110 §10.1.1).
        match (self.length, self.coding) {
            (None, None) => Ok(Length::Exact(0)),
            (Some(_), Some(_)) => Err(Doubt::Unclear("it has a length and a transfer coding")),
            (Some(value), None) => number(value).map(Length::Exact),
            (None, Some(_)) if !is_1_1 => Err(Doubt::Unclear("HTTP/1.0 has no transfer codings")),
            (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Length::Chunked),
            (None, Some(_)) => {
                Err(Doubt::Unclear("the one transfer coding that is read here is chunked"))
            }
        }
    }
}

/// Digits alone, and no more than that: a leading zero is octal to some.
fn number(value: &[u8]) -> Result<u64, Doubt> {
    const WRONG: Doubt = Doubt::Unclear("its length is not a plain number");
    let plain =
        value.iter().all(u8::is_ascii_digit) && (value.len() == 1 || value.first() != Some(&b'0'));
    let text = std::str::from_utf8(value).map_err(|_| WRONG)?;
    let number: i64 = if plain { text.parse().map_err(|_| WRONG)? } else { return Err(WRONG) };
    u64::try_from(number).map_err(|_| WRONG)
}
