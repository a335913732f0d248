//! Follows the messages of one connection: heads, bodies by count or by chunks, trailers, the next head.

use httparse::{EMPTY_HEADER, Status, parse_headers};

use super::chunks::Chunks;
use super::head::{Head, Length, Progress};
use super::lines::{Lines, Next};
use super::{Bounds, Doubt};

/// The longest trailers, in bytes, and the most of them.
const TRAILERS_BYTES: usize = 8 << 10;
const TRAILERS_MAX: usize = 32;

/// Names that change what a message is, where it goes or who sends it: too late behind a body
/// (RFC 9110 §6.5.1).
const HEADS_ONLY: [&str; 14] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
];

/// See the module.
#[derive(Debug)]
pub(super) struct Reader {
    bounds: Bounds,
    state: State,
    heads: u64,
}

#[derive(Debug)]
enum State {
    Head(Head),
    Body(u64),
    Chunks(Chunks),
    Trailers(Lines, usize),
}

impl Reader {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, state: State::Head(Head::default()), heads: 0 }
    }

    /// How many heads it has passed.
    pub(super) const fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether it stands in a head, or before one.
    pub(super) const fn in_head(&self) -> bool {
        matches!(self.state, State::Head(_))
    }

    /// Reads on in `bytes`: how many of them are passed. What is not must be shown again, with more behind
    /// it; after doubt it never is.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, Result<(), Doubt>) {
        let mut passed = 0_usize;
        loop {
            let rest = bytes.get(passed..).unwrap_or_default();
            if rest.is_empty() {
                return (passed, Ok(()));
            }
            match self.part(rest) {
                (0, Ok(())) => return (passed, Ok(())),
                (part, Ok(())) => passed = passed.saturating_add(part),
                (part, Err(doubt)) => return (passed.saturating_add(part), Err(doubt)),
            }
        }
    }

    /// Passes a part of `rest`; nothing, if more is needed.
    fn part(&mut self, rest: &[u8]) -> (usize, Result<(), Doubt>) {
        match &mut self.state {
            State::Head(head) => match head.read(rest, &self.bounds) {
                Ok(Progress::More) => (0, Ok(())),
                Ok(Progress::Whole(length, body)) => {
                    self.heads = self.heads.saturating_add(1);
                    self.state = match body {
                        Length::Exact(0) => State::Head(Head::default()),
                        Length::Exact(left) => State::Body(left),
                        Length::Chunked => State::Chunks(Chunks::default()),
                    };
                    (length, Ok(()))
                }
                Err(doubt) => (0, Err(doubt)),
            },
            State::Body(left) => {
                let part = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left = left.saturating_sub(u64::try_from(part).unwrap_or(u64::MAX));
                if *left == 0 {
                    self.state = State::Head(Head::default());
                }
                (part, Ok(()))
            }
            State::Chunks(chunks) => {
                let (part, last) = chunks.read(rest);
                if last == Ok(true) {
                    self.state = State::Trailers(Lines::default(), 0);
                }
                (part, last.map(drop))
            }
            State::Trailers(lines, count) => match trailers(lines, count, rest) {
                Ok(0) => (0, Ok(())),
                Ok(length) => {
                    self.state = State::Head(Head::default());
                    (length, Ok(()))
                }
                Err(doubt) => (0, Err(doubt)),
            },
        }
    }
}

/// The trailers at the beginning of `bytes`: their length with the empty line, or 0 while they are not whole.
fn trailers(lines: &mut Lines, count: &mut usize, bytes: &[u8]) -> Result<usize, Doubt> {
    const TOO_LONG: Doubt = Doubt::Unclear("its trailers are too long");
    let within = bytes.get(..TRAILERS_BYTES).unwrap_or(bytes);
    loop {
        match lines.next(within) {
            Next::Line(_) if *count < TRAILERS_MAX => *count = count.saturating_add(1),
            Next::Line(_) => return Err(TOO_LONG),
            Next::Empty(end) => return judge(within.get(..end).unwrap_or_default()).map(|()| end),
            Next::More if within.len() < bytes.len() => return Err(TOO_LONG),
            Next::More => return Ok(0),
            Next::Bad(why) => return Err(Doubt::Unclear(why)),
        }
    }
}

fn judge(section: &[u8]) -> Result<(), Doubt> {
    let mut room = [EMPTY_HEADER; TRAILERS_MAX];
    let found = match parse_headers(section, &mut room) {
        Ok(Status::Complete((length, found))) if length == section.len() => found,
        _ => return Err(Doubt::Unclear("a line of its trailers is not a header")),
    };
    let too_late = |name: &str| HEADS_ONLY.iter().any(|one| one.eq_ignore_ascii_case(name));
    if found.iter().any(|header| too_late(header.name)) {
        return Err(Doubt::Unclear("its trailers have what belongs into the head"));
    }
    Ok(())
}
