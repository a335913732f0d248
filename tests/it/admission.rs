//! Admission before a ledger whose answers come in an awkward order.

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, Method};
use tollgate::count::Spread;
use tollgate::credit::{
    AccountId, Allowance, Class, Cycle, Every, KeyId, Name, Plan, Start, When, Zone,
};
use tollgate::ledger::embedded::EmbeddedLedger;
use tollgate::ledger::*;
use tollgate::meter::{
    Asked, Dialect, Directory, Due, Finder, Identity, KeySets, Meter, Named, Route, RouteTable,
    Rules, Settler, Tally, Wanted, Ways, Work,
};
use tollgate::seam::{Clock, SeededEntropy, SimulatedClock, SystemDisk, Tasks};

use crate::ledger_world::{
    LEASE, NOON, credits, embedded_in_memory, key_of, kind, new_account, ok, wait, wait_timed,
};
use crate::sample::{due, fixed, line, name};
use crate::stubborn::Stubborn;

fn key() -> KeyId {
    key_of(&account(), 7)
}

fn account() -> AccountId {
    "acct_maria".parse().unwrap()
}

/// A ledger with one account that has ten credits; the answer is its document.
fn ledger(clock: &Arc<SimulatedClock>) -> (Arc<EmbeddedLedger>, Document) {
    let ledger = embedded_in_memory(clock);
    ok(wait(ledger.create_account(new_account(&account()))));
    let key = NewKey {
        member: None,
        routes: Vec::new(),
        account: account(),
        id: key(),
        hash: [1; 32],
        label: String::new(),
        ends: None,
    };
    let document = ok(wait(ledger.create_key(key)));
    let grant = Grant {
        bonus: None,
        only: Vec::new(),
        paid: None,
        account: account(),
        id: "a".parse().unwrap(),
        kind: kind(),
        class: Class::Purchased,
        amount: credits(10),
        priority: 0,
        effective: None,
        expires: None,
        reason: String::new(),
    };
    ok(wait(ledger.grant(grant)));
    clock.advance(LEASE);
    (Arc::new(ledger), document)
}

/// A core's meter with one route that costs one credit.
fn meter(
    ledger: Arc<dyn Ledger>,
    clock: &Arc<SimulatedClock>,
    folder: &std::path::Path,
) -> (Meter, Arc<Route>, Arc<Due>) {
    let due = Arc::new(due(Vec::new(), vec![line(&[], fixed("1"))]));
    let route = Arc::new(Route {
        name: name("image"),
        feature: None,
        method: Method::POST,
        path: "/v1/images".into(),
        prefix: String::new(),
        hosts: Vec::new(),
        upstream: 0,
        work: Work::Paid(due.clone()),
        body_limit: 1_000,
        dialect: Dialect::Openai,
        identity: Ways::ALL,
        pass: false,
        websocket: None,
        touch: None,
        rewrite: Default::default(),
    });
    let plan = Plan {
        ranks: Default::default(),
        name: name("pro"),
        allowances: Vec::new(),
        caps: Vec::new(),
        slots: Vec::new(),
        rates: Vec::new(),
        rights: Default::default(),
        max_debt: None,
    };
    let rules = Arc::new(Rules {
        free_accounts: 2,
        packs: Vec::new(),
        revision: "r1".into(),
        routes: vec![route.clone()],
        jobs: Vec::new(),
        plans: vec![Arc::new(plan)],
        dialect: Dialect::Openai,
        identity: Default::default(),
    });
    let clock: Arc<dyn Clock> = clock.clone();
    let disk = Arc::new(SystemDisk);
    let tally = Arc::new(Tally::new(&rules, clock.clone()));
    let own = tally.clone();
    let settler =
        Settler::start(ledger.clone(), Tasks::default(), 9, disk, folder, 0, own).unwrap();
    let key_sets = Arc::new(KeySets::new(&[], Vec::new(), clock.clone()));
    let finder = Finder::new(ledger.clone(), rules.clone(), key_sets, clock.clone());
    let meter = Meter {
        routes: RouteTable::new(&rules).unwrap(),
        directory: Directory::new(Arc::new(finder)),
        rules,
        settler,
        tally,
        ledger,
        clock,
        entropy: Arc::new(SeededEntropy::new(3)),
        instance: "i1".into(),
        ledger_time: Default::default(),
    };
    (meter, route, due)
}

/// A request of nothing in particular.
fn wanted<'a>(
    route: &'a Route,
    due: &'a Due,
    (method, headers, plan): (&'a Method, &'a HeaderMap, &'a Name),
) -> Wanted<'a> {
    let asked = Asked { method, captures: &[], query: "", headers, body: None, plan };
    Wanted {
        route,
        due,
        asked,
        path: "/v1/images",
        query: "",
        credits_max: None,
        timeout_ms: 60_000,
    }
}

