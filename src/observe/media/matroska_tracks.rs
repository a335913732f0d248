//! What the elements of a Matroska file say of time.

use super::matroska_elements::Id;
use super::number::{be, be_at, milliseconds, stated_or_counted};
use super::opus;

/// The most tracks of a file.
const TRACKS: usize = 64;

/// Nanoseconds in a second, and in a tick of time where nothing else is said (RFC 9559 §5.1.2.9).
const SECOND: u64 = 1_000_000_000;
const SCALE: u64 = 1_000_000;

/// The longest tick that is read: an hour.
const SCALE_MAX: u64 = 3_600 * SECOND;

/// All tracks, and what is stated of the whole.
#[derive(Clone, Debug)]
pub(super) struct Tracks {
    /// Nanoseconds in a tick.
    scale: u64,
    /// The stated length, as it stands there: a float of four or eight bytes.
    stated: Vec<u8>,
    tracks: Vec<Track>,
    /// The time of the cluster, in ticks.
    cluster: i128,
    /// Where in the tracks the last block's track is.
    last: Option<usize>,
    /// When the first block began, in ticks.
    first: Option<i128>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Track {
    number: u64,
    heard: bool,
    opus: bool,
    /// How long each frame is, in nanoseconds; 0: it is not said.
    each: u64,
    /// When the last block began and how long it is said to be; the gap before it; in ticks.
    from: Option<i128>,
    ticks: u64,
    gap: i128,
    /// How long the last block is by its frames, in nanoseconds.
    frames: u64,
    /// The samples of all Opus packets.
    samples: u64,
}

impl Default for Tracks {
    fn default() -> Self {
        let (stated, tracks) = (Vec::new(), Vec::new());
        Self { scale: SCALE, stated, tracks, cluster: 0, last: None, first: None }
    }
}

impl Tracks {
    /// The length: what is stated, or at least what the blocks have.
    pub(super) fn milliseconds(&self) -> Option<u64> {
        let heard = || self.tracks.iter().filter(|track| track.heard);
        heard().next()?;
        let first = self.first.unwrap_or(0);
        let ended = heard().map(|track| track.end(self.scale, first)).max().unwrap_or(0);
        let samples = heard().map(|track| track.samples).max().unwrap_or(0);
        let ended = milliseconds(ended, SECOND)?;
        let counted = milliseconds(u128::from(samples), opus::RATE)?;
        let stated =
            nanoseconds(&self.stated, self.scale).and_then(|stated| milliseconds(stated, SECOND));
        Some(stated_or_counted(stated.unwrap_or(0), stated_or_counted(ended, counted)))
    }

    /// An element with elements in it begins.
    pub(super) fn begin(&mut self, id: Id) {
        match id {
            Id::Track if self.tracks.len() < TRACKS => self.tracks.push(Track::default()),
            Id::Cluster => self.cluster = 0,
            Id::Group => self.last = None,
            _ => {}
        }
    }

    /// Reads an element; `false`: it is out of all bounds.
    pub(super) fn field(&mut self, id: Id, bytes: &[u8]) -> bool {
        let number = be(bytes);
        match (id, self.tracks.last_mut()) {
            (Id::Scale, _) => {
                self.scale = number;
                return (1..=SCALE_MAX).contains(&number);
            }
            (Id::Duration, _) => bytes.clone_into(&mut self.stated),
            (Id::Time, _) => self.cluster = i128::from(number),
            (Id::SimpleBlock | Id::Block, _) => self.block(bytes),
            (Id::BlockDuration, _) => self.block_duration(number),
            (Id::Number, Some(track)) => track.number = number,
            (Id::Sort, Some(track)) => track.heard = number == 1 || number == 2,
            (Id::Codec, Some(track)) => track.opus = bytes.starts_with(b"A_OPUS"),
            (Id::Each, Some(track)) => track.each = number,
            _ => {}
        }
        true
    }

