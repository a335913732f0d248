//! Event streams, read as the HTML standard says (WHATWG HTML §9.2.6), however the bytes are split.
//!
//! Lines end with CRLF, LF or CR; one byte order mark at the start is passed over; `data` lines are joined
//! by LF; comments and unknown fields do nothing. One thing differs from the standard: when a body has ended
//! as its framing promised, an event that lacks its closing blank line is still reported. The standard drops
//! it because it may have been cut off; here the framing says that it was not, and it may carry the usage.
//!
//! Invariant: never holds more than a line and an event's data of bounded size, whatever arrives.

use std::mem;

use super::squeezed::{Squeezed, TEXT_MAX};

/// The most bytes of data that an event may have, long JSON texts not counted; a larger event is skipped and
/// counted.
pub const EVENT_MAX: usize = 256 * 1024;

/// The longest line that is kept: the largest data with its field's name.
const LINE_MAX: usize = EVENT_MAX + 16;

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its `event` field; empty: none was given, which the standard reads as `message`.
    pub name: &'a str,
    /// Its `data` lines, joined by LF. Bytes that are not UTF-8 are replaced by U+FFFD, and long JSON texts by
    /// [`CUT`](super::CUT).
    pub data: &'a str,
}

/// Reads a stream of events from pieces of any size.
#[derive(Debug)]
pub struct EventReader {
    line: Squeezed,
    data: Vec<u8>,
    has_data: bool,
    name: Vec<u8>,
    too_large: bool,
    after_cr: bool,
    begun: bool,
    skipped: u64,
}

impl Default for EventReader {
    fn default() -> Self {
        Self {
            line: Squeezed::new(LINE_MAX),
            data: Vec::new(),
            has_data: false,
            name: Vec::new(),
            too_large: false,
            after_cr: false,
            begun: false,
            skipped: 0,
        }
    }
}

impl EventReader {
    /// Takes the next piece and reports each event that it completes.
    pub fn feed(&mut self, bytes: &[u8], report: &mut dyn FnMut(Event<'_>)) {
        let mut rest = bytes;
        if let ([first, more @ ..], true) = (rest, self.after_cr) {
            self.after_cr = false;
            rest = if *first == b'\n' { more } else { rest };
        }
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, tail) = rest.split_at(at);
            self.end_line(line, report);
            self.after_cr = tail == b"\r";
            rest = match tail {
                [b'\r', b'\n', more @ ..] | [_, more @ ..] => more,
                [] => &[],
            };
        }
        self.line.push(rest);
    }

    /// The body is over: as its framing promised, or not. Only then a last event without its blank line
    /// is reported.
    pub fn finish(&mut self, complete: bool, report: &mut dyn FnMut(Event<'_>)) {
        if complete {
            if !self.line.is_empty() {
                self.end_line(&[], report);
            }
            self.dispatch(report);
        }
    }

    /// How many events were skipped because they were too large.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    fn end_line(&mut self, part: &[u8], report: &mut dyn FnMut(Event<'_>)) {
        // A line that has no room for a long text is read where it lies.
        if self.line.is_empty() && part.len() <= TEXT_MAX {
            return self.read(part, false, report);
        }
        self.line.push(part);
        let mut line = mem::replace(&mut self.line, Squeezed::new(LINE_MAX));
        self.read(line.kept(), line.is_over(), report);
        line.clear();
        self.line = line;
    }

    fn read(&mut self, line: &[u8], cut: bool, report: &mut dyn FnMut(Event<'_>)) {
        let line = if mem::replace(&mut self.begun, true) {
            line
        } else {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        };
        if line.is_empty() {
            return self.dispatch(report);
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (field, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.add(value, cut),
            b"event" => value.clone_into(&mut self.name),
            _ => {}
        }
    }

    fn add(&mut self, value: &[u8], cut: bool) {
        let joint = usize::from(self.has_data);
        let size = self.data.len().saturating_add(joint).saturating_add(value.len());
        self.too_large |= cut || size > EVENT_MAX;
        if self.too_large {
            self.data.clear();
        } else {
            if self.has_data {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value);
        }
        self.has_data = true;
    }

    fn dispatch(&mut self, report: &mut dyn FnMut(Event<'_>)) {
        if self.too_large {
            self.skipped = self.skipped.saturating_add(1);
        } else if self.has_data {
            let name = String::from_utf8_lossy(&self.name);
            let data = String::from_utf8_lossy(&self.data);
            report(Event { name: &name, data: &data });
        }
        self.data.clear();
        self.name.clear();
        self.has_data = false;
        self.too_large = false;
    }
}
