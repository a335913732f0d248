//! A ledger that says one thing to every call: each word of it must reach operators and clients under a
//! name of its own, and none of what it says for the log.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use futures_util::FutureExt;
use http::Request;
use serde_json::json;
use tollgate::credit::{AccountId, AliasId, Amount, Bucket, ChargeId, KeyId, Measure, Period};
use tollgate::ledger::{
    AccountChange, AccountStatus, Adjust, Adjusted, Alias, Answer, Books, CapState, ChargeRecord,
    ChargeState, Document, Doubt, Extend, Extended, FreeClaim, Freeze, Gates, Grant, Granted,
    HandOver, HandedOver, Job, JobName, KeyChange, Ledger, NewAccount, NewKey, NoteJob, Noted,
    OpenRef, Quoted, Refund, Refunded, Refusal, Release, Released, Reply, Reserve, Reserved, Scope,
    Settle, Settled, View, WatchedJob, Withdraw, Withdrawn,
};
use tollgate::seam::Timestamp;

use super::panes::{self, NOON, TOKEN, call};

/// What it says for the log only.
const INNER: &str = "redis://10.0.0.7:6379 is gone";

#[derive(Debug)]
pub(crate) struct Stubborn(Mutex<Option<Refusal>>);

impl Stubborn {
    /// One that refuses so; `None`: nobody knows what it did.
    pub(crate) fn saying(refusal: Option<Refusal>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(refusal)))
    }

    /// It says something else from now on.
    pub(crate) fn now_says(&self, refusal: Option<Refusal>) {
        *self.0.lock().unwrap() = refusal;
    }

    fn say<T: Send + 'static>(&self) -> Reply<T> {
        let answer = match self.0.lock().unwrap().clone() {
            Some(refusal) => Answer::Refused(refusal),
            None => Answer::Unknown(INNER.to_owned()),
        };
        async { answer }.boxed()
    }
}

impl Ledger for Stubborn {
    fn reserve(&self, _: Reserve) -> Reply<Reserved> {
        self.say()
    }
    fn quote(&self, _: Reserve) -> Reply<Quoted> {
        self.say()
    }
    fn settle(&self, _: Settle) -> Reply<Settled> {
        self.say()
    }
    fn release(&self, _: Release) -> Reply<Released> {
        self.say()
    }
    fn doubt(&self, _: Doubt) -> Reply<()> {
        self.say()
    }
    fn extend(&self, _: Extend) -> Reply<Vec<Extended>> {
        self.say()
    }
    fn tick(&self, _: AccountId) -> Reply<u32> {
        self.say()
    }
    fn due(&self, _: usize) -> Reply<Vec<AccountId>> {
        self.say()
    }
    fn hand_over(&self, _: HandOver) -> Reply<HandedOver> {
        self.say()
    }
    fn job(&self, _: AccountId, _: JobName, _: String) -> Reply<Job> {
        self.say()
    }
    fn note_job(&self, _: NoteJob) -> Reply<Noted> {
        self.say()
    }
    fn watch_jobs(&self, _: usize, _: u64) -> Reply<Vec<WatchedJob>> {
        self.say()
    }
    fn grant(&self, _: Grant) -> Reply<Granted> {
        self.say()
    }
    fn refund(&self, _: Refund) -> Reply<Refunded> {
        self.say()
    }
    fn adjust(&self, _: Adjust) -> Reply<Adjusted> {
        self.say()
    }
    fn withdraw(&self, _: Withdraw) -> Reply<Withdrawn> {
        self.say()
    }
    fn freeze(&self, _: Freeze) -> Reply<Bucket> {
        self.say()
    }
    fn claim_free(&self, _: FreeClaim) -> Reply<bool> {
        self.say()
    }
    fn claims(&self, _: String) -> Reply<Vec<AccountId>> {
        self.say()
    }
    fn view(&self, _: AccountId, _: Gates) -> Reply<View> {
        self.say()
    }
    fn books(&self, _: AccountId) -> Reply<Books> {
        self.say()
    }
    fn charge(&self, _: ChargeId) -> Reply<ChargeRecord> {
        self.say()
    }
    fn charges(&self, _: AccountId, _: Option<ChargeId>, _: usize) -> Reply<Vec<ChargeRecord>> {
        self.say()
    }
    fn open_of(&self, _: String) -> Reply<Vec<OpenRef>> {
        self.say()
    }
    fn create_account(&self, _: NewAccount) -> Reply<Document> {
        self.say()
    }
    fn change_account(&self, _: AccountChange) -> Reply<Document> {
        self.say()
    }
    fn create_key(&self, _: NewKey) -> Reply<Document> {
        self.say()
    }
    fn change_key(&self, _: KeyChange) -> Reply<Document> {
        self.say()
    }
    fn document(&self, _: AccountId) -> Reply<Document> {
        self.say()
    }
    fn document_of_key(&self, _: KeyId) -> Reply<Document> {
        self.say()
    }
    fn create_alias(&self, _: Alias) -> Reply<()> {
        self.say()
    }
    fn remove_alias(&self, _: Alias) -> Reply<()> {
        self.say()
    }
    fn alias(&self, _: AliasId) -> Reply<Alias> {
        self.say()
    }
    fn accounts(&self, _: Option<AccountId>, _: usize) -> Reply<Vec<Document>> {
        self.say()
    }
}

