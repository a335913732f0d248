//! Looks at the head, the body and the trailers of one response, for all sources and tests at once.
//!
//! Invariant: a body or an event is read once, whatever is looked for in it.

use http::HeaderMap;

use super::outcome::BodyTest;
use super::reading::Reading;
use super::said::{self, Seen, Stated};
use super::settings::{Merge, Quantity, ResponseSource, SessionSource, ValueType};
use super::stream::StreamRules;
use crate::observe::{Event, Fact, Picked, Pointer, Sight, Step, response};

/// The most names that are noted of one response.
const NAMES_MAX: usize = 64;
/// The longest of them in bytes: a URL.
const NAME_MAX: usize = 4_096;
/// Where an event says its name, if it has no `event` field.
const TYPE: &str = "/type";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Eye {
    pub(super) readings: Vec<Reading>,
    pub(super) tests: Vec<BodyTest>,
    /// Whether the event that ends the stream has come.
    pub(super) end_seen: bool,
    /// Whether something that seemed to matter could not be read.
    pub(super) unreadable: bool,
    stream: StreamRules,
    places: Vec<Pointer>,
    /// The numbers of the places that need not be there for an event to be read.
    aside: Vec<usize>,
    named: Option<usize>,
    end: Option<usize>,
    /// The numbers of the places that have names, and what stood there.
    noted: (Vec<usize>, Vec<String>),
}

impl Eye {
    pub(super) fn new(stream: StreamRules) -> Self {
        let mut eye = Self { stream, ..Self::default() };
        if let Some((place, _)) = eye.stream.end_when.clone() {
            eye.end = Some(eye.place(&place));
        }
        if eye.stream.end_event.is_some() {
            eye.look_for_names();
        }
        eye
    }

    /// Watches a place of a source of the quantity with this index.
    pub(super) fn watch(
        &mut self,
        number: usize,
        kind: (&ValueType, Merge),
        source: &ResponseSource,
    ) {
        let (mut place, mut list) = (None, None);
        match source {
            ResponseSource::Json(at)
            | ResponseSource::Items(at)
            | ResponseSource::Characters(at) => {
                place = Some(self.place(at));
            }
            ResponseSource::Event { at, .. } => {
                place = Some(self.place(at));
                self.look_for_names();
            }
            ResponseSource::Count(at) => {
                place = Some(self.place(at));
                list = at.list().map(|at| self.place(&at));
            }
            _ => {}
        }
        self.readings.push(Reading::new(number, kind, source, place, list));
    }

    /// Notes the texts and numbers at a place.
    pub(super) fn note_names(&mut self, place: &Pointer) {
        let number = self.place(place);
        self.noted.0.push(number);
    }

    /// Whether it notes any.
    pub(super) const fn notes_names(&self) -> bool {
        !self.noted.0.is_empty()
    }

    /// Those that it has noted.
    pub(super) fn names(&mut self) -> Vec<String> {
        std::mem::take(&mut self.noted.1)
    }

    /// Whether any place is in the body's text.
    pub(super) fn reads_text(&self) -> bool {
        self.readings.iter().any(Reading::in_text)
    }

    /// What each place of a quantity said, in the order of its sources.
    pub(super) fn readings(&self, quantity: usize) -> impl Iterator<Item = &Reading> {
        self.readings.iter().filter(move |reading| reading.quantity == quantity)
    }

    /// What each place said that is watched beside the quantities, whose numbers end before `own`.
    pub(super) fn readings_from(&self, own: usize) -> impl Iterator<Item = &Reading> {
        self.readings.iter().filter(move |reading| reading.quantity >= own)
    }

    /// What the first source that is there says of a quantity; `None`: none is.
    pub(super) fn said(
        &self,
        number: usize,
        quantity: &Quantity,
        seen: Seen<'_>,
    ) -> Option<Stated> {
        said::said(quantity, seen, || self.readings(number))
    }

    /// Whether nothing that is still to come can change that: neither the body nor trailers. `asked`: whether the
    /// request said the quantity.
    pub(super) fn is_known(&self, number: usize, quantity: &Quantity, asked: bool) -> bool {
        said::is_known(&quantity.response, self.readings(number), asked)
    }

    /// Says what was counted of a WebSocket, in digits.
    pub(super) fn count(&mut self, counted: impl Fn(&SessionSource) -> String) {
        for reading in &mut self.readings {
            reading.count(&counted);
        }
    }