#[test]
fn a_round_of_renewals_amid_an_admission_does_not_forget_its_lease() {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let (ledger, old) = ledger(&clock);
    // The core does not know of this change yet: its first reserve will be stale.
    let change = AccountChange { label: Some("new".into()), ..AccountChange::of(account()) };
    ok(wait(ledger.change_account(change)));
    let folder = tempfile::tempdir().unwrap();
    let (meter, route, due) = meter(ledger.clone(), &clock, folder.path());
    let plan = meter.rules.plan("pro").cloned().map(Arc::new);
    let identity = Identity {
        key: key(),
        document: Rc::new(old),
        zone: Zone::UTC,
        plan,
        named: Rc::new(Named::key(key(), [1; 32])),
    };
    let (method, headers, name) = (Method::POST, HeaderMap::new(), name("pro"));
    let wanted = wanted(&route, &due, (&method, &headers, &name));
    let story = async {
        // The ledger is busy, so that a round of renewals comes between the stale answer and the second try.
        let busy: Vec<_> = (0..200).map(|_| ledger.view(account(), Gates::default())).collect();
        let (admitted, ()) = tokio::join!(meter.admit(identity, &wanted), meter.settler.renew());
        drop(busy);
        let admitted = admitted.unwrap();
        clock.advance(LEASE - 1);
        meter.settler.renew().await;
        clock.advance(1);
        assert_eq!(ok(ledger.tick(account()).await), 0, "the lease was not renewed");
        let record = ok(ledger.charge(admitted.ticket.charge()).await);
        assert_eq!(record.state, ChargeState::Held);
        drop(admitted);
    };
    wait(tokio::task::LocalSet::new().run_until(story));
}

/// A reserve of which nobody knows is closed by a release; until the ledger takes that, it is seen to wait.
#[test]
fn an_end_that_the_ledger_does_not_take_is_counted_while_it_waits() {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let (_, document) = ledger(&clock);
    let folder = tempfile::tempdir().unwrap();
    let stubborn = Stubborn::saying(None);
    let (meter, route, due) = meter(stubborn.clone(), &clock, folder.path());
    let plan = meter.rules.plan("pro").cloned().map(Arc::new);
    let identity = Identity {
        key: key(),
        document: Rc::new(document),
        zone: Zone::UTC,
        plan,
        named: Rc::new(Named::key(key(), [1; 32])),
    };
    let (method, headers, name) = (Method::POST, HeaderMap::new(), name("pro"));
    let wanted = wanted(&route, &due, (&method, &headers, &name));
    let lag = || {
        let mut lag = Spread::default();
        lag.add(&meter.tally.lag);
        (lag.up_to().last().unwrap().1, lag.sum_us)
    };
    let story = async {
        assert!(meter.admit(identity, &wanted).await.is_err());
        let pause = std::time::Duration::from_millis(200);
        tokio::time::sleep(pause).await;
        assert_eq!((meter.tally.waiting.value(), lag()), (1, (0, 0)));
        clock.advance(7_000);
        stubborn.now_says(Some(Refusal::UnknownCharge));
        while meter.tally.waiting.value() > 0 {
            tokio::time::sleep(pause).await;
        }
        assert_eq!((meter.tally.refused.value(), lag()), (1, (1, 7_000_000)));
        let kinds = meter.tally.kinds.all();
        assert!(kinds.iter().all(|(_, kind)| kind.held.value() + kind.returned.value() == 0));
    };
    let done = wait_timed(async { tokio::task::LocalSet::new().run_until(story).await });
    assert_eq!(done, Some(()));
}

/// Free credits that nobody has decided about: who cannot ask whose they are forwards nothing, and holds nothing.
#[test]
fn an_account_whose_free_credits_cannot_be_claimed_waits() {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let (_, document) = ledger(&clock);
    let folder = tempfile::tempdir().unwrap();
    let stubborn = Stubborn::saying(None);
    let (meter, route, due) = meter(stubborn.clone(), &clock, folder.path());
    let given = Allowance {
        name: name("daily"),
        kind: kind(),
        class: Class::Free,
        priority: 0,
        amount: credits(5),
        cycle: Cycle { every: Every::Day, start: Start::Calendar },
        only: Vec::new(),
        when: When::Always,
        rollover: None,
    };
    let plan = meter.rules.plan("pro").cloned().unwrap();
    let plan = Some(Arc::new(Plan { allowances: vec![given], ..plan }));
    let document = Rc::new(Document { person: Some("maria".into()), ..document });
    let named = Rc::new(Named::key(key(), [1; 32]));
    let identity = Identity { key: key(), document, zone: Zone::UTC, plan, named };
    let (method, headers, name) = (Method::POST, HeaderMap::new(), name("pro"));
    let wanted = wanted(&route, &due, (&method, &headers, &name));
    let story = async {
        for says in [None, Some(Refusal::Unavailable("gone".into()))] {
            stubborn.now_says(says);
            let refused = meter.admit(identity.clone(), &wanted).await.unwrap_err();
            assert_eq!(refused.code(), "metering_unavailable");
            let (_, refused) = meter.quote(identity.clone(), &wanted).await.unwrap_err();
            assert_eq!(refused.code(), "metering_unavailable");
        }
        // Nothing was asked for, so nothing has to be given back.
        assert_eq!(meter.tally.waiting.value(), 0);
    };
    wait(tokio::task::LocalSet::new().run_until(story));
}
