//! What becomes of allowances when an account's plan, zone or anchor changes in the middle of a period, and when
//! nobody comes for many periods; through the gateway's own gates, on every store.

use tollgate::credit::{Allowance, Class, Cycle, Every, Plan, Ranks, Rollover, Start, When, Zone};
use tollgate::ledger::*;
use tollgate::meter::{Place, gates};
use tollgate::seam::Timestamp;

use crate::ledger_world::{DAY, HOUR, World, columns, credits, kind, ok, on_every_store, wait};

fn plan(amount: u64, every: Every, start: Start) -> Plan {
    let base = Allowance {
        name: "base".parse().unwrap(),
        kind: kind(),
        class: Class::Plan,
        priority: 0,
        amount: credits(amount),
        cycle: Cycle { every, start },
        only: Vec::new(),
        when: When::Always,
        rollover: None,
    };
    Plan {
        name: "p".parse().unwrap(),
        allowances: vec![base],
        caps: Vec::new(),
        slots: Vec::new(),
        rates: Vec::new(),
        rights: Default::default(),
        ranks: Ranks::default(),
        max_debt: None,
    }
}

/// A request that costs nothing, on this plan: what a touch is.
fn touch(w: &World, plan: &Plan) {
    spend(w, plan, 0);
}

fn spend(w: &World, plan: &Plan, amount: u64) {
    let call = asking(w, plan, amount);
    ok(w.reserve(&call));
    ok(w.settle(call.charge, amount));
}

fn asking(w: &World, plan: &Plan, amount: u64) -> Reserve {
    let document = ok(wait(w.store.ledger().document(w.account.clone())));
    let zone: Zone = document.zone.parse().unwrap();
    let place = Place { key: None, member: None, routes: &[] };
    let gates = gates(plan, &document, &zone, w.now(), &place).unwrap();
    Reserve { gates, document_version: document.version, ..w.call(amount) }
}

fn change(w: &World, zone: Option<&str>, anchor: Option<Timestamp>) {
    let zone = zone.map(str::to_owned);
    let call = AccountChange { zone, anchor, ..AccountChange::of(w.account.clone()) };
    ok(wait(w.store.ledger().change_account(call)));
}

/// The buckets of the allowance: id and columns, in the order of their ids.
fn buckets(w: &World) -> Vec<(String, [u64; 5])> {
    while w.tick() > 0 {}
    let view = w.view(&Gates::default());
    let mut all: Vec<_> = view.buckets.iter().map(|b| (b.id.to_string(), columns(b))).collect();
    all.sort();
    all
}

/// What may be spent now.
fn there(w: &World) -> u64 {
    let now = w.now();
    let view = w.view(&Gates::default());
    view.buckets.iter().filter(|b| b.pays_at(now)).map(|b| columns(b)[0]).sum()
}

fn until(w: &World, moment: &str) {
    let moment: Timestamp = moment.parse().unwrap();
    w.clock.advance(moment.ms_since(w.now()));
    assert_eq!(w.now(), moment);
}

fn bucket(id: &str, sums: [u64; 5]) -> (String, [u64; 5]) {
    (id.to_owned(), sums)
}

#[test]
fn a_larger_plan_gives_the_difference_at_once_and_only_once() {
    on_every_store(|w| {
        let [small, large] = [100, 300].map(|n| plan(n, Every::Month, Start::Calendar));
        spend(&w, &small, 60);
        touch(&w, &large);
        assert_eq!(buckets(&w), [bucket("base@2026-11", [240, 0, 60, 0, 0])]);
        // Back and forth gives nothing more.
        for plan in [&small, &large, &small, &large] {
            touch(&w, plan);
        }
        assert_eq!(buckets(&w), [bucket("base@2026-11", [240, 0, 60, 0, 0])]);
    });
}

/// From the calendar to the anchor it is a month still.
#[test]
fn a_larger_plan_with_other_beginnings_gives_the_difference_at_once() {
    on_every_store(|w| {
        spend(&w, &plan(100, Every::Month, Start::Calendar), 60);
        touch(&w, &plan(300, Every::Month, Start::Anchor));
        assert_eq!(buckets(&w), [bucket("base@2026-11", [240, 0, 60, 0, 0])]);
    });
}

/// A day's credits do not become a month's: what runs is not changed, the other length begins after it.
#[test]
fn another_length_begins_when_what_runs_is_over() {
    on_every_store(|w| {
        let daily = |amount| plan(amount, Every::Day, Start::Calendar);
        let [weekly, monthly] = [Every::Week, Every::Month].map(|e| plan(300, e, Start::Calendar));
        spend(&w, &daily(10), 4);
        for longer in [&weekly, &monthly] {
            touch(&w, longer);
            assert_eq!(buckets(&w), [bucket("base@2026-11-22", [6, 0, 4, 0, 0])]);
        }
        until(&w, "2026-11-23T00:00:00Z");
        touch(&w, &monthly);
        assert_eq!(there(&w), 300);
        // And a month runs to its end.
        until(&w, "2026-11-30T23:59:59.999Z");
        touch(&w, &daily(900));
        assert_eq!(there(&w), 300);
        until(&w, "2026-12-01T00:00:00Z");
        touch(&w, &daily(20));
        assert_eq!(there(&w), 20);
        touch(&w, &daily(30));
        assert_eq!(there(&w), 30);
    });
}

