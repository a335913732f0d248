//! A body as it passes: an observer is shown every frame and reports what can be read in it.
//!
//! What the head says decides how it looks: `application/json` and `+json` are copied up to a bound and read at
//! the end, streams are read event by event, all else is only counted, or measured as a sound or a film. What
//! comes compressed is decoded.
//!
//! Invariant: holds at most `BODY_MAX` bytes of a JSON body, two events of a stream, what a `MediaReader` keeps and a
//! decoder's window.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::coding::{Decoder, Undecoded};
use super::media::MediaReader;
use super::squeezed::Squeezed;
use super::sse::{Event, EventReader};
use super::values::{ItemReader, LineReader};

/// The largest JSON body that is kept to be read at its end, long texts not counted.
pub const BODY_MAX: usize = 1024 * 1024;

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streamed {
    /// Server-sent events.
    Events,
    /// One JSON value on each line.
    Lines,
    /// The items of one JSON array.
    Items,
}

/// How a body is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// How it is read if its content type names no stream; `None`: as its content type says.
    pub format: Option<Streamed>,
    /// Whether it is decoded if it is compressed.
    pub decode: bool,
    /// Whether one that is not read as text is measured as a sound or a film.
    pub measure: bool,
}

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
    /// It is compressed, and could not be decoded or was not to be.
    Encoded,
    /// It is compressed, and far larger than it came.
    Bomb,
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
    /// Why something was not read; `None`: everything was. A part of it may have been.
    pub unread: Option<Unread>,
    /// How long it is as a sound or a film, in milliseconds, rounded up. `None`: that cannot be told, it ended before
    /// its end, or nobody asked.
    pub length: Option<u64>,
}

/// Looks at a body while it passes.
#[derive(Debug)]
pub struct Observer {
    mode: Mode,
    decoder: Option<Box<Decoder>>,
    bytes: u64,
}

#[derive(Debug)]
enum Mode {
    Json(Squeezed),
    Events(Box<EventReader>),
    Lines(Box<LineReader>),
    Items(Box<ItemReader>),
    /// No text, and why; but perhaps a sound or a film.
    Media(Box<MediaReader>, Unread),
    Nothing(Option<Unread>),
}

impl Observer {
    /// An observer for a body with this head.
    #[must_use]
    pub fn new(head: &HeaderMap, manner: Manner) -> Self {
        let mode = Mode::of(head, manner.format).measured(manner.measure);
        if !encoded(head) {
            return Self { mode, decoder: None, bytes: 0 };
        }
        let reads = !matches!(mode, Mode::Nothing(_));
        let decoder = Decoder::new(head).filter(|_| manner.decode && reads).map(Box::new);
        let mode = if decoder.is_some() { mode } else { Mode::Nothing(Some(Unread::Encoded)) };
        Self { mode, decoder, bytes: 0 }
    }

    /// An observer that only counts.
    #[must_use]
    pub const fn idle() -> Self {
        Self { mode: Mode::Nothing(None), decoder: None, bytes: 0 }
    }

    /// Whether the body is a stream that is being read.
    #[must_use]
    pub const fn reads_events(&self) -> bool {
        matches!(self.mode, Mode::Events(_) | Mode::Lines(_) | Mode::Items(_))
    }

