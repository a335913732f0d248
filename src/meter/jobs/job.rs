//! What a configuration says about jobs, once it has been resolved.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method, Uri};

use crate::credit::Name;
use crate::meter::body_source::says_json;
use crate::meter::identity::HookKeys;
use crate::meter::query;
use crate::meter::settings::{ChargeRule, OutcomeRule};
use crate::observe::{Fact, Pointer, encoded, strict};

/// A sort of work that outlives its request.
#[derive(Debug)]
pub struct Job {
    /// Its name.
    pub name: Name,
    /// Where the answer that begins one says its id.
    pub id: IdPlace,
    /// Where a body says the status; `None`: only outcomes tell how it ended.
    pub status: Option<Pointer>,
    /// What the words there mean.
    pub words: Words,
    /// What an answer means, tried before the words.
    pub outcomes: Vec<OutcomeRule>,
    /// What the words cost.
    pub charges: WordCharges,
    /// How long one may take, in milliseconds.
    pub ttl_ms: u64,
    /// How long a finished one waits to hear what it used, in milliseconds.
    pub grace_ms: u64,
    /// How we ask for it ourselves; `None`: we do not.
    pub watching: Option<Watching>,
    /// How the upstream calls back; `None`: not by way of us.
    pub webhook: Option<Webhook>,
    /// Whether a receiver is called about it, who must find it by its id alone.
    pub observed: bool,
    /// Where answers about it name files, by their ids or in URLs; empty: they name none.
    pub files: Vec<Pointer>,
}

/// Where a job's id is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdPlace {
    /// In the JSON body.
    Json(Pointer),
    /// In a header.
    Header(HeaderName),
}

/// The words of a job's status, as text, by what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// It goes on.
    pub pending: Vec<String>,
    /// The work was done.
    pub completed: Vec<String>,
    /// The upstream failed.
    pub failed: Vec<String>,
    /// Somebody stopped it.
    pub cancelled: Vec<String>,
    /// The upstream refused the content.
    pub blocked: Vec<String>,
}

/// What the words cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordCharges {
    /// Work that was done.
    pub completed: ChargeRule,
    /// Work that failed.
    pub failed: ChargeRule,
    /// Work that was stopped.
    pub cancelled: ChargeRule,
    /// Content that was refused.
    pub blocked: ChargeRule,
}

impl Default for WordCharges {
    /// What was done is charged, nothing else is.
    fn default() -> Self {
        let none = ChargeRule::None;
        Self { completed: ChargeRule::Settle, failed: none, cancelled: none, blocked: none }
    }
}

/// How we ask for a job ourselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watching {
    /// By which method.
    pub method: Method,
    /// At which path and query of the upstream, with captures.
    pub path: String,
    /// Where the id stands in a JSON object that is sent along; `None`: nothing is sent.
    pub body_id: Option<Pointer>,
    /// Where a finished one says what it used, if that is elsewhere.
    pub result: Option<String>,
    /// How often, in milliseconds.
    pub every_ms: u64,
    /// How long after it began, in milliseconds.
    pub after_ms: u64,
}

/// How the upstream calls back.
#[derive(Debug)]
pub struct Webhook {
    /// Where a request says the client's own URL.
    pub url: HookPlace,
    /// How a call proves where it comes from.
    pub proof: Proof,
}

/// How calls prove where they come from.
#[derive(Debug)]
pub struct Proof {
    /// By what.
    pub how: Verify,
    /// The secret; empty: there is none.
    pub secret: HookSecret,
    /// The public keys, for `Fal`.
    pub keys: Option<Arc<HookKeys>>,
}

impl Proof {
    /// Whether there is a secret or a key set to prove anything by.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        !self.secret.0.is_empty() || self.keys.is_some()
    }
}

/// A URL of ours that an upstream calls for all jobs.
#[derive(Debug)]
pub struct Receiver {
    /// Its name.
    pub name: Name,
    /// The sorts of jobs that it is called about.
    pub jobs: Vec<Name>,
    /// Where a call says the job's id.
    pub id: IdPlace,
    /// Where its body has the job itself; `None`: nowhere, and the upstream is asked.
    pub at: Option<Pointer>,
    /// How a call proves where it comes from.
    pub proof: Proof,
    /// Where calls are passed on to.
    pub forward_to: Option<Uri>,
}

/// Where a request says the URL that its client wants to be called at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookPlace {
    /// In the JSON body.
    Json(Pointer),
    /// In the query string.
    Query(String),
}

/// How a call of an upstream proves where it comes from, beside our URL, which nobody can guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Not at all.
    None,
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature` (standardwebhooks.com).
    Standard,
    /// `x-bfl-signature: sha256=` and the HMAC of the body in hex (Black Forest Labs).
    Bfl,
    /// `elevenlabs-signature: t=…,v0=…`, an HMAC of time and body (ElevenLabs).
    Elevenlabs,
    /// `x-fal-webhook-signature`, by Ed25519 over request, user, time and the hash of the body (fal).
    Fal,
}

/// A secret that calls are signed with. Never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HookSecret(pub Vec<u8>);

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret(…)")
    }
}

/// What a free route does with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It asks for the state.
    Poll,
    /// It asks for the result.
    Fetch,
    /// It stops it.
    Cancel,
    /// It asks for a file that an answer about it has named.
    File,
}

/// Where a request says which job, or which of its files, it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// In the path, by the name of a capture.
    Path(String),
    /// In the query string.
    Query(String),
    /// In the JSON body.
    Json(Pointer),
}

impl NamedBy {
    /// The id that a request names, without its encoding; `None`: none, or not one alone.
    #[must_use]
    pub fn id(
        &self,
        captures: &[(String, String)],
        query: &str,
        (headers, body): (&HeaderMap, Option<&[u8]>),
    ) -> Option<String> {
        match self {
            Self::Path(name) => {
                let (_, value) = captures.iter().find(|(capture, _)| capture == name)?;
                query::decoded(value, false)
            }
            Self::Query(name) => {
                query::check(query).ok()?;
                query::value(query, name).ok()?
            }
            // Read as a form, or unpacked, it might name another one to the upstream.
            Self::Json(_) if !says_json(headers) || encoded(headers) => None,
            // Strictly: a body that names two jobs in two readings names none.
            Self::Json(place) => match strict(body?, &[place]).ok()?.at(0) {
                [Fact::Text(id)] => Some(id.clone().into_owned()),
                [Fact::Number(id)] => Some((*id).to_owned()),
                _ => None,
            },
        }
    }
}

/// What a free route does with jobs of one sort.
#[derive(Clone, Debug)]
pub struct Touch {
    /// The sort.
    pub job: std::sync::Arc<Job>,
    /// What it does.
    pub deed: Deed,
    /// Where its requests say which one.
    pub named: NamedBy,
    /// The URL of its upstream, under which files are.
    pub base: Uri,
}

/// Where answers hold URLs of their upstream, which are turned to this gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// In JSON bodies.
    pub json: Vec<Pointer>,
    /// In headers.
    pub headers: Vec<HeaderName>,
}

impl Rewrite {
    /// Whether there is anything to rewrite.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.json.is_empty() && self.headers.is_empty()
    }
}
