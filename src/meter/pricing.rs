//! The price of a request: read each quantity from the first source that is there, then compute.
//!
//! `null` in a JSON body is not there. What a source says must be of the quantity's type and within its range.
//!
//! Invariant: a request whose price is not certain is refused; there is no default price.
//! Invariant: what is read is what is forwarded; nothing is written.

use http::{HeaderMap, HeaderName, Method};

use super::body_source::Body;
use super::content::Content;
use super::flag::Flag;
use super::price_overrides::PriceChanges;
use super::query;
use super::settings::{Due, Quantity, RequestSource, Uploaded, ValueType};
use super::source::{Arithmetic, Source};
use super::why::{Flaw, Why};
use crate::credit::{Decimal, Facts, Name, Price, PriceError, Priced, Rate, Table, Value};
use crate::observe::Step;

/// A request that asks for its price.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// What the route's captures matched, as it stands in the path.
    pub captures: &'a [(String, String)],
    /// The query, without `?`; empty: there is none.
    pub query: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body; `None`: it was not read, since no source needs it.
    pub body: Option<Content<'a>>,
    /// The account's plan.
    pub plan: &'a Name,
}

/// What is held for a request, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Held {
    /// The quantities of the price, `plan` among them.
    pub facts: Facts,
    /// What they come to.
    pub priced: Priced,
    /// How overrides change the price: at settlement as when it was held.
    pub changes: PriceChanges,
    /// What could not be told of the request.
    pub flags: Vec<Flag>,
    /// The quantities that `asked` names and the request did not say: their default holds, or their file could not be
    /// measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unasked: Vec<Name>,
}

impl Held {
    /// What the request itself said of a quantity that is charged as `asked`; `None`: nothing.
    pub(super) fn asked(&self, name: &Name) -> Option<&Value> {
        self.facts.0.get(name).filter(|_| !self.unasked.contains(name))
    }
}

/// What a request says.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Every quantity that its route declares.
    pub(super) facts: Facts,
    /// What could not be told of them.
    pub(super) flags: Vec<Flag>,
    /// What was not asked for; see [`Held::unasked`].
    pub(super) unasked: Vec<Name>,
}

/// Why a request has no price. It is refused and has cost nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unpriceable {
    /// Where: a JSON pointer, `form f`, `header x`, `query q`, `path p`, or empty for the body as a whole.
    pub pointer: String,
    /// Which quantity; `None`: the body as a whole.
    pub quantity: Option<Name>,
    /// Why.
    pub why: Why,
    /// What sort of refusal it is.
    pub reason: Reason,
}

/// What sort of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The values.
    Values,
    /// The body is of another type or encoding than can be priced.
    Media,
}

impl Unpriceable {
    pub(super) const fn values(pointer: String, why: Why) -> Self {
        Self { pointer, quantity: None, why, reason: Reason::Values }
    }

    fn of(self, quantity: &Name) -> Self {
        Self { quantity: Some(quantity.clone()), ..self }
    }
}

/// Computes what must be held for a request, at the prices of the configuration.
///
/// # Errors
/// When any quantity is missing, ambiguous, of the wrong type or out of range, or has no rate.
pub fn price_request(due: &Due, asked: Asked<'_>) -> Result<Held, Unpriceable> {
    price_facts(due, read_request(due, asked)?, PriceChanges::default())
}

/// What a request says of every quantity that its route declares.
pub(super) fn read_request(due: &Due, asked: Asked<'_>) -> Result<Told, Unpriceable> {
    query::check(asked.query)
        .map_err(|problem| Unpriceable::values("query".to_owned(), Why::Query(problem)))?;
    one_place(due, asked.query)?;
    let body = Body::read(&due.quantities, asked)?;
    let Told { mut facts, mut flags, mut unasked } = Told::default();
    for quantity in &due.quantities {
        let name = &quantity.name;
        let (value, said) = read(quantity, asked, &body).map_err(|refused| refused.of(name))?;
        facts.0.insert(name.clone(), value);
        if said == Said::Immeasurable {
            flags.push(Flag::UnknownLength(name.clone()));
        }
        if said != Said::Here && quantity.charges_what_is_asked() {
            unasked.push(name.clone());
        }
    }
    // Last, so that nothing a client says can stand for its plan.
    if let Ok(plan) = "plan".parse() {
        facts.0.insert(plan, Value::Text(asked.plan.to_string()));
    }
    Ok(Told { facts, flags, unasked })
}

