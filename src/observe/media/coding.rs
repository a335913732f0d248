//! Which format a file is in, by its first bytes.

use super::flac::Flac;
use super::matroska::Matroska;
use super::mp4::Mp4;
use super::mpeg::Mpeg;
use super::number::{be, be_at, part};
use super::ogg::Ogg;
use super::wav::Wav;
use super::window::{Step, Walk};

/// How many bytes say it.
const NAME: usize = 12;

/// The head of an ID3v2 tag, which may stand before a file (id3v2.4.0-structure §3.1).
const ID3: u64 = 10;

/// The walk through a file in its format.
#[derive(Clone, Debug, Default)]
pub(super) enum Coding {
    /// Nothing has been seen.
    #[default]
    Unseen,
    /// None that is known.
    Other,
    Wav(Wav),
    Mpeg(Mpeg),
    Flac(Flac),
    Ogg(Box<Ogg>),
    Mp4(Box<Mp4>),
    Matroska(Box<Matroska>),
}

impl Coding {
    /// The length of a file of `total` bytes.
    pub(super) fn milliseconds(&self, total: u64) -> Option<u64> {
        match self {
            Self::Unseen | Self::Other => None,
            Self::Wav(wav) => wav.milliseconds(total),
            Self::Mpeg(mpeg) => mpeg.milliseconds(total),
            Self::Flac(flac) => flac.milliseconds(total),
            Self::Ogg(ogg) => ogg.milliseconds(),
            Self::Mp4(mp4) => mp4.milliseconds(total),
            Self::Matroska(matroska) => matroska.milliseconds(),
        }
    }

    fn recognise(&mut self, at: u64, bytes: &[u8]) -> Step {
        if bytes.starts_with(b"ID3") {
            // The tag, of which each byte has seven bits, and its footer.
            let size = (0..4_usize).fold(0, |size, byte| {
                (size << 7) | (be_at(bytes, byte.saturating_add(6), 1) & 0x7f)
            });
            let footer = if be_at(bytes, 5, 1) & 0x10 == 0 { 0 } else { ID3 };
            return Step::on(size.saturating_add(ID3).saturating_add(footer), NAME);
        }
        let word = |from| part(bytes, from, 4).unwrap_or_default();
        *self = match (word(0), word(4), word(8)) {
            (b"RIFF" | b"RF64" | b"BW64", _, b"WAVE") => Self::Wav(Wav::default()),
            (b"fLaC", ..) => Self::Flac(Flac::default()),
            (b"OggS", ..) => Self::Ogg(Box::default()),
            (b"\x1a\x45\xdf\xa3", ..) => Self::Matroska(Box::default()),
            (
                _,
                b"ftyp" | b"styp" | b"moov" | b"mdat" | b"moof" | b"wide" | b"free" | b"skip",
                _,
            ) => Self::Mp4(Box::default()),
            (first, ..) if be(first) >> 21 == 0x7ff => Self::Mpeg(Mpeg::default()),
            _ => Self::Other,
        };
        match self {
            Self::Wav(_) => Step::on(12, 8),
            Self::Flac(_) => Step::on(4, 4),
            _ => self.see(at, bytes),
        }
    }
}

impl Walk for Coding {
    fn see(&mut self, at: u64, bytes: &[u8]) -> Step {
        match self {
            Self::Unseen if bytes.len() < NAME => Step::look(NAME),
            Self::Unseen => self.recognise(at, bytes),
            Self::Other => Step::stop(),
            Self::Wav(wav) => wav.see(at, bytes),
            Self::Mpeg(mpeg) => mpeg.see(at, bytes),
            Self::Flac(flac) => flac.see(at, bytes),
            Self::Ogg(ogg) => ogg.see(at, bytes),
            Self::Mp4(mp4) => mp4.see(at, bytes),
            Self::Matroska(matroska) => matroska.see(at, bytes),
        }
    }
}
