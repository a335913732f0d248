//! URLs of an upstream's own in its answers, turned to this gateway: so that what they lead to is asked of us, and
//! answered to the owner alone.
//!
//! Invariant: only in declared places, only of the upstream's own hosts, and never where all that answers here is another
//! upstream or a free route for everybody.
//! Presigned and foreign URLs, and all other bytes, stay as they came.

use std::rc::Rc;
use std::sync::Arc;

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Uri};

use super::core::Core;
use super::stage::Origin;
use super::steps::host;
use crate::meter::{Deed, Found, Host, Route, Work, is_at};
use crate::observe::{encoded, is_json, media_type, string_at, strings};

/// The longest body that is rewritten, in bytes; a longer one passes as it came.
pub(super) const BODY_MAX: usize = 1 << 20;
/// Parameters of a query by which storage services sign URLs: the host is signed too.
const SIGNATURES: [&str; 4] = ["x-amz-signature", "x-goog-signature", "signature", "sig"];
/// The methods by which what is behind a URL may be asked for.
const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::PUT, Method::DELETE];

/// See the module.
pub(super) struct Rewriting {
    core: Rc<Core>,
    route: Arc<Route>,
    here: Here,
}

/// Where this gateway is, as the client has reached it.
struct Here {
    /// Scheme and host.
    url: String,
    /// The host that a request there is for.
    host: Option<Host>,
}

impl Rewriting {
    /// For the answers of a route that says so. `came`: the head of the request.
    pub(super) fn of(
        core: &Rc<Core>,
        route: &Arc<Route>,
        came: &Parts,
        origin: Origin,
    ) -> Option<Self> {
        if route.rewrite.is_empty() {
            return None;
        }
        let here = here(core, route, came, origin)?;
        Some(Self { core: core.clone(), route: route.clone(), here })
    }

    /// Rewrites the declared headers.
    pub(super) fn headers(&self, headers: &mut HeaderMap) {
        for name in &self.route.rewrite.headers {
            let values: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
            let Some((first, rest)) = values.split_first() else { continue };
            headers.insert(name.clone(), self.value(first));
            rest.iter().for_each(|value| _ = headers.append(name.clone(), self.value(value)));
        }
    }

    fn value(&self, value: &HeaderValue) -> HeaderValue {
        let turned = value.to_str().ok().and_then(|text| self.turned(text));
        turned.and_then(|url| HeaderValue::try_from(url).ok()).unwrap_or_else(|| value.clone())
    }

    /// Whether a body with this head is read and rewritten.
    pub(super) fn reads(&self, head: &HeaderMap) -> bool {
        let json = media_type(head).is_some_and(|name| is_json(&name));
        !self.route.rewrite.json.is_empty() && json && !encoded(head)
    }

    /// The body with its declared URLs rewritten; `None`: there are none.
    pub(super) fn body(&self, json: &[u8]) -> Option<Vec<u8>> {
        let places = self.route.rewrite.json.iter();
        let mut edits: Vec<_> = places
            .flat_map(|place| strings(json, place))
            .filter_map(|span| {
                let url = self.turned(&string_at(json, span.clone())?)?;
                Some((span, serde_json::to_vec(&url).ok()?))
            })
            .collect();
        edits.sort_by_key(|(span, _)| span.start);
        edits.dedup_by_key(|(span, _)| span.start);
        if edits.is_empty() { None } else { replaced(json, &edits) }
    }

    /// Which host of the upstream the first URL of its own in the declared headers has, before they are rewritten.
    pub(super) fn host_in_headers(&self, headers: &HeaderMap) -> Option<String> {
        let names = self.route.rewrite.headers.iter();
        let mut values = names.flat_map(|name| headers.get_all(name));
        values.find_map(|value| self.host(value.to_str().ok()?))
    }

    /// The same of the declared places of a body.
    pub(super) fn host_in_body(&self, json: &[u8]) -> Option<String> {
        let mut spans = self.route.rewrite.json.iter().flat_map(|place| strings(json, place));
        spans.find_map(|span| self.host(&string_at(json, span)?))
    }

    /// The host of a URL, if that is the upstream's own.
    fn host(&self, text: &str) -> Option<String> {
        self.own(text)?.authority().map(ToString::to_string)
    }

