//! Official SDKs, unchanged but for their base URL: work is done and charged, refusals are the SDK's own
//! errors, and each is asked for as often as it should be.
//!
//! Invariant: attempts are counted by the gateway and the upstream, never guessed from the time.

mod client;
mod suites;

use std::path::Path;

use serde_json::{Value, json};
use tollgate::seam::{Clock, SystemClock};

use super::redis_server::pki::Pki;
use super::wire::Ask;
use super::world::{Payer, World, until};
use client::{Client, Gateway, Sdk};

/// What the sample upstream says, and what it counts for it and for `QUESTION`.
const ANSWER: &str = "Every credit is held before it is spent.";
const ANSWER_TOKENS: u64 = 8;
const QUESTION: &str = "how are you";
const QUESTION_TOKENS: u64 = 3;
/// Where messages are made.
const MESSAGES: &str = "/v1/messages";

/// One SDK before one gateway. Its money is read from the operators' plane, so nothing here depends on how the
/// gateway is reached by its clients.
struct Suite {
    sdk: Sdk,
    world: World,
    gateway: Gateway,
    client: Client,
    /// Whose certificates the gateway shows, if it speaks TLS.
    _pki: Option<Pki>,
}

/// How the gateway is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    InClear,
    Tls,
}

/// An error as the SDK raised it.
struct Raised {
    /// How often the gateway was asked and answered with this code.
    attempts: u64,
    error: Value,
}

impl Suite {
    fn start(sdk: Sdk, spoken: Spoken) -> Self {
        let pki = (spoken == Spoken::Tls).then(Pki::new);
        let tls = pki.as_ref().map(tls_block);
        let tls: Vec<_> = tls.iter().map(|block| ("upstreams:\n", block.as_str())).collect();
        let mut world = match sdk {
            Sdk::AnthropicPython => anthropic_world(&tls),
            Sdk::OpenaiPython | Sdk::OpenaiNode => {
                let patient = [
                    ("on_disconnect: finish # chat", "on_disconnect: cancel"),
                    // Longer than anything waits here on a busy machine.
                    ("first_byte: 20s, idle: 20s, total: 40s", "first_byte: 90s, total: 95s"),
                ];
                World::start(&[&patient, tls.as_slice()].concat())
            }
        };
        if let Some(pki) = &pki {
            world.trust(pki);
        }
        let scheme = if pki.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", world.data);
        let gateway = Gateway { url, ca: pki.as_ref().map(Pki::ca_file) };
        let client = Client::start(sdk, gateway.clone());
        Self { sdk, world, gateway, client, _pki: pki }
    }

    /// A chat of a few words.
    fn chat(&self, payer: &Payer) -> Value {
        json!({ "do": "chat", "key": payer.key, "headers": {}, "arguments": {
            "messages": [{ "role": "user", "content": QUESTION }], "max_tokens": 100 } })
    }

    /// An order that is done.
    #[track_caller]
    fn done(&mut self, order: Value) -> Value {
        let result = self.client.ask(order);
        assert!(result["value"].is_object(), "{:?}: {result}", self.sdk);
        result["value"].clone()
    }

    /// An order that the gateway refuses with this status and code: nothing is forwarded or charged, the
    /// error is of this class of the SDK, and carries what a program and a person need.
    #[track_caller]
    fn refused(&mut self, order: Value, class: &str, status: u16, code: &str) -> Raised {
        let (before, forwarded) = (self.world.decided(code), self.world.forwarded());
        let error = self.client.ask(order);
        let told = || format!("{:?}: {error}", self.sdk);
        assert_eq!(error["error"], class, "{}", told());
        assert_eq!(
            (&error["status"], &error["code"]),
            (&status.into(), &code.into()),
            "{}",
            told()
        );
        let message = error["message"].as_str().unwrap();
        let said = error["said"].as_str().unwrap();
        assert!(!said.is_empty() && message.contains(said), "{}", told());
        assert!(error["request_id"].as_str().unwrap().starts_with("req_"), "{}", told());
        assert_eq!(self.world.forwarded(), forwarded, "{}", told());
        Raised { attempts: self.world.decided(code) - before, error }
    }

