//! Ogg (RFC 3533): pages of packets of one or more streams, and such files behind one another.
//!
//! What the packets have is counted, and the positions on the pages say where a stream begins and ends
//! within them.

use super::number::{be_at, le_at, milliseconds, part, size};
use super::ogg_stream::Stream;
use super::window::{Step, Walk, Want};

/// The head of a page without its table.
const HEAD: usize = 27;

/// The most streams that a file may have at the same time.
const STREAMS: usize = 16;

/// The walk from page to page.
#[derive(Clone, Debug, Default)]
pub(super) struct Ogg {
    streams: Vec<Stream>,
    /// Whether sound has come since the last stream began.
    begun: bool,
    /// The length of the files that ended within this one.
    before_ms: u64,
    /// A page that began: whose it is, and its position.
    open: Option<(u64, u64)>,
    lost: bool,
}

/// One page.
pub(super) struct Page<'a> {
    /// Whether its first packet began on another page.
    pub(super) continued: bool,
    /// How many samples of its stream end with it. `None`: no packet ends on it.
    pub(super) position: Option<u64>,
    /// The sizes of its parts; less than 255: a packet ends.
    pub(super) table: &'a [u8],
    /// Its packets.
    pub(super) body: &'a [u8],
}

impl Ogg {
    /// The length.
    pub(super) fn milliseconds(&self) -> Option<u64> {
        let cut =
            |stream: &Stream| self.open.filter(|open| open.0 == stream.serial).map(|open| open.1);
        self.link(cut).filter(|_| !self.lost).map(|last| last.saturating_add(self.before_ms))
    }

    /// The length of the streams that are there now: of the longest. `None`: one of them has none.
    fn link(&self, cut: impl Fn(&Stream) -> Option<u64>) -> Option<u64> {
        let lengths = self.streams.iter().filter(|stream| !stream.is_silent());
        lengths
            .map(|stream| {
                stream.samples(cut(stream)).and_then(|samples| milliseconds(samples, stream.rate))
            })
            .try_fold(0, |longest, length| Some(length?.max(longest)))
    }

    fn begin(&mut self, serial: u64, page: &Page<'_>) {
        if self.begun {
            match self.link(|_| None) {
                Some(length) => self.before_ms = self.before_ms.saturating_add(length),
                None => self.lost = true,
            }
            self.streams.clear();
            self.begun = false;
        }
        let known = self.streams.iter().any(|stream| stream.serial == serial);
        match Stream::begin(serial, page.body) {
            Some(stream) if !known && self.streams.len() < STREAMS => self.streams.push(stream),
            _ => self.lost = true,
        }
    }

    fn page(&mut self, bytes: &[u8], segments: usize) {
        let position = le_at(bytes, 6, 8);
        let table = part(bytes, HEAD, segments).unwrap_or_default();
        let page = Page {
            continued: be_at(bytes, 5, 1) & 1 != 0,
            position: (position != u64::MAX).then_some(position),
            table,
            body: bytes.get(HEAD.saturating_add(segments)..).unwrap_or_default(),
        };
        let serial = le_at(bytes, 14, 4);
        if be_at(bytes, 5, 1) & 2 != 0 {
            return self.begin(serial, &page);
        }
        self.begun = true;
        // A stream without its beginning is one that nobody can play.
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.serial == serial) {
            stream.page(&page);
        }
    }
}

impl Walk for Ogg {
    fn see(&mut self, _: u64, bytes: &[u8]) -> Step {
        if !bytes.starts_with(b"OggS") {
            return Step { pass: 1, want: Want::Find(b'O', HEAD) };
        }
        if bytes.len() < HEAD {
            return Step::look(HEAD);
        }
        let segments = usize::try_from(be_at(bytes, 26, 1)).unwrap_or(0);
        let head = HEAD.saturating_add(segments);
        if bytes.len() < head {
            return Step::look(head);
        }
        let table = part(bytes, HEAD, segments).unwrap_or_default();
        let whole = table.iter().fold(head, |sum, part| sum.saturating_add(usize::from(*part)));
        if bytes.len() < whole {
            let position = le_at(bytes, 6, 8);
            self.open = (position != u64::MAX).then(|| (le_at(bytes, 14, 4), position));
            return Step::look(whole);
        }
        self.open = None;
        self.page(bytes.get(..whole).unwrap_or_default(), segments);
        Step::on(size(whole), HEAD)
    }
}
