//! By which ways a request may say whose it is: what the configuration declares, resolved.

use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderName, Uri};
use ipnet::IpNet;
use jsonwebtoken::{Algorithm, DecodingKey};

use crate::credit::Name;
use crate::meter::shape::KeyShape;
use crate::observe::Pointer;

/// The headers that carry keys unless others are declared, beside `Authorization`: those of Anthropic,
/// ElevenLabs, Azure and Google.
pub const KEY_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("xi-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];
/// The schemes of `Authorization` that carry keys unless others are declared.
pub const KEY_SCHEMES: [&str; 3] = ["Bearer", "Key", "Token"];

/// How requests name their account.
#[derive(Debug, Default)]
pub struct IdentityRules {
    /// Where keys are carried and how they look.
    pub keys: KeyRules,
    /// Whose tokens are believed.
    pub issuers: Vec<Arc<Issuer>>,
    /// The header by which trusted networks name an account.
    pub header: Option<AccountHeader>,
}

/// Where a request carries a key.
#[derive(Debug)]
pub struct KeyRules {
    /// Headers whose whole value is a key.
    pub headers: Vec<HeaderName>,
    /// Schemes of `Authorization` behind which a key stands; compared without case (RFC 9110 §11.1).
    pub schemes: Vec<String>,
    /// The parameter of the query that is a key.
    pub query: Option<String>,
    /// How new keys look; `None`: `tk_…`, which is read in any case.
    pub shape: Option<KeyShape>,
}

impl Default for KeyRules {
    fn default() -> Self {
        Self {
            headers: KEY_HEADERS.to_vec(),
            schemes: KEY_SCHEMES.map(str::to_owned).to_vec(),
            query: None,
            shape: None,
        }
    }
}

/// The header by which trusted networks name an account.
#[derive(Debug)]
pub struct AccountHeader {
    /// Which header.
    pub name: HeaderName,
    /// Who is believed: the address that the connection comes from, not one that a header names.
    pub from: Vec<IpNet>,
}

/// Which ways count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// Keys: ours and imported ones.
    pub key: bool,
    /// Tokens of declared issuers.
    pub jwt: bool,
    /// The account header of trusted networks.
    pub header: bool,
}

impl Ways {
    /// All that are declared.
    pub const ALL: Self = Self { key: true, jwt: true, header: true };
}

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A key.
    Key,
    /// A token.
    Jwt,
    /// The account header.
    Header,
}

/// Somebody whose tokens (JWT, RFC 7519) are believed.
#[derive(Debug)]
pub struct Issuer {
    /// Its name here; keys that speak for its tokens are made of it.
    pub name: Name,
    /// Its `iss`, exactly.
    pub issuer: String,
    /// Whom its tokens must be meant for: one of these in `aud`.
    pub audience: Vec<String>,
    /// The algorithms that its tokens may be signed with; the token's own word only chooses among them.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are.
    pub source: KeySource,
    /// By how much its clock may differ from ours, in milliseconds.
    pub leeway_ms: u64,
    /// The claim that names the account, by its id or its reference.
    pub account: Pointer,
    /// The claim that names the plan which prices and gates the request.
    pub plan: Option<Pointer>,
    /// Claims that receipts show.
    pub tags: Vec<(Name, Pointer)>,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// One secret that both sides have; never printed.
    Secret(DecodingKey),
    /// A key set (RFC 7517) that is read again and again.
    Set {
        /// Where it lies.
        at: SetPlace,
        /// How often it is read, in milliseconds.
        refresh_ms: u64,
        /// How long a key that is not in it may not cause another reading, in milliseconds.
        unknown_every_ms: u64,
    },
}

/// Where a key set lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetPlace {
    /// In a file.
    File(PathBuf),
    /// Behind a URL.
    Url {
        /// Which.
        url: Uri,
        /// A file of PEM certificates to trust beside the public roots.
        ca_file: Option<PathBuf>,
    },
}

/// The public keys of somebody who signs webhooks, by Ed25519.
#[derive(Debug)]
pub struct HookKeys {
    /// Whose: the job's or the receiver's name, for the log and to tell them apart.
    pub name: String,
    /// Where they are.
    pub source: KeySource,
}