    /// State and amount of each charge of an account, the newest first, once all have ended.
    #[track_caller]
    fn charges(&self, payer: &Payer) -> Vec<(String, String)> {
        let text = |charge: &Value, name: &str| charge[name].as_str().unwrap_or("-").to_owned();
        let all = || {
            let charges = self.world.charges(payer);
            charges
                .iter()
                .map(|one| (text(one, "status"), text(one, "charged")))
                .collect::<Vec<_>>()
        };
        until("all charges end", || all().iter().all(|(status, _)| status != "open"));
        all()
    }

    /// What operators see of an account.
    #[track_caller]
    fn operate(&self, payer: &Payer, what: &str) -> Value {
        self.world.operate("GET", &format!("/accounts/{}/{what}", payer.account), &Value::Null)
    }

    /// The account has so much, once nothing is held.
    #[track_caller]
    fn has(&self, payer: &Payer, credits: &str) {
        let purse = || self.operate(payer, "balance")["balances"][0].clone();
        until("nothing is held", || purse()["held"] == "0");
        assert_eq!(purse()["available"], credits, "{:?}", self.sdk);
    }

    fn words_are_paid_by_the_token(&mut self, price: &str, both: &str) {
        let (input, output) = match self.sdk {
            Sdk::AnthropicPython => ("input_tokens", "output_tokens"),
            Sdk::OpenaiPython | Sdk::OpenaiNode => ("prompt_tokens", "completion_tokens"),
        };
        let payer = self.world.payer("studio", "100");
        for call in ["chat", "stream"] {
            let mut order = self.chat(&payer);
            order["do"] = call.into();
            let value = self.done(order);
            assert_eq!(value["text"], ANSWER, "{call}");
            assert_eq!(value["usage"][input], QUESTION_TOKENS, "{value}");
            assert_eq!(value["usage"][output], ANSWER_TOKENS, "{value}");
        }
        let settled = ("settled".to_owned(), price.to_owned());
        assert_eq!(self.charges(&payer), [settled.clone(), settled]);
        self.has(&payer, both);
    }

    fn images_are_paid_by_their_number(&mut self) {
        let payer = self.world.payer("studio", "100");
        let order = json!({ "do": "image", "key": payer.key, "headers": {},
                            "arguments": { "n": 3, "quality": "high" } });
        assert_eq!(self.done(order)["images"], 3);
        assert_eq!(self.charges(&payer), [("settled".to_owned(), "30".to_owned())]);
        self.has(&payer, "70");
    }

    fn no_credits_are_one_attempt(&mut self) {
        let class = match self.sdk {
            Sdk::OpenaiPython => "APIStatusError",
            Sdk::OpenaiNode => "APIError",
            Sdk::AnthropicPython => "PaymentRequiredError",
        };
        let payer = self.world.payer("studio", "0.000001");
        let order = self.chat(&payer);
        let Raised { attempts, error } = self.refused(order, class, 402, "insufficient_credits");
        assert_eq!(attempts, 1, "{error}");
        assert!(error["said"].as_str().unwrap().contains("0.000001 are available"), "{error}");
        let kind = match self.sdk {
            Sdk::AnthropicPython => "billing_error",
            Sdk::OpenaiPython | Sdk::OpenaiNode => "insufficient_quota",
        };
        assert_eq!(error["type"], kind);
        self.has(&payer, "0.000001");
        assert!(self.charges(&payer).is_empty());
    }

