//! Compressed answers, decoded for reading alone: what passes stays as it is.
//!
//! gzip, deflate (RFC 9110 §8.4.1), br (RFC 7932) and zstd (RFC 8878), one of them at a time.
//!
//! Invariant: memory is bounded by the windows below, work by `RATIO_MAX` and `DECODED_MAX`.

use std::io::{self, BufRead, ErrorKind, Read};

use brotli_decompressor::Decompressor as Brotli;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// The most bytes that are decoded of one answer.
pub const DECODED_MAX: u64 = 256 * 1024 * 1024;

/// How many bytes may come of each byte of an answer, beyond `RATIO_FREE`: text of any sort comes far below.
pub const RATIO_MAX: u64 = 200;

/// How many bytes may come of any answer.
pub const RATIO_FREE: u64 = 1024 * 1024;

/// The largest window of br, as its logarithm. The format's own is 24; encoders take 22 or less for the web.
const BROTLI_WINDOW_MAX: u8 = 22;

/// The largest window of zstd, as its logarithm (RFC 9659 §3).
const ZSTD_WINDOW_MAX: u32 = 23;

/// How much is decoded at a time.
const PART: usize = 16 * 1024;

/// Why something was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undecoded {
    /// It is not what its head says, it ended too early, or it wants too large a window.
    Corrupt,
    /// It is far larger than it came.
    Bomb,
}

/// A content coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Decodes one body.
pub(super) struct Decoder {
    coding: Coding,
    /// The first bytes, until there are enough to choose by.
    first: Vec<u8>,
    inner: Option<Inner>,
    came: u64,
    made: u64,
    over: bool,
    part: Vec<u8>,
}

enum Inner {
    Gzip(MultiGzDecoder<Feed>),
    Zlib(ZlibDecoder<Feed>),
    Deflate(DeflateDecoder<Feed>),
    Brotli(Box<Brotli<Feed>>),
    Zstd(zstd::Decoder<'static, Feed>),
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoder({:?}, {} of {})", self.coding, self.made, self.came)
    }
}

impl Decoder {
    /// A decoder for a body with this head; `None`: it has another coding, or several.
    pub(super) fn new(head: &HeaderMap) -> Option<Self> {
        let mut names = head
            .get_all(CONTENT_ENCODING)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("?").split(','))
            .map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty() && name != "identity");
        let coding = match (names.next().as_deref(), names.next()) {
            (Some("gzip" | "x-gzip"), None) => Coding::Gzip,
            (Some("deflate"), None) => Coding::Deflate,
            (Some("br"), None) => Coding::Brotli,
            (Some("zstd"), None) => Coding::Zstd,
            _ => return None,
        };
        let (first, part) = (Vec::new(), Vec::new());
        Some(Self { coding, first, inner: None, came: 0, made: 0, over: false, part })
    }

    /// Decodes the next bytes.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        report: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Undecoded> {
        self.came = self.came.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.over {
            return Ok(());
        }
        match &mut self.inner {
            Some(inner) => inner.feed().push(bytes),
            None => {
                self.first.extend_from_slice(bytes);
                // Two bytes tell the one sort of deflate from the other, one tells the window of br.
                if self.first.len() < 2 {
                    return Ok(());
                }
                self.open()?;
            }
        }
        self.read(report)
    }

    /// The body is over; `complete`: as its framing promised.
    pub(super) fn finish(
        &mut self,
        complete: bool,
        report: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Undecoded> {
        if self.inner.is_none() {
            self.open()?;
        }
        if let Some(inner) = &mut self.inner {
            inner.feed().ended = true;
        }
        match self.read(report) {
            Err(Undecoded::Corrupt) if !complete => Ok(()),
            done => done,
        }
    }

    fn open(&mut self) -> Result<(), Undecoded> {
        let first = std::mem::take(&mut self.first);
        let inner = Inner::of(self.coding, first).map_err(|_| Undecoded::Corrupt)?;
        self.inner = Some(inner);
        self.part = vec![0; PART];
        Ok(())
    }

    fn read(&mut self, report: &mut dyn FnMut(&[u8])) -> Result<(), Undecoded> {
        let Some(inner) = self.inner.as_mut().filter(|_| !self.over) else { return Ok(()) };
        let most = self.came.saturating_mul(RATIO_MAX).saturating_add(RATIO_FREE).min(DECODED_MAX);
        loop {
            match inner.read(&mut self.part) {
                Ok(0) => {
                    self.over = true;
                    return Ok(());
                }
                Ok(made) => {
                    self.made = self.made.saturating_add(u64::try_from(made).unwrap_or(u64::MAX));
                    if self.made > most {
                        return Err(Undecoded::Bomb);
                    }
                    report(self.part.get(..made).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(Undecoded::Corrupt),
            }
        }
    }
}

impl Inner {
    fn of(coding: Coding, first: Vec<u8>) -> io::Result<Self> {
        let zlib = is_zlib(&first);
        let wide = first.first().is_some_and(|byte| brotli_window(*byte) > BROTLI_WINDOW_MAX);
        let feed = Feed { bytes: first, read: 0, ended: false };
        Ok(match coding {
            Coding::Gzip => Self::Gzip(MultiGzDecoder::new(feed)),
            Coding::Deflate if zlib => Self::Zlib(ZlibDecoder::new(feed)),
            Coding::Deflate => Self::Deflate(DeflateDecoder::new(feed)),
            Coding::Brotli if wide => return Err(ErrorKind::OutOfMemory.into()),
            Coding::Brotli => Self::Brotli(Box::new(Brotli::new(feed, PART))),
            Coding::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(feed)?;
                decoder.window_log_max(ZSTD_WINDOW_MAX)?;
                Self::Zstd(decoder)
            }
        })
    }

    fn feed(&mut self) -> &mut Feed {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }

    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(part),
            Self::Zlib(decoder) => decoder.read(part),
            Self::Deflate(decoder) => decoder.read(part),
            Self::Brotli(decoder) => decoder.read(part),
            Self::Zstd(decoder) => decoder.read(part),
        }
    }
}

/// Whether deflate comes as the standard says, in the zlib format (RFC 1950 §2.2); some send it bare.
fn is_zlib(first: &[u8]) -> bool {
    match first {
        [method, flags, ..] => {
            method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        _ => true,
    }
}

/// The logarithm of the window that the first byte of a br stream asks for (RFC 7932 §9.1).
const fn brotli_window(first: u8) -> u8 {
    match (first & 1, (first >> 1) & 7, (first >> 4) & 7) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        // The large windows, which only some decoders know, begin so.
        (_, 0, 1) => u8::MAX,
        (_, 0, small) => small.saturating_add(8),
        (_, large, _) => large.saturating_add(17),
    }
}

/// Bytes that have come; when there are none, more may come.
struct Feed {
    bytes: Vec<u8>,
    read: usize,
    ended: bool,
}

impl Feed {
    fn push(&mut self, bytes: &[u8]) {
        if self.read == self.bytes.len() {
            self.bytes.clear();
            self.read = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }
}

impl Read for Feed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Feed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.bytes.get(self.read..) {
            Some([]) | None if !self.ended => Err(ErrorKind::WouldBlock.into()),
            left => Ok(left.unwrap_or_default()),
        }
    }

    fn consume(&mut self, read: usize) {
        self.read = self.read.saturating_add(read).min(self.bytes.len());
    }
}
