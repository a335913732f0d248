//! The operators' API.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ListenerTls, Secret};
use crate::admin::Role;
use crate::config::format::{HostName, Sha256};
use crate::config::placed::At;
use crate::credit::Name;

/// The operators' API. Without any token, nobody gets in, and only `/livez` and `/readyz` answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Admin {
    /// Where operators connect. Default: 127.0.0.1:8081.
    pub(in crate::config) listen: Option<At<SocketAddr>>,
    /// TLS for operators. Default: none; HTTP in clear.
    pub(in crate::config) tls: Option<ListenerTls>,
    /// The token of an owner, who may do everything: what is shown as `Authorization: Bearer`; at least 16
    /// characters. Default: none.
    pub(in crate::config) token: Option<Secret>,
    /// Tokens of operators with roles; at most 100. Default: none.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub(in crate::config) tokens: Vec<OperatorToken>,
    /// The names that operators may use for this listener, beside addresses and localhost. Default: none.
    #[serde(default)]
    pub(in crate::config) hosts: Vec<At<HostName>>,
}

/// The token of an operator. `tollgate token create` makes one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct OperatorToken {
    /// Who has it, as the log names them.
    pub(in crate::config) name: At<Name>,
    /// What they may do.
    pub(in crate::config) role: At<Role>,
    /// SHA-256 of the token, in hexadecimal digits: not the token itself.
    pub(in crate::config) sha256: At<Sha256>,
}
