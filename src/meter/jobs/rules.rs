//! What an answer about a job means, as an outcome table: so that it is watched and judged as any other.
//!
//! First the job's own outcomes, then the words of its status. A word that nobody has declared, and an answer
//! that says nothing, mean that the job goes on.

use std::sync::Arc;

use super::job::Job;
use super::record::Record;
use crate::credit::{Decimal, Price};
use crate::meter::settings::{
    ChargeRule, Class, Due, Missing, OutcomeRule, Quantity, ResponseSource, StatusSet, Test,
    ValueType,
};
use crate::meter::source::Source;

/// All successes.
const SUCCESS: StatusSet = StatusSet { first: 200, last: 299 };
/// Successes that bring a result: 202 says that there is none yet.
const RESULT: [StatusSet; 2] =
    [StatusSet { first: 200, last: 201 }, StatusSet { first: 203, last: 299 }];

/// Something that is read beside the quantities.
pub(super) type Extra = (ValueType, ResponseSource);

/// How the answer that may begin a job is judged: by its route's own outcomes first.
pub(super) fn beginning(due: &Due, job: &Job) -> Due {
    let mut outcomes = due.outcomes.clone();
    outcomes.extend(of_job(job));
    outcomes.push(pending(vec![SUCCESS]));
    let quantities = due.quantities.iter().map(|quantity| {
        let response = quantity.response.iter().map(|source| source.map(&anywhere)).collect();
        Quantity { response, ..quantity.clone() }
    });
    Due { quantities: quantities.collect(), outcomes, ..copy(due, due.price.clone()) }
}

/// How an answer about a job is judged that comes later. `due`: the route that began it; `result`: the result was
/// asked for, and if it comes without a status the work is done.
pub(super) fn later(due: &Due, price: Arc<Price>, job: &Job, result: bool, record: &Record) -> Due {
    let mut outcomes: Vec<_> = of_job(job).collect();
    if result {
        let (class, charge) = (Class::Completed, job.charges.completed);
        outcomes.push(OutcomeRule {
            status: RESULT.to_vec(),
            header: None,
            body: Vec::new(),
            class,
            charge,
        });
    }
    outcomes.push(pending(Vec::new()));
    let quantities = due.quantities.iter().map(|quantity| {
        let of_job = quantity.response.iter().filter(|source| is_of_job(source));
        let response = of_job.map(|source| source.map(&anywhere)).collect();
        let stated = record.stated.contains(&quantity.name);
        let missing = if stated { Missing::Hold } else { quantity.missing.clone() };
        Quantity { response, missing, ..quantity.clone() }
    });
    Due { quantities: quantities.collect(), outcomes, ..copy(due, price) }
}

/// The outcomes and words of a job; at last a success with a word that is not declared, which is `unknown`.
fn of_job(job: &Job) -> impl Iterator<Item = OutcomeRule> {
    let (words, charges) = (&job.words, &job.charges);
    let lists = [
        (&words.completed, Class::Completed, charges.completed),
        (&words.failed, Class::Failed, charges.failed),
        (&words.cancelled, Class::Cancelled, charges.cancelled),
        (&words.blocked, Class::Blocked, charges.blocked),
        (&words.pending, Class::Pending, ChargeRule::Hold),
    ];
    let status = job.status.clone();
    let declared = lists.into_iter().filter(|(words, ..)| !words.is_empty());
    let by_word = declared.map(|(words, class, charge)| (Test::In(words.clone()), class, charge));
    let odd = (Test::Exists(true), Class::Unknown, ChargeRule::Hold);
    let tests: Vec<_> = by_word.chain([odd]).collect();
    let rules = status.into_iter().flat_map(move |status| {
        let rule = move |(test, class, charge)| OutcomeRule {
            status: vec![SUCCESS],
            header: None,
            body: vec![(status.clone(), test)],
            class,
            charge,
        };
        tests.clone().into_iter().map(rule)
    });
    job.outcomes.clone().into_iter().chain(rules)
}

/// The job goes on.
const fn pending(status: Vec<StatusSet>) -> OutcomeRule {
    let (class, charge) = (Class::Pending, ChargeRule::Hold);
    OutcomeRule { status, header: None, body: Vec::new(), class, charge }
}

/// Whether only a job says it, or a part of it.
pub(super) fn is_of_job(source: &Source<ResponseSource>) -> bool {
    source.places().any(ResponseSource::is_of_job)
}

/// The same place in this very answer.
fn anywhere(source: &ResponseSource) -> ResponseSource {
    match source {
        ResponseSource::Job(place) | ResponseSource::Created(place) => {
            ResponseSource::Json(place.clone())
        }
        ResponseSource::JobItems(place) => ResponseSource::Items(place.clone()),
        ResponseSource::JobHeader(name) => ResponseSource::Header(name.clone()),
        other => other.clone(),
    }
}

/// The rest of a route's rules, with another price.
fn copy(due: &Due, price: Arc<Price>) -> Due {
    Due {
        price,
        quantities: Vec::new(),
        outcomes: Vec::new(),
        stream: due.stream.clone(),
        decode: due.decode,
        on_disconnect: due.on_disconnect,
        on_unknown: due.on_unknown,
        reconcile_ms: due.reconcile_ms,
        over_run: due.over_run,
        job: None,
    }
}

/// A word, and the same place as a number: some services number their jobs and states.
pub(super) fn word(source: &ResponseSource) -> [Extra; 2] {
    let number =
        ValueType::Integer(Decimal::ZERO..=Decimal::whole(1 << 53).unwrap_or(Decimal::ZERO));
    [(ValueType::Text(Vec::new()), source.clone()), (number, source.clone())]
}
