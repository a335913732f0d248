//! Quantities that an answer's own length says, and those that stay what was asked for.

use super::Resolver;
use crate::config::mirror::{self, QuantityType, RequestFrom, ResponseFrom};
use crate::config::placed::At;

impl Resolver<'_, '_> {
    /// Checks that a length is a number, in one unit from hold to charge.
    pub(super) fn length(&mut self, name: &At<String>, written: &mirror::Quantity) {
        let kind = &written.kind;
        let long = says(written, is_seconds);
        let milli = says(written, is_milliseconds);
        let counts = matches!(kind.value, QuantityType::Decimal | QuantityType::Integer);
        if long && !counts && kind.value != QuantityType::Seconds {
            let message = "the length of an answer is a number of seconds";
            self.findings
                .error("not_a_number", kind.place, message)
                .help("write `type: seconds`, or a `json` or `header` source");
        }
        if milli && !counts {
            let message = "a length in milliseconds is a number of them";
            self.findings
                .error("not_a_number", kind.place, message)
                .help("write `type: integer`, or `media_seconds`");
        }
        let uploaded = written.request.iter().flat_map(RequestFrom::places);
        let uploaded = uploaded.into_iter().any(|it| matches!(it, RequestFrom::MediaSeconds(_)));
        if milli && (long || uploaded) {
            let message = format!("`{}` is said in seconds and in milliseconds", name.value);
            self.findings
                .error("two_units", name.place, message)
                .help("write `media_seconds` in both places");
        }
    }

    /// Checks that `asked` is there at some requests and not at others, and that something stands behind it.
    pub(super) fn stays_asked(&mut self, name: &At<String>, written: &mirror::Quantity) {
        if !says(written, is_asked) {
            return;
        }
        if written.request.is_empty() || written.default.is_none() {
            let message = format!(
                "`asked` is for what a request may say or leave out, and `{}` is not",
                name.value
            );
            self.findings.error("misplaced", name.place, message).help(
                "write `request`, and the `default` that is held where the request says nothing",
            );
        } else if written.response.last().is_some_and(is_asked) {
            let message = format!("nothing says what `{}` was where nothing was asked", name.value);
            self.findings.error("misplaced", name.place, message).help(
                "write a source behind `asked`: it is not there where the `default` was held",
            );
        }
    }

    /// Notes lengths and `asked` where the answer is not what was ordered, or not the only one.
    pub(super) fn one_answer(&mut self, route: &mirror::Route) {
        let length = |it: &ResponseFrom| is_seconds(it) || is_milliseconds(it);
        let job = |it: &ResponseFrom| is_asked(it) || is_seconds(it) || is_milliseconds(it);
        for (name, quantity) in &route.quantities.0 {
            if route.websocket.is_some() && says(quantity, length) {
                let message =
                    format!("`{}` is how long one answer lasts, not a WebSocket", name.value);
                self.findings
                    .error("misplaced", name.place, message)
                    .help("write `connected_seconds`, or a `json` source");
            }
            if route.job.is_some() && says(quantity, job) {
                let message = format!(
                    "`{}` is said by the one answer to its request, and here a job begins",
                    name.value
                );
                self.findings
                    .error("misplaced", name.place, message)
                    .help("write `job`, `job_items` or `job_header`: where the job's end says it");
            }
        }
    }
}

fn says(written: &mirror::Quantity, what: impl Fn(&ResponseFrom) -> bool) -> bool {
    written.response.iter().flat_map(ResponseFrom::places).any(what)
}

const fn is_seconds(source: &ResponseFrom) -> bool {
    matches!(source, ResponseFrom::MediaSeconds)
}

const fn is_milliseconds(source: &ResponseFrom) -> bool {
    matches!(source, ResponseFrom::MediaMilliseconds)
}

const fn is_asked(source: &ResponseFrom) -> bool {
    matches!(source, ResponseFrom::Asked)
}
