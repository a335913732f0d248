//! One line of the demo: a request, and what its answer should be.
//!
//! Invariant: the curl line and the sent request say the same, member by member.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::Value;

use super::place::{Place, Who};
use super::want::{Want, shown};
use crate::cli::Failure;
use crate::cli::http::Answer;

/// Where a path takes the id of the charge that was kept last.
pub(super) const CHARGE: &str = "{charge}";
/// How much of a value is printed.
const SHOWN_MAX: usize = 60;

/// How a step goes with those around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pace {
    /// By itself.
    #[default]
    Alone,
    /// It goes on while the next one runs.
    WhileNext,
    /// It runs while the one before goes on; what comes after waits for both.
    Meanwhile,
    /// What it reads may take a moment to become true.
    Eventually,
}

/// One line of the demo.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) title: &'static str,
    pub(super) pace: Pace,
    /// Whether later steps need the id of its charge.
    pub(super) keeps_charge: bool,
    who: Who,
    method: Method,
    path: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<&'static str>,
    status: u16,
    wanted_headers: Vec<(&'static str, Want)>,
    wanted_members: Vec<(&'static str, Want)>,
}

impl Step {
    /// A `GET`, which should be answered with 200.
    pub(super) fn get(title: &'static str, who: Who, path: &'static str) -> Self {
        Self {
            title,
            pace: Pace::Alone,
            keeps_charge: false,
            who,
            method: Method::GET,
            path,
            headers: Vec::new(),
            body: None,
            status: 200,
            wanted_headers: Vec::new(),
            wanted_members: Vec::new(),
        }
    }

    /// A `POST` of JSON, which should be answered with 200.
    pub(super) fn post(
        title: &'static str,
        who: Who,
        path: &'static str,
        body: &'static str,
    ) -> Self {
        let step = Self::get(title, who, path).header("content-type", "application/json");
        Self { method: Method::POST, body: Some(body), ..step }
    }

    /// It sends this header.
    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// It should be answered with this status.
    pub(super) const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The answer should have this header.
    pub(super) fn answers(mut self, name: &'static str, want: Want) -> Self {
        self.wanted_headers.push((name, want));
        self
    }

    /// The answer's JSON should have this at a pointer.
    pub(super) fn says(mut self, pointer: &'static str, want: Want) -> Self {
        self.wanted_members.push((pointer, want));
        self
    }

    /// How it goes with the steps around it.
    pub(super) const fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Later steps ask for its charge.
    pub(super) const fn keeps_charge(mut self) -> Self {
        self.keeps_charge = true;
        self
    }

    /// All headers, the key's included.
    fn all_headers(&self, place: &Place) -> Vec<(String, String)> {
        let key = place.keys.of(self.who);
        let bearer = key.map(|key| ("Authorization".to_owned(), format!("Bearer {key}")));
        let own =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        bearer.into_iter().chain(own).collect()
    }

    fn url(&self, place: &Place, charge: &str) -> String {
        let base = if self.who == Who::Upstream { &place.upstream } else { &place.proxy };
        format!("{base}{}", self.path.replace(CHARGE, charge))
    }

    /// The request, as it is sent.
    pub(super) fn request(
        &self,
        place: &Place,
        charge: &str,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request =
            Request::builder().method(self.method.clone()).uri(self.url(place, charge));
        for (name, value) in self.all_headers(place) {
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from_static(self.body.unwrap_or_default().as_bytes()));
        request.body(body).map_err(|error| Failure::failed(error.to_string()))
    }

    /// The request, as a line for a shell.
    pub(super) fn curl(&self, place: &Place) -> String {
        let mut text = String::from(if self.keeps_charge {
            // The answer goes to the terminal, the id of the charge into the variable.
            "CHARGE=$(curl -sS -D /dev/stderr -o /dev/stderr \
             -w '%{stderr}\\n%{stdout}%header{credits-charge-id}'"
        } else {
            "curl -sS -i -w '\\n'"
        });
        text.push_str(&format!(" {}", self.url(place, "$CHARGE")));
        for (name, value) in self.all_headers(place) {
            text.push_str(&format!(" \\\n  -H {}", quoted(&format!("{name}: {value}"))));
        }
        if let Some(body) = self.body {
            text.push_str(&format!(" \\\n  -d {}", quoted(body)));
        }
        text.push_str(match (self.keeps_charge, self.pace) {
            (true, _) => ")\n",
            (false, Pace::WhileNext) => " &\nsleep 0.5\n",
            (false, Pace::Meanwhile) => "\nwait\n",
            (false, Pace::Alone | Pace::Eventually) => "\n",
        });
        text
    }

    /// Of an answer, what this step looks at.
    pub(super) fn brief(&self, answer: &Answer) -> String {
        let body = answer.json();
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let headers = self.wanted_headers.iter();
        let headers = headers.map(|(name, _)| (*name, header(name).map(Value::from)));
        let members = self.wanted_members.iter();
        let members = members.map(|(pointer, _)| (*pointer, body.pointer(pointer).cloned()));
        let told = headers.chain(members).map(|(name, value)| {
            let text: String = shown(value.as_ref()).chars().take(SHOWN_MAX).collect();
            format!(", {} {text}", name.trim_start_matches('/').replace('/', "."))
        });
        format!("status {}{}", answer.status.as_u16(), told.collect::<String>())
    }

    /// What of the answer is not as it should be.
    pub(super) fn differences(&self, answer: &Answer) -> Vec<String> {
        let mut found = Vec::new();
        if answer.status.as_u16() != self.status {
            found.push(format!("status is {}, not {}", answer.status.as_u16(), self.status));
        }
        for (name, want) in &self.wanted_headers {
            let value = answer.headers.get(*name).and_then(|value| value.to_str().ok());
            want.check(name, value.map(Value::from).as_ref(), &mut found);
        }
        let body = answer.json();
        for (pointer, want) in &self.wanted_members {
            want.check(pointer, body.pointer(pointer), &mut found);
        }
        found
    }
}

/// A text in single quotes for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::place::Keys;

    fn place() -> Place {
        let mut keys = Keys::default();
        keys.set(Who::Maria, "tk_1".to_owned());
        let (proxy, upstream) = ("http://127.0.0.1:1".to_owned(), "http://127.0.0.1:2".to_owned());
        Place { proxy, upstream, keys }
    }

    #[test]
    fn a_step_as_curl_and_as_a_request() {
        let step =
            Step::post("Ask", Who::Maria, "/v1/x", r#"{"a":"it's"}"#).header("x-sample", "fail");
        assert_eq!(
            step.curl(&place()),
            "curl -sS -i -w '\\n' http://127.0.0.1:1/v1/x \\\n  \
             -H 'Authorization: Bearer tk_1' \\\n  \
             -H 'content-type: application/json' \\\n  \
             -H 'x-sample: fail' \\\n  \
             -d '{\"a\":\"it'\\''s\"}'\n"
        );
        let request = step.request(&place(), "").unwrap();
        assert_eq!(request.method(), "POST");
        assert_eq!(request.headers()["authorization"], "Bearer tk_1");
        assert_eq!(request.headers()["x-sample"], "fail");
    }

    #[test]
    fn charges_are_kept_and_asked_for() {
        let keep = Step::post("Pay", Who::Maria, "/v1/x", "{}").keeps_charge();
        assert!(keep.curl(&place()).starts_with("CHARGE=$(curl "));
        let ask = Step::get("Why", Who::Maria, "/charges/{charge}");
        assert!(ask.curl(&place()).contains("/charges/$CHARGE "));
        assert_eq!(ask.request(&place(), "chg_1").unwrap().uri().path(), "/charges/chg_1");
    }

    #[test]
    fn differences_are_told() {
        let body = Bytes::from_static(br#"{"n":1,"list":[1,2],"none":null}"#);
        let headers = http::HeaderMap::new();
        let answer = Answer { status: http::StatusCode::OK, headers, body };
        let right = Step::get("", Who::Maria, "/")
            .says("/n", Want::Is("1"))
            .says("/list", Want::Items(2))
            .says("/list/0", Want::There);
        assert!(right.differences(&answer).is_empty());
        let wrong = Step::get("", Who::Maria, "/")
            .status(402)
            .answers("retry-after", Want::There)
            .says("/n", Want::Is("2"))
            .says("/list", Want::Items(3))
            .says("/none", Want::There)
            .says("/lost", Want::Is("null"));
        assert_eq!(wrong.differences(&answer).len(), 6);
    }
}
