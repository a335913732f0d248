//! Which limit an override is of, and how a call says its change.

use http::StatusCode;
use serde_json::Value;

use super::asked::misread;
use super::problem::Problem;
use super::{Parts, Result};
use crate::credit::{Amount, Decimal, Measure, ScopeKind};
use crate::ledger::{Adjustment, Document, Limited, Scope};
use crate::meter::Members;

/// The members of which a call says exactly one.
const CHANGES: [&str; 4] = ["add", "cut", "set", "multiply"];
/// Digits behind the point of a factor, at most.
const FACTOR_SCALE: u8 = 3;

/// A limit of a plan.
pub(super) struct Limit {
    scope: ScopeKind,
    /// What is counted; `None`: what runs at once.
    measure: Option<Measure>,
}

/// The limit of the account's plan that is called so.
pub(super) fn limit_of(
    parts: &Parts,
    document: &Document,
    limited: Limited,
    name: &str,
) -> Result<Limit> {
    let plan = parts.rules.plan(&document.plan);
    let (caps, slots) = plan.map_or((&[][..], &[][..]), |plan| (&plan.caps, &plan.slots));
    let found = match limited {
        Limited::Cap => caps
            .iter()
            .find(|cap| cap.name.as_str() == name)
            .map(|cap| Limit { scope: cap.scope, measure: Some(cap.measure) }),
        Limited::Concurrency => slots
            .iter()
            .find(|slot| slot.name.as_str() == name)
            .map(|slot| Limit { scope: slot.scope, measure: None }),
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

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// That the limit counts over such things: an override of anything else would never hold.
pub(super) fn check_scope(limit: &Limit, scope: Option<&Scope>) -> Result<()> {
    let Some(scope) = scope else { return Ok(()) };
    let same = match scope {
        Scope::Account => limit.scope == ScopeKind::Account,
        Scope::Key(_) => limit.scope == ScopeKind::Key,
        Scope::Route(_) => limit.scope == ScopeKind::Route,
        Scope::Feature(_) => limit.scope == ScopeKind::Feature,
        Scope::Member(_) => limit.scope == ScopeKind::Member,
    };
    if same {
        return Ok(());
    }
    let over = match limit.scope {
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

/// The one change that a call says.
pub(super) fn change(limit: &Limit, asked: &mut Members) -> Result<Adjustment> {
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
        "add" => Adjustment::Add(count(limit, name, value)?),
        "cut" => Adjustment::Cut(count(limit, name, value)?),
        _ => Adjustment::Set(count(limit, name, value)?),
    })
}

/// An amount where credits are counted, a whole number otherwise.
fn count(limit: &Limit, name: &str, value: &Value) -> Result<u64> {
    if limit.measure == Some(Measure::Credits) {
        let amount = value.as_str().and_then(|text| text.parse::<Amount>().ok());
        let wrong = || misread(name, "this limit counts credits: an amount such as \"12.5\"");
        return amount.map(Amount::micro).ok_or_else(wrong);
    }
    let most = if limit.measure.is_some() { Amount::MAX.micro() } else { u64::from(u32::MAX) };
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
