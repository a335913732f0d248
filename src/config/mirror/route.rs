//! Routes: match, upstream, price, quantities and outcomes.

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::format::{Bytes, Match, Millis, Scalar, Testable};
use crate::config::placed::{At, Named};
use crate::credit::{Amount, Decimal, Name};
use crate::ledger::{OnUnknown, OverRun};
use crate::meter::{Class, OnDisconnect, StatusSet};
use crate::observe::Pointer;

/// What clients may ask for, who does it and what it costs. It needs either `price` or `free: true`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Route {
    /// Its name.
    pub(in crate::config) name: At<Name>,
    /// A method and a path: `POST /v1/videos/{id}`; `{*rest}` at the end is one or more segments.
    #[serde(rename = "match")]
    pub(in crate::config) matches: At<Match>,
    /// The name of its upstream.
    pub(in crate::config) upstream: At<Name>,
    /// A name that it shares with other routes, for caps and usage. Default: none.
    pub(in crate::config) feature: Option<At<Name>>,
    /// The name of its price.
    pub(in crate::config) price: Option<At<Name>>,
    /// Whether it costs nothing. Default: false.
    pub(in crate::config) free: Option<At<bool>>,
    /// The largest request body. Default: 1MiB.
    pub(in crate::config) body_limit: Option<At<Bytes>>,
    /// Where each quantity of the price comes from, by its name.
    #[serde(default)]
    pub(in crate::config) quantities: Named<Quantity>,
    /// What the upstream's answer means; the first that matches wins. Default: 2xx is completed and settled,
    /// all else failed and free.
    #[serde(default)]
    pub(in crate::config) outcomes: Vec<Outcome>,
    /// How an event stream is read.
    pub(in crate::config) stream: Option<Stream>,
    /// What becomes of the upstream's work when the client leaves. Default: finish.
    pub(in crate::config) on_disconnect: Option<At<OnDisconnect>>,
    /// What becomes of an outcome that stays unknown. Every priced route says it.
    pub(in crate::config) on_unknown: Option<At<OnUnknown>>,
    /// How long an unknown outcome is kept, at most 30d. Default: 10m.
    pub(in crate::config) reconcile: Option<At<Millis>>,
    /// What becomes of work that cost more than was held and more than there is. Default: absorb.
    pub(in crate::config) over_run: Option<At<OverRun>>,
}

/// A number, word or flag that a price names.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Quantity {
    /// What it must be.
    #[serde(rename = "type")]
    pub(in crate::config) kind: At<QuantityType>,
    /// Where the request says it; the first that is there counts. Default: nowhere, which needs `hold`.
    #[serde(default)]
    pub(in crate::config) request: Vec<RequestFrom>,
    /// Without `request`: the bound that is held until the response says it.
    pub(in crate::config) hold: Option<At<Scalar>>,
    /// With `request`: its value where the request does not say it. Default: the request is refused.
    pub(in crate::config) default: Option<At<Scalar>>,
    /// The least it may be. Default: 0.
    pub(in crate::config) minimum: Option<At<Decimal>>,
    /// The most it may be. Every number says it.
    pub(in crate::config) maximum: Option<At<Decimal>>,
    /// The words that it may be. Default: any.
    #[schemars(length(min = 1))]
    pub(in crate::config) one_of: Option<Vec<At<Scalar>>>,
    /// Where the response says it; the first that is there counts. Default: the request's value is charged.
    #[serde(default)]
    pub(in crate::config) response: Vec<ResponseFrom>,
    /// What is charged when the response should say it and does not. Default: hold.
    pub(in crate::config) missing: Option<Missing>,
}

/// The type of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum QuantityType {
    Integer,
    Decimal,
    Seconds,
    Text,
    Flag,
}

/// Where a request says a quantity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RequestFrom {
    /// In the JSON body, at this pointer.
    Json(At<Pointer>),
    /// How many items the array at this pointer has.
    Items(At<Pointer>),
    /// How many Unicode characters the string at this pointer has; with `*`, all of them together.
    Characters(At<Pointer>),
    /// In this header.
    Header(At<HeaderName>),
    /// In the query string, by this name.
    Query(At<String>),
    /// In the path, by the name of a capture.
    Path(At<String>),
    /// How many bytes the body has.
    BodyBytes,
}

/// Where a response says a quantity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum ResponseFrom {
    /// In the JSON body, or in the last event that has it, at this pointer.
    Json(At<Pointer>),
    /// How many items the array at this pointer has.
    Items(At<Pointer>),
    /// In this header.
    Header(At<HeaderName>),
}

/// What is charged when the response should say a quantity and does not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Missing {
    /// What was held for it.
    Hold,
    /// This value.
    Value(At<Scalar>),
}

/// One rule of what the upstream's answer means. All that it names must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Outcome {
    /// Statuses: 404, 4xx or 500-599. Default: any.
    #[serde(default)]
    pub(in crate::config) status: Vec<At<StatusSet>>,
    /// A header that must pass a test.
    pub(in crate::config) header: Option<HeaderTest>,
    /// A place in the JSON body, or in an event, that must pass a test.
    pub(in crate::config) body: Option<BodyTest>,
    /// What the answer was.
    pub(in crate::config) class: At<Class>,
    /// What is charged.
    pub(in crate::config) charge: Charge,
}

/// A header and one test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct HeaderTest {
    /// Which header.
    pub(in crate::config) name: At<HeaderName>,
    /// It must be this.
    pub(in crate::config) equals: Option<At<Testable>>,
    /// It must be one of these.
    #[serde(rename = "in")]
    #[schemars(length(min = 1))]
    pub(in crate::config) any: Option<Vec<At<Testable>>>,
    /// It must begin so.
    pub(in crate::config) prefix: Option<At<String>>,
    /// It must be there, or not.
    pub(in crate::config) exists: Option<At<bool>>,
}

/// A place in a JSON body and one test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct BodyTest {
    /// Where.
    pub(in crate::config) at: At<Pointer>,
    /// It must be this.
    pub(in crate::config) equals: Option<At<Testable>>,
    /// It must be one of these.
    #[serde(rename = "in")]
    #[schemars(length(min = 1))]
    pub(in crate::config) any: Option<Vec<At<Testable>>>,
    /// It must be a string that begins so.
    pub(in crate::config) prefix: Option<At<String>>,
    /// It must be there, or not.
    pub(in crate::config) exists: Option<At<bool>>,
    /// It must be an array with at least so many items.
    pub(in crate::config) items: Option<At<u64>>,
}

/// What an outcome costs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Charge {
    /// What the response's quantities come to.
    Settle,
    /// What was held.
    Full,
    /// Nothing; caps are given back.
    None,
    /// Nothing yet: the hold is kept until the `reconcile` time is over.
    Hold,
    /// A fee, at most what was held.
    Fee(At<Amount>),
}

/// How an event stream is read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Stream {
    /// The data of the event that ends it, such as `[DONE]`. Default: it ends with its body.
    pub(in crate::config) end: Option<At<String>>,
}
