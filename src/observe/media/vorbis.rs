//! How long a Vorbis packet is (Vorbis I §4.2, §4.3): of one of two sizes, by its mode.
//!
//! The modes stand at the end of the setup header, behind tables whose sizes only a decoder knows; so they
//! are read from the end, as far as they look like modes.

use super::number::be_at;

/// How much of the end of a setup header is kept: more than 64 modes of 41 bits.
const TAIL: usize = 512;

/// The shortest and the longest a packet can be, as powers of two.
const BLOCKS: std::ops::RangeInclusive<u64> = 6..=13;

/// What a stream's headers say of its packets.
#[derive(Clone, Debug, Default)]
pub(super) struct Vorbis {
    sizes: [u64; 2],
    tail: Vec<u8>,
    modes: Option<Modes>,
    last: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Modes {
    /// How many bits of a packet's first byte name its mode.
    bits: u32,
    /// One bit for each mode: whether it is the long one.
    long: u64,
}

impl Vorbis {
    /// Reads the first header: the sample rate and the two sizes.
    pub(super) fn read(packet: &[u8]) -> Option<(u64, Self)> {
        let (rate, sizes) = (super::number::le_at(packet, 12, 4), be_at(packet, 28, 1));
        let (short, long) = (sizes & 0xf, sizes >> 4);
        let valid = BLOCKS.contains(&short) && BLOCKS.contains(&long) && short <= long && rate > 0;
        valid.then(|| (rate, Self { sizes: [1 << short, 1 << long], ..Self::default() }))
    }

    /// A part of the third header.
    pub(super) fn setup(&mut self, part: &[u8]) {
        self.tail
            .extend_from_slice(part.get(part.len().saturating_sub(TAIL)..).unwrap_or_default());
        let over = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..over);
    }

    /// The third header has ended.
    pub(super) fn set_up(&mut self) {
        self.modes = Backwards::new(&std::mem::take(&mut self.tail)).modes();
    }

    /// The samples that a packet adds. `None`: nobody knows how long packets are.
    pub(super) fn samples(&mut self, packet: &[u8]) -> Option<u64> {
        let modes = self.modes?;
        let first = be_at(packet, 0, 1);
        if first & 1 == 1 || packet.is_empty() {
            return Some(0);
        }
        let mode = (first >> 1) & (1_u64 << modes.bits).saturating_sub(1);
        let size = *self.sizes.get(usize::from(modes.long >> mode & 1 == 1))?;
        // Two neighbours overlap by half; the first packet only begins.
        let added = self.last.map_or(0, |last| last.saturating_add(size) >> 2);
        self.last = Some(size);
        Some(added)
    }
}

/// A packet's bits from the last one on.
#[derive(Clone, Copy)]
struct Backwards<'a> {
    bytes: &'a [u8],
    read: usize,
}

/// The bits of a mode but for its first: window type, transform type, mapping.
const MODE: usize = 40;

impl<'a> Backwards<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, read: 0 }
    }

    fn left(&self) -> usize {
        self.bytes.len().saturating_mul(8).saturating_sub(self.read)
    }

    fn bits(&mut self, count: usize) -> u64 {
        (0..count).fold(0, |number, _| (number << 1) | self.bit())
    }

    fn bit(&mut self) -> u64 {
        let (byte, bit) = (self.read >> 3, self.read & 7);
        self.read = self.read.saturating_add(1);
        let byte = self.bytes.iter().rev().nth(byte).copied().unwrap_or(0);
        u64::from(byte >> 7_usize.saturating_sub(bit)) & 1
    }

    /// Behind the framing bit, the last one that is set, stand the modes; before them is how many there
    /// are.
    fn modes(mut self) -> Option<Modes> {
        while self.left() > 97 {
            if self.bit() == 1 {
                return self.list();
            }
        }
        None
    }

    fn list(mut self) -> Option<Modes> {
        let (mut modes, mut found) = (Vec::new(), None);
        while self.left() >= 97 && modes.len() < 64 {
            // Mapping, transform, window: a mapping is at most 63, the others are 0.
            if self.bits(8) > 63 || self.bits(MODE.saturating_sub(8)) != 0 {
                break;
            }
            modes.push(self.bit() == 1);
            let mut count = self;
            if usize::try_from(count.bits(6)).ok()?.saturating_add(1) == modes.len() {
                found = Some(modes.len());
            }
        }
        let count = found?;
        let long = modes.get(..count)?.iter().fold(0, |long, mode| (long << 1) | u64::from(*mode));
        Some(Modes {
            bits: usize::BITS.saturating_sub(count.saturating_sub(1).leading_zeros()),
            long,
        })
    }
}
