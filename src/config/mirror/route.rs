//! Routes.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{JobNamed, Outcome, Passing, Quantity, Rewrite};
use crate::config::format::{Bytes, Match, Millis};
use crate::config::placed::{At, Named};
use crate::credit::Name;
use crate::ledger::{OnUnknown, OverRun};
use crate::meter::{Dialect, OnDisconnect, Way};

/// What clients may ask for, who does it and what it costs. It needs either `price` or `free: true`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Route {
    /// Its name.
    pub(in crate::config) name: At<Name>,
    /// A method and a path: `POST /v1/videos/{id}`; `{name}` is a segment or a part of one, `{*rest}` at the
    /// end one or more segments.
    #[serde(rename = "match")]
    pub(in crate::config) matches: At<Match>,
    /// The name of its upstream.
    pub(in crate::config) upstream: At<Name>,
    /// By which ways a request may name its account. Default: all that are declared.
    #[schemars(length(min = 1))]
    pub(in crate::config) identity: Option<Vec<At<Way>>>,
    /// What becomes of the client's credential. Default: as its upstream says.
    pub(in crate::config) credentials: Option<At<Passing>>,
    /// A name that it shares with other routes, for caps and usage. Default: none.
    pub(in crate::config) feature: Option<At<Name>>,
    /// The name of its price.
    pub(in crate::config) price: Option<At<Name>>,
    /// Whether it costs nothing. Default: false.
    pub(in crate::config) free: Option<At<bool>>,
    /// The largest request body. Default: 1MiB.
    pub(in crate::config) body_limit: Option<At<Bytes>>,
    /// In whose error shape its refusals are told, beside the members of RFC 9457. Default: the file's.
    pub(in crate::config) dialect: Option<At<Dialect>>,
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
    /// The name of the sort of job that a paid request begins. Default: its answer is all there is.
    pub(in crate::config) job: Option<At<Name>>,
    /// The name of the sort of job whose state a free request asks for. Default: none.
    pub(in crate::config) polls: Option<At<Name>>,
    /// The name of the sort of job whose result a free request asks for. Default: none.
    pub(in crate::config) fetches: Option<At<Name>>,
    /// The name of the sort of job that a free request stops. Default: none.
    pub(in crate::config) cancels: Option<At<Name>>,
    /// Where a request of `polls`, `fetches` or `cancels` says which job. Default: the capture `{id}` of its path.
    pub(in crate::config) job_id: Option<JobNamed>,
    /// Where its answers hold URLs of the upstream's own, which are turned to this gateway. Default: nowhere.
    #[serde(default)]
    pub(in crate::config) rewrite: Rewrite,
}

/// How an event stream is read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Stream {
    /// The data of the event that ends it, such as `[DONE]`. Default: it ends with its body.
    pub(in crate::config) end: Option<At<String>>,
    /// The name of the event that ends it, such as `message_stop`. Default: none does by its name.
    pub(in crate::config) end_event: Option<At<String>>,
}
