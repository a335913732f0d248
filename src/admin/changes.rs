//! Which limit or price an override is of, and how a call says its change.

use http::StatusCode;
use serde_json::Value;

use super::asked::misread;
use super::problem::Problem;
use super::{Parts, Result};
use crate::credit::{Amount, Decimal, Measure, Name, ScopeKind};
use crate::ledger::{Adjustment, Document, Limited, Scope};
use crate::meter::{Members, Work};

/// The members of which a call says exactly one.
const CHANGES: [&str; 4] = ["add", "cut", "set", "multiply"];
/// Digits behind the point of a factor, at most.
const FACTOR_SCALE: u8 = 3;

/// What an override changes.
pub(super) struct Target {
    /// What it counts over; `None`: it is a price.
    scope: Option<ScopeKind>,
    /// What is counted; `None`: what runs at once.
    measure: Option<Measure>,
}

/// The limit of the account's plan, or the price of a route or feature, that is called so.
pub(super) fn target_of(
    parts: &Parts,
    document: &Document,
    limited: Limited,
    name: &str,
) -> Result<Target> {
    let plan = parts.rules.plan(&document.plan);
    let (caps, slots) = plan.map_or((&[][..], &[][..]), |plan| (&plan.caps, &plan.slots));
    let found = match limited {
        Limited::Cap => caps
            .iter()
            .find(|cap| cap.name.as_str() == name)
            .map(|cap| Target { scope: Some(cap.scope), measure: Some(cap.measure) }),
        Limited::Concurrency => slots
            .iter()
            .find(|slot| slot.name.as_str() == name)
            .map(|slot| Target { scope: Some(slot.scope), measure: None }),
        Limited::Price => return price_of(parts, name),
    };
    found.ok_or_else(|| {
        let caps: Vec<&str> = caps.iter().map(|cap| cap.name.as_str()).collect();
        let slots: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
        let detail = format!(
            "The plan {} has no such limit {name:?}. Its caps: {}. Its concurrency limits: {}.",
            document.plan,
            listed(&caps),
            listed(&slots)
        );
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_limit", detail)
            .with("param", "name")
            .with("caps", caps)
            .with("concurrency", slots)
    })
}

/// The price of the route, or of the routes of the feature, that is called so.
fn price_of(parts: &Parts, name: &str) -> Result<Target> {
    let paid = parts.rules.routes.iter().filter(|route| matches!(route.work, Work::Paid(_)));
    let names = paid.flat_map(|route| [Some(&route.name), route.feature.as_ref()]).flatten();
    let mut names: Vec<&str> = names.map(Name::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.contains(&name) {
        return Ok(Target { scope: None, measure: Some(Measure::Credits) });
    }
    let detail = format!(
        "No route or feature with a price is called {name:?}. There are: {}.",
        listed(&names)
    );
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_limit", detail);
    Err(problem.with("param", "name").with("prices", names))
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// That the limit counts over such things: an override of anything else would never hold.
pub(super) fn check_scope(target: &Target, scope: Option<&Scope>) -> Result<()> {
    let Some(scope) = scope else { return Ok(()) };
    let said = match scope {
        Scope::Account => ScopeKind::Account,
        Scope::Key(_) => ScopeKind::Key,
        Scope::Route(_) => ScopeKind::Route,
        Scope::Feature(_) => ScopeKind::Feature,
        Scope::Member(_) => ScopeKind::Member,
    };
    let Some(counted) = target.scope else { return of_whom(said) };
    if said == counted {
        return Ok(());
    }
    let over = match counted {
        ScopeKind::Account => "the account",
        ScopeKind::Key => "each key",
        ScopeKind::Route => "each route",
        ScopeKind::Feature => "each feature",
        ScopeKind::Member => "each member",
    };
    let detail =
        format!("this limit counts over {over}, so an override of {scope} would never hold");
    Err(Problem::invalid("scope", detail))
}

/// That the scope of a price's override says whose requests it is of: which ones, its name says.
fn of_whom(said: ScopeKind) -> Result<()> {
    if !matches!(said, ScopeKind::Route | ScopeKind::Feature) {
        return Ok(());
    }
    let detail = "a price is that of the route or feature in `name`; scope says whose requests: \
                  account, key:key_… or member:NAME";
    Err(Problem::invalid("scope", detail))
}

/// The one change that a call says.
pub(super) fn change(target: &Target, asked: &mut Members) -> Result<Adjustment> {
    let mut said = Vec::new();
    for name in CHANGES {
        if let Some(value) = asked.optional::<Value>(name)? {
            said.push((name, value));
        }
    }
    let [(name, value)] = said.as_slice() else {
        return Err(misread("add", "exactly one of add, cut, set and multiply is needed"));
    };
    Ok(match *name {
        "multiply" => Adjustment::Multiply(thousandths(value)?),
        "add" => Adjustment::Add(count(target, name, value)?),
        "cut" => Adjustment::Cut(count(target, name, value)?),
        _ => Adjustment::Set(count(target, name, value)?),
    })
}

/// An amount where credits are counted, a whole number otherwise.
fn count(target: &Target, name: &str, value: &Value) -> Result<u64> {
    if target.measure == Some(Measure::Credits) {
        let amount = value.as_str().and_then(|text| text.parse::<Amount>().ok());
        let wrong = || misread(name, "this counts credits: an amount such as \"12.5\"");
        return amount.map(Amount::micro).ok_or_else(wrong);
    }
    let most = if target.measure.is_some() { Amount::MAX.micro() } else { u64::from(u32::MAX) };
    let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let written = || value.as_str().filter(digits)?.parse::<u64>().ok();
    let number = value.as_u64().or_else(written).filter(|number| *number <= most);
    number.ok_or_else(|| misread(name, &format!("a whole number of at most {most}, such as 10")))
}

/// A factor such as `"1.5"` in thousandths.
fn thousandths(value: &Value) -> Result<u64> {
    let read = || {
        let factor = Decimal::exact(value.as_str()?).ok()?;
        let zeros = FACTOR_SCALE.checked_sub(factor.scale())?;
        let whole = factor.mantissa().checked_mul(10_u64.checked_pow(u32::from(zeros))?)?;
        (whole <= Amount::MAX.micro()).then_some(whole)
    };
    read().ok_or_else(|| {
        misread("multiply", "a factor with at most three digits behind the point, such as \"1.5\"")
    })
}
