//! A body as it passes: an observer is shown every frame and reports what can be read in it.
//!
//! What the head says decides how it looks: `application/json` and `+json` are copied up to a bound and
//! read at the end, `text/event-stream` is read event by event, all else is only counted.
//!
//! Invariant: holds at most `BODY_MAX` bytes of a JSON body and two events of a stream.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::sse::{Event, EventReader};

/// The largest JSON body that is kept to be read at its end.
pub const BODY_MAX: usize = 1024 * 1024;

/// Something that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight<'a> {
    /// A whole JSON body.
    Body(&'a [u8]),
    /// An event of a stream.
    Event(Event<'a>),
}

/// Why a body, or a part of it, was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is neither JSON nor an event stream, or its head does not say so once and clearly.
    OtherType,
    /// It is sound, an image, a video or plain octets: there is nothing in it that could be read.
    Binary,
    /// It is compressed.
    Encoded,
    /// It, or one of its events, is larger than is kept.
    TooLarge,
    /// It ended before its end.
    Broken,
}

/// What an observer has seen at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The size of the body as it passed.
    pub bytes: u64,
    /// Why something was not read; `None`: everything was.
    pub unread: Option<Unread>,
}

/// Looks at a body while it passes.
#[derive(Debug)]
pub struct Observer {
    mode: Mode,
    bytes: u64,
}

#[derive(Debug)]
enum Mode {
    Json(Vec<u8>),
    Events(Box<EventReader>),
    Nothing(Option<Unread>),
}

impl Observer {
    /// An observer for a body with this head.
    #[must_use]
    pub fn new(head: &HeaderMap) -> Self {
        let mode = if encoded(head) {
            Mode::Nothing(Some(Unread::Encoded))
        } else {
            match media_type(head).as_deref() {
                Some("text/event-stream") => Mode::Events(Box::default()),
                Some(name) if is_json(name) => Mode::Json(Vec::new()),
                Some(name) if is_binary(name) => Mode::Nothing(Some(Unread::Binary)),
                _ => Mode::Nothing(Some(Unread::OtherType)),
            }
        };
        Self { mode, bytes: 0 }
    }

    /// An observer that only counts.
    #[must_use]
    pub const fn idle() -> Self {
        Self { mode: Mode::Nothing(None), bytes: 0 }
    }

    /// Whether the body is an event stream that is being read.
    #[must_use]
    pub const fn reads_events(&self) -> bool {
        matches!(self.mode, Mode::Events(_))
    }

    /// Looks at the next frame.
    pub fn feed(&mut self, frame: &[u8], report: &mut dyn FnMut(Sight<'_>)) {
        self.bytes = self.bytes.saturating_add(u64::try_from(frame.len()).unwrap_or(u64::MAX));
        match &mut self.mode {
            Mode::Events(reader) => reader.feed(frame, &mut |event| report(Sight::Event(event))),
            Mode::Json(kept) if kept.len().saturating_add(frame.len()) <= BODY_MAX => {
                kept.extend_from_slice(frame);
            }
            Mode::Json(_) => self.mode = Mode::Nothing(Some(Unread::TooLarge)),
            Mode::Nothing(_) => {}
        }
    }

    /// The body is over; `complete`: as its framing promised. An empty one has been read.
    pub fn finish(self, complete: bool, report: &mut dyn FnMut(Sight<'_>)) -> Seen {
        let unread = match self.mode {
            _ if complete && self.bytes == 0 => None,
            Mode::Nothing(unread) => unread,
            Mode::Json(_) if !complete => Some(Unread::Broken),
            Mode::Json(kept) => {
                report(Sight::Body(&kept));
                None
            }
            Mode::Events(mut reader) => {
                reader.finish(complete, &mut |event| report(Sight::Event(event)));
                (reader.skipped() > 0).then_some(Unread::TooLarge)
            }
        };
        Seen { bytes: self.bytes, unread }
    }
}

/// The media type of a head in lower case, without parameters; `None`: none, several, or not text.
#[must_use]
pub fn media_type(head: &HeaderMap) -> Option<String> {
    let mut values = head.get_all(CONTENT_TYPE).iter();
    let (first, second) = (values.next()?, values.next());
    let text = first.to_str().ok().filter(|_| second.is_none())?;
    let name = text.split(';').next()?.trim();
    Some(name.to_ascii_lowercase())
}

/// Whether a media type in lower case is JSON: `application/json` or a `+json` suffix (RFC 6839 §3.1).
#[must_use]
pub fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

fn is_binary(media_type: &str) -> bool {
    let families = ["audio/", "image/", "video/"];
    media_type == "application/octet-stream" || families.iter().any(|f| media_type.starts_with(f))
}

/// Whether a head says that the body is compressed or otherwise encoded.
#[must_use]
pub fn encoded(head: &HeaderMap) -> bool {
    let plain = |value: &http::HeaderValue| {
        let names = value.to_str().unwrap_or("?").split(',').map(str::trim);
        names.into_iter().all(|name| name.is_empty() || name.eq_ignore_ascii_case("identity"))
    };
    !head.get_all(CONTENT_ENCODING).iter().all(plain)
}
