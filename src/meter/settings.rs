//! What a configuration says about routes, once it has been resolved: it cannot be wrong any more.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use http::{HeaderName, Method};

use super::host::HostPattern;
use super::identity::{IdentityRules, Ways};
use super::jobs::{Job, Rewrite, Touch};
use super::rejection::Dialect;
use super::source::Source;
use super::stream::StreamRules;
use crate::credit::{Amount, Decimal, Name, Pack, Plan, Price, Value};
use crate::ledger::{OnUnknown, OverRun};
use crate::observe::Pointer;

/// Everything that the meter goes by: one accepted state of the configuration.
#[derive(Debug)]
pub struct Rules {
    /// A short hash of the accepted configuration; each charge keeps it.
    pub revision: String,
    /// The routes, in the order of the file.
    pub routes: Vec<Arc<Route>>,
    /// The sorts of jobs.
    pub jobs: Vec<Arc<Job>>,
    /// The plans.
    pub plans: Vec<Arc<Plan>>,
    /// How requests name their account.
    pub identity: IdentityRules,
    /// The dialect of refusals that have no route: unknown routes, the client plane, the flood guard.
    pub dialect: Dialect,
    /// What is sold.
    pub packs: Vec<Pack>,
    /// How many accounts of a person may have free credits.
    pub free_accounts: u32,
}

/// Match + upstream + what it costs.
#[derive(Debug)]
pub struct Route {
    /// Its name.
    pub name: Name,
    /// The name that it shares with other routes, for caps and usage.
    pub feature: Option<Name>,
    /// Which method it matches.
    pub method: Method,
    /// Which paths, without the prefix: segments, `{name}` for one segment, `{*name}` at the end for one or more.
    pub path: String,
    /// What stands before such a path in a request and is taken off; empty, or with a slash before each segment.
    pub prefix: String,
    /// The hosts that a request may be for; none: any.
    pub hosts: Vec<HostPattern>,
    /// The index of its upstream in the proxy's settings.
    pub upstream: usize,
    /// What it does and costs.
    pub work: Work,
    /// The largest request body in bytes.
    pub body_limit: u64,
    /// The dialect of its refusals.
    pub dialect: Dialect,
    /// By which ways a request may say whose it is.
    pub identity: Ways,
    /// Whether the client's credential goes through to the upstream; a key of ours never does.
    pub pass: bool,
    /// How a WebSocket is passed; `None`: none is.
    pub websocket: Option<SessionRules>,
    /// What it does with a job; only free routes do.
    pub touch: Option<Touch>,
    /// Where its answers hold URLs of the upstream's own.
    pub rewrite: Rewrite,
}

/// How a WebSocket (RFC 6455) is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRules {
    /// Whether it is closed as soon as it comes to more than is held.
    pub cut_off: bool,
    /// The longest message that is passed, in bytes.
    pub message_limit: usize,
    /// For how long nothing may come from either side, in milliseconds.
    pub idle_ms: u64,
    /// How long it may last, in milliseconds.
    pub longest_ms: u64,
}

/// Whether a route is metered.
#[derive(Debug)]
pub enum Work {
    /// Costs nothing, holds nothing; still needs a key and is counted.
    Free,
    /// Is priced, reserved and settled.
    Paid(Arc<Due>),
}

/// How a route's work is priced and judged.
#[derive(Debug)]
pub struct Due {
    /// The price.
    pub price: Arc<Price>,
    /// Where each quantity of the price comes from; `plan` is built in.
    pub quantities: Vec<Quantity>,
    /// What the upstream's answer means; first match wins, then: 2xx completed, all else failed.
    pub outcomes: Vec<OutcomeRule>,
    /// How an event stream is read.
    pub stream: StreamRules,
    /// Whether a compressed answer is decoded to be read; the client gets it as it came in any case.
    pub decode: bool,
    /// What becomes of the upstream's work when the client leaves.
    pub on_disconnect: OnDisconnect,
    /// What becomes of an outcome that stays unknown.
    pub on_unknown: OnUnknown,
    /// For how long an unknown outcome is kept, in milliseconds.
    pub reconcile_ms: u64,
    /// What becomes of work that cost more than was held and more than there is.
    pub over_run: OverRun,
    /// The sort of job that its requests begin; `None`: their answers are all there is.
    pub job: Option<Arc<Job>>,
}