/// What they come to.
pub(super) fn price_facts(
    due: &Due,
    told: Told,
    changes: PriceChanges,
) -> Result<Held, Unpriceable> {
    let Told { facts, flags, unasked } = told;
    match due.price.of(&facts).and_then(|priced| changes.apply(priced)) {
        Ok(priced) => Ok(Held { facts, priced, changes, flags, unasked }),
        Err(error) => Err(no_price(due, &facts, &error)),
    }
}

/// Refuses a query that could overrule the body: many frameworks read both as one set of parameters. A name
/// that is declared for the query has its say there.
fn one_place(due: &Due, query: &str) -> Result<(), Unpriceable> {
    if query.is_empty() {
        return Ok(());
    }
    let sources = || due.quantities.iter().flat_map(Quantity::asked_places);
    let declared = |name: &str| {
        sources().any(|source| matches!(source, RequestSource::Query(other) if other == name))
    };
    for name in sources().filter_map(top_name).filter(|name| !declared(name)) {
        if query::mentions(query, name) {
            let why = Why::InQuery { name: name.to_owned() };
            return Err(Unpriceable::values(format!("query {name}"), why));
        }
    }
    Ok(())
}

/// The name by which the body says a quantity, as a form or a query would.
fn top_name(source: &RequestSource) -> Option<&str> {
    let place = match source {
        RequestSource::Form(name)
        | RequestSource::FormCharacters(name)
        | RequestSource::FormItems(name)
        | RequestSource::MediaSeconds(Uploaded::Form(name)) => return Some(base(name)),
        RequestSource::Json(place)
        | RequestSource::Items(place)
        | RequestSource::Characters(place) => place,
        RequestSource::Header(_)
        | RequestSource::Query(_)
        | RequestSource::Path(_)
        | RequestSource::BodyBytes
        | RequestSource::MediaSeconds(Uploaded::Body) => return None,
    };
    place.steps().iter().find_map(|step| match step {
        Step::Name(name) => Some(name.as_str()),
        Step::Each => None,
    })
}

/// The name of a field without the brackets that make it a list.
fn base(name: &str) -> &str {
    name.split('[').next().filter(|base| !base.is_empty()).unwrap_or(name)
}

/// What a request says of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// It says it.
    Here,
    /// It has a file whose length cannot be told.
    Immeasurable,
    /// It says nothing: the default holds.
    Nothing,
}

/// The value of a quantity, and whether the request says it.
fn read(
    quantity: &Quantity,
    asked: Asked<'_>,
    body: &Body<'_>,
) -> Result<(Value, Said), Unpriceable> {
    for source in &quantity.request {
        if let Some(value) = read_source(quantity, source, asked, body)? {
            let unknown = source.places().any(|place| body.has_unknown_length(place));
            return Ok((value, if unknown { Said::Immeasurable } else { Said::Here }));
        }
    }
    let default = quantity.default.clone().map(|value| (value, Said::Nothing));
    default.ok_or_else(|| {
        let why = Why::Quantity { name: quantity.name.clone(), flaw: Flaw::Required };
        Unpriceable::values(first_pointer(quantity), why)
    })
}

fn read_source(
    quantity: &Quantity,
    source: &Source<RequestSource>,
    asked: Asked<'_>,
    body: &Body<'_>,
) -> Result<Option<Value>, Unpriceable> {
    let refuse = |place: Option<&RequestSource>, flaw| {
        let pointer = place.map(pointer).unwrap_or_default();
        Unpriceable::values(pointer, Why::Quantity { name: quantity.name.clone(), flaw })
    };
    if let Source::One(place) = source {
        let read = read_place(&quantity.value, place, asked, body);
        return read.map_err(|flaw| refuse(Some(place), flaw));
    }
    let first = source.places().next();
    let mut terms = Terms { value: quantity.value.part(), asked, body };
    let Some(number) = source
        .come_to(&mut terms)
        .map_err(|(place, flaw)| refuse(place.as_ref().or(first), flaw))?
    else {
        return Ok(None);
    };
    let value = quantity.value.allowed(Value::Number(number));
    value.map(Some).map_err(|flaw| refuse(first, flaw))
}

fn read_place(
    value: &ValueType,
    place: &RequestSource,
    asked: Asked<'_>,
    body: &Body<'_>,
) -> Result<Option<Value>, Flaw> {
    let text = match place {
        RequestSource::Header(name) => header(asked.headers, name)?,
        RequestSource::Query(name) => query::value(asked.query, name).map_err(Flaw::Query)?,
        RequestSource::Path(name) => capture(asked.captures, name)?,
        _ => return body.value(value, place),
    };
    text.map(|text| value.of_text(&text)).transpose()
}

