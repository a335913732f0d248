//! MP4, M4A and QuickTime (ISO/IEC 14496-12): boxes, wherever `moov` stands, and the fragments of a stream.
//!
//! Boxes are walked as they pass; of their tables only sums are kept. The samples of the tracks are added
//! up, since what `moov` states of the whole may be anything.

use super::mp4_boxes::{Kind, Open};
use super::mp4_tracks::Tracks;
use super::number::{be_at, part, size};
use super::window::{Step, Walk};

/// The head of a box, and of one with a large size (§4.2).
const HEAD: usize = 8;
const LARGE: usize = 16;

/// How deep boxes may stand in one another: `moov`, `trak`, `mdia`, `minf`, `stbl` and what is in them.
const DEPTH: usize = 8;

/// The most entries of a table that are looked at together.
const ENTRIES: u64 = 512;

/// The walk from box to box.
#[derive(Clone, Debug, Default)]
pub(super) struct Mp4 {
    within: Within,
    /// The boxes that are open, with where they end.
    open: Vec<Open>,
    tracks: Tracks,
    lost: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Within {
    #[default]
    Boxes,
    /// The fields of a box, or the head of a table.
    Fields(Kind),
    /// Entries of so many bytes, so many of them.
    Table { kind: Kind, entry: u64, left: u64 },
}

impl Mp4 {
    /// The length, in a file of `total` bytes.
    pub(super) fn milliseconds(&self, total: u64) -> Option<u64> {
        if self.lost { None } else { self.tracks.milliseconds(total) }
    }

    fn next_box(&mut self, at: u64, bytes: &[u8]) -> Step {
        self.open.retain(|open| open.end > at);
        let word = be_at(bytes, 0, 4);
        if word == 1 && bytes.len() < LARGE {
            return Step::look(LARGE);
        }
        let (head, length) = match word {
            // To the end of what it stands in.
            0 => (HEAD, self.open.last().map_or(u64::MAX, |open| open.end).saturating_sub(at)),
            1 => (LARGE, be_at(bytes, 8, 8)),
            length => (HEAD, length),
        };
        let end = at.saturating_add(length);
        let fits = self.open.last().is_none_or(|open| end <= open.end);
        if length < size(head) || !fits {
            return self.lose();
        }
        let kind = Kind::of(part(bytes, 4, 4).unwrap_or_default());
        match kind {
            Kind::Other => Step::on(length, HEAD),
            Kind::Media => {
                self.tracks.media(length.saturating_sub(size(head)));
                Step::on(length, HEAD)
            }
            Kind::Within | Kind::Track | Kind::Fragment => {
                if self.open.len() >= DEPTH || !self.tracks.begin(kind) {
                    return self.lose();
                }
                self.open.push(Open { end });
                Step::on(size(head), HEAD)
            }
            fields => {
                let there = length.saturating_sub(size(head));
                let read = usize::try_from(there).unwrap_or(usize::MAX).min(fields.size());
                if read < fields.needs() {
                    return self.lose();
                }
                self.open.push(Open { end });
                self.within = Within::Fields(fields);
                Step::on(size(head), read)
            }
        }
    }

    /// What remains of the innermost box is passed over.
    fn leave(&mut self, at: u64) -> Step {
        self.within = Within::Boxes;
        let end = self.open.pop().map_or(at, |open| open.end);
        Step::on(end.saturating_sub(at), HEAD)
    }

    fn fields(&mut self, kind: Kind, at: u64, bytes: &[u8]) -> Step {
        let Some((entry, count)) = self.tracks.fields(kind, bytes) else {
            return self.leave(at);
        };
        // An entry of no bytes is told by its count alone, which was taken already.
        let head = size(kind.table_at(bytes));
        let end = self.open.last().map_or(at, |open| open.end);
        let there = end.saturating_sub(at).saturating_sub(head).checked_div(entry).unwrap_or(0);
        if count > there && entry > 0 {
            return self.lose();
        }
        self.table(kind, entry, if entry > 0 { count } else { 0 }, at, head)
    }

    fn table(&mut self, kind: Kind, entry: u64, left: u64, at: u64, pass: u64) -> Step {
        if left == 0 {
            return self.leave(at);
        }
        self.within = Within::Table { kind, entry, left };
        let bytes = left.min(ENTRIES).saturating_mul(entry);
        Step::on(pass, usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    fn lose(&mut self) -> Step {
        self.lost = true;
        Step::stop()
    }
}

impl Walk for Mp4 {
    fn see(&mut self, at: u64, bytes: &[u8]) -> Step {
        match self.within {
            Within::Boxes => self.next_box(at, bytes),
            Within::Fields(kind) => self.fields(kind, at, bytes),
            Within::Table { kind, entry, left } => {
                let seen = size(bytes.len()).checked_div(entry).unwrap_or(0).min(left).min(ENTRIES);
                for one in bytes.chunks_exact(usize::try_from(entry).unwrap_or(usize::MAX).max(1)) {
                    self.tracks.entry(kind, one);
                }
                self.table(kind, entry, left.saturating_sub(seen), at, seen.saturating_mul(entry))
            }
        }
    }
}
