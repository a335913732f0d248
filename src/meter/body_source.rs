//! The quantities that stand in a request's body.
//!
//! Invariant: a body is read once, strictly, or the request is refused.
//! Invariant: a body that is compressed or not said to be UTF-8 JSON is never priced as JSON; the same for forms.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::content::Content;
use super::pricing::{Asked, Reason, Unpriceable};
use super::settings::{Quantity, RequestSource, Uploaded, ValueType};
use super::why::{Flaw, Sort, Why};
use crate::credit::Value;
use crate::observe::{
    Fact, Form, FormProblem, Picked, Pointer, encoded, is_json, media_type, strict,
};

/// A request's body, as far as its price needs it.
pub(super) struct Body<'a> {
    size: Option<u64>,
    places: Vec<&'a Pointer>,
    picked: Picked<'a>,
    form: Option<Form>,
    /// How long the body is as a file. `None`: it cannot be told, or nobody asks.
    length: Option<u64>,
}

impl<'a> Body<'a> {
    /// Reads what `quantities` ask for. An empty body has no values: what may be left out is left out.
    pub(super) fn read(quantities: &'a [Quantity], asked: Asked<'a>) -> Result<Self, Unpriceable> {
        let sources = || quantities.iter().flat_map(Quantity::asked_places);
        let places: Vec<&Pointer> = sources().filter_map(place).collect();
        if sources().any(RequestSource::needs_body) && encoded(asked.headers) {
            return Err(media(Why::Encoded));
        }
        let size = asked.body.and_then(Content::size);
        let length = asked.body.and_then(|body| body.length(quantities));
        let form = asked.body.and_then(|body| body.form(quantities, asked.headers));
        if let Some(form) = form {
            let form = Some(form.map_err(ill_formed)?);
            return Ok(Self { size, places, picked: Picked::default(), form, length });
        }
        let takes_form = sources().any(RequestSource::needs_form);
        let bytes = asked.body.and_then(Content::whole).unwrap_or_default();
        let picked = if bytes.is_empty() || (places.is_empty() && !takes_form) {
            Picked::default()
        } else {
            let takes_json = !places.is_empty();
            if !takes_json || !says_json(asked.headers) {
                return Err(media(Why::Media { json: takes_json, form: takes_form }));
            }
            let picked = strict(bytes, &places)
                .map_err(|error| Unpriceable::values(error.pointer, Why::Json(error.problem)))?;
            let said = (0..places.len()).any(|number| !picked.at(number).is_empty());
            if !said && !is_object(bytes) {
                return Err(Unpriceable::values(String::new(), Why::NoObject));
            }
            picked
        };
        Ok(Self { size, places, picked, form: None, length })
    }

    /// Whether this source is a file whose length cannot be told.
    pub(super) fn has_unknown_length(&self, source: &RequestSource) -> bool {
        let RequestSource::MediaSeconds(uploaded) = source else { return false };
        self.file(uploaded) == Some(None)
    }

    /// How long an uploaded file is; `None`: it is not there.
    fn file(&self, uploaded: &Uploaded) -> Option<Option<u64>> {
        match uploaded {
            Uploaded::Body => Some(self.length),
            Uploaded::Form(name) => self.form.as_ref()?.milliseconds(name),
        }
    }

    /// What a source in the body says; `Ok(None)`: it is not there.
    pub(super) fn value(
        &self,
        value: &ValueType,
        source: &RequestSource,
    ) -> Result<Option<Value>, Flaw> {
        let size = self.size.ok_or(Flaw::Unread)?;
        if let RequestSource::MediaSeconds(uploaded) = source {
            return self.file(uploaded).map(|length| value.of_length(length)).transpose();
        }
        if source.needs_form() {
            return self.form.as_ref().map_or(Ok(None), |form| field(form, value, source));
        }
        let Some(place) = place(source) else {
            return value.of_count(size).map(Some);
        };
        let number = self.places.iter().position(|other| *other == place).unwrap_or(usize::MAX);
        let facts = self.picked.at(number);
        // `null` states nothing, as in answers: clients write it for what they leave to the upstream.
        if facts.iter().all(|fact| matches!(fact, Fact::Null)) {
            return Ok(None);
        }
        if self.picked.uneven(number) {
            return Err(Flaw::Uneven);
        }
        together(value, source, facts).map(Some)
    }
}

