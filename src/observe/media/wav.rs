//! WAV: RIFF and RF64 (EBU Tech 3306) chunks. The samples are counted by the bytes that they take.
//!
//! A size may be absent (0 or the largest number, where a program wrote into a pipe) or wrong: samples
//! reach at most to the end of the file, and where no chunk follows them they reach there.

use super::number::{le_at, part};
use super::wav_format::Format;
use super::window::{Step, Walk};

/// The size of a chunk that says that it is to be found elsewhere, or nowhere.
const ELSEWHERE: u64 = 0xffff_ffff;

/// How much of a `fmt ` or `ds64` chunk is read.
const READ: usize = 40;

/// The walk through the chunks.
#[derive(Clone, Debug, Default)]
pub(super) struct Wav {
    within: Within,
    format: Option<Format>,
    /// The size of the samples that a `ds64` chunk states.
    large: u64,
    /// Where samples begin and end.
    samples: Option<(u64, u64)>,
    /// Whether something was twice, or nothing could be made of it.
    odd: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Within {
    #[default]
    Chunks,
    Format(u64),
    Large(u64),
}

impl Wav {
    /// The length, in a file of `total` bytes.
    pub(super) fn milliseconds(&self, total: u64) -> Option<u64> {
        let (from, to) = self.samples.filter(|_| !self.odd)?;
        self.format?.milliseconds(to.min(total).saturating_sub(from))
    }

    fn chunk(&mut self, at: u64, bytes: &[u8]) -> Step {
        let (name, size) = (part(bytes, 0, 4).unwrap_or_default(), le_at(bytes, 4, 4));
        let padded = size.saturating_add(size & 1);
        let read = |most: usize| usize::try_from(size).unwrap_or(most).min(most);
        match name {
            b"data" => self.data(at.saturating_add(8), size),
            b"fmt " if self.format.is_none() && size >= 16 => {
                self.within = Within::Format(padded);
                Step::on(8, read(READ))
            }
            b"ds64" if size >= 24 => {
                self.within = Within::Large(padded);
                Step::on(8, read(24))
            }
            // A second format, or a file behind a file: who plays it may play all of it.
            b"fmt " | b"RIFF" | b"RF64" | b"BW64" => self.lost(),
            _ if name.iter().all(|byte| (0x20..0x7f).contains(byte)) => {
                Step::on(padded.saturating_add(8), 8)
            }
            _ => self.no_chunk(),
        }
    }

    fn data(&mut self, from: u64, size: u64) -> Step {
        if self.samples.is_some() {
            return self.lost();
        }
        let size = match size {
            ELSEWHERE if self.large > 0 => self.large,
            0 | ELSEWHERE => u64::MAX,
            size => size,
        };
        self.samples = Some((from, from.saturating_add(size)));
        Step::on(size.saturating_add(size & 1).saturating_add(8), 8)
    }

    /// What follows the samples without being a chunk may be samples too.
    fn no_chunk(&mut self) -> Step {
        match self.samples {
            Some((from, _)) => self.samples = Some((from, u64::MAX)),
            None => self.odd = true,
        }
        Step::stop()
    }

    fn lost(&mut self) -> Step {
        self.odd = true;
        Step::stop()
    }
}

impl Walk for Wav {
    fn see(&mut self, at: u64, bytes: &[u8]) -> Step {
        match std::mem::take(&mut self.within) {
            Within::Chunks => self.chunk(at, bytes),
            Within::Format(size) => {
                self.format = Format::read(bytes);
                self.odd |= self.format.is_none();
                Step::on(size, 8)
            }
            Within::Large(size) => {
                self.large = le_at(bytes, 8, 8);
                Step::on(size, 8)
            }
        }
    }
}
