//! What the words for credits mean, once they are resolved.

use tollgate::config::{Settings, load_text};
use tollgate::credit::{Amount, Class, Every, Ranks, ScopeKind, Start, When};

use super::{Fake, accepted};

const DAY_MS: u64 = 86_400_000;

fn credits(whole: u64) -> Amount {
    Amount::from_credits(whole).unwrap()
}

/// A configuration whose one plan has these lines.
fn plan(lines: &str) -> Settings {
    let yaml = format!(
        "store: {{ embedded: {{ path: ./data }} }}
upstreams: {{ generator: {{ url: http://127.0.0.1:9000 }} }}
plans:
  one: {{ {lines} }}
prices:
  image: {{ lines: [{{ label: Image, rate: 5 }}] }}
routes:
  - {{ name: image, match: POST /v1/images, upstream: generator, price: image, on_unknown: release }}
"
    );
    let (settings, _) =
        load_text("a.yaml", &yaml, &Fake).unwrap_or_else(|report| panic!("{report}"));
    settings
}

#[test]
fn the_example_says_what_it_means() {
    let rules = accepted("config/examples/credits.yaml").rules;
    let [free, team] = &rules.plans[..] else { panic!("{:?}", rules.plans) };
    assert_eq!(rules.free_accounts, 2);
    let [daily] = &free.allowances[..] else { panic!("{free:?}") };
    assert_eq!((daily.class, daily.amount), (Class::Free, credits(50)));
    assert_eq!((daily.cycle.every, daily.cycle.start), (Every::Day, Start::Anchor));
    assert_eq!((daily.when, daily.rollover), (When::Always, None));
    let [monthly, spare] = &team.allowances[..] else { panic!("{team:?}") };
    let rollover = monthly.rollover.unwrap();
    assert_eq!((rollover.percent, rollover.cycles, rollover.lasts_ms), (50, 2, None));
    assert_eq!((rollover.min, rollover.max), (Amount::ZERO, Some(credits(5_000))));
    assert_eq!((spare.when, spare.only[0].as_str()), (When::PaidExhausted, "pictures"));
    assert_eq!(free.ranks, Ranks::default());
    // Written: rollover, plan, bonus, goodwill; kept: by class.
    assert_eq!(team.ranks, Ranks([0, 1, 3, 2, 4, 5]));
    let cap = &team.caps[0];
    assert_eq!((cap.scope, cap.every), (ScopeKind::Member, Every::Week));
    assert_eq!((team.slots[0].scope, team.rates[0].scope), (ScopeKind::Member, ScopeKind::Member));
    assert_eq!(free.rights.body_limits[0].1, 1 << 20);
}

#[test]
fn packs_cost_a_cent_a_credit() {
    let packs = accepted("config/examples/credits.yaml").rules.packs.clone();
    let amounts: Vec<String> = packs.iter().map(|pack| pack.amount.to_string()).collect();
    assert_eq!(amounts, ["500", "5000", "50000", "125000"]);
    for pack in &packs {
        assert_eq!(pack.paid.currency, "USD");
        assert_eq!(pack.paid.amount.micro() * 100, pack.amount.micro(), "{pack:?}");
        assert_eq!(pack.lasts_ms, None);
    }
    let bonus = |index: usize| packs[index].bonus;
    assert_eq!((bonus(0), bonus(3)), (None, Some((credits(12_500), Some(90 * DAY_MS)))));
}

#[test]
fn what_is_not_said_has_a_default() {
    let given = "{ name: a, amount: 5, every: month, rollover: {} }";
    let rules = plan(&format!("allowances: [{given}]")).rules;
    assert_eq!((rules.free_accounts, rules.packs.len()), (2, 0));
    let one = &rules.plans[0];
    assert_eq!(one.ranks, Ranks::default());
    assert_eq!(one.rights, Default::default());
    let [given] = &one.allowances[..] else { panic!("{one:?}") };
    assert_eq!((given.cycle.start, given.when), (Start::Calendar, When::Always));
    let rollover = given.rollover.unwrap();
    assert_eq!((rollover.min, rollover.max, rollover.percent), (Amount::ZERO, None, 100));
    assert_eq!((rollover.cycles, rollover.lasts_ms), (1, None));
    let lasting =
        "{ name: a, amount: 5, every: week, rollover: { lasts: 10d, percent: 25, min: 1 } }";
    let rules = plan(&format!("allowances: [{lasting}]")).rules;
    let rollover = rules.plans[0].allowances[0].rollover.unwrap();
    assert_eq!(
        (rollover.lasts_ms, rollover.percent, rollover.min),
        (Some(10 * DAY_MS), 25, credits(1))
    );
}

#[test]
fn a_bonus_ends_with_its_pack_unless_it_says_otherwise() {
    let packs = |line: &str| {
        let yaml = format!("}}\npacks: {{ one: {{ credits: 5, price: 1 EUR, {line} }} ");
        plan(&yaml).rules.packs[0].bonus.unwrap().1
    };
    assert_eq!(packs("expires_after: 30d, bonus: { credits: 1 }"), Some(30 * DAY_MS));
    assert_eq!(
        packs("expires_after: 30d, bonus: { credits: 1, expires_after: 7d }"),
        Some(7 * DAY_MS)
    );
    assert_eq!(packs("bonus: { credits: 1 }"), None);
}

/// Room for bodies that are read before they are priced is made for the largest that any plan allows.
#[test]
fn there_is_room_for_the_largest_body_of_any_plan() {
    let settings = plan("body_limits: { image: 300MiB }");
    assert_eq!(settings.proxy.limits.bodies, 300 << 20);
    assert_eq!(settings.rules.plans[0].rights.body_limits[0].1, 300 << 20);
}
