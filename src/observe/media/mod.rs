//! How long an audio or video file is that is uploaded, or that an answer is: read from its bytes as they pass.
//!
//! A file is walked once, forwards: headers, tables and the heads of frames are read, sound and pictures
//! are passed over by their length. Wherever a format allows it the frames themselves are counted, since a
//! header may lie and a frame that a decoder plays cannot. Where header and frames differ, the longer one
//! holds. What cannot be told for certain (an unknown format or coding, a walk that loses its way) is unknown, and never guessed from sizes and bit rates.
//!
//! The readers that exist as crates pull: they seek in a whole file, which never is here.
//!
//! Invariant: the answer does not depend on how the bytes were split.
//! Invariant: keeps at most `TAKE_MAX` bytes of a file and some counters, however large it is and whatever stands in it.
//! Invariant: integers only; a length is rounded up to the millisecond.

mod coding;
mod flac;
mod flac_frame;
mod matroska;
mod matroska_elements;
mod matroska_tracks;
mod mp4;
mod mp4_boxes;
mod mp4_tracks;
mod mpeg;
mod mpeg_frame;
mod number;
mod ogg;
mod ogg_stream;
mod opus;
mod vorbis;
mod wav;
mod wav_format;
mod window;

use coding::Coding;
use window::Window;

/// Reads the length of a file that passes.
#[derive(Clone, Debug, Default)]
pub struct MediaReader {
    window: Window,
    coding: Coding,
    bytes: u64,
}

impl MediaReader {
    /// Looks at the next bytes.
    pub fn feed(&mut self, piece: &[u8]) {
        self.bytes = self.bytes.saturating_add(number::size(piece.len()));
        self.window.feed(piece, &mut self.coding);
    }

    /// The length in milliseconds, rounded up, when the file has ended. `None`: it cannot be told. A file
    /// that says that it has no length at all has one that cannot be told.
    #[must_use]
    pub fn milliseconds(&self) -> Option<u64> {
        self.coding.milliseconds(self.bytes).filter(|length| *length > 0)
    }
}