    /// A URL of the upstream's own that nobody has signed.
    fn own(&self, text: &str) -> Option<Uri> {
        let url: Uri = text.parse().ok()?;
        let own = self.core.settings.upstreams.get(self.route.upstream)?;
        let mut hosts = own.base.authority().into_iter().chain(&own.hosts);
        let user = url.authority()?.as_str().contains('@');
        let plain = matches!(url.scheme_str()?, "http" | "https") && !user && !text.contains('#');
        let here = hosts.any(|host| is_at(&url, host));
        let signed = url.query().is_some_and(is_signed);
        (plain && here && !signed).then_some(url)
    }

    /// The same URL on this gateway; `None`: it stays as it is.
    fn turned(&self, text: &str) -> Option<String> {
        let url = self.own(text)?;
        let own = self.core.settings.upstreams.get(self.route.upstream)?;
        let at_home = own.base.authority().is_some_and(|host| is_at(&url, host));
        let prefix = own.base.path().trim_end_matches('/');
        let path = url.path().strip_prefix(prefix).filter(|path| path.starts_with('/'))?;
        let path = format!("{}{path}", self.route.prefix);
        if self.leads_elsewhere(&path, at_home) {
            return None;
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Some(format!("{}{path}{query}", self.here.url))
    }

    /// Whether this path leads here to another upstream, to what is not kept for its owner, or to a file at another host
    /// than the one that files are asked for at. `at_home`: it is at that one. By which method it will be asked for is
    /// not known: one that leads to a job of the own upstream is enough.
    fn leads_elsewhere(&self, path: &str, at_home: bool) -> bool {
        let found = METHODS.iter().filter_map(|method| {
            match self.core.meter.routes.find(self.here.host.as_ref(), method, path) {
                Found::Route(route, _) => Some(route),
                Found::OtherMethod | Found::None => None,
            }
        });
        let (own, others): (Vec<_>, Vec<_>) =
            found.partition(|route| route.upstream == self.route.upstream);
        let mut deeds = own.iter().filter_map(|route| Some(route.touch.as_ref()?.deed)).peekable();
        if deeds.peek().is_some() {
            return !at_home && deeds.any(|deed| deed == Deed::File);
        }
        !others.is_empty() || own.iter().any(|route| matches!(route.work, Work::Free))
    }
}

/// Where the client has reached us: `public_url`, of which a route that is for some hosts takes the scheme alone;
/// else what the request says.
fn here(core: &Core, route: &Route, came: &Parts, origin: Origin) -> Option<Here> {
    const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    const HOST_NAME: HeaderName = HeaderName::from_static("x-forwarded-host");
    let public = core.settings.public_url.as_deref();
    let public = public.and_then(|url| Some((url, url.split_once("://")?)));
    if let Some((url, (_, host))) = public.filter(|_| route.hosts.is_empty()) {
        let host = Host::read(host, core.settings.port());
        return Some(Here { url: url.to_owned(), host });
    }
    let told = |name: &HeaderName| {
        let text = came.headers.get(name).filter(|_| origin.trusted)?.to_str().ok()?;
        Some(text.split(',').next()?.trim().to_owned())
    };
    let said = came.headers.get(HOST).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let named = || came.uri.authority().map(ToString::to_string);
    let name: Authority = told(&HOST_NAME).or(said).or_else(named)?.parse().ok()?;
    let own = if core.settings.tls { "https" } else { "http" };
    let proto = told(&PROTO).filter(|proto| proto == "http" || proto == "https");
    let own = public.map_or(own, |(_, (scheme, _))| scheme);
    let url = format!("{}://{name}", proto.as_deref().unwrap_or(own));
    // A proxy before us that says another name has turned it into ours, and will again.
    Some(Here { url, host: host(core, came) })
}

/// Whether a query carries a signature of the whole URL.
fn is_signed(query: &str) -> bool {
    let name = |pair: &str| pair.split('=').next().unwrap_or(pair).to_ascii_lowercase();
    query.split('&').any(|pair| SIGNATURES.contains(&name(pair).as_str()))
}

/// The bytes with these spans replaced, which do not overlap and stand in order.
pub(super) fn replaced(
    json: &[u8],
    edits: &[(std::ops::Range<usize>, Vec<u8>)],
) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(json.len());
    let mut from = 0;
    for (span, edit) in edits {
        bytes.extend_from_slice(json.get(from..span.start)?);
        bytes.extend_from_slice(edit);
        from = span.end;
    }
    bytes.extend_from_slice(json.get(from..)?);
    Some(bytes)
}
