//! MPEG audio: MP3 and its older layers. Every frame is counted, so that a variable bit rate needs no
//! index.
//!
//! A file must begin with frames (behind an ID3 tag). What stands between frames later, tags among it, is
//! searched for frames as players do, and there may not be too much of it.

use super::mpeg_frame::{Frame, HEAD, TICKS};
use super::number::{milliseconds, part, size};
use super::window::{Step, Walk, Want};

/// How much between frames is always borne, in bytes: a tag of a kind that is not known.
const JUNK: u64 = 64 * 1_024;
/// Which part of a file it may be beyond that: one in so many bytes.
const JUNK_PART: u64 = 10;

/// The most silence that an encoder adds, in `TICKS`: a quarter of a second.
const SILENCE: u128 = (TICKS >> 2) as u128;

/// The walk from frame to frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Mpeg {
    within: Within,
    /// The time of all frames, in `TICKS`.
    ticks: u128,
    /// Of it, the silence that the encoder added.
    silence: u128,
    /// How many bytes were frames, or the tag before them.
    known: u64,
    lost: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    /// The first frame is not seen yet.
    #[default]
    Start,
    /// A frame ends here.
    Frames,
    /// A frame is searched for.
    Junk,
}

impl Mpeg {
    /// The length, in a file of `total` bytes.
    pub(super) fn milliseconds(&self, total: u64) -> Option<u64> {
        let borne = JUNK.max(total.checked_div(JUNK_PART).unwrap_or(0));
        if self.lost || total.saturating_sub(self.known) > borne {
            return None;
        }
        let believed = self.silence <= SILENCE && self.silence < self.ticks;
        let silence = if believed { self.silence } else { 0 };
        milliseconds(self.ticks.saturating_sub(silence), TICKS)
    }

    /// A frame alone could be anything: one that is not where the last one ended needs another behind it.
    fn search(&mut self, at: u64, bytes: &[u8]) -> Step {
        let Some(frame) = Frame::read(bytes) else {
            return self.pass_junk(at);
        };
        let need = frame.bytes.saturating_add(HEAD);
        if bytes.len() < need {
            return Step::look(need);
        }
        let next = part(bytes, frame.bytes, HEAD).and_then(Frame::read);
        if !next.is_some_and(|next| frame.is_like(&next)) {
            return self.pass_junk(at);
        }
        if self.within == Within::Start {
            // What was before is a tag, or it would not have been recognised.
            self.known = at;
        }
        if self.within == Within::Start
            && let Some(silence) = frame.index(bytes)
        {
            self.silence = silence;
            self.within = Within::Frames;
            return self.pass(size(frame.bytes));
        }
        self.count(&frame)
    }

    fn count(&mut self, frame: &Frame) -> Step {
        self.within = Within::Frames;
        self.ticks = self.ticks.saturating_add(frame.ticks);
        self.pass(size(frame.bytes))
    }

    /// Goes on behind a frame.
    fn pass(&mut self, bytes: u64) -> Step {
        self.known = self.known.saturating_add(bytes);
        Step::on(bytes, HEAD)
    }

    fn pass_junk(&mut self, at: u64) -> Step {
        if self.within == Within::Start {
            self.lost = true;
            return Step::stop();
        }
        self.within = Within::Junk;
        // More junk than sound is no such file: nothing is gained by searching it to its end.
        if at.saturating_sub(self.known) > self.known.saturating_add(JUNK) {
            self.lost = true;
            return Step::stop();
        }
        Step { pass: 1, want: Want::Find(0xff, HEAD) }
    }
}

impl Walk for Mpeg {
    fn see(&mut self, at: u64, bytes: &[u8]) -> Step {
        if self.within == Within::Frames
            && let Some(frame) = Frame::read(bytes)
        {
            return self.count(&frame);
        }
        self.search(at, bytes)
    }
}
