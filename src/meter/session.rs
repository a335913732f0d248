//! What a WebSocket has come to so far: messages, bytes, characters, seconds, and what its messages say.
//!
//! A message of the upstream is read as an event of a stream is. A close of the upstream is an event too, so
//! that outcomes can test it: `{"close": {"code": 1008, "reason": "…"}}`.
//!
//! Invariant: keeps numbers and the last stated values, never a message.
//! Invariant: characters of a message that cannot be read are not nothing: the whole message counts.

use http::HeaderMap;

use super::pricing::Held;
use super::settings::{Due, ResponseSource, SessionSource};
use super::source::Source;
use super::watch::Watch;
use crate::observe::{Event, Fact, Pointer, Sight, strict};

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// The upstream.
    Upstream,
}

/// A WebSocket as its price sees it.
#[derive(Debug)]
pub struct Session {
    watch: Watch,
    places: Vec<Pointer>,
    counts: Counts,
}

/// What was counted up to some moment.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    sent_messages: u64,
    sent_bytes: u64,
    /// By the index of the place.
    characters: Vec<u64>,
    received_messages: u64,
    received_bytes: u64,
    connected_ms: u64,
}

impl Session {
    /// Begins with the head of the handshake's answer. `due` must be the same in every call.
    #[must_use]
    pub fn new(due: &Due, head: &HeaderMap) -> Self {
        let sources = due.quantities.iter().flat_map(|quantity| &quantity.response);
        let sources = sources.flat_map(Source::places);
        let mut places: Vec<Pointer> = sources
            .filter_map(|source| match source {
                ResponseSource::Session(SessionSource::SentCharacters(place)) => {
                    Some(place.clone())
                }
                _ => None,
            })
            .collect();
        places.sort();
        places.dedup();
        let counts = Counts { characters: vec![0; places.len()], ..Counts::default() };
        Self { watch: Watch::session(due, head), places, counts }
    }

    /// What has been counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Takes back what was counted since then.
    pub fn back_to(&mut self, counts: Counts) {
        self.counts = counts;
    }

    /// A message is about to pass; `text`: it is no binary one.
    pub fn message(&mut self, side: Side, text: Option<&str>, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let counts = &mut self.counts;
        let (messages, sum) = match side {
            Side::Client => (&mut counts.sent_messages, &mut counts.sent_bytes),
            Side::Upstream => (&mut counts.received_messages, &mut counts.received_bytes),
        };
        *messages = messages.saturating_add(1);
        *sum = sum.saturating_add(bytes);
        match (side, text) {
            (Side::Client, Some(text)) => self.characters(text),
            (Side::Upstream, Some(data)) => self.event(data),
            (_, None) => {}
        }
    }

    fn event(&mut self, data: &str) {
        self.watch.eye().look(Sight::Event(Event { name: "", data }));
    }

    fn characters(&mut self, text: &str) {
        if self.places.is_empty() {
            return;
        }
        let picked = strict(text.as_bytes(), &self.places);
        for (number, sum) in self.counts.characters.iter_mut().enumerate() {
            let read = picked.as_ref().ok().and_then(|picked| characters(picked.at(number)));
            *sum = sum.saturating_add(read.unwrap_or_else(|| length(text)));
        }
    }

    /// It has lasted so long.
    pub const fn lasted(&mut self, ms: u64) {
        self.counts.connected_ms = ms;
    }

    /// The upstream has closed it.
    pub fn closed(&mut self, code: u16, reason: &str) {
        let said = serde_json::json!({ "close": { "code": code, "reason": reason } });
        self.event(&said.to_string());
    }

    /// Whether what is known so far comes to more than is held.
    pub fn is_above(&mut self, due: &Due, held: &Held) -> bool {
        self.tell();
        self.watch.so_far(due, held).is_some_and(|amount| amount > held.priced.total)
    }

    /// The watch, which knows everything that was counted.
    #[must_use]
    pub fn over(mut self) -> Watch {
        self.tell();
        self.watch
    }

    /// The watch of the head.
    #[must_use]
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    fn tell(&mut self) {
        let (counts, places) = (&self.counts, &self.places);
        self.watch.eye().count(|source| counts.of(source, places));
    }
}

impl Counts {
    fn of(&self, source: &SessionSource, places: &[Pointer]) -> String {
        let number = match source {
            SessionSource::SentMessages => self.sent_messages,
            SessionSource::SentBytes => self.sent_bytes,
            SessionSource::SentCharacters(place) => {
                let at = places.iter().position(|known| known == place);
                at.and_then(|at| self.characters.get(at)).copied().unwrap_or_default()
            }
            SessionSource::ReceivedMessages => self.received_messages,
            SessionSource::ReceivedBytes => self.received_bytes,
            SessionSource::ConnectedSeconds => {
                let (seconds, ms) = (self.connected_ms / 1_000, self.connected_ms % 1_000);
                return format!("{seconds}.{ms:03}");
            }
        };
        number.to_string()
    }
}

/// The characters of all strings at a place; `None`: something else stands there too.
fn characters(facts: &[Fact<'_>]) -> Option<u64> {
    facts.iter().try_fold(0_u64, |sum, fact| match fact {
        Fact::Text(text) => Some(sum.saturating_add(length(text))),
        Fact::Null => Some(sum),
        _ => None,
    })
}

fn length(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}
