//! Why a head or a body is not read on, and how the client is told.

use crate::meter::{Cause, Detail, Rejection};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It can be read in two ways, or in none. The text ends a sentence.
    Unclear(&'static str),
    /// It is of a version that is not spoken here.
    Version,
    /// The head is longer than this, in bytes.
    TooLong(usize),
    /// The target is longer than this, in bytes.
    LongTarget(usize),
    /// The head has more headers than this.
    TooMany(usize),
    /// The head did not arrive in time.
    TooSlow,
}

impl Doubt {
    /// What happened, for the log.
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Unclear(why) => why,
            Self::Version => "another version of HTTP",
            Self::TooLong(_) => "the head is too long",
            Self::LongTarget(_) => "the target is too long",
            Self::TooMany(_) => "there are too many headers",
            Self::TooSlow => "the head is too slow",
        }
    }

    /// As the client is told.
    pub(super) fn rejection(self) -> Rejection {
        let (cause, detail) = match self {
            Self::Unclear(why) => (Cause::BadRequest, Detail::Unclear { why }),
            Self::Version => (Cause::HttpVersion, Detail::Version),
            Self::TooLong(limit) => (Cause::HeadTooLarge, Detail::LongHead { limit }),
            Self::LongTarget(limit) => (Cause::HeadTooLarge, Detail::LongTarget { limit }),
            Self::TooMany(limit) => (Cause::HeadTooLarge, Detail::ManyHeaders { limit }),
            Self::TooSlow => (Cause::TooSlow, Detail::SlowHead),
        };
        Rejection::new(cause, detail).because(self.why())
    }
}
