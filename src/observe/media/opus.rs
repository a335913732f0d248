//! How long an Opus packet is, by its first two bytes (RFC 6716 §3.1, §3.2).

use super::number::be_at;

/// Opus counts in 48,000ths of a second, whatever the sound's own rate.
pub(super) const RATE: u64 = 48_000;

/// The samples of a packet, in 48,000ths.
pub(super) fn samples(packet: &[u8]) -> u64 {
    let first = be_at(packet, 0, 1);
    let (kind, step) = (first >> 3, first >> 3 & 3);
    let frame = match kind {
        // SILK: 10, 20, 40, 60 ms.
        0..=11 => *[480, 960, 1_920, 2_880].get(usize::try_from(step).unwrap_or(0)).unwrap_or(&960),
        // Hybrid: 10, 20 ms.
        12..=15 => 480_u64 << (kind & 1),
        // CELT: 2.5, 5, 10, 20 ms.
        _ => 120_u64 << step,
    };
    let frames = match first & 3 {
        _ if packet.is_empty() => 0,
        0 => 1,
        1 | 2 => 2,
        _ => be_at(packet, 1, 1) & 0x3f,
    };
    frame.saturating_mul(frames)
}
