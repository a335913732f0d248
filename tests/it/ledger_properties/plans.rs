//! Plans of the histories: allowances of every cycle, carried over and not, in several orders.

use tollgate::credit::{
    Allowance, Amount, Cap, Class, Cycle, Every, Measure, Name, Plan, Ranks, RateLimit, Rollover,
    ScopeKind, SlotLimit, Start, When,
};

pub(crate) const PLANS: [&str; 3] = ["free", "pro", "big"];

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn credits(whole: u64) -> Amount {
    Amount::from_credits(whole).unwrap()
}

fn allowance(text: &str, class: Class, amount: u64, every: Every, start: Start) -> Allowance {
    Allowance {
        name: name(text),
        kind: "credits".parse().unwrap(),
        class,
        priority: 0,
        amount: credits(amount),
        cycle: Cycle { every, start },
        only: Vec::new(),
        when: When::Always,
        rollover: None,
    }
}

fn rolling(
    min: u64,
    max: Option<u64>,
    percent: u8,
    cycles: u32,
    lasts_ms: Option<u64>,
) -> Rollover {
    Rollover { min: credits(min), max: max.map(credits), percent, cycles, lasts_ms }
}

fn cap(
    text: &str,
    (measure, limit): (Measure, u64),
    every: Every,
    scope: ScopeKind,
    refundable: bool,
) -> Cap {
    Cap {
        name: name(text),
        measure,
        kind: (measure == Measure::Credits).then(|| "credits".parse().unwrap()),
        limit,
        every,
        scope,
        only: Vec::new(),
        refundable,
    }
}

/// The plan of this name.
pub(crate) fn plan(text: &str) -> Plan {
    let mut plan = Plan {
        name: name(text),
        allowances: Vec::new(),
        caps: Vec::new(),
        slots: Vec::new(),
        rates: Vec::new(),
        rights: Default::default(),
        ranks: Ranks::default(),
        max_debt: None,
    };
    match text {
        "free" => free(&mut plan),
        "pro" => pro(&mut plan),
        _ => big(&mut plan),
    }
    plan
}

fn free(plan: &mut Plan) {
    let daily = allowance("base", Class::Free, 5, Every::Day, Start::Calendar);
    let weekly = allowance("gift", Class::Plan, 8, Every::Week, Start::Anchor);
    plan.allowances =
        vec![daily, Allowance { rollover: Some(rolling(0, None, 50, 2, None)), ..weekly }];
    let daily = (Measure::Credits, 50 * Amount::MICRO);
    plan.caps = vec![
        cap("daily", daily, Every::Day, ScopeKind::Account, true),
        cap("tries", (Measure::Requests, 20), Every::Day, ScopeKind::Member, false),
    ];
    plan.slots = vec![slot("slots", 4, ScopeKind::Account), slot("each", 2, ScopeKind::Member)];
    plan.rates = vec![RateLimit {
        name: name("pace"),
        requests: 1,
        per_ms: 900,
        burst: 3,
        scope: ScopeKind::Account,
        only: Vec::new(),
    }];
}

fn pro(plan: &mut Plan) {
    let base = allowance("base", Class::Plan, 20, Every::Month, Start::Anchor);
    let spare = allowance("spare", Class::Free, 3, Every::Day, Start::Calendar);
    let scans = allowance("scan", Class::Plan, 4, Every::Month, Start::Calendar);
    let days = Some(2 * 24 * 3_600_000);
    plan.allowances = vec![
        Allowance { rollover: Some(rolling(1, Some(10), 30, 1, days)), ..base },
        Allowance { when: When::PaidExhausted, ..spare },
        Allowance { kind: "scans".parse().unwrap(), ..scans },
    ];
    plan.caps = vec![
        cap("monthly", (Measure::Requests, 90), Every::Month, ScopeKind::Route, true),
        cap("daily", (Measure::Credits, 90 * Amount::MICRO), Every::Day, ScopeKind::Key, true),
        cap("audio", (Measure::Requests, 30), Every::Day, ScopeKind::Feature, false),
    ];
    plan.slots = vec![slot("slots", 9, ScopeKind::Account)];
    plan.ranks = Ranks([1, 0, 2, 2, 2, 3]);
}

fn big(plan: &mut Plan) {
    let base = allowance("base", Class::Plan, 30, Every::Month, Start::Anchor);
    let narrow = allowance("narrow", Class::Plan, 6, Every::Week, Start::Calendar);
    let spare = allowance("spare", Class::Free, 4, Every::Day, Start::Anchor);
    plan.allowances = vec![
        Allowance { priority: 1, rollover: Some(rolling(0, Some(15), 100, 1, None)), ..base },
        Allowance { only: vec![name("video"), name("audio")], ..narrow },
        Allowance { when: When::PaidExhausted, ..spare },
    ];
    plan.ranks = Ranks([3, 3, 2, 1, 0, 0]);
    plan.max_debt = Some(credits(12));
}

fn slot(text: &str, limit: u32, scope: ScopeKind) -> SlotLimit {
    SlotLimit { name: name(text), limit, scope, only: Vec::new() }
}
