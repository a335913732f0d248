//! A frame of MPEG audio (ISO/IEC 11172-3 §2.4.2.3, 13818-3), and the index that an encoder may put into
//! the first one.

use super::number::{be, be_at, part};

/// The size of a head.
pub(super) const HEAD: usize = 4;

/// Into how many parts a second is divided: all nine sample rates divide it.
pub(super) const TICKS: u64 = 14_112_000;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Version and layer, as they stand there.
    kind: u64,
    rate: u64,
    mono: bool,
    /// Its size with its head.
    pub(super) bytes: usize,
    /// Its time.
    pub(super) ticks: u128,
}

impl Frame {
    /// Reads a head. `None`: it is none, or its frame has no stated size.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let head = be(part(bytes, 0, HEAD)?);
        let (version, layer) = ((head >> 19) & 3, (head >> 17) & 3);
        let (bits, rate, padding) = ((head >> 12) & 15, (head >> 10) & 3, (head >> 9) & 1);
        // Reserved: version 1, layer 0, rate 3, emphasis 2. Bit rate 0 is free, 15 is none.
        let valid = head >> 21 == 0x7ff && version != 1 && layer != 0 && rate != 3 && head & 3 != 2;
        if !valid || bits == 0 || bits == 15 {
            return None;
        }
        let of_version_1: u64 = *[44_100, 48_000, 32_000].get(usize::try_from(rate).ok()?)?;
        let rate = match version {
            3 => of_version_1,
            2 => of_version_1 >> 1,
            _ => of_version_1 >> 2,
        };
        let bits = bit_rate(version == 3, layer, usize::try_from(bits).ok()?)?;
        // Of samples, and bytes in each of them at one bit a second.
        let (samples, slot) = match (layer, version) {
            (3, _) => (384, 4),
            (2, _) | (_, 3) => (1_152, 1),
            _ => (576, 1),
        };
        let slots: u64 = bits.checked_mul(samples)?.checked_div(slot << 3)?.checked_div(rate)?;
        let bytes = slots.checked_add(padding)?.checked_mul(slot)?;
        Some(Self {
            kind: (head >> 17) & 0xf,
            rate,
            mono: (head >> 6) & 3 == 3,
            bytes: usize::try_from(bytes).ok()?,
            ticks: u128::from(samples).saturating_mul(u128::from(TICKS.checked_div(rate)?)),
        })
    }

    /// Whether both can be of one stream.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.rate == other.rate
    }

    /// If this frame is no sound but an index: the silence that the encoder says it added, in `TICKS`.
    pub(super) fn index(&self, bytes: &[u8]) -> Option<u128> {
        let side = match (self.kind >> 2 & 3, self.mono) {
            (3, false) => 32,
            (3, true) | (_, false) => 17,
            (_, true) => 9,
        };
        let index = bytes.get(HEAD.checked_add(side)?..self.bytes)?;
        match part(index, 0, 4)? {
            b"Xing" | b"Info" => Some(self.silence(index)),
            _ => (part(bytes, 36, 4)? == b"VBRI").then_some(0),
        }
    }

    /// Two numbers of twelve bits behind the encoder's name, which is behind whatever the index has.
    fn silence(&self, index: &[u8]) -> u128 {
        let flags = be_at(index, 4, 4);
        let sizes = [(1, 4_usize), (2, 4), (4, 100), (8, 4)];
        let has = sizes.iter().filter(|(flag, _)| flags & flag != 0);
        let behind = has.fold(8_usize, |at, (_, size)| at.saturating_add(*size));
        if !matches!(part(index, behind, 4), Some(b"LAME" | b"Lavf" | b"Lavc" | b"L3.9")) {
            return 0;
        }
        let packed = be_at(index, behind.saturating_add(21), 3);
        let samples = (packed >> 12).saturating_add(packed & 0xfff);
        let ticks = TICKS.checked_div(self.rate).unwrap_or(0);
        u128::from(samples).saturating_mul(u128::from(ticks))
    }
}

/// In bits a second; `index` is from 1 to 14.
fn bit_rate(version_1: bool, layer: u64, index: usize) -> Option<u64> {
    const RATES: [[u64; 14]; 5] = [
        [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
        [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ];
    let row = match (version_1, layer) {
        (true, 3) => 0,
        (true, 2) => 1,
        (true, _) => 2,
        (false, 3) => 3,
        (false, _) => 4,
    };
    RATES.get(row)?.get(index.checked_sub(1)?)?.checked_mul(1_000)
}
