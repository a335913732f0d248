//! Both panes over a ledger in memory, called without sockets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tollgate::admin::{self, Role};
use tollgate::credit::{
    Allowance, Amount, Cap, ChargeId, Class, Cycle, Every, KeyId, Measure, Plan, RateLimit,
    ScopeKind, SlotLimit, Start, When,
};
use tollgate::ledger::model::ModelLedger;
use tollgate::ledger::{Answer, Document, Gates, Ledger, OnUnknown, OverRun, Reserve, Settle};
use tollgate::meter::{
    Dialect, Explanation, Finder, KeySets, Note, Rejection, Route, Rules, Ways, Work,
};
use tollgate::portal::{self, Portal, QuoteAsk, Quoter};
use tollgate::seam::{Clock, SeededEntropy, SimulatedClock, Timestamp};
use tower::ServiceExt;

use super::ledger_redis;
use super::ledger_world::embedded_in_memory;
use super::openapi;
use super::redis_server::RedisServer;
use super::sample::{due, fixed, line};
use super::shop;

/// What operators show.
pub(crate) const TOKEN: &str = "an-admin-token-of-24-chars";
/// 2026-11-22T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp(1_795_348_800_000);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    /// The body, after a look at the status.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self.body
    }

    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }
}

/// A quoter that says what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Echo(pub(crate) Mutex<Vec<QuoteAsk>>);

impl Quoter for Echo {
    fn quote(&self, ask: QuoteAsk) -> BoxFuture<'static, Result<Value, Rejection>> {
        let answer = json!({ "object": "quote", "path": ask.path.as_str() });
        self.0.lock().unwrap().push(ask);
        Box::pin(async { Ok(answer) })
    }
}

/// Both panes and what lies under them.
#[derive(Debug)]
pub(crate) struct Panes {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) quotes: Arc<Echo>,
    pub(crate) admin: Router,
    portal: Router,
    entropy: SeededEntropy,
}