    /// The number of a place among those that are looked at.
    pub(super) fn place(&mut self, place: &Pointer) -> usize {
        let number = self.numbered(place);
        self.aside.retain(|aside| *aside != number);
        number
    }

    fn numbered(&mut self, place: &Pointer) -> usize {
        self.places.iter().position(|known| known == place).unwrap_or_else(|| {
            self.places.push(place.clone());
            self.places.len().saturating_sub(1)
        })
    }

    fn look_for_names(&mut self) {
        let Ok(place) = TYPE.parse() else { return };
        let known = self.places.contains(&place);
        let number = self.numbered(&place);
        if !known {
            self.aside.push(number);
        }
        self.named = Some(number);
    }

    /// Reads the headers, or the trailers for what the headers did not say.
    pub(super) fn head(&mut self, head: &HeaderMap) {
        for reading in self.readings.iter_mut().filter(|reading| !reading.is_there()) {
            reading.head(head);
        }
    }

    /// Reads a body or an event.
    pub(super) fn look(&mut self, sight: Sight<'_>) {
        match sight {
            Sight::Body(bytes) => self.read(bytes, None),
            Sight::Event(event) => {
                self.end_seen |= self.stream.ends_with(&event);
                if self.may_say(&event) {
                    self.read(event.data.as_bytes(), Some(event.name));
                }
            }
        }
    }

    /// The body is over; so many bytes of it have passed.
    pub(super) fn passed(&mut self, bytes: u64) {
        for reading in &mut self.readings {
            reading.passed(bytes);
        }
    }

    /// Whether the body is measured as a sound or a film.
    pub(super) fn measures(&self) -> bool {
        self.readings.iter().any(Reading::is_length)
    }

    /// The body has come to its end, and lasts so many milliseconds.
    pub(super) fn lasts(&mut self, milliseconds: u64) {
        for reading in &mut self.readings {
            reading.lasts(milliseconds);
        }
    }

    /// A stream was cut off that was read so far.
    pub(super) fn cut_off(&mut self) {
        for reading in self.readings.iter_mut().filter(|_| !self.unreadable) {
            reading.cut_off();
        }
    }

    fn read(&mut self, bytes: &[u8], name: Option<&str>) {
        if self.places.is_empty() {
            return;
        }
        let Ok(picked) = response(bytes, &self.places) else {
            // What ends a stream need not be JSON.
            let ends = name.is_some() && self.stream.end.as_deref() == text(bytes);
            self.unreadable |= !ends;
            return;
        };
        let name = name.map(|name| if name.is_empty() { self.typed(&picked) } else { name.into() });
        if let Some(name) = name.as_deref() {
            let ended = |place: usize| self.stream.ends_at(picked.at(place));
            self.end_seen |= self.stream.end_event.as_deref() == Some(name);
            self.end_seen |= self.end.is_some_and(ended);
        }
        for reading in &mut self.readings {
            reading.body(&picked, name.as_deref());
        }
        let (places, names) = &mut self.noted;
        let facts = places.iter().flat_map(|place| picked.at(*place));
        let room = NAMES_MAX.saturating_sub(names.len());
        names.extend(facts.filter_map(name_of).take(room));
        for test in &mut self.tests {
            test.try_on(picked.at(test.place));
        }
    }

    /// The name that an event says in its data; empty: none.
    fn typed<'a>(&self, picked: &Picked<'a>) -> std::borrow::Cow<'a, str> {
        match self.named.map(|place| picked.at(place)) {
            Some([Fact::Text(name)]) => name.clone(),
            _ => "".into(),
        }
    }

    /// Whether an event can have any of the places: most have none, and need not be read. An escape may
    /// hide a name.
    fn may_say(&self, event: &Event<'_>) -> bool {
        let aside = |number: &usize| self.aside.contains(number);
        let named = |place: &Pointer| match place.steps().last() {
            Some(Step::Name(name)) => event.data.contains(name.as_str()),
            _ => true,
        };
        let places = self.places.iter().enumerate().filter(|(number, _)| !aside(number));
        let ends = self.stream.end_event.as_deref().is_some_and(|name| event.data.contains(name));
        places.into_iter().any(|(_, place)| named(place))
            || ends
            || (!self.places.is_empty() && event.data.contains("\\u"))
    }
}

fn name_of(fact: &Fact<'_>) -> Option<String> {
    match fact {
        Fact::Text(text) if !text.is_empty() && text.len() <= NAME_MAX => {
            Some(text.clone().into_owned())
        }
        Fact::Number(number) => Some((*number).to_owned()),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
