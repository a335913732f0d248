//! Upstreams and secrets.

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::format::{self, Millis};
use crate::config::placed::At;
use crate::config::problem::Place;
use crate::proxy::{ClientAddress, HttpVersion};

/// A service that does the work.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Upstream {
    /// Its base URL: scheme, host, port and a path that is put before the request's.
    pub(in crate::config) url: At<format::Upstream>,
    /// Which credential it gets: the operator's, put on every request; `pass`: the client's token or imported
    /// key as it came; a key of ours is never passed on. Default: replace (the client's is taken off).
    pub(in crate::config) credentials: Option<Credentials>,
    /// Headers by which it learns who asks. What clients send under these names is taken off on every route.
    /// Default: none.
    #[serde(default)]
    pub(in crate::config) identity_headers: IdentityHeaders,
    /// Whether and how it learns the client's address. Default: none.
    pub(in crate::config) client_address: Option<At<ClientAddress>>,
    /// A file of PEM certificates to trust beside the public roots. Relative paths begin at the folder of
    /// this file.
    pub(in crate::config) ca_file: Option<At<String>>,
    /// A file with our own certificate for it, and those between it and its root, as PEM. Default: none.
    pub(in crate::config) certificate_file: Option<At<String>>,
    /// A file with its key, as PEM. Default: none.
    pub(in crate::config) key_file: Option<At<String>>,
    /// Which HTTP it is spoken to with: 1, 2 or auto. Auto is what both sides prefer under TLS (ALPN), and 1
    /// in clear; 2 in clear is by prior knowledge. Default: auto.
    pub(in crate::config) http: Option<At<HttpVersion>>,
    /// Other names of the same service, such as `queue.fal.run`: URLs with them are its own where a route
    /// says `rewrite`. Default: only that of `url`.
    #[serde(default)]
    pub(in crate::config) hosts: Vec<At<format::Host>>,
    /// How long to wait for what.
    #[serde(default)]
    pub(in crate::config) timeouts: Timeouts,
}

/// Which credential an upstream gets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("writeOnly" = true))]
pub(in crate::config) enum Credentials {
    /// None: the client's is taken off.
    Replace,
    /// The client's, as it came.
    Pass,
    /// The operator's, as `Authorization: Bearer`.
    Bearer(Secret),
    /// The operator's, as the value of a header.
    Header(CredentialHeader),
}

/// What becomes of the client's credential on one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Passing {
    /// It is taken off; the operator's is put on if there is one.
    Replace,
    /// It goes on.
    Pass,
}

/// Headers by which a service learns who asks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct IdentityHeaders {
    /// The account's id. Default: none.
    pub(in crate::config) account: Option<At<HeaderName>>,
    /// The key's id. Default: none.
    pub(in crate::config) key: Option<At<HeaderName>>,
    /// The charge's id, on priced routes. Default: none.
    pub(in crate::config) charge: Option<At<HeaderName>>,
}

/// A header whose value is a secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct CredentialHeader {
    /// Which header.
    pub(in crate::config) name: At<HeaderName>,
    /// Its whole value.
    pub(in crate::config) value: Secret,
}

/// How long to wait for an upstream; each at most 23h.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Timeouts {
    /// For a connection. Default: 5s.
    pub(in crate::config) connect: Option<At<Millis>>,
    /// From the request to the head of the answer. Default: 120s.
    pub(in crate::config) first_byte: Option<At<Millis>>,
    /// Between two parts of a body. Default: 60s.
    pub(in crate::config) idle: Option<At<Millis>>,
    /// For the whole exchange. Default: 600s.
    pub(in crate::config) total: Option<At<Millis>>,
}

/// Where a secret is kept. Never the secret itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("writeOnly" = true))]
pub(in crate::config) enum Secret {
    /// In this environment variable.
    Env(At<String>),
    /// In this file; a line break at its end is dropped. Relative paths begin at the folder of this file.
    File(At<String>),
}

impl Secret {
    /// Where the reference stands.
    pub(in crate::config) const fn place(&self) -> Place {
        match self {
            Self::Env(at) | Self::File(at) => at.place,
        }
    }
}