impl Panes {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(SimulatedClock::at(NOON));
        let ledger = ModelLedger::new(Arc::<SimulatedClock>::clone(&clock), 60_000);
        Self::on(Arc::new(ledger), clock)
    }

    /// Over a ledger whose clock this is.
    pub(crate) fn on(ledger: Arc<dyn Ledger>, clock: Arc<SimulatedClock>) -> Self {
        let ready = Arc::new(AtomicBool::new(true));
        let (is_ready, quotes) = (Arc::clone(&ready), Arc::new(Echo::default()));
        let over = Arc::clone(&ledger);
        let (admin, portal) =
            routers(over, Arc::<SimulatedClock>::clone(&clock), is_ready, &quotes);
        Self { ledger, clock, ready, quotes, admin, portal, entropy: SeededEntropy::new(3) }
    }

    /// Runs a test over the rules alone and over the embedded store.
    pub(crate) fn on_own_stores(test: impl Fn(&Self)) {
        test(&Self::new());
        let own = Arc::new(SimulatedClock::at(NOON));
        test(&Self::on(Arc::new(embedded_in_memory(&own)), own));
    }

    /// Runs a test over each store that there is, one after the other.
    pub(crate) fn on_every_store(test: impl Fn(&Self)) {
        Self::on_own_stores(&test);
        let own = Arc::new(SimulatedClock::at(NOON));
        let server = RedisServer::start(&[]);
        ledger_redis::create(&server, true);
        let ledger = ledger_redis::open(&ledger_redis::settings(&server), &own);
        test(&Self::on(Arc::new(ledger), own));
    }

    /// A call of an operator with this token.
    pub(crate) fn by(
        &self,
        token: &str,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:8081")
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let text = body.map(ToString::to_string).unwrap_or_default();
        let reply = call(&self.admin, request.body(Body::from(text)).unwrap());
        openapi::holds(&openapi::ADMIN, method, path, body, &reply);
        reply
    }

    /// A call of an operator with the right token and an `Idempotency-Key`.
    pub(crate) fn once(&self, key: &str, path: &str, body: &Value) -> Reply {
        let path = format!("/admin/v1{path}");
        self.by(TOKEN, &[("idempotency-key", key)], "POST", &path, Some(body))
    }

    /// A call of an operator with the right token and host.
    pub(crate) fn operator(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let path = format!("/admin/v1{path}");
        match body {
            Some(body) => self.by(TOKEN, &[], method, &path, Some(&body)),
            None => self.by(TOKEN, &[], method, &path, None),
        }
    }

    /// A call of a client.
    pub(crate) fn client(&self, key: &str, method: &str, path: &str, body: &str) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(format!("/_credits/v1{path}"))
            .header("host", "api.example")
            .header("authorization", format!("Bearer {key}"));
        let reply = call(&self.portal, request.body(Body::from(body.to_owned())).unwrap());
        let asked = serde_json::from_str(body).ok();
        let path = format!("/_credits/v1{path}");
        openapi::holds(&openapi::CLIENT, method, &path, asked.as_ref(), &reply);
        reply
    }

    /// A new account with a key: the key's text and id.
    pub(crate) fn account(&self, id: &str, plan: &str) -> (String, String) {
        let body = json!({ "id": id, "plan": plan, "zone": "America/Sao_Paulo" });
        self.operator("POST", "/accounts", Some(body)).ok();
        let made = self.operator("POST", &format!("/accounts/{id}/keys"), Some(json!({}))).ok();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("secret"), text("id"))
    }

    /// Gives purchased credits.
    pub(crate) fn give(&self, account: &str, id: &str, amount: &str) -> Value {
        let body = json!({ "id": id, "amount": amount, "reason": "a test" });
        self.operator("POST", &format!("/accounts/{account}/grants"), Some(body)).ok()
    }

    /// An account's document.
    pub(crate) fn document(&self, account: &str) -> Document {
        wait(self.ledger.document(account.parse().unwrap()))
    }

    /// Holds credits as the proxy would.
    pub(crate) fn hold(&self, account: &str, key: &str, credits: u64, gates: Gates) -> ChargeId {
        let account: tollgate::credit::AccountId = account.parse().unwrap();
        let document = wait(self.ledger.document(account.clone()));
        let charge = ChargeId::make(self.clock.now(), &account, &self.entropy).unwrap();
        let note = Note {
            method: "POST".to_owned(),
            path: "/v1/images/generations".to_owned(),
            price: "images".to_owned(),
            plan: document.plan.clone(),
            inputs: Default::default(),
            lines: Vec::new(),
            overrides: Vec::new(),
            tags: Default::default(),
        };
        let reserve = Reserve {
            member: None,
            account,
            charge,
            fingerprint: [0; 32],
            key: key.parse::<KeyId>().unwrap(),
            document_version: document.version,
            revision: "rev".to_owned(),
            kind: "credits".parse().unwrap(),
            amount: Amount::from_credits(credits).unwrap(),
            route: "images".to_owned(),
            feature: None,
            gates,
            instance: "test".to_owned(),
            timeout_ms: 60_000,
            reconcile_ms: 600_000,
            on_unknown: OnUnknown::Release,
            over_run: OverRun::Absorb,
            max_debt: None,
            note: note.bytes(),
        };
        wait(self.ledger.reserve(reserve));
        charge
    }

    /// Settles as the proxy would.
    pub(crate) fn settle(&self, account: &str, charge: ChargeId, credits: u64) {
        let explanation = Explanation {
            outcome: "completed".to_owned(),
            why: "Two images came.".to_owned(),
            upstream_status: Some(200),
            ..Explanation::default()
        };
        wait(self.ledger.settle(Settle {
            account: account.parse().unwrap(),
            charge,
            actual: Amount::from_credits(credits).unwrap(),
            explanation: explanation.bytes(),
        }));
    }
}

/// Both panes over any ledger: admin, portal.
pub(crate) fn over(ledger: Arc<dyn Ledger>) -> (Router, Router) {
    let clock = Arc::new(SimulatedClock::at(NOON));
    routers(ledger, clock, Arc::new(AtomicBool::new(true)), &Arc::new(Echo::default()))
}

fn routers(
    ledger: Arc<dyn Ledger>,
    clock: Arc<SimulatedClock>,
    is_ready: Arc<AtomicBool>,
    quotes: &Arc<Echo>,
) -> (Router, Router) {
    let rules = Arc::new(rules());
    let set = Arc::clone(&clock);
    let advance: admin::Advance = Arc::new(move |ms| {
        set.advance(ms);
        Ok(())
    });
    let admin = admin::router(admin::Parts {
        advance: Some(advance),
        ledger: Arc::clone(&ledger),
        rules: Arc::clone(&rules),
        clock: Arc::<SimulatedClock>::clone(&clock),
        entropy: Arc::new(SeededEntropy::new(1)),
        tokens: tokens(),
        hosts: vec!["tollgate.internal".to_owned()],
        instance: "test".to_owned(),
        kept_ms: 30 * 24 * 60 * 60 * 1_000,
        ready: Arc::new(move || {
            if is_ready.load(Ordering::SeqCst) { Ok(()) } else { Err("draining".to_owned()) }
        }),
        metrics: Arc::new(|| ("text/plain", "metrics 1\n".to_owned())),
        reload: Arc::new(|| {
            let revision = "test".to_owned();
            let done = admin::Reloaded { revision, changed: false, warnings: Vec::new() };
            std::future::ready(Ok(done)).boxed()
        }),
    });
    let key_sets = Arc::new(KeySets::new(&[], Vec::new(), Arc::<SimulatedClock>::clone(&clock)));
    let finder = Finder::new(
        Arc::clone(&ledger),
        Arc::clone(&rules),
        key_sets,
        Arc::<SimulatedClock>::clone(&clock),
    );
    let portal = portal::router(Portal {
        finder: Arc::new(finder),
        ledger,
        rules,
        clock,
        entropy: Arc::new(SeededEntropy::new(2)),
        quoter: Arc::<Echo>::clone(quotes),
        kept_ms: 30 * 24 * 60 * 60 * 1_000,
    });
    (admin, Router::new().nest("/_credits/v1", portal))
}

