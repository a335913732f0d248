//! WebM and Matroska (RFC 9559): the stated length, and the times of the blocks.
//!
//! Elements are walked as they pass. A file that a browser records has no stated length, no index, and
//! clusters of an unknown size: then the last block says when it ends.
//!
//! Invariant: only elements that are known to have what is looked for are entered, so they stand four deep
//! at most.

use super::matroska_elements::{Element, Id};
use super::matroska_tracks::Tracks;
use super::number::size;
use super::window::{Step, Walk};

/// The longest number that is read, and how much of a block is.
const NUMBER: u64 = 8;
const BLOCK: u64 = 12;
/// The longest name of a codec.
const NAME: u64 = 32;

/// The walk from element to element.
#[derive(Clone, Debug, Default)]
pub(super) struct Matroska {
    /// What is open, and where it ends.
    open: Vec<(Id, u64)>,
    /// The element whose bytes come, and how many it has.
    within: Option<(Id, u64)>,
    tracks: Tracks,
    /// Whether the file has begun.
    begun: bool,
    lost: bool,
}

impl Matroska {
    /// The length.
    pub(super) fn milliseconds(&self) -> Option<u64> {
        if self.lost { None } else { self.tracks.milliseconds() }
    }

    fn next_element(&mut self, at: u64, bytes: &[u8]) -> Step {
        while self.open.last().is_some_and(|open| open.1 <= at) {
            self.open.pop();
        }
        let element = match Element::read(bytes) {
            Ok(element) => element,
            Err(Some(need)) => return Step::look(need),
            Err(None) => return self.lose(),
        };
        let Element { id, head, length } = element;
        // What has no size ends where something begins that cannot be in it.
        while self.open.last().is_some_and(|open| open.1 == u64::MAX && !id.may_be_in(open.0)) {
            self.open.pop();
        }
        let head = size(head);
        let parent = self.open.last();
        let end = length.map_or(u64::MAX, |length| at.saturating_add(head).saturating_add(length));
        let within = parent.map_or(u64::MAX, |parent| parent.1);
        if end > within && length.is_some() {
            return self.lose();
        }
        if !id.may_be_in(parent.map_or(Id::File, |parent| parent.0)) {
            // It is read where it belongs and nowhere else.
            return self.pass(head, length);
        }
        match id {
            Id::Header if std::mem::replace(&mut self.begun, true) => self.lose(),
            Id::Segment | Id::Info | Id::Tracks | Id::Track | Id::Cluster | Id::Group => {
                self.tracks.begin(id);
                self.open.push((id, end.min(within)));
                Step::on(head, 1)
            }
            Id::Header | Id::OfSegment | Id::Other => self.pass(head, length),
            field => self.field(field, head, length),
        }
    }

    fn pass(&mut self, head: u64, length: Option<u64>) -> Step {
        match length {
            Some(length) => Step::on(head.saturating_add(length), 1),
            None => self.lose(),
        }
    }

    fn field(&mut self, id: Id, head: u64, length: Option<u64>) -> Step {
        let Some(length) = length else {
            return self.lose();
        };
        let most = match id {
            Id::Block | Id::SimpleBlock => BLOCK,
            Id::Codec => NAME,
            _ if length > NUMBER => return self.lose(),
            _ => NUMBER,
        };
        let read = usize::try_from(length.min(most)).unwrap_or(0);
        if read == 0 {
            self.tracks.field(id, &[]);
            return Step::on(head, 1);
        }
        self.within = Some((id, length));
        Step::on(head, read)
    }

    fn lose(&mut self) -> Step {
        self.lost = true;
        Step::stop()
    }
}

impl Walk for Matroska {
    fn see(&mut self, at: u64, bytes: &[u8]) -> Step {
        let Some((id, length)) = self.within.take() else {
            return self.next_element(at, bytes);
        };
        self.lost |= !self.tracks.field(id, bytes);
        Step::on(length, 1)
    }
}
