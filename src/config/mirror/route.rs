//! Routes.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{JobNamed, Outcome, Passing, Quantity, Rewrite, Stream};
use crate::config::format::{BasePath, Bytes, Match, Millis};
use crate::config::placed::{At, Named};
use crate::credit::Name;
use crate::ledger::{OnUnknown, OverRun};
use crate::meter::{Dialect, HostPattern, OnDisconnect, Way};

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
    /// The hosts that a request must be for: `queue.example.com`, `*.example.com` for all names below it, with a port
    /// for that port alone. Routes with hosts go before those without. Default: any host.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub(in crate::config) hosts: Vec<At<HostPattern>>,
    /// A path that stands before that of `match` and is taken off before the upstream sees it, as in /fal. Default:
    /// none.
    pub(in crate::config) prefix: Option<At<BasePath>>,
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
    /// How a stream is read.
    pub(in crate::config) stream: Option<Stream>,
    /// Whether and how a WebSocket is passed. Default: none is.
    pub(in crate::config) websocket: Option<WebSocket>,
    /// Whether an answer that comes compressed, though nobody asked for it, is decoded to be read; the client
    /// gets it as it came in any case. Default: true.
    pub(in crate::config) decode: Option<At<bool>>,
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
    /// The name of the sort of job one of whose files a free request asks for: one that an answer about the job has
    /// named, where the job's `files` say. Default: none.
    pub(in crate::config) file_of: Option<At<Name>>,
    /// Where a request of `polls`, `fetches` or `cancels` says which job, and one of `file_of` which file. Default: the
    /// capture `{id}` of its path.
    pub(in crate::config) job_id: Option<JobNamed>,
    /// Where its answers hold URLs of the upstream's own, which are turned to this gateway. Default: nowhere.
    #[serde(default)]
    pub(in crate::config) rewrite: Rewrite,
}
/// How a WebSocket is passed. `{}` passes it with all defaults.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct WebSocket {
    /// Whether it is closed as soon as it comes to more than is held. Default: false.
    pub(in crate::config) cut_off: Option<At<bool>>,
    /// The longest message that is passed, at most 64MiB. Default: 1MiB.
    pub(in crate::config) message_limit: Option<At<Bytes>>,
    /// For how long nothing may come from either side, at most 1d. Default: 5m.
    pub(in crate::config) idle: Option<At<Millis>>,
    /// How long it may last, at most 1d. Default: 1h.
    pub(in crate::config) longest: Option<At<Millis>>,
}
