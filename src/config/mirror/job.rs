//! Jobs: work that outlives its request.

use http::{HeaderName, Method};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Charge, KeySet, Outcome, Secret};
use crate::config::format::{Asked, DocumentUrl, Millis, Testable};
use crate::config::placed::{At, Named};
use crate::credit::Name;
use crate::meter::Verify;
use crate::observe::Pointer;

/// A sort of work that goes on when the request that began it has been answered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Job {
    /// Its name, for `job`, `polls`, `fetches`, `cancels` and `file_of` of routes.
    pub(in crate::config) name: At<Name>,
    /// Where the answer that begins a job says its id.
    pub(in crate::config) id: JobId,
    /// Where every body about a job says its status. Default: nowhere; `outcomes` say how it ended.
    pub(in crate::config) status: Option<At<Pointer>>,
    /// What the words there mean. A word that is not listed means that the job goes on; it is counted and logged.
    #[serde(default)]
    pub(in crate::config) words: JobWords,
    /// What an answer about a job means, tried before the words; `charge: hold` of the class `pending` means
    /// that it goes on. Default: only the words count.
    #[serde(default)]
    pub(in crate::config) outcomes: Vec<Outcome>,
    /// What the words cost.
    #[serde(default)]
    pub(in crate::config) charge: JobCharges,
    /// How long a job may take, at most 30d; then it is unknown, and ends as its route's `reconcile` and
    /// `on_unknown` say. Default: 2h.
    pub(in crate::config) ttl: Option<At<Millis>>,
    /// How long a job that has ended waits for an answer that says what it used, where the answer that told of
    /// its end did not; at most 1h. Default: 60s.
    pub(in crate::config) grace: Option<At<Millis>>,
    /// How we ask for it ourselves. Default: we do not; a job that nobody asks for is unknown in the end.
    pub(in crate::config) watch: Option<JobWatch>,
    /// How the upstream calls back. Default: it does not, or calls the client alone: nothing of ours is in the
    /// URL then, and the job ends by polls and our own watching.
    pub(in crate::config) webhook: Option<JobWebhook>,
    /// Where answers about it name files, by their ids or in URLs of the upstream: routes with `file_of` give them to the
    /// job's owner alone. At most 32 of a job. Default: they name none.
    #[serde(default)]
    pub(in crate::config) files: Vec<At<Pointer>>,
}

/// Where a job's id is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum JobId {
    /// In the JSON body, at this pointer.
    Json(At<Pointer>),
    /// In this header.
    Header(At<HeaderName>),
}

/// The words of a job's status, by what they mean.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct JobWords {
    /// It goes on. Default: none.
    #[serde(default)]
    pub(in crate::config) pending: Vec<At<Testable>>,
    /// The work was done. Default: none.
    #[serde(default)]
    pub(in crate::config) completed: Vec<At<Testable>>,
    /// The upstream failed. Default: none.
    #[serde(default)]
    pub(in crate::config) failed: Vec<At<Testable>>,
    /// Somebody stopped it. Default: none.
    #[serde(default)]
    pub(in crate::config) cancelled: Vec<At<Testable>>,
    /// The upstream refused the content. Default: none.
    #[serde(default)]
    pub(in crate::config) blocked: Vec<At<Testable>>,
}

/// What the words of a job cost.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct JobCharges {
    /// Default: settle.
    pub(in crate::config) completed: Option<Charge>,
    /// Default: none.
    pub(in crate::config) failed: Option<Charge>,
    /// Default: none.
    pub(in crate::config) cancelled: Option<Charge>,
    /// Default: none.
    pub(in crate::config) blocked: Option<Charge>,
}

/// How we ask for a job ourselves, with the operator's credential.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct JobWatch {
    /// By which method. Default: GET.
    pub(in crate::config) method: Option<At<Method>>,
    /// At which path of the upstream, with a query if it needs one: `{id}` is the job's id, `{*id}` the same
    /// with its slashes, another name what the route that began it captured.
    pub(in crate::config) path: At<Asked>,
    /// Where the id stands in a JSON object that is sent along, for `method: POST`. Default: nothing is sent.
    pub(in crate::config) body_id: Option<At<Pointer>>,
    /// Where a finished job says what it used, if that is elsewhere. Default: nowhere else.
    pub(in crate::config) result: Option<At<Asked>>,
    /// How often, from 1s to 1d. Default: 10s.
    pub(in crate::config) every: Option<At<Millis>>,
    /// How long after it began, or was last asked for by its owner, at most 1d. Default: 30s.
    pub(in crate::config) after: Option<At<Millis>>,
}

