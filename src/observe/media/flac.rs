//! FLAC (RFC 9639): the samples that the head states, and those that the frames have.
//!
//! A frame does not say how long it is, so the head of the next one is searched for: it counts if its
//! checksum is right and its number is the next one.

use super::flac_frame::Frame;
use super::number::{be_at, milliseconds};
use super::window::{Step, Walk, Want};

/// The head of a metadata block, and the one that describes the stream (RFC 9639 §8.1, §8.2).
const BLOCK: u64 = 4;
const STREAM_INFO: usize = 34;

/// How many bytes may follow the last frame beyond what it could need itself: a tag.
const TAG: u64 = 512;

/// The walk through metadata and frames.
#[derive(Clone, Debug, Default)]
pub(super) struct Flac {
    within: Within,
    info: Option<Info>,
    last: Option<Frame>,
    /// Where the last frame begins.
    last_at: u64,
    counted: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum Within {
    #[default]
    Blocks,
    Info {
        last: bool,
    },
    Frames,
}

#[derive(Clone, Copy, Debug)]
struct Info {
    rate: u64,
    channels: u64,
    bits: u64,
    /// 0: it did not know.
    samples: u64,
}

impl Flac {
    /// The length, in a file of `total` bytes.
    pub(super) fn milliseconds(&self, total: u64) -> Option<u64> {
        let (info, last) = (self.info?, self.last?);
        // Behind a frame that was lost are frames that were not counted.
        let sample = info.channels.saturating_mul(info.bits.saturating_add(1).div_ceil(8));
        let most = last.samples.saturating_mul(sample).saturating_add(TAG);
        if total.saturating_sub(self.last_at) > most {
            return None;
        }
        milliseconds(u128::from(info.samples.max(self.counted)), info.rate)
    }

    fn block(&mut self, bytes: &[u8]) -> Step {
        let (kind, size) = (be_at(bytes, 0, 1), be_at(bytes, 1, 3));
        let last = kind & 0x80 != 0;
        if kind & 0x7f == 0 && self.info.is_none() && size == 34 {
            self.within = Within::Info { last };
            return Step::on(BLOCK, STREAM_INFO);
        }
        self.next(last, size.saturating_add(BLOCK))
    }

    fn stream_info(&mut self, last: bool, bytes: &[u8]) -> Step {
        // 20 bits, 3 and 5 that are one less, 36.
        let packed = be_at(bytes, 10, 8);
        self.info = Some(Info {
            rate: packed >> 44,
            channels: ((packed >> 41) & 0x7).saturating_add(1),
            bits: ((packed >> 36) & 0x1f).saturating_add(1),
            samples: packed & 0xf_ffff_ffff,
        });
        self.next(last, 34)
    }

    fn next(&mut self, last: bool, pass: u64) -> Step {
        self.within = if last { Within::Frames } else { Within::Blocks };
        Step::on(pass, 4)
    }

    fn frame(&mut self, at: u64, bytes: &[u8]) -> Step {
        let need = Frame::size(bytes);
        if need > bytes.len() {
            return Step::look(need);
        }
        let frame = self.info.and_then(|info| Frame::read(bytes, info.rate));
        match frame.filter(|frame| self.last.is_none_or(|last| last.is_before(frame))) {
            Some(frame) => {
                self.counted = self.counted.saturating_add(frame.samples);
                (self.last, self.last_at) = (Some(frame), at);
            }
            // The first one must be where it belongs.
            None if self.last.is_none() => return Step::stop(),
            None => {}
        }
        Step { pass: 1, want: Want::Find(0xff, 4) }
    }
}

impl Walk for Flac {
    fn see(&mut self, at: u64, bytes: &[u8]) -> Step {
        match self.within {
            Within::Blocks => self.block(bytes),
            Within::Info { last } => self.stream_info(last, bytes),
            Within::Frames => self.frame(at, bytes),
        }
    }
}
