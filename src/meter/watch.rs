//! Watching one response: shown its head and every frame, it says at the end what the work costs.
//!
//! Invariant: sees bytes and never changes, delays or keeps them beyond a bound.
//! Invariant: a body that nothing depends on is only counted.
//! Invariant: how long a sound or a film is counts only if all of it came. A part says too little: its header may
//! state the whole, its frames are what was sent and not what was made. So what was cut off is charged as held.

use http::HeaderMap;
use http::header::CONTENT_LENGTH;

use super::eye::Eye;
use super::outcome::{self, BodyTest};
use super::pricing::Held;
use super::settings::{ChargeRule, Class, Due, Merge, OnDisconnect, ResponseSource, ValueType};
use super::source::Source;
use super::verdict::{self, Evidence, Verdict};
use crate::credit::{Amount, Value};
use crate::observe::{Manner, Observer, Pointer, Unread};

/// As what the outcomes of a route see the handshake of a WebSocket (101).
const SESSION_STATUS: u16 = 200;

/// The status of an answer that is a part of what there is (RFC 9110 §15.3.7): its length is not the whole one.
pub(super) const PARTIAL_CONTENT: u16 = 206;

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its framing says that it is whole.
    Complete,
    /// It broke off, or its framing was violated.
    Broken,
    /// The client left and the work was cut off.
    Cancelled,
}

/// Watches one response of a priced route.
#[derive(Debug)]
pub struct Watch {
    status: u16,
    length: Option<u64>,
    heads: Vec<bool>,
    eye: Eye,
    observer: Observer,
    needs_end: bool,
}

impl Watch {
    /// Begins with the head of a response. `due` must be the same in every call.
    #[must_use]
    pub fn new(due: &Due, status: u16, head: &HeaderMap) -> Self {
        Self::with(due, status, head, (&[], &[]))
    }

    /// The same, looking for `extras` and names at `places` beside the quantities, whatever the answer means.
    pub(super) fn with(
        due: &Due,
        status: u16,
        head: &HeaderMap,
        (extras, places): (&[(ValueType, ResponseSource)], &[Pointer]),
    ) -> Self {
        let heads: Vec<_> =
            due.outcomes.iter().map(|rule| outcome::matches_head(rule, status, head)).collect();
        let mut eye = Eye::new(due.stream.clone());
        watch_rules(due, &heads, &mut eye);
        if may_settle(due, &heads, status) {
            watch_quantities(due, &mut eye);
        }
        for (number, (value, source)) in extras.iter().enumerate() {
            let number = due.quantities.len().saturating_add(number);
            eye.watch(number, (value, Merge::default()), source);
        }
        if is_success(status) {
            places.iter().for_each(|place| eye.note_names(place));
        }
        eye.head(head);
        let measure = eye.measures() && status != PARTIAL_CONTENT;
        let in_text = eye.reads_text() || eye.notes_names() || !eye.tests.is_empty();
        let in_body = in_text || measure;
        let format = due.stream.format.filter(|_| is_success(status));
        let mut observer = Observer::new(head, Manner { format, decode: due.decode, measure });
        let needs_end = is_success(status) && due.stream.has_end() && observer.reads_events();
        if !in_body && !needs_end {
            observer = Observer::idle();
        }
        let length = stated_length(head);
        Self { status, length, heads, eye, observer, needs_end }
    }

    /// Begins with the head that opens a WebSocket: what it carries is read as a success is.
    pub(super) fn session(due: &Due, head: &HeaderMap) -> Self {
        Self::new(due, SESSION_STATUS, head)
    }

    /// The eye that looks at what passes.
    pub(super) const fn eye(&mut self) -> &mut Eye {
        &mut self.eye
    }

    /// What is known so far comes to this; `None`: it has no price.
    pub(super) fn so_far(&self, due: &Due, held: &Held) -> Option<Amount> {
        verdict::so_far(&self.evidence(End::Complete, None), due, held)
    }

