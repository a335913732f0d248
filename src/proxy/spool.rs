//! A body that is read while it comes, priced, and only then forwarded: what fits stays in memory, the rest lies
//! in a file that has no name, so that it is gone with whoever holds it.
//!
//! The file is written and read on the core's own thread, as nginx does it: what is written goes into the page
//! cache, and what is read was just written.
//!
//! Invariant: the bytes that are forwarded are the bytes that were priced, in their order and number.
//! Invariant: what is read has room that was taken before, in memory and on the disk.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::body::BoxError;
use crate::seam::{Disk, ScratchFile};

/// How much of a body stays in memory, in bytes.
pub(super) const MEMORY_MAX: u64 = 256 * 1024;
/// How much is read from the file at once, in bytes.
const PIECE: usize = 64 * 1024;

/// Room that a body takes up until it has been sent.
#[derive(Debug)]
pub(super) struct Room {
    /// In memory.
    pub(super) _memory: OwnedSemaphorePermit,
    /// On the disk; `None`: it fits into memory.
    pub(super) _disk: Option<OwnedSemaphorePermit>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Spool {
    kept: BytesMut,
    file: Option<Box<dyn ScratchFile>>,
    in_file: u64,
    room: Room,
}

impl Spool {
    pub(super) fn new(room: Room) -> Self {
        Self { kept: BytesMut::new(), file: None, in_file: 0, room }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) fn take(&mut self, bytes: &[u8], disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        let most = usize::try_from(MEMORY_MAX).unwrap_or(usize::MAX);
        let fits = most.saturating_sub(self.kept.len()).min(bytes.len());
        let (kept, rest) = bytes.split_at(fits);
        self.kept.extend_from_slice(kept);
        if rest.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(disk.scratch(folder)?),
        };
        file.append(rest)?;
        self.in_file = self.in_file.saturating_add(u64::try_from(rest.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// The body as it came, with the trailers behind it.
    pub(super) fn into_body(self, trailers: Option<HeaderMap>) -> Spooled {
        let Self { kept, file, in_file, room } = self;
        Spooled { kept: kept.freeze(), file, at: 0, in_file, trailers, _room: room }
    }
}

/// A body that is sent from where it lies.
#[derive(Debug)]
pub(super) struct Spooled {
    kept: Bytes,
    file: Option<Box<dyn ScratchFile>>,
    /// How much of the file has been sent.
    at: u64,
    in_file: u64,
    trailers: Option<HeaderMap>,
    _room: Room,
}

impl Spooled {
    fn left_in_file(&self) -> u64 {
        self.in_file.saturating_sub(self.at)
    }

    /// The next bytes of the file; fewer than were written is an error.
    fn piece(&mut self) -> io::Result<Bytes> {
        let length = usize::try_from(self.left_in_file()).unwrap_or(usize::MAX).min(PIECE);
        let mut piece = vec![0; length];
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        file.read_exact_at(self.at, &mut piece)?;
        self.at = self.at.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        Ok(piece.into())
    }
}

impl Body for Spooled {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.kept.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.kept)))));
        }
        if self.left_in_file() > 0 {
            let piece = self.piece().map(Frame::data).map_err(|error| {
                tracing::error!(%error, "a body that was spooled cannot be read back");
                error.into()
            });
            return Poll::Ready(Some(piece));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.kept.is_empty() && self.left_in_file() == 0 && self.trailers.is_none()
    }

    /// Where there are trailers the length is not told: HTTP/1.1 has trailers only behind chunks.
    fn size_hint(&self) -> SizeHint {
        let kept = u64::try_from(self.kept.len()).unwrap_or(u64::MAX);
        match self.trailers {
            None => SizeHint::with_exact(kept.saturating_add(self.left_in_file())),
            Some(_) => SizeHint::new(),
        }
    }
}