    fn a_daily_cap_is_one_attempt(&mut self) {
        let payer = self.world.payer("rationed", "100");
        // Somewhere where the day does not end within the next hours, which would be worth waiting for.
        let hour = SystemClock.now().0 / 3_600_000 % 24;
        let zone = if hour < 12 { "UTC" } else { "Pacific/Auckland" };
        self.world.change(&payer, &json!({ "zone": zone }));
        for _ in 0..2 {
            self.done(self.chat(&payer));
        }
        let order = self.chat(&payer);
        let Raised { attempts, error } = self.refused(order, "RateLimitError", 429, "cap_exceeded");
        assert_eq!(attempts, 1, "{error}");
        let headers = &error["headers"];
        assert_eq!(
            (&headers["x-should-retry"], headers.get("retry-after")),
            (&"false".into(), None)
        );
        assert_eq!(self.charges(&payer).len(), 2);
    }

    fn a_slot_is_waited_for(&mut self) {
        let payer = self.world.payer("single", "100");
        let before = self.world.forwarded();
        let mut hanging = Client::start(self.sdk, self.gateway.clone());
        let mut order = self.chat(&payer);
        order["headers"] = json!({ "x-sample": "hang=60" });
        hanging.begin(order);
        until("the slot is taken", || self.world.forwarded() == before + 1);
        let refused = self.world.decided("concurrency_exceeded");
        self.client.begin(self.chat(&payer));
        until("it is refused once", || self.world.decided("concurrency_exceeded") > refused);
        // Who leaves on this route gives its slot back; the SDK comes again by itself.
        drop(hanging);
        let result = self.client.end();
        assert_eq!(result["value"]["text"], ANSWER, "{:?}: {result}", self.sdk);
        assert_eq!(self.charges(&payer).len(), 2);
        assert_eq!(self.world.forwarded(), before + 2);
    }

    fn every_failed_attempt_is_released(&mut self) {
        let payer = self.world.payer("studio", "100");
        let before = self.world.forwarded();
        let mut order = self.chat(&payer);
        order["headers"] = json!({ "x-sample": "fail" });
        let error = self.client.ask(order);
        assert_eq!(
            (&error["error"], &error["status"]),
            (&"InternalServerError".into(), &500.into())
        );
        assert_eq!(self.world.forwarded() - before, 3, "{error}");
        let released = ("released".to_owned(), "0".to_owned());
        assert_eq!(self.charges(&payer), vec![released; 3]);
        self.has(&payer, "100");
    }

    fn a_wrong_key_is_one_attempt(&mut self) {
        let payer = self.world.payer("studio", "100");
        let mut order = self.chat(&payer);
        order["key"] = "tk_wrong".into();
        let Raised { attempts, .. } =
            self.refused(order, "AuthenticationError", 401, "invalid_key");
        assert_eq!(attempts, 1);
    }

    fn what_has_no_price_says_where(&mut self) {
        let payer = self.world.payer("studio", "100");
        let mut order = self.chat(&payer);
        order["arguments"]["max_tokens"] = (-1).into();
        let class = "UnprocessableEntityError";
        let Raised { attempts, error } = self.refused(order, class, 422, "unpriceable_request");
        assert_eq!(attempts, 1);
        let pointer = match self.sdk {
            Sdk::AnthropicPython => &error["body"]["pointer"],
            Sdk::OpenaiPython | Sdk::OpenaiNode => &error["param"],
        };
        assert_eq!(pointer, "/max_tokens");
        self.has(&payer, "100");
    }

    fn a_french_client_is_told_in_french(&mut self) {
        let payer = self.world.payer("studio", "0.000001");
        let mut order = self.chat(&payer);
        order["headers"] = json!({ "Accept-Language": "fr-CA, en;q=0.5" });
        let error = self.client.ask(order);
        assert!(error["said"].as_str().unwrap().starts_with("Cette requête nécessite"), "{error}");
        assert_eq!(error["code"], "insufficient_credits");
        assert_eq!(error["headers"]["content-language"], "fr");
    }

    fn refusals(&mut self) {
        self.no_credits_are_one_attempt();
        self.a_daily_cap_is_one_attempt();
        self.a_slot_is_waited_for();
        self.every_failed_attempt_is_released();
        self.a_wrong_key_is_one_attempt();
        self.what_has_no_price_says_where();
        self.a_french_client_is_told_in_french();
    }
}

