//! The `fmt ` chunk of a WAV file: how many samples a block of bytes has.

use super::number::{le_at, milliseconds, part};

const PCM: u64 = 1;
const MS_ADPCM: u64 = 2;
const FLOAT: u64 = 3;
const A_LAW: u64 = 6;
const MU_LAW: u64 = 7;
const IMA_ADPCM: u64 = 0x11;
const EXTENSIBLE: u64 = 0xfffe;

/// What is behind the first two bytes of the identifier of a format that has such a number.
const FAMILY: &[u8] = b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71";

/// How samples are laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    rate: u64,
    block: u64,
    samples: u64,
}

impl Format {
    /// Reads a chunk. `None`: it contradicts itself, or its coding is not one whose blocks have a fixed
    /// length.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (rate, block) = (le_at(bytes, 4, 4), le_at(bytes, 12, 2));
        let mut coding = le_at(bytes, 0, 2);
        if coding == EXTENSIBLE {
            coding = le_at(bytes, 24, 2);
            part(bytes, 26, 14).filter(|rest| *rest == FAMILY)?;
        }
        let (channels, bits) = (le_at(bytes, 2, 2), le_at(bytes, 14, 2));
        let samples = samples(coding, channels, bits, block)?;
        // Players go by the one or by the other.
        let stated = le_at(bytes, 8, 4);
        let steady = samples > 1 || stated == rate.checked_mul(block)?;
        let said = samples == 1 || le_at(bytes, 18, 2) == samples;
        (rate > 0 && steady && said).then_some(Self { rate, block, samples })
    }

    /// The length of so many bytes.
    pub(super) fn milliseconds(&self, bytes: u64) -> Option<u64> {
        let blocks = bytes.div_ceil(self.block);
        milliseconds(u128::from(blocks).saturating_mul(u128::from(self.samples)), self.rate)
    }
}

/// How many samples of each channel a block has.
fn samples(coding: u64, channels: u64, bits: u64, block: u64) -> Option<u64> {
    let behind_head = |head: u64| {
        block.checked_sub(channels.checked_mul(head)?)?.checked_mul(2)?.checked_div(channels)
    };
    match coding {
        PCM | FLOAT | A_LAW | MU_LAW => {
            let size = channels.checked_mul(bits.div_ceil(8))?;
            (size > 0 && size == block).then_some(1)
        }
        IMA_ADPCM if bits == 4 => behind_head(4)?.checked_add(1),
        MS_ADPCM if bits == 4 => behind_head(7)?.checked_add(2),
        _ => None,
    }
}