/// A number, word or flag that a price names.
#[derive(Clone, Debug)]
pub struct Quantity {
    /// Its name.
    pub name: Name,
    /// What it must be.
    pub value: ValueType,
    /// Where the request says it; the first source that is present counts.
    pub request: Vec<Source<RequestSource>>,
    /// Its value where no source is present; with no request sources at all: the bound that makes the hold.
    /// `None`: a request without it is refused.
    pub default: Option<Value>,
    /// Where the response says it; the first source that is present counts. None: the request's value is
    /// charged.
    pub response: Vec<Source<ResponseSource>>,
    /// How what several events of a stream say of it comes together.
    pub merge: Merge,
    /// What is charged when the response should say it and does not.
    pub missing: Missing,
}

impl Quantity {
    /// Whether a request says it.
    #[must_use]
    pub const fn is_asked(&self) -> bool {
        !self.request.is_empty()
    }

    /// Whether what the request said of it is charged, or a part of that.
    pub(super) fn charges_what_is_asked(&self) -> bool {
        let mut places = self.response.iter().flat_map(Source::places);
        places.any(|place| *place == ResponseSource::Asked)
    }

    /// The places of its request sources, those within arithmetic among them.
    pub fn asked_places(&self) -> impl Iterator<Item = &RequestSource> {
        self.request.iter().flat_map(Source::places)
    }
}

/// What a quantity must be. Values out of range or not listed are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A whole number.
    Integer(RangeInclusive<Decimal>),
    /// A number with at most nine digits behind the point.
    Decimal(RangeInclusive<Decimal>),
    /// A number of seconds: `5`, `"5"` or `"5s"`.
    Seconds(RangeInclusive<Decimal>),
    /// A number of pixels: `1572864`, or a text of width and height such as `"1024x1536"`.
    Pixels(RangeInclusive<Decimal>),
    /// One of these numbers; a text may say it with this unit behind it, such as `"720p"`.
    Unit(String, Box<Self>),
    /// A word; if words are listed, one of them.
    Text(Vec<String>),
    /// Yes or no.
    Flag,
}

/// Where a request says a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestSource {
    /// In the JSON body.
    Json(Pointer),
    /// How many items the array there has.
    Items(Pointer),
    /// How many Unicode characters the string there has; with `*`, all strings together.
    Characters(Pointer),
    /// In a header.
    Header(HeaderName),
    /// In the query string.
    Query(String),
    /// In the path, by the name of a capture.
    Path(String),
    /// How many bytes the body has.
    BodyBytes,
    /// A text field of a form, by its name; it stands there once.
    Form(String),
    /// How many Unicode characters that field has.
    FormCharacters(String),
    /// How many parts or fields of a form have this name, or this name and `[]`.
    FormItems(String),
    /// How long an uploaded audio or video file is.
    MediaSeconds(Uploaded),
}

/// Where an uploaded file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uploaded {
    /// It is the body.
    Body,
    /// It is the one part of a form of this name.
    Form(String),
}

impl RequestSource {
    /// Whether the body must be read before the request can be priced.
    #[must_use]
    pub const fn needs_body(&self) -> bool {
        self.needs_json()
            || self.needs_form()
            || matches!(self, Self::BodyBytes | Self::MediaSeconds(_))
    }

    /// Whether it is a place in a JSON body.
    #[must_use]
    pub const fn needs_json(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Items(_) | Self::Characters(_))
    }

    /// Whether it is a field of a form.
    #[must_use]
    pub const fn needs_form(&self) -> bool {
        matches!(
            self,
            Self::Form(_)
                | Self::FormCharacters(_)
                | Self::FormItems(_)
                | Self::MediaSeconds(Uploaded::Form(_))
        )
    }
}

