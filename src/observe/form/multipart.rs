//! Where the parts of a `multipart/form-data` body begin and end (RFC 2046 §5.1.1).
//!
//! Invariant: keeps at most a piece, a part's head and a boundary, whatever arrives.
//! Invariant: the boundary at the beginning of a line ends a part, or the body is refused.

use memchr::memmem::{Finder, find};

use super::fields::Fields;
use super::part::PartHead;
use super::problem::FormProblem;
use super::{FIELDS_MAX, Listener};

/// The longest head of a part, in bytes.
const PART_HEAD_MAX: usize = 8 * 1024;
/// How many bytes are looked at in one go.
const PIECE: usize = 16 * 1024;
/// What ends a line.
const CRLF: &[u8] = b"\r\n";

/// Reads a body from pieces of any size.
#[derive(Debug)]
pub(super) struct Multipart {
    /// `--` and the boundary.
    delimiter: Finder<'static>,
    /// What has come and is not yet read.
    held: Vec<u8>,
    state: State,
    parts: usize,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first boundary.
    Start,
    /// What stands behind a boundary: the end of its line, or the end of all.
    Behind,
    /// The head of a part.
    Head,
    /// The bytes of a part; `true`: none of them has been passed on.
    Bytes(bool),
    /// The end of the body.
    Tail,
}

impl Multipart {
    pub(super) fn new(boundary: &[u8]) -> Self {
        let delimiter = [b"--", boundary].concat();
        let delimiter = Finder::new(&delimiter).into_owned();
        Self { delimiter, held: Vec::new(), state: State::Start, parts: 0 }
    }

    /// Takes the next piece.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        fields: &mut Fields,
        listener: &mut dyn Listener,
    ) -> Result<(), FormProblem> {
        for piece in bytes.chunks(PIECE) {
            self.held.extend_from_slice(piece);
            while self.step(fields, listener)? {}
        }
        Ok(())
    }

    /// The body is over.
    pub(super) fn finish(self) -> Result<(), FormProblem> {
        let ended = self.held.is_empty() || self.held == CRLF;
        match self.state {
            State::Tail if ended => Ok(()),
            State::Tail => Err(FormProblem::Tail),
            _ => Err(FormProblem::Unclosed),
        }
    }

    /// Reads what can be read; `false`: more must come first.
    fn step(
        &mut self,
        fields: &mut Fields,
        listener: &mut dyn Listener,
    ) -> Result<bool, FormProblem> {
        match self.state {
            State::Start => self.start(),
            State::Behind => self.behind(),
            State::Head => self.head(fields, listener),
            State::Bytes(first) => self.bytes(first, fields, listener),
            State::Tail if CRLF.starts_with(&self.held) => Ok(false),
            State::Tail => Err(FormProblem::Tail),
        }
    }

    /// What stands before the first boundary is text to some servers and a part to others.
    fn start(&mut self) -> Result<bool, FormProblem> {
        let needle = self.delimiter.needle();
        let enough = self.held.len() >= needle.len();
        let begun =
            if enough { self.held.starts_with(needle) } else { needle.starts_with(&self.held) };
        match (begun, enough) {
            (false, _) => Err(FormProblem::Start),
            (true, false) => Ok(false),
            (true, true) => {
                let length = needle.len();
                self.go_on(length, State::Behind);
                Ok(true)
            }
        }
    }

    /// Padding behind a boundary (RFC 2046 allows it) is more than some servers expect.
    fn behind(&mut self) -> Result<bool, FormProblem> {
        let next = match self.held.get(..2) {
            None => return Ok(false),
            Some(b"\r\n") => State::Head,
            Some(b"--") => State::Tail,
            Some(_) => return Err(FormProblem::Stray),
        };
        self.go_on(2, next);
        Ok(true)
    }

    fn head(
        &mut self,
        fields: &mut Fields,
        listener: &mut dyn Listener,
    ) -> Result<bool, FormProblem> {
        let Some(end) = find(&self.held, b"\r\n\r\n") else {
            let endless = self.held.len() > PART_HEAD_MAX || self.held.starts_with(CRLF);
            return if endless { Err(FormProblem::PartHead) } else { Ok(false) };
        };
        self.parts = self.parts.saturating_add(1);
        if self.parts > FIELDS_MAX {
            return Err(FormProblem::TooMany);
        }
        let lines = self.held.get(..end).filter(|lines| lines.len() <= PART_HEAD_MAX);
        let lines = lines.ok_or(FormProblem::PartHead)?;
        let part = PartHead::read(lines, self.delimiter.needle())?;
        fields.begin(&part)?;
        listener.begins(&part);
        self.go_on(end.saturating_add(4), State::Bytes(true));
        Ok(true)
    }

    fn bytes(
        &mut self,
        first: bool,
        fields: &mut Fields,
        listener: &mut dyn Listener,
    ) -> Result<bool, FormProblem> {
        let needle = self.delimiter.needle().len();
        if let Some((at, ambiguous)) = self.boundary(first) {
            self.pass(at, fields, listener)?;
            if ambiguous {
                return Err(FormProblem::Stray);
            }
            fields.end()?;
            listener.ends();
            self.go_on(at.saturating_add(CRLF.len()).saturating_add(needle), State::Behind);
            return Ok(true);
        }
        // Kept: what may be the beginning of the end, and one line end before it.
        let keep = needle.saturating_add(CRLF.len());
        let length = self.held.len().saturating_sub(keep);
        if length > 0 {
            self.pass(length, fields, listener)?;
            self.go_on(length, State::Bytes(false));
        }
        Ok(false)
    }

    /// Where the bytes of the part end, if that has come: at the line end before the next boundary. Behind a lone
    /// CR or LF, or where no line end is left for it, a boundary is one to some servers only: `true`.
    fn boundary(&self, first: bool) -> Option<(usize, bool)> {
        for at in self.delimiter.find_iter(&self.held) {
            let before = self.held.get(..at).unwrap_or_default();
            if let Some(bytes) = before.strip_suffix(CRLF) {
                return Some((bytes.len(), false));
            }
            let begins_line = before.is_empty() && first;
            if begins_line || before.ends_with(b"\n") || before.ends_with(b"\r") {
                return Some((at, true));
            }
        }
        None
    }

    fn pass(
        &self,
        length: usize,
        fields: &mut Fields,
        listener: &mut dyn Listener,
    ) -> Result<(), FormProblem> {
        let bytes = self.held.get(..length).unwrap_or_default();
        if !bytes.is_empty() {
            fields.bytes(bytes)?;
            listener.bytes(bytes);
        }
        Ok(())
    }

    fn go_on(&mut self, read: usize, next: State) {
        self.held.drain(..read.min(self.held.len()));
        self.state = next;
    }
}
