//! The bytes of one connection: in clear or under TLS, with what was read of them to see what is spoken.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::life::Life;

/// How a client of HTTP/2 begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How much is read at first; what is read beyond the preface is kept.
const FIRST_READ: usize = 4 << 10;
/// How long a client may go on sending what nobody wants.
const LINGER: Duration = Duration::from_secs(10);
/// How long it may be silent meanwhile.
const SILENCE: Duration = Duration::from_secs(1);

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// HTTP/1.1 or 1.0.
    One,
    /// HTTP/2.
    Two,
}

/// What carries the bytes.
#[derive(Debug)]
pub(super) enum Carrier {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Carrier {
    /// What both sides have agreed to speak (ALPN); `None`: nothing was said of it.
    fn agreed(&self) -> Option<Spoken> {
        let Self::Tls(stream) = self else { return None };
        let name = stream.get_ref().1.alpn_protocol()?;
        Some(if name == b"h2" { Spoken::Two } else { Spoken::One })
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Stream {
    carrier: Carrier,
    /// What was read already.
    first: Bytes,
    life: Rc<Life>,
    end: End,
}

/// How far the end of a connection has come.
#[derive(Debug)]
enum End {
    /// It goes on.
    Open,
    /// Nothing more is written; what still comes is read and thrown away.
    Lingering { until: Instant, silence: Pin<Box<Sleep>> },
    /// Nothing more is read either.
    Over,
}

impl Stream {
    /// Finds out what is spoken: what was agreed, or what the first bytes say. An end before the first byte
    /// is HTTP/1.1 of no request.
    pub(super) async fn open(mut carrier: Carrier, life: Rc<Life>) -> io::Result<(Self, Spoken)> {
        if let Some(spoken) = carrier.agreed() {
            return Ok((Self::of(carrier, Bytes::new(), life), spoken));
        }
        let mut first = BytesMut::new();
        let spoken = loop {
            first.reserve(FIRST_READ);
            let read = carrier.read_buf(&mut first).await?;
            if read > 0 {
                life.heard();
            }
            let seen = first.len().min(PREFACE.len());
            match PREFACE.get(..seen) == first.get(..seen) {
                true if seen == PREFACE.len() => break Spoken::Two,
                true if read > 0 => {}
                _ => break Spoken::One,
            }
        };
        Ok((Self::of(carrier, first.freeze(), life), spoken))
    }

    const fn of(carrier: Carrier, first: Bytes, life: Rc<Life>) -> Self {
        Self { carrier, first, life, end: End::Open }
    }

    /// Reads what nobody wants until the client has closed or is silent.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let End::Lingering { until, silence } = &mut self.end else { return Poll::Ready(()) };
        let mut unwanted = [0; FIRST_READ];
        loop {
            let mut buffer = ReadBuf::new(&mut unwanted);
            match Pin::new(&mut self.carrier).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    silence.as_mut().reset((Instant::now() + SILENCE).min(*until));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return silence.as_mut().poll(context),
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let fits = self.first.len().min(buffer.remaining());
            buffer.put_slice(self.first.get(..fits).unwrap_or_default());
            self.first.advance(fits);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.carrier).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.life.heard();
        }
        polled
    }
}

/// Passes a call on to what carries the bytes.
macro_rules! carried {
    ($self:expr, $carrier:ident => $call:expr) => {
        match &mut $self.get_mut().carrier {
            Carrier::Plain(stream) => {
                let $carrier = Pin::new(stream);
                $call
            }
            Carrier::Tls(stream) => {
                let $carrier = Pin::new(stream.as_mut());
                $call
            }
        }
    };
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        carried!(self, carrier => carrier.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        carried!(self, carrier => carrier.poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.carrier {
            Carrier::Plain(stream) => stream.is_write_vectored(),
            Carrier::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        carried!(self, carrier => carrier.poll_flush(context))
    }

    /// A socket that is closed while bytes wait in it is reset, and the client may lose the answer that says
    /// why (RFC 9112 §9.6): so what it was about to send is read first, within bounds.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.end, End::Open) {
            ready!(carried!(self.as_mut(), carrier => carrier.poll_shutdown(context)))?;
            self.end = if self.life.may_be_sending() {
                let silence = Box::pin(tokio::time::sleep(SILENCE));
                End::Lingering { until: Instant::now() + LINGER, silence }
            } else {
                End::Over
            };
        }
        ready!(self.linger(context));
        self.end = End::Over;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Carrier {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}
