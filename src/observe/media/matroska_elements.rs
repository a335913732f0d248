//! The elements of EBML (RFC 8794 §4) that say how long a Matroska file is.

use super::number::{be, part};

/// Which element it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    /// The whole file: what no element is in.
    File,
    Header,
    Segment,
    Info,
    Scale,
    Duration,
    Tracks,
    Track,
    Number,
    Sort,
    Codec,
    Each,
    Cluster,
    Time,
    SimpleBlock,
    Group,
    Block,
    BlockDuration,
    /// Of the segment, and of nothing in it: an index, tags, attachments.
    OfSegment,
    Other,
}

impl Id {
    const fn of(number: u64) -> Self {
        match number {
            0x1a45_dfa3 => Self::Header,
            0x1853_8067 => Self::Segment,
            0x1549_a966 => Self::Info,
            0x2a_d7b1 => Self::Scale,
            0x4489 => Self::Duration,
            0x1654_ae6b => Self::Tracks,
            0xae => Self::Track,
            0xd7 => Self::Number,
            0x83 => Self::Sort,
            0x86 => Self::Codec,
            0x23_e383 => Self::Each,
            0x1f43_b675 => Self::Cluster,
            0xe7 => Self::Time,
            0xa3 => Self::SimpleBlock,
            0xa0 => Self::Group,
            0xa1 => Self::Block,
            0x9b => Self::BlockDuration,
            0x114d_9b74 | 0x1c53_bb6b | 0x1941_a469 | 0x1043_a770 | 0x1254_c367 => Self::OfSegment,
            _ => Self::Other,
        }
    }

    /// Whether it may stand in `parent`.
    pub(super) fn may_be_in(self, parent: Self) -> bool {
        match self {
            Self::Header | Self::Segment => parent == Self::File,
            Self::Info | Self::Tracks | Self::Cluster | Self::OfSegment => parent == Self::Segment,
            Self::Scale | Self::Duration => parent == Self::Info,
            Self::Track => parent == Self::Tracks,
            Self::Number | Self::Sort | Self::Codec | Self::Each => parent == Self::Track,
            Self::Time | Self::SimpleBlock | Self::Group => parent == Self::Cluster,
            Self::Block | Self::BlockDuration => parent == Self::Group,
            Self::File => false,
            Self::Other => true,
        }
    }
}

/// The head of an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub(super) id: Id,
    /// The size of the head itself.
    pub(super) head: usize,
    /// The size of what is in it. `None`: it is not known.
    pub(super) length: Option<u64>,
}

impl Element {
    /// Reads a head. `Err(Some)`: so many bytes are needed. `Err(None)`: it is none.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Option<usize>> {
        let first = bytes.first().copied().unwrap_or(0);
        let name = usize::try_from(first.leading_zeros()).unwrap_or(8).saturating_add(1);
        if name > 4 {
            return Err(None);
        }
        let behind = name.saturating_add(1);
        let marker = *bytes.get(name).ok_or(Some(behind))?;
        let wide = usize::try_from(marker.leading_zeros()).unwrap_or(8).saturating_add(1);
        if wide > 8 {
            return Err(None);
        }
        let head = name.saturating_add(wide);
        let length = part(bytes, name, wide).ok_or(Some(head))?;
        // The bit that says how long the number is, is not of it. All others set: not known.
        let mask = u64::MAX >> 64_usize.saturating_sub(wide.saturating_mul(7));
        let length = be(length) & mask;
        let id = Id::of(be(bytes.get(..name).unwrap_or_default()));
        Ok(Self { id, head, length: (length != mask).then_some(length) })
    }
}
