//! The handshake (RFC 6455 §4): what asks for it, what goes on, and what proves that it was meant.
//!
//! Invariant: an answer that does not prove that it read the client's key opens nothing.

use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, UPGRADE,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::super::headers::remove;
use super::Switch;
use crate::meter::{Detail, Rejection, SessionRules};

/// A request that opens a WebSocket.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Handshake {
    /// How the route has it passed.
    pub(super) rules: SessionRules,
    /// How the client's connection is handed over.
    pub(super) switch: Switch,
    /// What the answer must say.
    accept: String,
}

/// Whether a request asks for a WebSocket by `Upgrade`.
pub(in crate::proxy) fn asks(headers: &HeaderMap) -> bool {
    let websocket = |value: &HeaderValue| {
        let value = value.to_str().unwrap_or_default();
        value.split(',').any(|word| {
            let name = word.split('/').next().unwrap_or(word);
            name.trim().eq_ignore_ascii_case("websocket")
        })
    };
    headers.get_all(UPGRADE).iter().any(websocket)
}

/// What a request that asks for it needs.
///
/// # Errors
/// When it has not exactly one key.
pub(in crate::proxy) fn handshake(
    headers: &HeaderMap,
    rules: SessionRules,
    switch: Switch,
) -> Result<Handshake, Rejection> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) => {
            Ok(Handshake { rules, switch, accept: derive_accept_key(key.as_bytes()) })
        }
        _ => Err(Rejection::bad_request(Detail::WebsocketKey)),
    }
}

/// Asks the upstream for it, and for no extension.
pub(in crate::proxy) fn outward(headers: &mut HeaderMap) {
    switches(headers);
    remove(headers, &SEC_WEBSOCKET_EXTENSIONS);
}

/// Tells the client that it is open.
pub(in crate::proxy) fn inward(headers: &mut HeaderMap) {
    switches(headers);
}

fn switches(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

impl Handshake {
    /// Whether an answer with status 101 opens the WebSocket that was asked for, without extensions.
    pub(super) fn is_accepted(&self, headers: &HeaderMap) -> bool {
        let one = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            values.next().filter(|_| values.next().is_none())
        };
        let accept = one(&SEC_WEBSOCKET_ACCEPT);
        asks(headers)
            && accept.is_some_and(|value| value.as_bytes() == self.accept.as_bytes())
            && !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS)
    }
}