/// Where a response says a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseSource {
    /// In the JSON body, or in the data of the events of a stream.
    Json(Pointer),
    /// How many items the array there has.
    Items(Pointer),
    /// How many values stand there; `null` is none. Nothing, if the array of its first `*` is there and no
    /// other source says more.
    Count(Pointer),
    /// How many Unicode characters the texts there have; in a stream those of all events together.
    Characters(Pointer),
    /// In a header, or in a trailer.
    Header(HeaderName),
    /// What was counted of a WebSocket.
    Session(SessionSource),
    /// In the JSON body of whichever answer tells that the job has ended.
    Job(Pointer),
    /// How many items the array there has.
    JobItems(Pointer),
    /// In a header of whichever answer about the job has it.
    JobHeader(HeaderName),
    /// In the JSON body of the answer that began the job: the hold follows it.
    Created(Pointer),
    /// In the data of the events of this name alone.
    Event {
        /// The event's `event` field or, where it has none, the text at `/type` in its data.
        name: String,
        /// Where in its data.
        at: Pointer,
    },
    /// How many bytes the body has, as the upstream sent it.
    BodyBytes,
    /// How many seconds the body lasts, as a sound or a film. Nothing, if that cannot be told or it did not come to
    /// its end.
    MediaSeconds,
    /// How many milliseconds.
    MediaMilliseconds,
    /// What the request itself said. Nothing, where its default holds or its file could not be measured.
    Asked,
}

/// What is counted of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionSource {
    /// Messages of the client.
    SentMessages,
    /// Bytes of the client's messages.
    SentBytes,
    /// Unicode characters at this place of the client's JSON messages. One that cannot be read counts whole.
    SentCharacters(Pointer),
    /// Messages of the upstream.
    ReceivedMessages,
    /// Bytes of the upstream's messages.
    ReceivedBytes,
    /// From the handshake to the end.
    ConnectedSeconds,
}

impl ResponseSource {
    /// Whether only answers about a job say it.
    #[must_use]
    pub const fn is_of_job(&self) -> bool {
        matches!(self, Self::Job(_) | Self::JobItems(_) | Self::JobHeader(_))
    }

    /// Whether the whole body as a sound or a film says it.
    #[must_use]
    pub const fn is_length(&self) -> bool {
        matches!(self, Self::MediaSeconds | Self::MediaMilliseconds)
    }

    /// Whether it means something on routes that begin jobs alone.
    #[must_use]
    pub const fn needs_job(&self) -> bool {
        self.is_of_job() || matches!(self, Self::Created(_))
    }
}

/// How what several events of a stream say of one quantity comes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Merge {
    /// The last one holds: for running totals. A smaller one behind a larger one is not believed, and flagged.
    #[default]
    Last,
    /// The largest one holds.
    Max,
    /// They are added up: for what each event adds.
    Sum,
}

/// What is charged when the response should say a quantity and does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// What was held for it.
    Hold,
    /// This value.
    Value(Value),
}

/// One rule of a route's outcome table.
#[derive(Clone, Debug)]
pub struct OutcomeRule {
    /// Statuses that it matches; empty: any.
    pub status: Vec<StatusSet>,
    /// A header that must pass the test.
    pub header: Option<(HeaderName, Test)>,
    /// Places in the JSON body, or in the data of events, that must pass their tests, each one.
    pub body: Vec<(Pointer, Test)>,
    /// What the answer was.
    pub class: Class,
    /// What is charged.
    pub charge: ChargeRule,
}

/// Statuses from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusSet {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// One of these, as text: `failed`, `4`, `true`, `null`.
    In(Vec<String>),
    /// A string that begins so.
    Prefix(String),
    /// There (`null` included), or not there.
    Exists(bool),
    /// An array with at least so many items.
    Items(u64),
}

/// What the upstream's answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The work was done.
    Completed,
    /// A part of it was done.
    Partial,
    /// The upstream failed.
    Failed,
    /// The upstream refused the request.
    Rejected,
    /// The upstream refused the content.
    Blocked,
    /// Somebody stopped it.
    Cancelled,
    /// It goes on.
    Pending,
    /// Nobody knows.
    Unknown,
}

/// As it is written everywhere: `completed`.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        serde::Serialize::serialize(self, f)
    }
}

/// What an outcome costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeRule {
    /// What the response's quantities come to.
    Settle,
    /// What was held.
    Full,
    /// Nothing; caps are given back.
    None,
    /// A fee, at most what was held.
    Fee(Amount),
    /// Nothing yet: keep the hold until the `reconcile` time is over.
    Hold,
}

/// What becomes of the upstream's work when the client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It is read to its end and charged as if the client had stayed.
    Finish,
    /// It is cut off, and charged by what was seen; what was not seen is charged as held.
    Cancel,
}
