//! Lines of a head or of trailers, as they arrive: each ends with CR LF, the section with an empty one.
//!
//! Invariant: where bytes are split on their way changes nothing about what is found.

use std::ops::Range;

/// Bytes that may stand within a line (RFC 9110 §5.5): no control but the tab.
const PLAIN: [bool; 256] = plain();

const fn plain() -> [bool; 256] {
    let mut table = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = false;
        byte += 1;
    }
    table[b'\t' as usize] = true;
    table[0x7f] = false;
    table
}

/// Where reading has got to, counted from the beginning of the section.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    seen: usize,
    begin: usize,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A line, without its end.
    Line(Range<usize>),
    /// An empty line: what follows begins here.
    Empty(usize),
    /// Nothing, until there are more bytes.
    More,
    /// Something that no line has.
    Bad(&'static str),
}

impl Lines {
    /// The next line of `bytes`, which begin where the section begins.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Next {
        let rest = bytes.get(self.seen..).unwrap_or_default();
        let Some(plain) = rest.iter().position(|byte| !PLAIN[usize::from(*byte)]) else {
            self.seen = bytes.len();
            return Next::More;
        };
        self.seen = self.seen.saturating_add(plain);
        match (rest.get(plain), rest.get(plain.saturating_add(1))) {
            (Some(b'\r'), Some(b'\n')) => self.end(),
            (Some(b'\r'), None) => Next::More,
            (Some(b'\r'), Some(_)) => Next::Bad("it has a bare carriage return"),
            (Some(b'\n'), _) => Next::Bad("a line ends with a bare line feed"),
            _ => Next::Bad("it has a control character"),
        }
    }

    const fn end(&mut self) -> Next {
        let line = self.begin..self.seen;
        self.seen = self.seen.saturating_add(2);
        self.begin = self.seen;
        if line.start == line.end { Next::Empty(self.begin) } else { Next::Line(line) }
    }
}