fn grant_refused(refusal: Option<Refusal>) -> panes::Reply {
    let (admin, _) = panes::over(Stubborn::saying(refusal));
    let body = json!({ "id": "pay_1", "amount": "1", "reason": "r" });
    let request = Request::post("/admin/v1/accounts/acct_a/grants")
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Body::from(body.to_string()));
    call(&admin, request.unwrap())
}

fn refusals() -> Vec<(Refusal, u16, &'static str)> {
    let (name, scope) = ("x".to_owned(), Scope::Account);
    let zero = Amount::ZERO;
    let period = Period { id: "d".to_owned(), start: NOON, end: NOON.plus_ms(1) };
    let cap = CapState {
        name: name.clone(),
        scope: Scope::Account,
        measure: Measure::Requests,
        limit: 1,
        used: 1,
        period,
    };
    let document = Document {
        free: Default::default(),
        overrides: Vec::new(),
        restricted_until: None,
        account: "acct_a".parse().unwrap(),
        version: 1,
        status: AccountStatus::Active,
        plan: "studio".to_owned(),
        zone: "UTC".to_owned(),
        anchor: NOON,
        created: NOON,
        label: String::new(),
        keys: Vec::new(),
        reason: String::new(),
        person: None,
        reference: None,
    };
    vec![
        (Refusal::Unavailable(INNER.to_owned()), 503, "ledger_unavailable"),
        (Refusal::ClockJump, 503, "clock_jump"),
        (Refusal::Stale { document: Box::new(document), now: Timestamp(1) }, 503, "busy"),
        (Refusal::Tick, 503, "busy"),
        (Refusal::UnknownAccount, 404, "unknown_account"),
        (Refusal::InvalidKey, 404, "unknown_key"),
        (Refusal::UnknownCharge, 404, "unknown_charge"),
        (Refusal::UnknownBucket, 404, "unknown_grant"),
        (Refusal::UnknownAlias, 404, "unknown_alias"),
        (Refusal::Broken(INNER.to_owned()), 503, "record_broken"),
        (Refusal::ChargeArchived, 409, "charge_archived"),
        (Refusal::RefundTooLarge { left: zero }, 422, "refund_too_large"),
        (Refusal::AccountRestricted { until: NOON }, 409, "account_restricted"),
        (Refusal::AccountStatus(AccountStatus::Closed), 409, "account_closed"),
        (Refusal::AccountStatus(AccountStatus::Suspended), 409, "account_suspended"),
        (Refusal::Conflict, 409, "conflict"),
        (Refusal::Exists, 409, "exists"),
        (Refusal::Ended(ChargeState::Settled), 409, "charge_ended"),
        (Refusal::TooOld { now: Timestamp(0) }, 422, "too_old"),
        (Refusal::TooMany("too many keys".to_owned()), 422, "too_many"),
        (Refusal::Invalid("zero".to_owned()), 422, "invalid"),
        (
            Refusal::SlotsFull { name: name.clone(), scope: Scope::Account, limit: 1 },
            409,
            "limit_reached",
        ),
        (Refusal::RateLimited { name, scope, retry_at: NOON }, 409, "limit_reached"),
        (Refusal::CapExceeded { cap, required: 1 }, 409, "limit_reached"),
        (
            Refusal::Insufficient {
                required: zero,
                available: zero,
                held: zero,
                freed_at: None,
                refill_at: None,
            },
            409,
            "limit_reached",
        ),
    ]
}