/// The text of the token of a role.
pub(crate) fn token_of(role: Role) -> String {
    if role == Role::Owner { TOKEN.to_owned() } else { format!("a-token-for-{role}") }
}

fn tokens() -> Vec<admin::Token> {
    let token = |role| admin::Token::new(&format!("a-{role}"), role, &token_of(role));
    Role::ALL.into_iter().map(token).collect()
}

/// Calls a service.
pub(crate) fn call(router: &Router, request: Request<Body>) -> Reply {
    block(async {
        let answer = router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply { status: head.status, headers: head.headers, body }
    })
}

#[track_caller]
pub(crate) fn wait<T: std::fmt::Debug>(reply: BoxFuture<'static, Answer<T>>) -> T {
    match block(reply) {
        Answer::Applied(value) => value,
        other => panic!("{other:?}"),
    }
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) fn plan(name: &str) -> Plan {
    Plan {
        ranks: Default::default(),
        name: name.parse().unwrap(),
        allowances: Vec::new(),
        caps: Vec::new(),
        slots: Vec::new(),
        rates: Vec::new(),
        rights: Default::default(),
        max_debt: None,
    }
}

/// A plan with something of everything.
pub(crate) fn tiny() -> Plan {
    Plan {
        allowances: vec![Allowance {
            name: "daily".parse().unwrap(),
            kind: "credits".parse().unwrap(),
            class: Class::Plan,
            priority: 0,
            amount: Amount::from_credits(3).unwrap(),
            cycle: Cycle { every: Every::Day, start: Start::Calendar },
            only: Vec::new(),
            when: When::Always,
            rollover: None,
        }],
        caps: vec![Cap {
            name: "two-a-day".parse().unwrap(),
            measure: Measure::Requests,
            kind: None,
            limit: 2,
            every: Every::Day,
            scope: ScopeKind::Account,
            only: Vec::new(),
            refundable: true,
        }],
        slots: vec![SlotLimit {
            name: "one-at-a-time".parse().unwrap(),
            limit: 1,
            scope: ScopeKind::Account,
            only: Vec::new(),
        }],
        rates: vec![RateLimit {
            name: "per-key".parse().unwrap(),
            requests: 60,
            per_ms: 60_000,
            burst: 5,
            scope: ScopeKind::Key,
            only: Vec::new(),
        }],
        ..plan("tiny")
    }
}

fn rules() -> Rules {
    let route = Route {
        name: "images".parse().unwrap(),
        feature: None,
        method: http::Method::POST,
        path: "/v1/images/generations".to_owned(),
        prefix: String::new(),
        hosts: Vec::new(),
        upstream: 0,
        work: Work::Paid(Arc::new(due(Vec::new(), vec![line(&[], fixed("1"))]))),
        body_limit: 1024,
        dialect: Dialect::Openai,
        identity: Ways::ALL,
        pass: false,
        websocket: None,
        touch: None,
        rewrite: Default::default(),
    };
    Rules {
        free_accounts: 2,
        packs: shop::packs(),
        revision: "rev".to_owned(),
        routes: vec![Arc::new(route)],
        jobs: Vec::new(),
        plans: [plan("studio"), tiny(), shop::starter(), shop::club()].map(Arc::new).into(),
        dialect: Dialect::Openai,
        identity: Default::default(),
    }
}

/// The names of an object's members.
pub(crate) fn names(value: &Value) -> Vec<&str> {
    let members: BTreeMap<_, _> = value.as_object().unwrap().iter().collect();
    members.into_keys().map(String::as_str).collect()
}