/// A block that makes the clients' listener speak TLS.
fn tls_block(pki: &Pki) -> String {
    let (certificate, key) = pki.certify(&["127.0.0.1"]);
    let (certificate, key) = (certificate.display(), key.display());
    format!("tls: {{ certificate_file: {certificate}, key_file: {key} }}\nupstreams:\n")
}

/// The example for Anthropic, with the sample upstream in its place and plans to run into.
fn anthropic_world(more: &[(&str, &str)]) -> World {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/anthropic.yaml");
    let plans = "plans:\n  studio: {}\n  single: { concurrency: [{ name: one-at-a-time, limit: 1 }] }\n  \
                 rationed: { caps: [{ name: daily, measure: requests, limit: 2, every: day }] }\n";
    let stream = "    stream: { end_event: message_stop }\n";
    let changes = [
        ("path: ./data", "path: ledger, lease: 3s"),
        ("store:", "listen: 127.0.0.1:0\nstore:"),
        ("token: { env: TOLLGATE_ADMIN_TOKEN }", "listen: 127.0.0.1:0, token: { env: ADMIN }"),
        ("https://api.anthropic.com", "UPSTREAM"),
        ("ANTHROPIC_API_KEY", "SECRET"),
        ("plans:\n", plans),
        (stream, &format!("{stream}    on_disconnect: cancel\n")),
    ];
    World::of(&std::fs::read_to_string(example).unwrap(), &[&changes, more].concat())
}

fn openai_for_python(spoken: Spoken) {
    let mut suite = Suite::start(Sdk::OpenaiPython, spoken);
    suite.images_are_paid_by_their_number();
    suite.words_are_paid_by_the_token("0.0175", "99.965");
    suite.refusals();
}

#[test]
fn openai_for_python_in_clear() {
    openai_for_python(Spoken::InClear);
}

#[test]
fn openai_for_python_over_tls() {
    openai_for_python(Spoken::Tls);
}

fn openai_for_node(spoken: Spoken) {
    let mut suite = Suite::start(Sdk::OpenaiNode, spoken);
    suite.images_are_paid_by_their_number();
    suite.words_are_paid_by_the_token("0.0175", "99.965");
    suite.refusals();
}

#[test]
fn openai_for_node_in_clear() {
    openai_for_node(Spoken::InClear);
}

#[test]
fn openai_for_node_over_tls() {
    openai_for_node(Spoken::Tls);
}

fn anthropic_for_python(spoken: Spoken) {
    let mut suite = Suite::start(Sdk::AnthropicPython, spoken);
    suite.words_are_paid_by_the_token("0.000129", "99.999742");
    suite.refusals();
}

#[test]
fn anthropic_for_python_in_clear() {
    anthropic_for_python(Spoken::InClear);
}

#[test]
fn anthropic_for_python_over_tls() {
    anthropic_for_python(Spoken::Tls);
}

/// The example's own rules, without an SDK between: what each kind of answer costs.
#[test]
fn the_anthropic_example() {
    let world = anthropic_world(&[]);
    let ended = |switches: &str, streamed: bool, status: &str| {
        let payer = world.payer("studio", "100");
        let body = json!({ "max_tokens": 100, "stream": streamed,
                           "messages": [{ "role": "user", "content": QUESTION }] });
        let ask = Ask::new("POST", MESSAGES).header("x-api-key", &payer.key).json(&body);
        let reply = world.send(&ask.sample(switches));
        world.ended(&payer, &reply.charge(), status)
    };
    // Per million: 3 for input, 15 for output.
    for streamed in [false, true] {
        assert_eq!(ended("usage=1000,500", streamed, "settled")["charged"], "0.0105");
    }
    let failed = ended("error-event", true, "released");
    assert_eq!((&failed["charged"], &failed["outcome"]), (&"0".into(), &"failed".into()));
    ended("cut", true, "unknown");
    ended("fail=529", false, "released");
}
