//! Numbers as files write them, and times as ratios of them.

/// An unsigned number, the highest byte first. Bytes beyond the eighth push out the first ones.
pub(super) fn be(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// An unsigned number, the lowest byte first.
pub(super) fn le(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// `length` bytes from `from` on, if they are there.
pub(super) fn part(bytes: &[u8], from: usize, length: usize) -> Option<&[u8]> {
    bytes.get(from..from.checked_add(length)?)
}

/// The number that `length` bytes from `from` on are, the highest first; 0 where they are not there.
pub(super) fn be_at(bytes: &[u8], from: usize, length: usize) -> u64 {
    part(bytes, from, length).map_or(0, be)
}

/// The same, the lowest first.
pub(super) fn le_at(bytes: &[u8], from: usize, length: usize) -> u64 {
    part(bytes, from, length).map_or(0, le)
}

/// A size in memory as a size in a file.
pub(super) fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// `units` of which `per` make a second, in milliseconds, rounded up. `None`: no unit has a length.
pub(super) fn milliseconds(units: u128, per: u64) -> Option<u64> {
    let thousand = units.saturating_mul(1_000);
    let whole = thousand.checked_div(u128::from(per))?;
    let more = thousand.checked_rem(u128::from(per))? > 0;
    Some(u64::try_from(whole.saturating_add(u128::from(more))).unwrap_or(u64::MAX))
}

/// By how much what is in a file may exceed what it states, in milliseconds: encoders put silence before
/// the first sample and behind the last one, and the header states the length without it.
const SILENCE_MS: u64 = 250;

/// What a header states, unless there is more in the file than silence explains.
pub(super) fn stated_or_counted(stated: u64, counted: u64) -> u64 {
    if counted > stated.saturating_add(SILENCE_MS) {
        counted
    } else if stated > 0 {
        stated
    } else {
        counted
    }
}
