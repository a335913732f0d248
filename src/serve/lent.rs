//! The bytes of a connection, lent to a WebSocket: who lent them learns when they are needed no more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::stream::Stream;

/// See the module.
#[derive(Debug)]
pub(super) struct Lent {
    stream: Stream,
    /// Tells by its drop.
    _returned: oneshot::Sender<()>,
}

impl Lent {
    /// Lends a stream; what is returned ends when it is needed no more.
    pub(super) fn of(stream: Stream) -> (Self, oneshot::Receiver<()>) {
        let (sender, returned) = oneshot::channel();
        (Self { stream, _returned: sender }, returned)
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut Stream> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, buffer)
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