/// What a refusal promises is what will come: by the allowance that runs, not by the calendar, and of what may pay.
#[test]
fn a_refusal_says_when_credits_come_by_the_allowance_that_runs() {
    on_every_store(|w| {
        let mut daily = plan(5, Every::Day, Start::Calendar);
        change(&w, Some("America/Sao_Paulo"), None);
        touch(&w, &daily);
        change(&w, Some("Asia/Tokyo"), None);
        let refill = |plan: &Plan| match w.reserve(&asking(&w, plan, 9)) {
            Answer::Refused(Refusal::Insufficient { refill_at, .. }) => refill_at,
            other => panic!("{other:?}"),
        };
        // Tokyo's own day ends at 15:00 UTC; what runs ends with São Paulo's.
        let ends: Timestamp = "2026-11-23T03:00:00Z".parse().unwrap();
        assert_eq!(refill(&daily), Some(ends));
        let more = |name: &str| Allowance {
            name: name.parse().unwrap(),
            amount: credits(1),
            ..daily.allowances[0].clone()
        };
        let (mut narrow, mut spare) = (more("narrow"), more("spare"));
        narrow.only = vec!["video".parse().unwrap()];
        spare.when = When::PaidExhausted;
        daily.allowances.extend([narrow, spare]);
        assert_eq!(refill(&daily), Some(ends));
        daily.allowances.remove(0);
        assert_eq!(refill(&daily), None);
    });
}

#[test]
fn a_smaller_plan_begins_with_the_next_period() {
    on_every_store(|w| {
        let [small, large] = [100, 300].map(|n| plan(n, Every::Month, Start::Calendar));
        touch(&w, &large);
        touch(&w, &small);
        assert_eq!(there(&w), 300);
        until(&w, "2026-11-30T23:59:59.999Z");
        touch(&w, &small);
        assert_eq!(there(&w), 300);
        until(&w, "2026-12-01T00:00:00Z");
        touch(&w, &small);
        let expected =
            [bucket("base@2026-11", [0, 0, 0, 300, 0]), bucket("base@2026-12", [100, 0, 0, 0, 0])];
        assert_eq!(buckets(&w), expected);
    });
}

#[test]
fn ten_missed_periods_make_one_bucket() {
    on_every_store(|w| {
        let daily = plan(5, Every::Day, Start::Calendar);
        touch(&w, &daily);
        w.clock.advance(10 * DAY);
        touch(&w, &daily);
        let expected = [
            bucket("base@2026-11-22", [0, 0, 0, 5, 0]),
            bucket("base@2026-12-02", [5, 0, 0, 0, 0]),
        ];
        assert_eq!(buckets(&w), expected);
    });
}

/// What is carried over lives for its own time, whether or not somebody came meanwhile.
#[test]
fn missed_periods_carry_over_only_what_there_was() {
    on_every_store(|w| {
        let mut daily = plan(10, Every::Day, Start::Calendar);
        let (min, max) = (credits(0), Some(credits(3)));
        let rollover = Rollover { min, max, percent: 50, cycles: 3, lasts_ms: None };
        daily.allowances[0].rollover = Some(rollover);
        spend(&w, &daily, 2);
        // Two days that nobody comes: the first day's rest lives until the end of the fourth.
        w.clock.advance(3 * DAY);
        touch(&w, &daily);
        let expected = [
            bucket("base@2026-11-22", [0, 0, 2, 8, 0]),
            bucket("base@2026-11-22@rollover", [3, 0, 0, 0, 0]),
            bucket("base@2026-11-25", [10, 0, 0, 0, 0]),
        ];
        assert_eq!(buckets(&w), expected);
        until(&w, "2026-11-26T00:00:00Z");
        let lists = buckets(&w);
        assert_eq!(lists[1], bucket("base@2026-11-22@rollover", [0, 0, 0, 3, 0]));
        assert_eq!(lists.last().unwrap().0, "base@2026-11-25@rollover");
    });
}

/// Whatever an account's zone becomes, no moment has two days' credits.
#[test]
fn another_zone_never_gives_two_at_once() {
    let zones =
        ["Pacific/Kiritimati", "UTC", "Pacific/Pago_Pago", "America/Sao_Paulo", "Asia/Tokyo"];
    on_every_store(|w| {
        let daily = plan(5, Every::Day, Start::Calendar);
        let mut touched = 0;
        for hour in 0..72 {
            change(&w, Some(zones[hour % zones.len()]), None);
            touch(&w, &daily);
            assert!(there(&w) <= 5, "hour {hour}: {:?}", buckets(&w));
            touched += 1;
            w.clock.advance(HOUR);
        }
        // Three days and the two that a journey round the world may add.
        let given = buckets(&w).iter().map(|(_, sums)| sums.iter().sum::<u64>()).sum::<u64>();
        assert!((15..=25).contains(&given) && touched == 72, "{given}: {:?}", buckets(&w));
    });
}

/// Another anchor binds when what has begun is over; the running period keeps its end.
#[test]
fn another_anchor_never_gives_two_at_once() {
    on_every_store(|w| {
        let monthly = plan(9, Every::Month, Start::Anchor);
        change(&w, None, Some("2026-10-31T09:00:00Z".parse().unwrap()));
        touch(&w, &monthly);
        assert_eq!(buckets(&w), [bucket("base@2026-10-31T09:00/P1M", [9, 0, 0, 0, 0])]);
        change(&w, None, Some("2026-11-15T00:00:00Z".parse().unwrap()));
        touch(&w, &monthly);
        assert_eq!(buckets(&w).len(), 1);
        until(&w, "2026-11-30T09:00:00Z");
        touch(&w, &monthly);
        let expected = [
            bucket("base@2026-10-31T09:00/P1M", [0, 0, 0, 9, 0]),
            bucket("base@2026-11-15T00:00/P1M", [9, 0, 0, 0, 0]),
        ];
        assert_eq!(buckets(&w), expected);
    });
}