    /// Looks at the next frame.
    pub fn feed(&mut self, frame: &[u8], report: &mut dyn FnMut(Sight<'_>)) {
        self.bytes = self.bytes.saturating_add(u64::try_from(frame.len()).unwrap_or(u64::MAX));
        if matches!(self.mode, Mode::Nothing(_)) {
            return;
        }
        let mode = &mut self.mode;
        let done = match &mut self.decoder {
            Some(decoder) => decoder.feed(frame, &mut |part| mode.feed(part, report)),
            None => {
                mode.feed(frame, report);
                Ok(())
            }
        };
        self.note(done);
    }

    /// The body is over; `complete`: as its framing promised. An empty one has been read.
    pub fn finish(mut self, complete: bool, report: &mut dyn FnMut(Sight<'_>)) -> Seen {
        let reads = !matches!(self.mode, Mode::Nothing(_));
        if let (Some(mut decoder), true) = (self.decoder.take(), reads && self.bytes > 0) {
            let mode = &mut self.mode;
            let done = decoder.finish(complete, &mut |part| mode.feed(part, report));
            self.note(done);
        }
        let nothing = complete && self.bytes == 0;
        let length = self.mode.length().filter(|_| complete);
        let unread = if nothing { None } else { self.mode.finish(complete, report) };
        Seen { bytes: self.bytes, unread, length }
    }

    fn note(&mut self, done: Result<(), Undecoded>) {
        match done {
            Ok(()) => return,
            Err(Undecoded::Corrupt) => self.mode = Mode::Nothing(Some(Unread::Encoded)),
            Err(Undecoded::Bomb) => self.mode = Mode::Nothing(Some(Unread::Bomb)),
        }
        self.decoder = None;
    }
}

impl Mode {
    fn of(head: &HeaderMap, format: Option<Streamed>) -> Self {
        let Some(name) = media_type(head) else {
            return Self::Nothing(Some(Unread::OtherType));
        };
        match format {
            _ if name == "text/event-stream" => Self::Events(Box::default()),
            _ if is_lines(&name) => Self::Lines(Box::default()),
            // Among JSON an answer that is no stream may come as well.
            Some(Streamed::Lines | Streamed::Items) if is_json(&name) => {
                Self::Items(Box::default())
            }
            _ if is_json(&name) => Self::Json(Squeezed::new(BODY_MAX)),
            _ if is_media(&name) => Self::Nothing(Some(Unread::Binary)),
            Some(Streamed::Events) => Self::Events(Box::default()),
            Some(Streamed::Lines) => Self::Lines(Box::default()),
            Some(Streamed::Items) => Self::Items(Box::default()),
            None if name == "application/octet-stream" => Self::Nothing(Some(Unread::Binary)),
            None => Self::Nothing(Some(Unread::OtherType)),
        }
    }

    /// The same, with a measure for what is no text.
    fn measured(self, measure: bool) -> Self {
        match self {
            Self::Nothing(Some(unread)) if measure => Self::Media(Box::default(), unread),
            other => other,
        }
    }

    fn length(&self) -> Option<u64> {
        match self {
            Self::Media(reader, _) => reader.milliseconds(),
            _ => None,
        }
    }

    fn feed(&mut self, part: &[u8], report: &mut dyn FnMut(Sight<'_>)) {
        let mut event = |event: Event<'_>| report(Sight::Event(event));
        match self {
            Self::Media(reader, _) => reader.feed(part),
            Self::Events(reader) => reader.feed(part, &mut event),
            Self::Lines(reader) => reader.feed(part, &mut event),
            Self::Items(reader) => reader.feed(part, &mut event),
            Self::Json(kept) => {
                kept.push(part);
                if kept.is_over() {
                    *self = Self::Nothing(Some(Unread::TooLarge));
                }
            }
            Self::Nothing(_) => {}
        }
    }

    fn finish(self, complete: bool, report: &mut dyn FnMut(Sight<'_>)) -> Option<Unread> {
        let mut event = |event: Event<'_>| report(Sight::Event(event));
        let skipped = match self {
            Self::Nothing(unread) => return unread,
            Self::Media(_, unread) => return Some(unread),
            Self::Json(_) if !complete => return Some(Unread::Broken),
            Self::Json(kept) => {
                report(Sight::Body(kept.kept()));
                return None;
            }
            Self::Events(mut reader) => {
                reader.finish(complete, &mut event);
                reader.skipped()
            }
            Self::Lines(mut reader) => {
                reader.finish(complete, &mut event);
                reader.skipped()
            }
            Self::Items(mut reader) => {
                reader.finish(complete, &mut event);
                reader.skipped()
            }
        };
        (skipped > 0).then_some(Unread::TooLarge)
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

/// Whether a media type in lower case is one of NDJSON, under the names that it goes by.
#[must_use]
pub fn is_lines(media_type: &str) -> bool {
    let names = ["ndjson", "x-ndjson", "jsonl", "x-jsonl", "jsonlines", "stream+json"];
    media_type.strip_prefix("application/").is_some_and(|name| names.contains(&name))
}

fn is_media(media_type: &str) -> bool {
    ["audio/", "image/", "video/"].iter().any(|family| media_type.starts_with(family))
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
