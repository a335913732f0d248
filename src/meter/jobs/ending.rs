//! What a report on a job costs, and what its receipt says of it.
//!
//! Invariant: the price is the one in the record. What has been stated once is not missing later.

use std::sync::Arc;

use super::record::{By, Ended, LastWord, Record};
use super::rules;
use super::sight::Report;
use super::telling::Kept;
use crate::credit::{Facts, Name, PriceError, Priced};
use crate::meter::flag::Flag;
use crate::meter::pricing::Held;
use crate::meter::receipt::{Event, JobNote};
use crate::meter::settings::{Due, Missing, Quantity};
use crate::meter::verdict::Charge;
use crate::seam::Timestamp;

/// What a report comes to.
pub(super) struct Costs {
    word: LastWord,
    facts: Facts,
    priced: Priced,
    flags: Vec<Flag>,
}

/// What a report comes to. What it stated is noted in the record.
pub(super) fn cost(record: &mut Record, due: Option<&Arc<Due>>, report: &Report) -> Costs {
    let mut flags: Vec<Flag> = report.flags.clone();
    flags.retain(|flag| match flag {
        Flag::MissingQuantity(name) => !record.stated.contains(name),
        _ => true,
    });
    let full = full(record, flags);
    match &report.charge {
        Charge::None => Costs { word: LastWord::Release, ..full },
        Charge::Hold => Costs { word: LastWord::Doubt, ..full },
        Charge::Fee(fee) => {
            let fee = (*fee).min(record.held.priced.total);
            Costs { word: LastWord::Settle(fee), ..full }
        }
        Charge::Full => full,
        Charge::Settle { facts, .. } => {
            let quantities = due.map_or(&[][..], |due| due.quantities.as_slice());
            settled(record, quantities, (report, facts), full)
        }
    }
}

/// What was held.
fn full(record: &Record, flags: Vec<Flag>) -> Costs {
    let held = &record.held;
    Costs {
        word: LastWord::Settle(held.priced.total),
        facts: held.facts.clone(),
        priced: held.priced.clone(),
        flags,
    }
}

/// What the stated quantities come to; what was held, where they come to nothing that can be charged.
fn settled(
    record: &mut Record,
    quantities: &[Quantity],
    (report, said): (&Report, &Facts),
    mut full: Costs,
) -> Costs {
    let mut facts = record.held.facts.clone();
    let stated = said.0.iter().filter(|(name, _)| !report.missing.contains(*name));
    facts.0.extend(stated.map(|(name, value)| (name.clone(), value.clone())));
    let noted = facts.clone();
    for quantity in quantities {
        let known = record.stated.contains(&quantity.name);
        let lacks = report.missing.contains(&quantity.name) && !known;
        if let (true, Missing::Value(value)) = (lacks, &quantity.missing) {
            facts.0.insert(quantity.name.clone(), value.clone());
        }
    }
    match priced(record, &facts) {
        Ok(priced) => {
            note(record, quantities, report, noted);
            Costs { word: LastWord::Settle(priced.total), facts, priced, flags: full.flags }
        }
        Err(flag) => {
            full.flags.push(flag);
            full
        }
    }
}

/// Notes what was stated.
fn note(record: &mut Record, quantities: &[Quantity], report: &Report, facts: Facts) {
    let of_job = |quantity: &&Quantity| quantity.response.iter().any(rules::is_of_job);
    let stated = quantities.iter().filter(of_job).map(|quantity| &quantity.name);
    let stated: Vec<Name> =
        stated.filter(|name| !report.missing.contains(*name)).cloned().collect();
    record.stated.extend(stated);
    if let Ok(priced) = priced(record, &facts) {
        record.held = Held { facts, priced, ..record.held.clone() };
    }
}

/// What these come to at the price of the record.
fn priced(record: &Record, facts: &Facts) -> Result<Priced, Flag> {
    let price = record.price.as_ref().ok_or(Flag::NoRate)?;
    let priced = price.of(facts).and_then(|priced| record.held.changes.apply(priced));
    priced.map_err(|error| match error {
        PriceError::OutOfRange => Flag::AmountOutOfRange,
        PriceError::Missing(_) | PriceError::NotANumber(_) | PriceError::NoRate(_) => Flag::NoRate,
    })
}

/// Writes the end into the record: how, by whom, and what the receipt will say.
pub(super) fn end(
    record: &mut Record,
    kept: &Kept,
    report: &Report,
    by: By,
    costs: Costs,
    (now, mark): (Timestamp, u64),
) {
    let class = report.class.to_string();
    let charged = matches!(costs.word, LastWord::Settle(_));
    record.end = Some(Ended { by, class: report.class, at: now, word: costs.word, mark });
    let told = &mut record.told;
    told.outcome.clone_from(&class);
    told.why = report.charge.why(report.class, "The job was stopped.").to_owned();
    told.upstream_status = Some(report.status);
    for flag in costs.flags.iter().map(ToString::to_string) {
        if !told.flags.contains(&flag) {
            told.flags.push(flag);
        }
    }
    if charged && !matches!(report.charge, Charge::Fee(_)) {
        told.inputs = costs.facts;
        told.lines = costs.priced.lines;
        told.overrides = costs.priced.overrides;
    }
    told.timeline.push(Event { at: now, event: format!("{class}, told by {by}") });
    told.job = Some(JobNote {
        name: kept.job.name.to_string(),
        id: kept.id.clone(),
        state: Some(class),
        told_by: Some(by.to_string()),
    });
}
