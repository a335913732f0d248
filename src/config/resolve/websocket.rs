//! WebSockets, and the quantities that are counted of them.

use super::{Resolver, or};
use crate::config::defaults;
use crate::config::format::{Bytes, Millis};
use crate::config::mirror::{self, ResponseFrom};
use crate::meter::SessionRules;
use crate::proxy::HttpVersion;

/// The longest message that may be passed, in bytes.
const MESSAGE_MAX: u64 = 64 << 20;
/// The longest time that a WebSocket may last or be silent.
const LONGEST_MAX: Millis = Millis(86_400_000);

impl Resolver<'_, '_> {
    /// How a route's WebSocket is passed; `None`: none is.
    pub(super) fn websocket(&mut self, route: &mirror::Route) -> Option<SessionRules> {
        let Some(written) = &route.websocket else {
            self.nothing_to_count(route);
            return None;
        };
        if route.matches.value.method != http::Method::GET {
            let message = "a WebSocket is opened with GET";
            self.findings.error("misplaced", route.matches.place, message);
        }
        self.speaks_one(route);
        let limit = or(written.message_limit.as_ref(), Bytes(defaults::MESSAGE_LIMIT)).0;
        if let Some(at) = written.message_limit.as_ref().filter(|at| at.value.0 > MESSAGE_MAX) {
            self.findings.error("out_of_range", at.place, "a message has at most 64MiB");
        }
        Some(SessionRules {
            cut_off: or(written.cut_off.as_ref(), false),
            message_limit: usize::try_from(limit).unwrap_or(usize::MAX),
            idle_ms: self.millis(written.idle.as_ref(), defaults::WEBSOCKET_IDLE_MS, LONGEST_MAX),
            longest_ms: self.millis(
                written.longest.as_ref(),
                defaults::WEBSOCKET_LONGEST_MS,
                LONGEST_MAX,
            ),
        })
    }

    /// Notes an upstream that is only spoken to by HTTP/2.
    fn speaks_one(&mut self, route: &mirror::Route) {
        let upstream = &self.file.upstreams;
        let at = upstream.index(route.upstream.value.as_str());
        let upstream = at.and_then(|at| upstream.0.get(at)).map(|(_, own)| own);
        let two = |at: &&crate::config::placed::At<HttpVersion>| at.value == HttpVersion::Two;
        if let Some(at) = upstream.and_then(|own| own.http.as_ref()).filter(two) {
            let message = "a WebSocket goes to its upstream by HTTP/1.1";
            self.findings
                .error("no_websocket", route.upstream.place, message)
                .note(at.place, "this upstream is spoken to by HTTP/2 alone");
        }
    }

    /// Notes quantities of a WebSocket where there is none.
    fn nothing_to_count(&mut self, route: &mirror::Route) {
        for (name, quantity) in &route.quantities.0 {
            if quantity.response.iter().any(is_counted) {
                let message =
                    format!("`{}` is counted of a WebSocket, and the route has none", name.value);
                self.findings
                    .error("misplaced", name.place, message)
                    .help("write `websocket: {}` beside `match`");
            }
        }
    }
}

/// Whether a source, or one that it is computed from, is counted of a WebSocket.
fn is_counted(source: &ResponseFrom) -> bool {
    match source {
        ResponseFrom::SumOf(parts) | ResponseFrom::Minus(parts) => parts.iter().any(is_counted),
        ResponseFrom::SentMessages
        | ResponseFrom::SentBytes
        | ResponseFrom::SentCharacters(_)
        | ResponseFrom::ReceivedMessages
        | ResponseFrom::ReceivedBytes
        | ResponseFrom::ConnectedSeconds => true,
        _ => false,
    }
}
