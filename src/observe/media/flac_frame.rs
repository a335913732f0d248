//! The head of a FLAC frame (RFC 9639 §9.1).

use super::number::be_at;

/// One frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Whether the number counts samples, and not frames.
    variable: bool,
    number: u64,
    /// How many samples each channel has.
    pub(super) samples: u64,
}

impl Frame {
    /// How long a head is of which the first four bytes or more are `bytes`. Four: it is none.
    pub(super) fn size(bytes: &[u8]) -> usize {
        if !begins(bytes) {
            return 4;
        }
        if bytes.len() < 5 {
            return 5;
        }
        let (sizes, rates) = (be_at(bytes, 2, 1) >> 4, be_at(bytes, 2, 1) & 0xf);
        let of_samples = match sizes {
            6 => 1,
            7 => 2,
            _ => 0,
        };
        let of_rate = match rates {
            12 => 1,
            13 | 14 => 2,
            _ => 0,
        };
        // Four bytes, the number, both, the checksum.
        number_size(bytes).saturating_add(of_samples).saturating_add(of_rate).saturating_add(5)
    }

    /// Reads a head of the right size. `None`: it is none, or of another rate than the stream's.
    pub(super) fn read(bytes: &[u8], stream_rate: u64) -> Option<Self> {
        let (head, checksum) = bytes
            .get(..Self::size(bytes))
            .filter(|head| head.len() > 4)?
            .split_at_checked(Self::size(bytes).saturating_sub(1))?;
        if crc8(head) != *checksum.first()? {
            return None;
        }
        let (sizes, rates) = (be_at(bytes, 2, 1) >> 4, be_at(bytes, 2, 1) & 0xf);
        let behind = number_size(bytes).saturating_add(4);
        let (samples, behind) = match sizes {
            1 => (192, behind),
            2..=5 => (576_u64 << sizes.saturating_sub(2), behind),
            6 => (be_at(head, behind, 1).saturating_add(1), behind.saturating_add(1)),
            7 => (be_at(head, behind, 2).saturating_add(1), behind.saturating_add(2)),
            8..=15 => (256_u64 << sizes.saturating_sub(8), behind),
            _ => return None,
        };
        let rate = match rates {
            0 => stream_rate,
            1..=11 => {
                let known = [
                    88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100,
                    48_000, 96_000,
                ];
                *known.get(usize::try_from(rates).ok()?.checked_sub(1)?)?
            }
            12 => be_at(head, behind, 1).saturating_mul(1_000),
            13 => be_at(head, behind, 2),
            14 => be_at(head, behind, 2).saturating_mul(10),
            _ => return None,
        };
        let variable = be_at(bytes, 1, 1) & 1 == 1;
        (rate == stream_rate).then_some(Self { variable, number: number(bytes), samples })
    }

    /// Whether `next` is the frame behind this one.
    pub(super) const fn is_before(&self, next: &Self) -> bool {
        let step = if self.variable { self.samples } else { 1 };
        self.variable == next.variable && self.number.saturating_add(step) == next.number
    }
}

/// Fourteen bits of one kind, a zero, and a zero at the end.
fn begins(bytes: &[u8]) -> bool {
    be_at(bytes, 0, 2) >> 1 == 0x7ffc && be_at(bytes, 3, 1) & 1 == 0
}

/// How long the number is, which is written as UTF-8 writes a character.
fn number_size(bytes: &[u8]) -> usize {
    let ones = bytes.get(4).map_or(0, |first| first.leading_ones());
    usize::try_from(ones).unwrap_or(0).clamp(1, 7)
}

fn number(bytes: &[u8]) -> u64 {
    let length = number_size(bytes);
    let first = be_at(bytes, 4, 1);
    let kept = if length == 1 { first } else { first & (0x7f_u64 >> length) };
    let rest = bytes.get(5..length.saturating_add(4)).unwrap_or_default();
    rest.iter().fold(kept, |number, byte| (number << 6) | (u64::from(*byte) & 0x3f))
}

/// The polynomial x⁸ + x² + x + 1.
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ byte, |sum: u8, _| (sum << 1) ^ if sum & 0x80 == 0 { 0 } else { 7 })
    })
}
