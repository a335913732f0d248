//! What an account has used today or this month, counted from its charges: the same for clients and operators.
//!
//! The charges are walked newest first until the period's beginning. A charge counts in the period in which it
//! began, with what has become of it by now.
//!
//! Invariant: exact for what it says that it counts, or `complete` is false: when there are more charges than
//! one answer may look at, or when the oldest of the period may have been forgotten.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Rules;
use crate::credit::{Amount, ChargeId, Every, Kind, Period, Zone};
use crate::ledger::{Answer, ChargeRecord, ChargeState, Document, Ledger, Refusal};
use crate::seam::Timestamp;

/// How many charges one answer looks at.
pub const CHARGES_MAX: usize = 10_000;
/// How many of them at once.
const STEP: usize = 200;
/// How much older than its reserve a charge's id may be, and how far clocks may be apart, in milliseconds.
const BIRTH_MS: u64 = 20 * 60 * 1_000;

/// Whose use of which period is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The account.
    pub document: &'a Document,
    /// Days or months, of which the current one is meant.
    pub every: Every,
    /// The time.
    pub now: Timestamp,
    /// How long the record of a charge is surely kept, in milliseconds.
    pub kept_ms: u64,
}

/// The period that a word names: `today` or `month`.
#[must_use]
pub fn period(word: &str) -> Option<Every> {
    match word {
        "today" => Some(Every::Day),
        "month" => Some(Every::Month),
        _ => None,
    }
}

/// One row of sums. Amounts are of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    requests: u64,
    open: u64,
    settled: u64,
    released: u64,
    reserved: Amount,
    held: Amount,
    charged: Amount,
    debt: Amount,
    absorbed: Amount,
}

impl Sums {
    /// Adds a charge; `None`: the sum has left the range of amounts.
    fn add(&mut self, record: &ChargeRecord) -> Option<()> {
        self.requests += 1;
        match record.state {
            ChargeState::Held | ChargeState::Unknown => {
                self.open += 1;
                self.held = self.held.checked_add(record.held)?;
            }
            ChargeState::Settled => self.settled += 1,
            ChargeState::Released => self.released += 1,
        }
        self.reserved = self.reserved.checked_add(record.held)?;
        self.charged = self.charged.checked_add(record.charged)?;
        self.debt = self.debt.checked_add(record.debt)?;
        self.absorbed = self.absorbed.checked_add(record.absorbed)?;
        Some(())
    }

    fn shown(&self, kind: &Kind, name: Option<(&str, &Option<String>)>) -> Value {
        let mut row = json!({
            "kind": kind,
            "requests": self.requests,
            "open": self.open,
            "settled": self.settled,
            "released": self.released,
            "reserved": self.reserved,
            "held": self.held,
            "charged": self.charged,
            "debt": self.debt,
            "absorbed": self.absorbed,
        });
        if let Some((sort, name)) = name {
            row[sort] = json!(name);
        }
        row
    }
}

/// What rows are about: nothing, a route, a feature, a key.
type Rows = BTreeMap<(Option<String>, Kind), Sums>;

#[derive(Debug, Default)]
struct Count {
    totals: Rows,
    routes: Rows,
    features: Rows,
    keys: Rows,
}

impl Count {
    fn add(&mut self, record: &ChargeRecord, rules: &Rules) -> Option<()> {
        // An id that was closed before it was reserved is no request.
        let Some(kind) = &record.kind else { return Some(()) };
        let route = rules.routes.iter().find(|route| route.name.as_str() == record.route);
        let feature = route.and_then(|route| route.feature.as_ref()).map(ToString::to_string);
        let key = record.key.map(|key| key.to_string());
        let rows = [
            (&mut self.totals, None),
            (&mut self.routes, Some(record.route.clone())),
            (&mut self.features, feature),
            (&mut self.keys, key),
        ];
        for (rows, name) in rows {
            rows.entry((name, kind.clone())).or_default().add(record)?;
        }
        Some(())
    }
}

