//! How requests name their account: keys, tokens, a header.

use http::HeaderName;
use ipnet::IpNet;
use jsonwebtoken::Algorithm;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Secret;
use crate::config::format::{DocumentUrl, Millis, Parameter, Scheme};
use crate::config::placed::{At, Named};
use crate::meter::Alphabet;
use crate::observe::Pointer;

/// Where a request carries its key, and how keys look.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Keys {
    /// Headers whose value is a key, beside `Authorization`. Default: [x-api-key, xi-api-key, api-key,
    /// x-goog-api-key].
    pub(in crate::config) headers: Option<Vec<At<HeaderName>>>,
    /// Schemes of `Authorization` behind which a key stands. Default: [Bearer, Key, Token].
    pub(in crate::config) schemes: Option<Vec<At<Scheme>>>,
    /// A parameter of the query that is a key; it is taken off before anything reads the query. Default: none.
    pub(in crate::config) query: Option<At<Parameter>>,
    /// How new keys look, for clients that check it. Keys of the default shape stay good. Default: tk_…
    pub(in crate::config) shape: Option<Shape>,
}

/// How new keys look.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Shape {
    /// What they begin with; not tk_.
    pub(in crate::config) prefix: At<String>,
    /// How many characters follow. They must hold 384 bits: 96 of hex, 65 of alphanumeric.
    #[schemars(range(min = 1, max = 512))]
    pub(in crate::config) length: At<u32>,
    /// Which characters: hex (0-9a-f), lower (0-9a-z), alphanumeric (0-9A-Za-z), or the characters themselves.
    pub(in crate::config) alphabet: At<Alphabet>,
}

/// Somebody whose tokens (JWT) are believed. They come as `Authorization: Bearer`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Issuer {
    /// What its tokens have as `iss`, exactly.
    pub(in crate::config) issuer: At<String>,
    /// Whom its tokens must be meant for: one of these is in `aud`.
    #[schemars(length(min = 1))]
    pub(in crate::config) audience: Vec<At<String>>,
    /// The algorithms that its tokens may be signed with.
    #[schemars(length(min = 1))]
    pub(in crate::config) algorithms: Vec<At<Algorithm>>,
    /// Its public keys.
    pub(in crate::config) jwks: Option<KeySet>,
    /// The secret that it signs with, for HS256 alone; at least 32 bytes.
    pub(in crate::config) secret: Option<Secret>,
    /// By how much its clock may differ from ours, at most 10m. Default: 30s.
    pub(in crate::config) leeway: Option<At<Millis>>,
    /// What its tokens say.
    pub(in crate::config) claims: Claims,
}

/// A key set (JWKS, RFC 7517), in a file or behind a URL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct KeySet {
    /// The file. Relative paths begin at the folder of this file.
    pub(in crate::config) file: Option<At<String>>,
    /// The URL.
    pub(in crate::config) url: Option<At<DocumentUrl>>,
    /// A file of PEM certificates to trust beside the public roots.
    pub(in crate::config) ca_file: Option<At<String>>,
    /// How often it is read, from 1s to 24h. Default: 10m.
    pub(in crate::config) refresh: Option<At<Millis>>,
    /// How long a token with an unknown key may not cause another reading, at most 24h. Default: 30s.
    pub(in crate::config) unknown_key: Option<At<Millis>>,
}

/// Where in a token something stands, as JSON pointers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Claims {
    /// The account, by its id or its reference: /sub.
    pub(in crate::config) account: At<Pointer>,
    /// The plan that prices and gates the request. Default: none; the account's own.
    pub(in crate::config) plan: Option<At<Pointer>>,
    /// What receipts show, by the names that they show; at most 16. Default: none.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 16))]
    pub(in crate::config) tags: Named<At<Pointer>>,
}

/// Other ways of naming an account.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Identity {
    /// A header by which trusted networks name an account. Default: none.
    pub(in crate::config) header: Option<AccountHeader>,
}

/// A header by which trusted networks name an account, by its id or its reference. From anywhere else it is
/// taken off and not read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct AccountHeader {
    /// Which header.
    pub(in crate::config) name: At<HeaderName>,
    /// The networks that connections come from; what `X-Forwarded-For` says does not count.
    #[schemars(length(min = 1))]
    pub(in crate::config) from: Vec<At<IpNet>>,
}
