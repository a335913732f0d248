//! One stream of an Ogg file: Opus (RFC 7845), Vorbis, FLAC or Speex.

use super::number::{be_at, le_at, part};
use super::ogg::Page;
use super::opus;
use super::vorbis::Vorbis;

/// The most that is left out at the beginning: a quarter of a second, three times what RFC 7845 §4.2 asks
/// for.
const SKIP: u64 = opus::RATE / 4;

/// A stream, as far as it has passed.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// Its number in the file.
    pub(super) serial: u64,
    /// In which parts of a second its positions count.
    pub(super) rate: u64,
    codec: Codec,
    /// How many packets have ended.
    packets: u64,
    /// The samples of its packets.
    counted: u64,
    /// Of them, those of the last packet.
    last: u64,
    /// The position at which it begins: not 0 in what was cut out of a broadcast.
    from: Option<u64>,
    /// The highest position.
    to: u64,
}

#[derive(Clone, Debug)]
enum Codec {
    /// The samples to leave out at the beginning (RFC 7845 §4.2).
    Opus {
        skip: u64,
    },
    Vorbis(Box<Vorbis>),
    /// Only its positions are known.
    Positions,
    /// It describes other streams.
    Silent,
}

impl Stream {
    /// A stream whose first page has this body. `None`: nobody knows how it counts.
    pub(super) fn begin(serial: u64, body: &[u8]) -> Option<Self> {
        let (rate, codec) = if body.starts_with(b"OpusHead") {
            (opus::RATE, Codec::Opus { skip: le_at(body, 10, 2) })
        } else if body.starts_with(b"\x01vorbis") {
            let (rate, vorbis) = Vorbis::read(body)?;
            (rate, Codec::Vorbis(Box::new(vorbis)))
        } else if body.starts_with(b"\x7fFLAC") && part(body, 9, 4)? == b"fLaC" {
            (be_at(body, 27, 3) >> 4, Codec::Positions)
        } else if body.starts_with(b"Speex   ") {
            (le_at(body, 36, 4), Codec::Positions)
        } else if body.starts_with(b"fishead\0") {
            (1, Codec::Silent)
        } else {
            return None;
        };
        let (packets, counted, last, from, to) = (1, 0, 0, None, 0);
        Some(Self { serial, rate, codec, packets, counted, last, from, to })
    }

    /// Whether it has no length of its own.
    pub(super) const fn is_silent(&self) -> bool {
        matches!(self.codec, Codec::Silent)
    }

    /// Sees one of its pages.
    pub(super) fn page(&mut self, page: &Page<'_>) {
        let (mut at, mut from, mut continued) = (0_usize, 0_usize, page.continued);
        for part in page.table {
            at = at.saturating_add(usize::from(*part));
            if *part < 255 {
                self.packet(page.body.get(from..at).unwrap_or_default(), continued, true);
                (from, continued) = (at, false);
            }
        }
        if from < at {
            self.packet(page.body.get(from..at).unwrap_or_default(), continued, false);
        }
        if let Some(position) = page.position {
            // In a file that was cut, the first position is above what its packets have.
            if self.from.is_none() && self.counted > 0 {
                self.from = Some(position.saturating_sub(self.counted));
            }
            self.to = self.to.max(position);
        }
    }

    /// A packet or a part of it: whether it is the first, and whether it is the last.
    fn packet(&mut self, bytes: &[u8], continued: bool, ended: bool) {
        let samples = match &mut self.codec {
            Codec::Opus { .. } if self.packets >= 2 && !continued => opus::samples(bytes),
            Codec::Vorbis(vorbis) if self.packets == 2 => {
                vorbis.setup(bytes);
                if ended {
                    vorbis.set_up();
                }
                0
            }
            Codec::Vorbis(vorbis) if self.packets > 2 && !continued => {
                vorbis.samples(bytes).unwrap_or(0)
            }
            _ => 0,
        };
        if samples > 0 {
            self.last = samples;
        }
        self.counted = self.counted.saturating_add(samples);
        self.packets = self.packets.saturating_add(u64::from(ended));
    }

    /// Its length in samples, if a page that broke off had the position `cut`. `None`: it has none.
    pub(super) fn samples(&self, cut: Option<u64>) -> Option<u128> {
        let to = self.to.max(cut.unwrap_or(0));
        let skip = match self.codec {
            Codec::Opus { skip } if skip <= SKIP => skip,
            _ => 0,
        };
        let passed = match self.codec {
            Codec::Positions | Codec::Silent => to,
            _ => to.saturating_sub(self.from.unwrap_or(0)),
        };
        // A last packet that is not whole sound ends at its position; nothing else makes it shorter.
        let trimmed = passed <= self.counted && self.counted.saturating_sub(passed) <= self.last;
        let samples = if trimmed { passed } else { passed.max(self.counted) };
        Some(u128::from(samples.saturating_sub(skip)))
    }
}
