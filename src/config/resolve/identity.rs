//! How requests name their account, and what services learn of it.

use http::HeaderName;

use super::Resolver;
use crate::config::mirror::{self, Credentials, Passing, RequestFrom};
use crate::config::placed::At;
use crate::meter::{
    AccountHeader, IdentityRules, KEY_HEADERS, KEY_SCHEMES, KeyRules, KeyShape, ShapeError, Way,
    Ways,
};
use crate::proxy::IdentityHeaders;

impl Resolver<'_, '_> {
    /// `None`: there is an error.
    pub(super) fn identity(&mut self) -> Option<IdentityRules> {
        let shape = self.shape();
        let headers = self.key_headers();
        let schemes = self.file.keys.schemes.as_ref().map_or_else(
            || KEY_SCHEMES.map(str::to_owned).to_vec(),
            |schemes| schemes.iter().map(|at| at.value.0.clone()).collect(),
        );
        let query = self.file.keys.query.as_ref().map(|at| at.value.0.clone());
        let header = self.account_header(&headers);
        self.unpriced(&headers, query.as_deref());
        let issuers = self.issuers()?;
        Some(IdentityRules {
            keys: KeyRules { headers, schemes, query, shape: shape? },
            issuers,
            header,
        })
    }

    fn key_headers(&mut self) -> Vec<HeaderName> {
        let Some(headers) = &self.file.keys.headers else { return KEY_HEADERS.to_vec() };
        for at in headers {
            self.refuse_header(&at.value, at.place);
        }
        headers.iter().map(|at| at.value.clone()).collect()
    }

    /// What carries a key is no quantity: a receipt would show it.
    fn unpriced(&mut self, headers: &[HeaderName], query: Option<&str>) {
        let carries = |source: &RequestFrom| match source {
            RequestFrom::Header(at) => (headers.contains(&at.value)
                || at.value == http::header::AUTHORIZATION)
                .then(|| (at.place, at.value.to_string())),
            RequestFrom::Query(at) => query
                .is_some_and(|name| name.eq_ignore_ascii_case(&at.value))
                .then(|| (at.place, at.value.clone())),
            _ => None,
        };
        let quantities = self.file.routes.iter().flat_map(|route| &route.quantities.0);
        let sources = quantities.flat_map(|(_, quantity)| &quantity.request);
        for (place, name) in sources.flat_map(RequestFrom::places).filter_map(carries) {
            let message = format!("`{name}` carries keys: no price can read it");
            self.findings.error("priced_key", place, message);
        }
    }

    /// `None`: there is an error. `Some(None)`: the default one.
    fn shape(&mut self) -> Option<Option<KeyShape>> {
        let Some(shape) = &self.file.keys.shape else { return Some(None) };
        let mirror::Shape { prefix, length, alphabet } = shape;
        let room = usize::try_from(length.value).unwrap_or(usize::MAX);
        match KeyShape::new(&prefix.value, room, alphabet.value.clone()) {
            Ok(shape) => Some(Some(shape)),
            Err(error @ ShapeError::Room { .. }) => {
                self.findings.error("small_key_shape", length.place, error.to_string());
                None
            }
            Err(error) => {
                self.findings.error("malformed", prefix.place, format!("`prefix`: {error}"));
                None
            }
        }
    }

    fn account_header(&mut self, keys: &[HeaderName]) -> Option<AccountHeader> {
        let header = self.file.identity.header.as_ref()?;
        self.refuse_header(&header.name.value, header.name.place);
        self.no_underscore(&header.name);
        let name = &header.name.value;
        if keys.contains(name) || *name == http::header::AUTHORIZATION {
            let message = format!("`{name}` cannot carry a key and name an account");
            self.findings
                .error("taken_header", header.name.place, message)
                .help("choose another one, such as `x-account-id`");
        }
        for at in header.from.iter().filter(|at| at.value.prefix_len() == 0) {
            let message = "every address is trusted: any client can speak for any account";
            self.findings.error("trusts_everyone", at.place, message);
        }
        let from = header.from.iter().map(|at| at.value).collect();
        Some(AccountHeader { name: name.clone(), from })
    }

    /// The ways that count on a route.
    pub(super) fn ways(&mut self, written: Option<&[At<Way>]>) -> Ways {
        let Some(written) = written else { return Ways::ALL };
        let has = |way| written.iter().any(|at| at.value == way);
        for at in written {
            let (declared, what) = match at.value {
                Way::Key => (true, ""),
                Way::Jwt => (!self.file.issuers.0.is_empty(), "no `issuers` are declared"),
                Way::Header => {
                    (self.file.identity.header.is_some(), "`identity` declares no `header`")
                }
            };
            if !declared {
                let message = format!("nobody can name an account in this way: {what}");
                self.findings.error("undeclared_way", at.place, message);
            }
        }
        Ways { key: has(Way::Key), jwt: has(Way::Jwt), header: has(Way::Header) }
    }

    /// Whether the client's credential goes on.
    pub(super) fn passes(&mut self, route: &mirror::Route) -> bool {
        let index = self.file.upstreams.index(route.upstream.value.as_str());
        let upstream = index.and_then(|index| self.file.upstreams.0.get(index));
        let own = upstream.and_then(|(_, upstream)| upstream.credentials.as_ref());
        let passes = matches!(own, Some(Credentials::Pass));
        let Some(at) = &route.credentials else { return passes };
        let has_own = matches!(own, Some(Credentials::Bearer(_) | Credentials::Header(_)));
        if at.value == Passing::Pass && has_own {
            let message = format!(
                "the client's credential cannot pass to `{}`, which gets the operator's",
                route.upstream.value
            );
            self.findings
                .error("two_credentials", at.place, message)
                .help("remove one of the two, or declare a second upstream without credentials");
        }
        at.value == Passing::Pass
    }

    pub(super) fn identity_headers(
        &mut self,
        written: &mirror::IdentityHeaders,
    ) -> IdentityHeaders {
        let mirror::IdentityHeaders { account, key, charge } = written;
        for at in [account, key, charge].into_iter().flatten() {
            self.refuse_header(&at.value, at.place);
            self.no_underscore(at);
        }
        let name = |at: &Option<At<HeaderName>>| at.as_ref().map(|at| at.value.clone());
        IdentityHeaders { account: name(account), key: name(key), charge: name(charge) }
    }

    /// Servers of the CGI family take `x_account` for `x-account`: only one spelling can be kept from clients.
    fn no_underscore(&mut self, at: &At<HeaderName>) {
        if at.value.as_str().contains('_') {
            let message = format!("`{}` has an underscore", at.value);
            self.findings
                .error("underscore_header", at.place, message)
                .help("write it with `-`: some servers take both spellings for the same header");
        }
    }
}