/// What a form says in a field.
fn field(form: &Form, value: &ValueType, source: &RequestSource) -> Result<Option<Value>, Flaw> {
    let count = |count: Option<u64>| count.map(|count| value.of_count(count)).transpose();
    match source {
        RequestSource::Form(name) => match form.text(name) {
            None => Ok(None),
            // Some servers take an empty field for none.
            Some("") => Err(Flaw::NoValue),
            Some(text) => value.of_text(text).map(Some),
        },
        RequestSource::FormCharacters(name) => count(form.characters(name)),
        RequestSource::FormItems(name) => count(form.items(name)),
        _ => Err(Flaw::Unread),
    }
}

fn ill_formed(problem: FormProblem) -> Unpriceable {
    let pointer = match &problem {
        FormProblem::Spelling(name)
        | FormProblem::Twice(name)
        | FormProblem::NotText(name)
        | FormProblem::NotUtf8(name)
        | FormProblem::Escape(name)
        | FormProblem::TooLong(name) => format!("form {name}"),
        _ => String::new(),
    };
    Unpriceable::values(pointer, Why::Form(problem))
}

fn together(value: &ValueType, source: &RequestSource, facts: &[Fact<'_>]) -> Result<Value, Flaw> {
    let counts = |count: fn(&Fact<'_>) -> Result<u64, Flaw>| {
        let sum = facts
            .iter()
            .try_fold(0_u64, |sum, fact| sum.checked_add(count(fact)?).ok_or(Flaw::TooLarge));
        value.of_count(sum?)
    };
    match source {
        RequestSource::Items(_) => counts(items),
        RequestSource::Characters(_) => counts(characters),
        _ => {
            let values = facts.iter().map(|fact| value.of_fact(fact));
            value.together(values.collect::<Result<_, _>>()?)
        }
    }
}

fn items(fact: &Fact<'_>) -> Result<u64, Flaw> {
    match fact {
        Fact::Array(items) => Ok(*items),
        other => Err(Flaw::not(Sort::Array, other)),
    }
}

/// Unicode scalar values, which is what most languages count; a family emoji has seven.
fn characters(fact: &Fact<'_>) -> Result<u64, Flaw> {
    match fact {
        Fact::Text(text) => Ok(u64::try_from(text.chars().count()).unwrap_or(u64::MAX)),
        other => Err(Flaw::not(Sort::Text, other)),
    }
}

/// Whether a JSON text is an object. Of anything else an upstream may read what we do not see, such as a
/// list of requests: what is not found there is not left out.
fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'{')
}

/// Where in a JSON body a source is.
const fn place(source: &RequestSource) -> Option<&Pointer> {
    match source {
        RequestSource::Json(place)
        | RequestSource::Items(place)
        | RequestSource::Characters(place) => Some(place),
        _ => None,
    }
}

fn media(why: Why) -> Unpriceable {
    Unpriceable { reason: Reason::Media, ..Unpriceable::values(String::new(), why) }
}

/// Whether the head says, once, that the body is JSON in UTF-8.
pub(super) fn says_json(head: &HeaderMap) -> bool {
    let json = media_type(head).is_some_and(|name| is_json(&name));
    let value = head.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let charsets = value.split(';').skip(1).filter_map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        // `charset*` (RFC 8187) is a charset too, of a form that is never accepted.
        let is_charset = name.trim().to_ascii_lowercase().starts_with("charset");
        is_charset.then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    let utf8 = charsets.into_iter().all(|charset| charset == "utf-8" || charset == "utf8");
    json && utf8
}
