//! Bodies: what goes upstream and what comes back. Nothing here is collected.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::headers::Taken;
use super::hops::trailers_outward;
use super::spool::Spooled;
use super::upload::{Faults, Upload};
use crate::meter::BodyLimit;

/// What can go wrong in a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What clients get.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// What upstreams get.
pub(super) type Outgoing = UnsyncBoxBody<Bytes, BoxError>;

/// How many frames of a response may wait for the client: back-pressure reaches the upstream behind them.
const FRAMES: usize = 4;

/// A body whose bytes are known.
pub fn whole(bytes: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, BoxError> {
    Full::new(bytes.into()).map_err(never).boxed_unsync()
}

/// A body whose bytes are known and take up `room` until they have been sent.
fn roomed(bytes: Bytes, room: OwnedSemaphorePermit) -> Outgoing {
    let hold = move |error| {
        let _room: &OwnedSemaphorePermit = &room;
        never(error)
    };
    Full::new(bytes).map_err(hold).boxed_unsync()
}

/// No body.
fn empty() -> UnsyncBoxBody<Bytes, BoxError> {
    Empty::new().map_err(never).boxed_unsync()
}

fn never(error: Infallible) -> BoxError {
    match error {}
}

/// A body that goes upstream, and where its fault will be if it has one.
#[derive(Debug)]
pub(super) struct Sending {
    /// The body.
    pub(super) body: Outgoing,
    /// What was wrong with it.
    pub(super) faults: Faults,
    /// How large it may be, if it is only measured on its way.
    pub(super) limit: Option<BodyLimit>,
}

impl Sending {
    /// No body.
    pub(super) fn nothing() -> Self {
        Self { body: empty(), faults: Faults::default(), limit: None }
    }

    /// Bytes that were read, and the trailers behind them. Where there are trailers the length is not told:
    /// HTTP/1.1 has trailers only behind chunks.
    pub(super) fn read(
        bytes: Bytes,
        trailers: Option<HeaderMap>,
        room: OwnedSemaphorePermit,
    ) -> Self {
        let body = match trailers {
            None => roomed(bytes, room),
            Some(trailers) => {
                let frames = [Frame::data(bytes), Frame::trailers(trailers)];
                let frames = futures_util::stream::iter(frames.map(Ok::<_, BoxError>));
                let held = move |frame| {
                    let _room: &OwnedSemaphorePermit = &room;
                    frame
                };
                StreamBody::new(frames).map_frame(held).boxed_unsync()
            }
        };
        Self { body, faults: Faults::default(), limit: None }
    }

    /// Bytes that were read and lie in memory or on the disk.
    pub(super) fn spooled(body: Spooled) -> Self {
        Self { body: body.boxed_unsync(), faults: Faults::default(), limit: None }
    }

    /// A client's body as it comes.
    pub(super) fn passing(upload: Upload, taken: Taken) -> Self {
        let (faults, limit) = (upload.faults(), Some(upload.limit().clone()));
        let body = upload.map_frame(move |mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                trailers_outward(trailers, &taken);
            }
            frame
        });
        Self { body: body.boxed_unsync(), faults, limit }
    }
}

/// The same body, and whether it has been sent to its end.
pub(super) fn told(body: Outgoing) -> (Outgoing, Arc<AtomicBool>) {
    let whole = Arc::new(AtomicBool::new(http_body::Body::is_end_stream(&body)));
    if whole.load(Ordering::Relaxed) {
        return (body, whole);
    }
    (Told { body, whole: whole.clone() }.boxed_unsync(), whole)
}

/// See [`told`].
struct Told {
    body: Outgoing,
    whole: Arc<AtomicBool>,
}

impl http_body::Body for Told {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.whole.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A pipe from an exchange to its client. `length` is what the upstream declared.
pub(super) fn pipe(length: Option<u64>) -> (Pipe, Body) {
    let (sender, frames) = mpsc::channel(FRAMES);
    let whole = Arc::new(AtomicBool::new(false));
    let pipe = Pipe { frames: sender, whole: whole.clone() };
    (pipe, Piped { frames, left: length, whole, ended: false }.boxed_unsync())
}

/// The exchange's end of a pipe. However it is dropped (a client that was given up, a cut, a panic), the
/// client sees that its answer is not whole; only `end` says that it is.
pub(super) struct Pipe {
    frames: mpsc::Sender<Frame<Bytes>>,
    whole: Arc<AtomicBool>,
}

impl Pipe {
    /// Passes a frame on; `false`: nobody takes it any more.
    pub(super) async fn pass(&self, frame: Frame<Bytes>) -> bool {
        self.frames.send(frame).await.is_ok()
    }

    /// Waits until the client has left.
    pub(super) async fn closed(&self) {
        self.frames.closed().await;
    }

    /// The answer is whole.
    pub(super) fn end(self) {
        self.whole.store(true, Ordering::Release);
    }
}

/// The client's end of a pipe.
struct Piped {
    frames: mpsc::Receiver<Frame<Bytes>>,
    whole: Arc<AtomicBool>,
    /// How many bytes are still to come, if that was declared.
    left: Option<u64>,
    ended: bool,
}

impl http_body::Body for Piped {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Some(frame) = ready!(self.frames.poll_recv(context)) else {
            self.ended = true;
            let whole = self.whole.load(Ordering::Acquire);
            return Poll::Ready((!whole).then(|| Err("the answer is not whole".into())));
        };
        let length = frame.data_ref().map_or(0, Bytes::len);
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.left = self.left.map(|left| left.saturating_sub(length));
        Poll::Ready(Some(Ok(frame)))
    }

    /// Never by counting: the exchange closes the pipe when it has queued the settlement.
    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
