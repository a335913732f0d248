//! Which boxes of an MP4 file are read, and how much of them.

use super::number::be_at;

/// A box that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// Where it ends.
    pub(super) end: u64,
}

/// What a box is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Passed over.
    Other,
    /// Sound and pictures themselves.
    Media,
    /// Has boxes in it.
    Within,
    /// Has the boxes of one track in it.
    Track,
    /// Has the boxes of one track's part of a fragment in it.
    Fragment,
    /// States the length of the whole.
    Movie,
    /// States the length of the whole with its fragments.
    MovieFragments,
    /// States a track's number.
    TrackHead,
    /// States the length of a track.
    MediaHead,
    /// Says whether a track is sound.
    Handler,
    /// Lists how long samples are.
    Times,
    /// States how long samples in fragments are.
    FragmentDefault,
    /// States whose samples a fragment has.
    FragmentHead,
    /// Lists the samples of a fragment.
    Run,
}

impl Kind {
    /// The kind of a box of this name.
    pub(super) const fn of(name: &[u8]) -> Self {
        match name {
            b"mdat" => Self::Media,
            b"moov" | b"mdia" | b"minf" | b"stbl" | b"mvex" | b"moof" => Self::Within,
            b"trak" => Self::Track,
            b"traf" => Self::Fragment,
            b"mvhd" => Self::Movie,
            b"mehd" => Self::MovieFragments,
            b"tkhd" => Self::TrackHead,
            b"mdhd" => Self::MediaHead,
            b"hdlr" => Self::Handler,
            b"stts" => Self::Times,
            b"trex" => Self::FragmentDefault,
            b"tfhd" => Self::FragmentHead,
            b"trun" => Self::Run,
            _ => Self::Other,
        }
    }

    /// How much of its fields is looked at.
    pub(super) const fn size(self) -> usize {
        match self {
            Self::Movie | Self::MediaHead => 32,
            Self::TrackHead | Self::FragmentDefault => 24,
            Self::MovieFragments | Self::Handler => 12,
            Self::FragmentHead => 32,
            Self::Times => 8,
            Self::Run => 16,
            _ => 0,
        }
    }

    /// How much of its fields must be there.
    pub(super) const fn needs(self) -> usize {
        match self {
            Self::Movie | Self::MediaHead => 20,
            Self::TrackHead => 16,
            Self::FragmentDefault => 24,
            Self::Handler => 12,
            _ => 8,
        }
    }

    /// Where its table begins.
    pub(super) fn table_at(self, bytes: &[u8]) -> usize {
        match self {
            Self::Run => {
                // Two fields that may be left out: where the samples are, and the flags of the first.
                let flags = be_at(bytes, 1, 3);
                let there = [1, 4].iter().filter(|flag| flags & **flag != 0).count();
                8_usize.saturating_add(there.saturating_mul(4))
            }
            _ => 8,
        }
    }
}