/// What the account has used in the period that `asked.now` lies in. Features are those that the routes have
/// in this configuration.
pub async fn usage(ledger: &dyn Ledger, rules: &Rules, asked: &Asked<'_>) -> Answer<Value> {
    let zone = match asked.document.zone.parse::<Zone>() {
        Ok(zone) => zone,
        Err(error) => return Answer::Refused(Refusal::Invalid(error.to_string())),
    };
    let period = match asked.every.periods(&zone, asked.now) {
        Ok([period, _]) => period,
        Err(error) => return Answer::Refused(Refusal::Invalid(error.to_string())),
    };
    let wanted = period.start.max(asked.document.created);
    let kept = Timestamp(asked.now.0.saturating_sub(asked.kept_ms));
    match walk(ledger, asked, wanted.max(kept)).await {
        Answer::Applied((records, from)) => match count(rules, &records, &period, from) {
            Some(count) => {
                Answer::Applied(shown(asked, &zone, &period, &count, from <= wanted, from))
            }
            None => {
                let why = "the sums are larger than an amount can be";
                Answer::Refused(Refusal::Invalid(why.to_owned()))
            }
        },
        Answer::Refused(refusal) => Answer::Refused(refusal),
        Answer::Unknown(why) => Answer::Unknown(why),
    }
}

/// The newest charges, all that began at `from` or later among them; and that moment, later if there are
/// too many.
async fn walk(
    ledger: &dyn Ledger,
    asked: &Asked<'_>,
    from: Timestamp,
) -> Answer<(Vec<ChargeRecord>, Timestamp)> {
    let mut found: Vec<ChargeRecord> = Vec::new();
    loop {
        let account = asked.document.account.clone();
        let before: Option<ChargeId> = found.last().map(|record| record.charge);
        let records = match ledger.charges(account, before, STEP).await {
            Answer::Applied(records) => records,
            Answer::Refused(refusal) => return Answer::Refused(refusal),
            Answer::Unknown(why) => return Answer::Unknown(why),
        };
        let all = records.len() < STEP;
        // What was said of them is the larger part, and is not counted.
        let short = |record| ChargeRecord {
            note: Vec::new(),
            explanation: Vec::new(),
            legs: Vec::new(),
            ..record
        };
        found.extend(records.into_iter().map(short));
        // Ids are older than reserves: what began later than this has surely been seen.
        let seen = found.last().map_or(from, |last| last.charge.born().plus_ms(BIRTH_MS));
        if all || seen < from {
            return Answer::Applied((found, from));
        }
        if found.len() >= CHARGES_MAX {
            return Answer::Applied((found, seen.max(from)));
        }
    }
}

/// `None`: a sum is larger than an amount can be.
fn count(
    rules: &Rules,
    records: &[ChargeRecord],
    period: &Period,
    from: Timestamp,
) -> Option<Count> {
    let mut count = Count::default();
    for record in records.iter().filter(|it| from <= it.begun && it.begun < period.end) {
        count.add(record, rules)?;
    }
    Some(count)
}

fn shown(
    asked: &Asked<'_>,
    zone: &Zone,
    period: &Period,
    count: &Count,
    complete: bool,
    from: Timestamp,
) -> Value {
    let rows = |rows: &Rows, sort: &str| -> Vec<Value> {
        rows.iter().map(|((name, kind), sums)| sums.shown(kind, Some((sort, name)))).collect()
    };
    let totals = count.totals.iter().map(|((_, kind), sums)| sums.shown(kind, None));
    json!({
        "object": "usage",
        "account": asked.document.account,
        "as_of": asked.now.to_string(),
        "period": period.id,
        "time_zone": zone.name(),
        "starts_at": zone.show(period.start),
        "ends_at": zone.show(period.end),
        "complete": complete,
        "counted_from": zone.show(from),
        "totals": totals.collect::<Vec<_>>(),
        "by_route": rows(&count.routes, "route"),
        "by_feature": rows(&count.features, "feature"),
        "by_key": rows(&count.keys, "key"),
    })
}