    /// The number of the track, the time within the cluster, how frames are laced (RFC 9559 §10.1).
    fn block(&mut self, bytes: &[u8]) {
        let first = bytes.first().copied().unwrap_or(0);
        let wide = usize::try_from(first.leading_zeros()).unwrap_or(8).saturating_add(1).min(8);
        let mask = u64::MAX >> 64_usize.saturating_sub(wide.saturating_mul(7));
        let number = be_at(bytes, 0, wide) & mask;
        let after = i16::from_be_bytes(
            be_at(bytes, wide, 2).to_be_bytes().last_chunk().copied().unwrap_or_default(),
        );
        let from = self.cluster.saturating_add(i128::from(after));
        let at = wide.saturating_add(3);
        let frames = match be_at(bytes, wide.saturating_add(2), 1) & 6 {
            0 => 1,
            _ => be_at(bytes, at, 1).saturating_add(1),
        };
        self.last = self.tracks.iter().position(|track| track.number == number);
        let Some(track) =
            self.last.and_then(|last| self.tracks.get_mut(last)).filter(|track| track.heard)
        else {
            return;
        };
        self.first = Some(self.first.map_or(from, |first| first.min(from)));
        let packet = if frames == 1 { bytes.get(at..).unwrap_or_default() } else { &[] };
        track.begin(from, frames, packet);
    }

    fn block_duration(&mut self, ticks: u64) {
        if let Some(track) = self.last.and_then(|last| self.tracks.get_mut(last)) {
            track.ticks = ticks;
        }
    }
}

impl Track {
    fn begin(&mut self, from: i128, frames: u64, packet: &[u8]) {
        // Frames of pictures come in another order than they are shown.
        if let Some(before) = self.from.filter(|before| *before < from) {
            self.gap = from.saturating_sub(before);
        }
        let samples = if self.opus { opus::samples(packet) } else { 0 };
        self.samples = self.samples.saturating_add(samples);
        if self.from.is_none_or(|before| before <= from) {
            let of_opus = u128::from(samples).saturating_mul(u128::from(SECOND / opus::RATE));
            let each = self.each.saturating_mul(frames);
            self.frames = each.max(u64::try_from(of_opus).unwrap_or(0));
            (self.from, self.ticks) = (Some(from), 0);
        }
    }

    /// When its last block ends, in nanoseconds after `first`.
    fn end(&self, scale: u64, first: i128) -> u128 {
        let scaled =
            |ticks: i128| u128::try_from(ticks).unwrap_or(0).saturating_mul(u128::from(scale));
        let last = match (self.ticks, self.frames) {
            (0, 0) => scaled(self.gap),
            (0, frames) => u128::from(frames),
            (ticks, _) => scaled(i128::from(ticks)),
        };
        self.from.map_or(0, |from| scaled(from.saturating_sub(first)).saturating_add(last))
    }
}

/// A float (IEEE 754) of ticks in nanoseconds, rounded up, without ever being one. `None`: it is none, or
/// not above zero.
fn nanoseconds(bytes: &[u8], scale: u64) -> Option<u128> {
    let (fraction_bits, exponent_bits) = match bytes.len() {
        4 => (23_u32, 8_u32),
        8 => (52, 11),
        _ => return None,
    };
    let bits = be(bytes);
    let exponent_max = (1_u64 << exponent_bits).saturating_sub(1);
    let (sign, exponent) = (
        bits >> (fraction_bits.saturating_add(exponent_bits)),
        (bits >> fraction_bits) & exponent_max,
    );
    if sign != 0 || exponent == 0 || exponent == exponent_max {
        return None;
    }
    let fraction = (bits & (1_u64 << fraction_bits).saturating_sub(1)) | (1_u64 << fraction_bits);
    // Below 2^53 × 2^42: there is room for 2^32 more.
    let whole = u128::from(fraction).saturating_mul(u128::from(scale.min(SCALE_MAX)));
    let one = u64::from(fraction_bits).saturating_add(exponent_max >> 1);
    if exponent >= one {
        let by = u32::try_from(exponent.saturating_sub(one)).unwrap_or(u32::MAX);
        return Some(if by < whole.leading_zeros() { whole << by } else { u128::MAX });
    }
    let by = u32::try_from(one.saturating_sub(exponent)).unwrap_or(u32::MAX);
    let low = if by < 128 { whole & (1_u128 << by).saturating_sub(1) } else { 1 };
    Some(whole.checked_shr(by).unwrap_or(0).saturating_add(u128::from(low > 0)))
}
