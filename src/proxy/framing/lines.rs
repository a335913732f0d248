//! Lines of a head or of trailers, as they arrive: each ends with CR LF, the section with an empty one.
//!
//! What stands within a line is for whoever reads the section once it is whole.
//!
//! Invariant: where bytes are split on their way changes nothing about what is found.

use std::ops::Range;

use memchr::memchr;

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
    /// A line that ends otherwise. The text ends a sentence.
    Bad(&'static str),
}

impl Lines {
    /// The next line of `bytes`, which begin where the section begins.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Next {
        let Some(feed) = memchr(b'\n', bytes.get(self.seen..).unwrap_or_default()) else {
            self.seen = bytes.len();
            return Next::More;
        };
        let feed = self.seen.saturating_add(feed);
        let line = bytes.get(self.begin..feed).and_then(|line| line.strip_suffix(b"\r"));
        let Some(line) = line else {
            return Next::Bad("a line ends with a bare line feed");
        };
        let range = self.begin..self.begin.saturating_add(line.len());
        self.seen = feed.saturating_add(1);
        self.begin = self.seen;
        if line.is_empty() { Next::Empty(self.begin) } else { Next::Line(range) }
    }
}
