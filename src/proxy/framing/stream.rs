//! The stream that hyper reads: the client's bytes, as far as they are beyond doubt.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::{Bounds, Doubt, Reader, STAND_IN, Turns};

/// How long a client that was refused may go on sending, so that it reads the answer before a reset
/// (RFC 9112 §9.6), and how many bytes of it are read and dropped.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// See the module.
#[derive(Debug)]
pub struct Guarded<S> {
    inner: S,
    reader: Reader,
    turns: Turns,
    head_time: Duration,
    /// What was read and not handed over: a part of a head or of trailers, or what hyper had no room for.
    held: Vec<u8>,
    /// How many bytes of it may be handed over.
    cleared: usize,
    /// Runs while a part of a head is held.
    slow: Option<Pin<Box<Sleep>>>,
    end: End,
    closing: Closing,
}

/// How reading has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It has not.
    Open,
    /// The client sends no more.
    Over,
    /// A head was refused; its stand-in is the last that hyper reads.
    Refused,
    /// A body cannot be read on.
    Broken(Doubt),
}

#[derive(Debug)]
enum Closing {
    Not,
    Lingering(Pin<Box<Sleep>>, usize),
}

impl<S> Guarded<S> {
    pub(super) fn new(inner: S, bounds: Bounds, turns: Turns) -> Self {
        Self {
            inner,
            reader: Reader::new(bounds),
            turns,
            head_time: Duration::from_millis(bounds.head_ms),
            held: Vec::new(),
            cleared: 0,
            slow: None,
            end: End::Open,
            closing: Closing::Not,
        }
    }

    /// The connection beneath, for a WebSocket; `None`: the client has sent more than the head that asks for
    /// it, before it could know the answer.
    pub fn into_inner(self) -> Option<S> {
        let clean = self.held.is_empty() && self.end == End::Open && self.reader.in_head();
        clean.then_some(self.inner)
    }

    /// Hands over what is cleared; `false`: nothing is.
    fn hand_over(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let part = self.cleared.min(buf.remaining());
        buf.put_slice(self.held.get(..part).unwrap_or_default());
        self.held.drain(..part);
        self.cleared = self.cleared.saturating_sub(part);
        if self.held.is_empty() {
            // Most heads come whole: what a few needed is not kept for as long as a connection lives.
            self.held = Vec::new();
        }
        part > 0
    }

    /// Judges what was read behind `before`, and takes back what must wait.
    fn take_in(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let read = buf.filled().get(before..).unwrap_or_default();
        let verdict = if self.held.is_empty() {
            let (passed, verdict) = self.reader.read(read);
            let (passed, rest) = read.split_at(passed);
            self.held.extend_from_slice(rest);
            let filled = before.saturating_add(passed.len());
            buf.set_filled(filled);
            verdict
        } else {
            self.held.extend_from_slice(read);
            buf.set_filled(before);
            let (passed, verdict) = self.reader.read(&self.held);
            self.cleared = passed;
            verdict
        };
        self.turns.passed(self.reader.heads(), !self.reader.in_head());
        self.turns.head_begun(self.has_begun());
        if let Err(doubt) = verdict {
            self.doubt(doubt);
        }
    }

    /// Reads no more. What was passed before is handed over first.
    fn doubt(&mut self, doubt: Doubt) {
        self.held.truncate(self.cleared);
        self.slow = None;
        self.turns.head_begun(false);
        if self.reader.in_head() {
            self.turns.refuse(doubt);
            self.held.extend_from_slice(STAND_IN);
            self.cleared = self.held.len();
            self.end = End::Refused;
        } else {
            self.end = End::Broken(doubt);
        }
    }

    /// Whether a part of a head is held. One empty line is not yet a part of one.
    fn has_begun(&self) -> bool {
        let waits = self.held.get(self.cleared..).unwrap_or_default();
        self.reader.in_head() && !b"\r\n".starts_with(waits)
    }

    /// Whether a head has been on its way for too long.
    fn is_slow(&mut self, context: &mut Context<'_>) -> bool {
        if !self.has_begun() {
            self.slow = None;
            return false;
        }
        let time = self.head_time;
        let slow = self.slow.get_or_insert_with(|| Box::pin(sleep(time)));
        slow.as_mut().poll(context).is_ready()
    }

    /// Whether the client may be sending what nobody will read: closing now could cost it the answer.
    fn lingers(&self) -> bool {
        match self.end {
            End::Over => false,
            End::Refused | End::Broken(_) => true,
            End::Open => !self.reader.in_head() || !self.held.is_empty(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.turns.is_switched() {
            // What comes now is no head.
            return Poll::Pending;
        }
        loop {
            if this.hand_over(buf) {
                return Poll::Ready(Ok(()));
            }
            match this.end {
                End::Open | End::Over => {}
                // The answer to the stand-in ends the connection.
                End::Refused => return Poll::Pending,
                End::Broken(doubt) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        doubt.why(),
                    )));
                }
            }
            if this.is_slow(context) {
                this.doubt(Doubt::TooSlow);
                continue;
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(context, buf))?;
            if buf.filled().len() == before {
                this.end = End::Over;
                return Poll::Ready(Ok(()));
            }
            this.take_in(buf, before);
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(context, parts)
    }

    /// Says that there is no more to come, then reads and drops for a while what the client still sends.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Closing::Not = this.closing {
            ready!(Pin::new(&mut this.inner).poll_shutdown(context))?;
            this.closing = Closing::Lingering(Box::pin(sleep(LINGER)), 0);
        }
        let lingers = this.lingers();
        let Closing::Lingering(over, dropped) = &mut this.closing else {
            return Poll::Ready(Ok(()));
        };
        while lingers && *dropped < LINGER_BYTES && over.as_mut().poll(context).is_pending() {
            let mut scratch = [0; 8 << 10];
            let mut scratch = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.inner).poll_read(context, &mut scratch)) {
                Ok(()) if !scratch.filled().is_empty() => {
                    *dropped = dropped.saturating_add(scratch.filled().len());
                }
                // It has seen the end, or is gone.
                _ => return Poll::Ready(Ok(())),
            }
        }
        Poll::Ready(Ok(()))
    }
}
