//! Taking out of an event stream what was asked for on the client's behalf: it sees what it would have seen.
//!
//! An event that was sent for it alone goes with its lines; of other events one member does. All other bytes
//! pass as they came: comments, `id`, `retry`, names, line ends, and events that are no JSON.
//!
//! Only the bytes of an event that may have to be changed wait, and no longer than for its end, before which no
//! client acts on it. Everything else passes as it comes.
//!
//! Invariant: the same bytes come out however the input is split.
//! Invariant: at most `EVENT_MAX` bytes wait; a larger event passes as it came.

mod event;

use bytes::Bytes;

use crate::meter::TakeOut;
use crate::observe::EVENT_MAX;
use event::changed;

/// A byte order mark, which a stream may begin with (WHATWG HTML §9.2.5).
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// See the module.
#[derive(Debug)]
pub struct TakingOut {
    rule: TakeOut,
    /// The lines of the event so far, where it may have to be changed.
    held: Vec<u8>,
    /// Where in it the line begins that is being read, and how far its data has been looked at.
    looked: (usize, usize),
    /// What becomes of the lines of this event that are yet to come.
    event: Course,
    /// Where in a line the input is.
    line: Place,
    /// The byte before was a CR: a LF that follows belongs to it and shares its fate.
    after_cr: Option<Fate>,
    /// How many bytes of a mark have come; past its end: the stream has begun.
    begun: usize,
    /// Whether lines of this event have passed already.
    passed: bool,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Nothing of it shows yet whether it may have to be changed.
    Open,
    /// It may have to be: it waits for its end.
    Waits,
    /// It passes.
    Passes,
}

/// Where in a line the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At its beginning.
    Start,
    /// In a line that waits.
    Held,
    /// In a line that passes.
    Passing,
}

/// What became of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Passed,
    Held,
    Dropped,
}

impl TakingOut {
    /// For a stream from its beginning.
    #[must_use]
    pub const fn new(rule: TakeOut) -> Self {
        Self {
            rule,
            held: Vec::new(),
            looked: (0, 0),
            event: Course::Open,
            line: Place::Start,
            after_cr: None,
            begun: 0,
            passed: false,
        }
    }

    /// What passes on of the next bytes, with what had waited; it may be nothing.
    pub fn feed(&mut self, bytes: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let taken = match self.after_cr.take() {
                Some(Fate::Passed) if *first == b'\n' => {
                    out.push(b'\n');
                    1
                }
                Some(fate) if *first == b'\n' => {
                    self.put(fate, b"\n", &mut out);
                    1
                }
                _ if MARK.get(self.begun) == Some(first) => {
                    self.begun = self.begun.saturating_add(1);
                    out.push(*first);
                    1
                }
                _ => {
                    self.begin();
                    self.take(rest, &mut out)
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Bytes::from(out)
    }

    /// The stream is over; `complete`: as its framing promised. What is left of it, without the member.
    pub fn finish(&mut self, complete: bool) -> Bytes {
        let mut out = Vec::new();
        if complete {
            self.release(&mut out);
        }
        out.append(&mut self.held);
        Bytes::from(out)
    }

    /// A stream that began with a part of a mark has begun with a line of no known field.
    const fn begin(&mut self) {
        if self.begun > 0 && self.begun < MARK.len() {
            self.line = Place::Passing;
            self.passed = true;
        }
        self.begun = MARK.len();
    }

    /// Takes the rest of a line, or what has come of it; how many bytes.
    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let end = memchr::memchr2(b'\n', b'\r', bytes);
        let (line, mark) = bytes.split_at(end.unwrap_or(bytes.len()));
        if let (Some(first), Place::Start) = (line.first(), self.line) {
            let waits = match self.event {
                Course::Waits => true,
                // Only the fields `data` and `event` may have to go.
                Course::Open => !self.held.is_empty() || matches!(first, b'd' | b'e'),
                Course::Passes => false,
            };
            self.line = if waits { Place::Held } else { Place::Passing };
            self.looked = (self.held.len(), self.held.len());
        }
        let empty = self.line == Place::Start;
        self.put(self.fate(), line, out);
        let Some(mark) = mark.get(..1) else { return line.len() };
        let fate = if empty { self.end(mark, out) } else { self.end_line(mark, out) };
        self.after_cr = (mark == b"\r").then_some(fate);
        self.line = Place::Start;
        line.len().saturating_add(1)
    }

    /// What becomes of the bytes of this line.
    fn fate(&self) -> Fate {
        match self.line {
            Place::Held => Fate::Held,
            Place::Passing | Place::Start => Fate::Passed,
        }
    }

    fn put(&mut self, fate: Fate, bytes: &[u8], out: &mut Vec<u8>) {
        match fate {
            Fate::Passed => {
                self.passed |= !bytes.is_empty();
                out.extend_from_slice(bytes);
            }
            Fate::Held => {
                self.held.extend_from_slice(bytes);
                self.look(out);
            }
            Fate::Dropped => {}
        }
    }

    fn end_line(&mut self, mark: &[u8], out: &mut Vec<u8>) -> Fate {
        let fate = self.fate();
        self.put(fate, mark, out);
        // It may have begun to pass at this very byte.
        self.fate()
    }

    /// Lets the event pass as soon as it is known that nothing in it can be affected.
    fn look(&mut self, out: &mut Vec<u8>) {
        if self.event == Course::Open {
            self.event = match self.first_data() {
                Some(b'{') => Course::Waits,
                Some(_) => Course::Passes,
                None => Course::Open,
            };
        }
        if self.held.len() > EVENT_MAX {
            self.event = Course::Passes;
        }
        if self.event == Course::Passes {
            self.passed = true;
            out.append(&mut self.held);
            if self.line == Place::Held {
                self.line = Place::Passing;
            }
        }
    }

    /// The first byte of the line's data that is no space; each byte is looked at once.
    fn first_data(&mut self) -> Option<u8> {
        let (begin, seen) = self.looked;
        let value = self.held.get(begin..)?.strip_prefix(b"data:")?;
        let value = self.held.get(seen.max(self.held.len().saturating_sub(value.len()))..)?;
        self.looked.1 = self.held.len();
        value.iter().find(|byte| !byte.is_ascii_whitespace()).copied()
    }

    /// The blank line that ends an event has come.
    fn end(&mut self, mark: &[u8], out: &mut Vec<u8>) -> Fate {
        let gone = !self.held.is_empty() && self.release(out) && !self.passed;
        (self.event, self.passed) = (Course::Open, false);
        if gone {
            return Fate::Dropped;
        }
        out.extend_from_slice(mark);
        Fate::Passed
    }

    /// Lets go what has waited, changed if need be; whether nothing of it was left.
    fn release(&mut self, out: &mut Vec<u8>) -> bool {
        let held = std::mem::take(&mut self.held);
        let before = out.len();
        match changed(&held, &self.rule) {
            Some(parts) => {
                for part in parts {
                    out.extend_from_slice(held.get(part).unwrap_or_default());
                }
            }
            None => out.extend_from_slice(&held),
        }
        out.len() == before
    }
}
