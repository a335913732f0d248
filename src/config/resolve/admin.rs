//! The operators' listener and who may use it.
//!
//! Invariant: one token is one operator: no two have the same name or the same hash.

use super::{Resolver, or};
use crate::admin::{Role, Token};
use crate::config::defaults;
use crate::config::mirror::{Admin, Secret};
use crate::config::settings::AdminSettings;

/// The shortest token that an operator may have, in characters.
const TOKEN_MIN: usize = 16;
/// How the log calls the operator of `admin.token`.
const OWNER: &str = "admin";

impl Resolver<'_, '_> {
    /// `None`: there is an error. `Some(None)`: there is no admin listener.
    pub(super) fn admin(&mut self) -> Option<Option<AdminSettings>> {
        let Some(admin) = &self.file.admin else { return Some(None) };
        let listen = or(admin.listen.as_ref(), defaults::ADMIN_LISTEN);
        self.admin_address(admin);
        self.once("operators", admin.tokens.iter().map(|token| &token.name));
        let owner = admin.token.as_ref().map(|secret| self.owner(secret));
        let tokens = self.tokens(admin, owner.clone().flatten());
        let tls = self.listener_tls(admin.tls.as_ref());
        let hosts = admin.hosts.iter().map(|at| at.value.0.clone()).collect();
        // An owner's token that cannot be read is an error that was told.
        let settings = AdminSettings { listen, tls: tls?, tokens, hosts };
        (!matches!(owner, Some(None))).then_some(Some(settings))
    }

    fn tokens(&mut self, admin: &Admin, owner: Option<Token>) -> Vec<Token> {
        let mut tokens: Vec<Token> = owner.into_iter().collect();
        for own in &admin.tokens {
            let (name, place) = (own.name.value.as_str(), own.sha256.place);
            let token = Token::of_hash(name, own.role.value, own.sha256.value.0);
            if tokens.iter().any(|other| other.hash() == token.hash()) {
                let message = format!("the token of `{name}` is another operator's as well");
                self.findings
                    .error("duplicate_token", place, message)
                    .help("make each their own with `tollgate token create`");
            }
            if name == OWNER && admin.token.is_some() {
                let message = format!("`{OWNER}` is how the log calls the operator of `token`");
                self.findings.error("reserved_name", own.name.place, message);
            }
            tokens.push(token);
        }
        tokens
    }

    fn owner(&mut self, secret: &Secret) -> Option<Token> {
        let (token, place) = self.secret(secret)?;
        if token.chars().count() < TOKEN_MIN {
            let message = format!("the operators' token has fewer than {TOKEN_MIN} characters");
            self.findings
                .error("weak_token", place, message)
                .help("make one with `openssl rand -hex 32`");
        }
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            let message = "the operators' token has characters that a header cannot carry";
            self.findings
                .error("bad_secret", place, message)
                .help("use visible ASCII without spaces");
        }
        Some(Token::new(OWNER, Role::Owner, &token))
    }

    fn admin_address(&mut self, admin: &Admin) {
        let clients = or(self.file.listen.as_ref(), defaults::LISTEN);
        let operators = or(admin.listen.as_ref(), defaults::ADMIN_LISTEN);
        let Some(place) = admin.listen.as_ref().or(self.file.listen.as_ref()).map(|at| at.place)
        else {
            return;
        };
        if clients == operators && clients.port() != 0 {
            let message = format!("clients and operators cannot both connect at {clients}");
            self.findings.error("same_address", place, message);
        }
        if !operators.ip().is_loopback() && admin.tls.is_none() {
            let message = format!(
                "operators connect at {operators}, without TLS and not only from this machine"
            );
            self.findings
                .warning("admin_exposed", place, message)
                .help("listen on 127.0.0.1, or let only trusted networks reach it");
        }
    }
}
