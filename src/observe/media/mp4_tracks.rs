//! What the boxes of an MP4 file say of its tracks.

use super::mp4_boxes::Kind;
use super::number::{be_at, milliseconds, stated_or_counted};

/// The most tracks of a file.
const TRACKS: usize = 64;

/// The densest sound that there is, in bits a second: eight channels of 32 bits at 192,000 samples.
const DENSEST: u128 = 50_000_000;

/// All tracks, and what is stated of the whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracks {
    tracks: Vec<Track>,
    scale: u64,
    stated: u64,
    /// Whether there is a movie behind the movie: who plays it may play both.
    again: bool,
    with_fragments: u64,
    /// The size of sound and pictures.
    media: u64,
    /// The number of the track whose samples a fragment has, and how long each is.
    fragment: (u64, u64),
    /// The defaults of fragments: number of the track, how long each sample is.
    defaults: Vec<(u64, u64)>,
    /// The samples of fragments, by number of the track.
    fragments: Vec<(u64, u128)>,
}

#[derive(Clone, Debug, Default)]
struct Track {
    number: u64,
    scale: u64,
    stated: u64,
    counted: u128,
    sound: bool,
    pictures: bool,
}

impl Tracks {
    /// The length: of the longest track of sound or pictures, and at least what is stated.
    pub(super) fn milliseconds(&self, total: u64) -> Option<u64> {
        let heard = || self.tracks.iter().filter(|track| track.sound || track.pictures);
        let counted =
            heard().try_fold(0, |longest, track| Some(self.track(track)?.max(longest)))?;
        let movie = milliseconds(u128::from(self.stated.max(self.with_fragments)), self.scale);
        let length = stated_or_counted(movie.unwrap_or(0), counted);
        let dense = u128::from(self.media.min(total)).saturating_mul(8_000)
            > u128::from(length).saturating_mul(DENSEST);
        let only_sound = heard().all(|track| !track.pictures);
        (heard().next().is_some() && !self.again && !(only_sound && dense)).then_some(length)
    }

    fn track(&self, track: &Track) -> Option<u64> {
        let fragments = self.fragments.iter().find(|(number, _)| *number == track.number);
        let counted = track.counted.saturating_add(fragments.map_or(0, |(_, counted)| *counted));
        milliseconds(counted.max(u128::from(track.stated)), track.scale)
    }

    /// A box with boxes in it begins; `false`: there are too many.
    pub(super) fn begin(&mut self, kind: Kind) -> bool {
        if kind == Kind::Track {
            self.tracks.push(Track::default());
        }
        self.fragment = (0, 0);
        self.tracks.len() <= TRACKS
    }

    /// Sound and pictures of so many bytes.
    pub(super) fn media(&mut self, bytes: u64) {
        self.media = self.media.saturating_add(bytes);
    }

    /// Reads the fields of a box. If a table follows: the size of its entries, and how many there are.
    pub(super) fn fields(&mut self, kind: Kind, bytes: &[u8]) -> Option<(u64, u64)> {
        match kind {
            Kind::Movie => {
                let (scale, stated) = scaled(bytes);
                self.again |= self.scale > 0;
                (self.scale, self.stated) = (scale, self.stated.max(stated));
            }
            Kind::MovieFragments => {
                let size = if be_at(bytes, 0, 1) == 1 { 8 } else { 4 };
                self.with_fragments = self.with_fragments.max(be_at(bytes, 4, size));
            }
            Kind::FragmentDefault => self.default(be_at(bytes, 4, 4), be_at(bytes, 12, 4)),
            Kind::FragmentHead => self.fragment_head(bytes),
            Kind::Run => return self.run(bytes),
            _ => {
                return self.tracks.last_mut().and_then(|track| track.fields(kind, bytes));
            }
        }
        None
    }

    /// Reads an entry of a table.
    pub(super) fn entry(&mut self, kind: Kind, bytes: &[u8]) {
        if kind == Kind::Run {
            self.count(u128::from(be_at(bytes, 0, 4)));
        } else if let Some(track) = self.tracks.last_mut() {
            let samples =
                u128::from(be_at(bytes, 0, 4)).saturating_mul(u128::from(be_at(bytes, 4, 4)));
            track.counted = track.counted.saturating_add(samples);
        }
    }

    fn default(&mut self, number: u64, length: u64) {
        if self.defaults.len() < TRACKS {
            self.defaults.push((number, length));
        }
    }

    /// A number, five fields that may be left out; the third one of them is how long samples are (§8.8.7).
    fn fragment_head(&mut self, bytes: &[u8]) {
        let (flags, number) = (be_at(bytes, 1, 3), be_at(bytes, 4, 4));
        let before = [(1, 8_usize), (2, 4)].iter().filter(|(flag, _)| flags & flag != 0);
        let at = before.fold(8_usize, |at, (_, size)| at.saturating_add(*size));
        let default =
            self.defaults.iter().find(|(of, _)| *of == number).map_or(0, |(_, length)| *length);
        let length = if flags & 8 == 0 { default } else { be_at(bytes, at, 4) };
        self.fragment = (number, length);
    }

    /// Entries of up to four fields of which the first one is how long a sample is (§8.8.8).
    fn run(&mut self, bytes: &[u8]) -> Option<(u64, u64)> {
        let (flags, count) = (be_at(bytes, 1, 3), be_at(bytes, 4, 4));
        let fields = [0x100, 0x200, 0x400, 0x800].iter().filter(|flag| flags & **flag != 0).count();
        if flags & 0x100 == 0 {
            self.count(u128::from(count).saturating_mul(u128::from(self.fragment.1)));
            return None;
        }
        Some((u64::try_from(fields).unwrap_or(4).saturating_mul(4), count))
    }

    fn count(&mut self, samples: u128) {
        let number = self.fragment.0;
        if let Some((_, counted)) = self.fragments.iter_mut().find(|(of, _)| *of == number) {
            *counted = counted.saturating_add(samples);
        } else if self.fragments.len() < TRACKS {
            self.fragments.push((number, samples));
        }
    }
}

impl Track {
    fn fields(&mut self, kind: Kind, bytes: &[u8]) -> Option<(u64, u64)> {
        match kind {
            Kind::TrackHead => {
                let at = if be_at(bytes, 0, 1) == 1 { 20 } else { 12 };
                self.number = be_at(bytes, at, 4);
            }
            Kind::MediaHead => (self.scale, self.stated) = scaled(bytes),
            Kind::Handler => {
                self.sound |= bytes.get(8..12) == Some(b"soun");
                self.pictures |= bytes.get(8..12) == Some(b"vide");
            }
            Kind::Times => return Some((8, be_at(bytes, 4, 4))),
            _ => {}
        }
        None
    }
}

/// Time scale and length, behind two times in numbers of four or eight bytes (§8.2.2, §8.4.2). A length of
/// which all bits are set is not known.
fn scaled(bytes: &[u8]) -> (u64, u64) {
    let large = be_at(bytes, 0, 1) == 1;
    let (at, size) = if large { (20_usize, 8) } else { (12, 4) };
    let stated = be_at(bytes, at.saturating_add(4), size);
    let unknown = if large { u64::MAX } else { u64::from(u32::MAX) };
    (be_at(bytes, at, 4), if stated == unknown { 0 } else { stated })
}
