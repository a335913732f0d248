//! Plans and packs with something of everything that operators act on and clients see.

use tollgate::credit::{
    Allowance, Amount, Cap, Class, Cycle, Every, Measure, Pack, Paid, Plan, Rollover, ScopeKind,
    Start, When,
};

use super::panes::plan;

/// A day in milliseconds.
pub(crate) const DAY: u64 = 24 * 60 * 60 * 1_000;

fn credits(text: &str) -> Amount {
    text.parse().unwrap()
}

fn allowance(name: &str, class: Class, amount: &str, every: Every) -> Allowance {
    Allowance {
        name: name.parse().unwrap(),
        kind: "credits".parse().unwrap(),
        class,
        priority: 0,
        amount: credits(amount),
        cycle: Cycle { every, start: Start::Calendar },
        only: Vec::new(),
        when: When::Always,
        rollover: None,
    }
}

/// A free plan: three credits a day.
pub(crate) fn starter() -> Plan {
    let allowances = vec![allowance("gift", Class::Free, "3", Every::Day)];
    Plan { allowances, ..plan("starter") }
}

/// A paid plan: ten credits a day of which half live on for a day, free ones once those are gone, and caps that
/// count credits and members.
pub(crate) fn club() -> Plan {
    let half = Rollover {
        min: credits("1"),
        max: Some(credits("4")),
        percent: 50,
        cycles: 1,
        lasts_ms: None,
    };
    let paid =
        Allowance { rollover: Some(half), ..allowance("daily", Class::Plan, "10", Every::Day) };
    let free = Allowance {
        when: When::PaidExhausted,
        ..allowance("gift", Class::Free, "2", Every::Month)
    };
    let cap = |name: &str, measure, limit, scope| Cap {
        name: name.parse().unwrap(),
        measure,
        kind: None,
        limit,
        every: Every::Day,
        scope,
        only: Vec::new(),
        refundable: true,
    };
    Plan {
        allowances: vec![paid, free],
        caps: vec![
            cap("spend", Measure::Credits, 20_000_000, ScopeKind::Account),
            cap("each", Measure::Requests, 3, ScopeKind::Member),
        ],
        ..plan("club")
    }
}

/// One that ends and has a bonus, and a plain one.
pub(crate) fn packs() -> Vec<Pack> {
    let pack = |name: &str, amount: &str, paid: &str| Pack {
        name: name.parse().unwrap(),
        kind: "credits".parse().unwrap(),
        amount: credits(amount),
        paid: Paid { amount: credits(paid), currency: "USD".to_owned() },
        lasts_ms: None,
        bonus: None,
        only: Vec::new(),
    };
    vec![
        Pack {
            lasts_ms: Some(365 * DAY),
            bonus: Some((credits("50"), Some(30 * DAY))),
            ..pack("small", "500", "5")
        },
        Pack { only: vec!["images".parse().unwrap()], ..pack("large", "50000", "500") },
    ]
}