/// The parts of a sum or difference: each of the quantity's type, and in any range.
struct Terms<'a> {
    value: ValueType,
    asked: Asked<'a>,
    body: &'a Body<'a>,
}

impl Arithmetic<RequestSource> for Terms<'_> {
    type Term = Decimal;
    /// What is wrong, and where if it is at one place.
    type Error = (Option<RequestSource>, Flaw);

    fn term(&mut self, place: &RequestSource) -> Result<Option<Decimal>, Self::Error> {
        match read_place(&self.value, place, self.asked, self.body) {
            Ok(None) => Ok(None),
            Ok(Some(Value::Number(number))) => Ok(Some(number)),
            // What is added up is a number: the configuration has seen to that.
            Ok(Some(_)) => Err((Some(place.clone()), Flaw::Digits)),
            Err(flaw) => Err((Some(place.clone()), flaw)),
        }
    }

    fn sum(&mut self, one: Decimal, other: Decimal) -> Result<Decimal, Self::Error> {
        one.checked_add(other).ok_or((None, Flaw::TooLarge))
    }

    fn less(&mut self, first: Decimal, other: Decimal) -> Result<Decimal, Self::Error> {
        if first < other {
            return Err((None, Flaw::BelowZero));
        }
        first.checked_sub(other).ok_or((None, Flaw::TooLarge))
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Flaw> {
    // Servers of the CGI family read `x_n` as `x-n`.
    let twin = |key: &HeaderName| {
        key.as_str().contains('_') && key.as_str().replace('_', "-") == name.as_str()
    };
    if headers.keys().any(twin) {
        return Err(Flaw::Spelling);
    }
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Flaw::HeaderTwice);
    }
    let text = value.to_str().map_err(|_| Flaw::NotText)?;
    Ok(Some(text.trim_matches([' ', '\t']).to_owned()))
}

fn capture(captures: &[(String, String)], name: &str) -> Result<Option<String>, Flaw> {
    let Some((_, value)) = captures.iter().find(|(capture, _)| capture == name) else {
        return Ok(None);
    };
    query::decoded(value, false).map(Some).ok_or(Flaw::NotUtf8)
}

/// Where a source is, to a person.
fn pointer(source: &RequestSource) -> String {
    match source {
        RequestSource::Json(place)
        | RequestSource::Items(place)
        | RequestSource::Characters(place) => place.to_string(),
        RequestSource::Header(name) => format!("header {name}"),
        RequestSource::Query(name) => format!("query {name}"),
        RequestSource::Path(name) => format!("path {name}"),
        RequestSource::Form(name)
        | RequestSource::FormCharacters(name)
        | RequestSource::FormItems(name)
        | RequestSource::MediaSeconds(Uploaded::Form(name)) => format!("form {name}"),
        RequestSource::BodyBytes | RequestSource::MediaSeconds(Uploaded::Body) => String::new(),
    }
}

fn first_pointer(quantity: &Quantity) -> String {
    quantity.asked_places().next().map(pointer).unwrap_or_default()
}

/// Says which quantity it was that left the request without a price.
fn no_price(due: &Due, facts: &Facts, error: &PriceError) -> Unpriceable {
    let name = match error {
        PriceError::Missing(name) | PriceError::NotANumber(name) => Some(name),
        PriceError::NoRate(_) => unrated(&due.price, facts),
        PriceError::OutOfRange => None,
    };
    let quantity = due.quantities.iter().find(|quantity| Some(&quantity.name) == name);
    let place = quantity.map(first_pointer).unwrap_or_default();
    Unpriceable { quantity: name.cloned(), ..Unpriceable::values(place, Why::Price(error.clone())) }
}

/// The first quantity, beside the plan, of the first table that has no row for `facts`.
fn unrated<'a>(price: &'a Price, facts: &Facts) -> Option<&'a Name> {
    let tables = price.lines.iter().filter_map(|line| match &line.rate {
        Rate::Table(table) => Some(table),
        Rate::Fixed(_) => None,
    });
    let table = tables.into_iter().find(|table| !has_rate(table, facts))?;
    table.by.iter().find(|name| name.as_str() != "plan").or_else(|| table.by.first())
}

fn has_rate(table: &Table, facts: &Facts) -> bool {
    let value = |name: &Name| facts.0.get(name).map(ToString::to_string);
    let same = |(when, name): (&Option<String>, &Name)| when.is_none() || *when == value(name);
    table.otherwise.is_some()
        || table.rows.iter().any(|row| row.when.iter().zip(&table.by).all(same))
}