    /// The next frame of the body, as it passes.
    pub fn feed(&mut self, frame: &[u8]) {
        let eye = &mut self.eye;
        self.observer.feed(frame, &mut |sight| eye.look(sight));
    }

    /// The trailers: header sources that the head did not have are looked for there.
    pub fn trailers(&mut self, trailers: &HeaderMap) {
        self.eye.head(trailers);
    }

    /// What the work costs if its body ends well; `None`: that depends on the body or on trailers, or
    /// nothing is decided at the end either. Flagged with `completeness_assumed`.
    #[must_use]
    pub fn known_at_head(&self, due: &Due, held: &Held) -> Option<Verdict> {
        verdict::at_head(&self.evidence(End::Complete, None), due, held)
    }

    /// The response is over.
    #[must_use]
    pub fn finish(mut self, end: End, due: &Due, held: &Held) -> Verdict {
        self.over(end, due, held)
    }

    /// The response is over; what was looked for beside the quantities, in the order of the list, and the names.
    pub(super) fn finish_with(
        mut self,
        end: End,
        due: &Due,
        held: &Held,
    ) -> (Verdict, Vec<Option<Value>>, Vec<String>) {
        let verdict = self.over(end, due, held);
        let own = due.quantities.len();
        let extras = self.eye.readings_from(own);
        let values = extras.map(|reading| Some(reading.answer.as_ref()?.value.clone())).collect();
        (verdict, values, self.eye.names())
    }

    fn over(&mut self, end: End, due: &Due, held: &Held) -> Verdict {
        let observer = std::mem::replace(&mut self.observer, Observer::idle());
        let (eye, streamed) = (&mut self.eye, observer.reads_events());
        let seen = observer.finish(end == End::Complete, &mut |sight| eye.look(sight));
        eye.passed(seen.bytes);
        if end == End::Cancelled && streamed && seen.unread.is_none() {
            eye.cut_off();
        }
        // An answer to HEAD states a length and has no body; of a body that is cut at its very start the
        // connection tells.
        let short = seen.bytes > 0 && self.length.is_some_and(|length| length != seen.bytes);
        let unended = self.needs_end && !self.eye.end_seen;
        let end = if end == End::Complete && (short || unended) { End::Broken } else { end };
        if let Some(length) = seen.length.filter(|_| end == End::Complete) {
            self.eye.lasts(length);
        }
        verdict::judge(&self.evidence(end, seen.unread), due, held)
    }

    fn evidence(&self, end: End, unread: Option<Unread>) -> Evidence<'_> {
        Evidence { status: self.status, heads: &self.heads, eye: &self.eye, end, unread }
    }
}

pub(super) const fn is_success(status: u16) -> bool {
    status >= 200 && status < 300
}

/// Body tests of the rules that the head leaves possible.
fn watch_rules(due: &Due, heads: &[bool], eye: &mut Eye) {
    for (number, (rule, head)) in due.outcomes.iter().zip(heads).enumerate() {
        for (place, test) in rule.body.iter().filter(|_| *head) {
            let place = eye.place(place);
            eye.tests.push(BodyTest::new(number, place, test.clone()));
        }
    }
}

fn watch_quantities(due: &Due, eye: &mut Eye) {
    for (number, quantity) in due.quantities.iter().enumerate() {
        for place in quantity.response.iter().flat_map(Source::places) {
            eye.watch(number, (&quantity.value, quantity.merge), place);
        }
    }
}

/// Whether any outcome that the head leaves possible is charged by the response's quantities.
fn may_settle(due: &Due, heads: &[bool], status: u16) -> bool {
    let possible =
        || due.outcomes.iter().zip(heads).filter(|(_, head)| **head).map(|(rule, _)| rule);
    let by_rule = possible().any(|rule| rule.charge == ChargeRule::Settle);
    let by_default = possible().all(|rule| !rule.body.is_empty() || rule.class == Class::Partial);
    let when_cut = due.on_disconnect == OnDisconnect::Cancel;
    by_rule || (is_success(status) && (by_default || when_cut))
}

fn stated_length(head: &HeaderMap) -> Option<u64> {
    head.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