/// How the upstream calls back when a job ends. Where `webhooks: { secret: … }` is set, the URL that the client
/// gave is replaced by one of ours, and what comes there is judged and passed on to the client's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct JobWebhook {
    /// Where the client says its URL.
    pub(in crate::config) url: JobHookUrl,
    /// How a call proves that it comes from the upstream, beside the seal of our URL, where
    /// `webhooks: { secrets: … }` has the job's secret, or `jwks` its keys. Default: none.
    pub(in crate::config) verify: Option<At<Verify>>,
    /// The public keys that calls are signed with, for `verify: fal` alone.
    pub(in crate::config) jwks: Option<KeySet>,
}

/// Where the client says the URL that it wants to be called at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum JobHookUrl {
    /// In the JSON body, at this pointer.
    Json(At<Pointer>),
    /// In the query string, by this name.
    Query(At<String>),
}

/// Where a request says which job it is about.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum JobNamed {
    /// In the path, by the name of a capture.
    Path(At<String>),
    /// In the query string, by this name.
    Query(At<String>),
    /// In the JSON body, at this pointer; the body is read before anything is forwarded.
    Json(At<Pointer>),
}

/// Where answers hold URLs of their upstream, which are turned to this gateway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Rewrite {
    /// In JSON bodies, at these pointers. Default: nowhere.
    #[serde(default)]
    pub(in crate::config) json: Vec<At<Pointer>>,
    /// In these headers. Default: in none.
    #[serde(default)]
    pub(in crate::config) headers: Vec<At<HeaderName>>,
}

/// What all webhooks have in common.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Webhooks {
    /// What our URLs are sealed with: at least 32 bytes, the same on every instance; it needs `public_url`.
    /// Default: clients' URLs go to the upstream as they are.
    pub(in crate::config) secret: Option<Secret>,
    /// With what an upstream signs its calls, by the name of the job. Default: calls are not verified, but by
    /// the seal of our URL.
    #[serde(default)]
    pub(in crate::config) secrets: Named<Secret>,
    /// Whether clients may be called at private addresses and at this machine. Default: false.
    pub(in crate::config) private_addresses: Option<At<bool>>,
    /// URLs of ours that upstreams call for all their jobs, as it is set in their dashboards. Default: none.
    #[serde(default)]
    pub(in crate::config) receivers: Vec<Receiver>,
}

/// A URL of ours that an upstream calls for all jobs: `/_credits/v1/webhooks/NAME` under `public_url`. What is not
/// proven there is refused and changes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Receiver {
    /// Its name, the end of its path: letters, digits, `-` and `_`.
    pub(in crate::config) name: At<Name>,
    /// The sorts of jobs that it is called about.
    #[schemars(length(min = 1, max = 16))]
    pub(in crate::config) jobs: Vec<At<Name>>,
    /// Where a call says the job's id: in its body, or in a header that is signed (`webhook-id` by `standard`,
    /// `x-fal-webhook-request-id` by `fal`). One that has none is about something else.
    pub(in crate::config) id: JobId,
    /// Where a call's body has the job itself, as an answer to a poll has it; an empty pointer: the whole body. Default:
    /// nowhere; the upstream is asked, as the job's `watch` says.
    pub(in crate::config) at: Option<At<Pointer>>,
    /// How a call proves that it comes from the upstream; not `none`.
    pub(in crate::config) verify: At<Verify>,
    /// With what the upstream signs its calls.
    pub(in crate::config) secret: Option<Secret>,
    /// The public keys that calls are signed with, for `verify: fal` alone.
    pub(in crate::config) jwks: Option<KeySet>,
    /// Where proven calls are passed on to, as they came; its answer is the upstream's. Default: nowhere; the answer
    /// is 200.
    pub(in crate::config) forward_to: Option<At<DocumentUrl>>,
}