#[test]
fn every_refusal_has_a_name_for_operators() {
    for (refusal, status, code) in refusals() {
        let reply = grant_refused(Some(refusal.clone()));
        assert_eq!(reply.problem(), (status, code), "{refusal:?} {}", reply.body);
        assert_eq!(reply.headers.contains_key("retry-after"), status == 503, "{refusal:?}");
        assert_eq!(reply.body["id"], "pay_1");
        assert!(!reply.body.to_string().contains("10.0.0.7"));
    }
}

#[test]
fn a_refusal_says_what_is_left_and_until_when() {
    let left: Amount = "1.5".parse().unwrap();
    let reply = grant_refused(Some(Refusal::RefundTooLarge { left }));
    assert_eq!(reply.body["left"], "1.5");
    let reply = grant_refused(Some(Refusal::AccountRestricted { until: NOON }));
    let detail = reply.body["detail"].as_str().unwrap();
    assert!(detail.contains("2026-11-22T12:00:00"), "{detail}");
    let reply = grant_refused(Some(Refusal::ChargeArchived));
    let detail = reply.body["detail"].as_str().unwrap();
    assert!(detail.contains("goodwill") && detail.contains("gw:"), "{detail}");
}

/// Every act of a person on credits tells a refusal by its name, and a lost answer as one.
#[test]
fn acts_that_are_refused_are_told_as_such() {
    let (key, charge) = (format!("key_{}", "0".repeat(26)), format!("chg_{}", "0".repeat(26)));
    let why = json!({ "reason": "r" });
    let acts = [
        ("POST", "accounts/acct_a/grants/pay_1/void".to_owned(), why.clone()),
        ("POST", "accounts/acct_a/grants/pay_1/refund".to_owned(), why.clone()),
        ("POST", "accounts/acct_a/grants/pay_1/reverse".to_owned(), why.clone()),
        ("POST", "accounts/acct_a/grants/pay_1/expire".to_owned(), why.clone()),
        ("POST", "accounts/acct_a/grants/pay_1/freeze".to_owned(), why.clone()),
        ("POST", "accounts/acct_a/grants/pay_1/thaw".to_owned(), why),
        ("POST", format!("charges/{charge}/adjust"), json!({ "id": "a", "held": "1" })),
        ("POST", "accounts/acct_a/overrides/ov_1/end".to_owned(), json!({})),
        ("PATCH", "accounts/acct_a".to_owned(), json!({ "restricted_until": null })),
        ("PATCH", format!("keys/{key}"), json!({ "member": "ana" })),
    ];
    for (refusal, status, code) in [
        (Some(Refusal::Unavailable(INNER.to_owned())), 503, "ledger_unavailable"),
        (Some(Refusal::Conflict), 409, "conflict"),
        (Some(Refusal::Tick), 503, "busy"),
        (None, 503, "outcome_unknown"),
    ] {
        let (admin, _) = panes::over(Stubborn::saying(refusal));
        for (method, path, body) in &acts {
            let request = Request::builder()
                .method(*method)
                .uri(format!("/admin/v1/{path}"))
                .header("host", "127.0.0.1")
                .header("authorization", format!("Bearer {TOKEN}"))
                .body(Body::from(body.to_string()));
            let reply = call(&admin, request.unwrap());
            assert_eq!(reply.problem(), (status, code), "{path} {}", reply.body);
            assert!(!reply.body.to_string().contains("10.0.0.7"));
        }
    }
}

#[test]
fn what_nobody_knows_is_to_be_asked_again_by_the_same_id() {
    let reply = grant_refused(None);
    assert_eq!(reply.problem(), (503, "outcome_unknown"));
    assert_eq!(reply.headers["retry-after"], "1");
    assert_eq!(reply.body["id"], "pay_1");
    assert!(!reply.body.to_string().contains("10.0.0.7"));
}

#[test]
fn clients_hear_that_metering_is_not_available() {
    let key = format!("tk_{}_{}", "0".repeat(26), "0".repeat(52));
    for refusal in [None, Some(Refusal::Unavailable(INNER.to_owned())), Some(Refusal::ClockJump)] {
        let (_, portal) = panes::over(Stubborn::saying(refusal));
        for path in ["balance", "limits", "charges", "charges/chg_x"] {
            let request = Request::get(format!("/_credits/v1/{path}"))
                .header("authorization", format!("Bearer {key}"))
                .body(Body::empty());
            let reply = call(&portal, request.unwrap());
            assert_eq!(reply.problem(), (503, "metering_unavailable"), "{path} {}", reply.body);
            assert_eq!(reply.headers["x-should-retry"], "true");
            assert!(!reply.body.to_string().contains("10.0.0.7"));
        }
    }
}
