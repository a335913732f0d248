//! Our own watcher: when nobody asks for a job, we do, with the upstream's credentials. Which jobs are due is the
//! ledger's to say, and it says each to one instance at a time; so a watcher that dies is followed by another.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use super::record::By;
use super::rules;
use super::sight::Report;
use super::telling::Kept;
use crate::ledger::{Answer, WatchedJob, Watching};
use crate::meter::admit::Meter;
use crate::meter::flag::Flag;
use crate::meter::settings::Work;
use crate::meter::verdict::Charge;
use crate::observe::{Pointer, Step};

/// The longest pause after failures, in milliseconds, unless the job's own is longer.
const PAUSE_MAX_MS: u64 = 5 * 60_000;
/// After how many failures in a row the pause grows no more.
const DOUBLINGS_MAX: u32 = 16;

/// What is to be done about a job that is due.
#[derive(Debug)]
pub enum Look {
    /// The upstream is asked.
    Ask(Question),
    /// Nothing any more: it was done here.
    Done,
}

/// How an upstream is asked about a job.
#[derive(Debug)]
pub struct Question {
    /// By which method.
    pub method: Method,
    /// At which path and query.
    pub path: String,
    /// The JSON that is sent along.
    pub body: Option<Vec<u8>>,
    /// Whether it is the result that is asked for.
    pub result: bool,
}

/// What came of asking an upstream.
#[derive(Debug)]
pub enum Asked {
    /// It answered, and this is what it says.
    Answered(Box<Report>),
    /// It did not answer, or not with a success.
    Failed,
}

impl Meter {
    /// Jobs that are due, at most `limit`, for this instance alone during `lease_ms`.
    pub async fn due_jobs(&self, limit: usize, lease_ms: u64) -> Vec<Kept> {
        match self.ledger.watch_jobs(limit, lease_ms).await {
            Answer::Applied(due) => due.into_iter().filter_map(|due| self.known(due)).collect(),
            Answer::Refused(refusal) => {
                tracing::warn!(?refusal, "jobs are not watched");
                Vec::new()
            }
            Answer::Unknown(why) => {
                tracing::warn!(why, "jobs are perhaps not watched");
                Vec::new()
            }
        }
    }

    /// A due job, if this instance's configuration has its sort; another instance's may.
    fn known(&self, due: WatchedJob) -> Option<Kept> {
        let job = self.rules.jobs.iter().find(|job| job.name == due.job).cloned();
        let record = super::record::Record::read(&due.record);
        let (Some(job), Ok(record)) = (job, record) else {
            let (job, charge) = (due.job, due.charge);
            tracing::warn!(%job, %charge, "a job that this instance does not know is not watched");
            return None;
        };
        let WatchedJob { account, upstream_id: id, charge, version, .. } = due;
        Some(Kept { account, job, id, charge, version, record, state: None })
    }

    /// What is to be done about a due job.
    pub async fn look_at(&self, kept: &Kept) -> Look {
        if kept.record.found_until.is_some_and(|at| self.now() >= at) {
            self.forget_name(kept).await;
            return Look::Done;
        }
        if kept.record.end.is_some() {
            self.close(kept.clone()).await;
            return Look::Done;
        }
        if kept.record.has_waited(&kept.job, self.now()) {
            let report = self.missing(kept);
            self.told(kept.clone(), report, By::Watcher).await;
            return Look::Done;
        }
        let Some(question) = self.question(kept) else {
            let at = kept.record.done.map(|done| done.at.plus_ms(kept.job.grace_ms));
            let watch = at.map_or(Watching::Stopped, Watching::From);
            let _ = self.note(kept, &kept.record, watch, false).await;
            return Look::Done;
        };
        Look::Ask(question)
    }

    /// How the upstream is asked about a job; `None`: nothing says how.
    #[must_use]
    pub fn question(&self, kept: &Kept) -> Option<Question> {
        let own = kept.job.watching.as_ref()?;
        let (template, method, result) = match (&own.result, kept.record.done) {
            (Some(result), Some(_)) => (result, Method::GET, true),
            _ => (&own.path, own.method.clone(), false),
        };
        let path = fill(template, &kept.id, &kept.record.captures);
        let place = own.body_id.as_ref().filter(|_| !result);
        Some(Question { method, path, body: place.map(|place| along(place, &kept.id)), result })
    }

    /// What a watcher heard. Comes back when the ledger has it.
    pub async fn watched(&self, kept: Kept, asked: Asked) {
        let (mut record, now) = (kept.record.clone(), self.now());
        let every_ms = kept.job.watching.as_ref().map_or(PAUSE_MAX_MS, |own| own.every_ms);
        let failed = match asked {
            Asked::Answered(report) if report.is_end() => {
                let waits = kept.record.done.is_some();
                self.told(kept.clone(), *report, By::Watcher).await;
                if !waits {
                    return;
                }
                false
            }
            Asked::Answered(report) => {
                self.told(kept.clone(), *report, By::Watcher).await;
                false
            }
            Asked::Failed => true,
        };
        record.failures = if failed { record.failures.saturating_add(1) } else { 0 };
        let doublings = record.failures.min(DOUBLINGS_MAX);
        let pause = every_ms.saturating_mul(1 << doublings).min(PAUSE_MAX_MS.max(every_ms));
        let mut at = now.plus_ms(pause);
        if let Some(done) = record.done {
            at = at.min(done.at.plus_ms(kept.job.grace_ms).max(now));
        }
        // Lost against whoever has changed the record meanwhile: then the ledger's lease brings it back.
        let _ = self.note(&kept, &record, Watching::From(at), false).await;
    }

    /// The report on a job that is done, when nobody has said in time what it used.
    fn missing(&self, kept: &Kept) -> Report {
        let class = kept.record.done.map_or(crate::meter::Class::Completed, |done| done.class);
        let route = self.rules.routes.iter().find(|route| route.name == kept.record.route);
        let quantities = match route.map(|route| &route.work) {
            Some(Work::Paid(due)) => due.quantities.as_slice(),
            _ => &[],
        };
        let lacks = quantities.iter().filter(|quantity| {
            let of_job = quantity.response.iter().any(rules::is_of_job);
            of_job && !kept.record.stated.contains(&quantity.name)
        });
        let missing: BTreeSet<_> = lacks.map(|quantity| quantity.name.clone()).collect();
        let held = kept.record.held.clone();
        Report {
            class,
            charge: Charge::Settle { facts: held.facts, priced: held.priced },
            flags: missing.iter().cloned().map(Flag::MissingQuantity).collect(),
            missing,
            word: None,
            status: kept.record.told.upstream_status.unwrap_or_default(),
            result: true,
            files: Vec::new(),
        }
    }
}

/// A JSON object that has the id at a place.
fn along(place: &Pointer, id: &str) -> Vec<u8> {
    let mut value = Value::from(id);
    for step in place.steps().iter().rev() {
        if let Step::Name(name) = step {
            value = Value::Object([(name.clone(), value)].into_iter().collect());
        }
    }
    value.to_string().into_bytes()
}

/// A path with its captures filled in: `{id}` encoded whole, `{*id}` with its slashes, others as they were captured.
fn fill(template: &str, id: &str, captures: &[(String, String)]) -> String {
    let mut path = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('{') {
        path.push_str(before);
        let (name, after) = tail.split_once('}').unwrap_or((tail, ""));
        match name {
            "id" => encode(&mut path, id, false),
            "*id" => encode(&mut path, id, true),
            name => {
                let name = name.strip_prefix('*').unwrap_or(name);
                let value = captures.iter().find(|(capture, _)| capture == name);
                path.push_str(value.map_or("", |(_, value)| value));
            }
        }
        rest = after;
    }
    path.push_str(rest);
    path
}

/// Percent-encodes all but what RFC 3986 §2.3 leaves unreserved.
fn encode(path: &mut String, text: &str, slashes: bool) {
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || (slashes && byte == b'/') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_sent_along() {
        for (place, json) in
            [("/operationName", r#"{"operationName":"a\"b"}"#), ("/x/y", r#"{"x":{"y":"a\"b"}}"#)]
        {
            let sent = along(&place.parse().unwrap(), "a\"b");
            assert_eq!(String::from_utf8(sent).unwrap(), json);
        }
    }

    #[test]
    fn ids_cannot_leave_their_place() {
        let captures = [("model".to_owned(), "fal-ai%2Fflux".to_owned())];
        for (template, id, path) in [
            ("/v1/jobs/{id}", "abc-1", "/v1/jobs/abc-1"),
            ("/v1/jobs/{id}", "../x?y=1#z", "/v1/jobs/..%2Fx%3Fy%3D1%23z"),
            ("/v1/{*id}", "models/veo/operations/7", "/v1/models/veo/operations/7"),
            ("/v1/query?task={id}&all=1", "a b&c", "/v1/query?task=a%20b%26c&all=1"),
            ("/{model}/requests/{id}/status", "7", "/fal-ai%2Fflux/requests/7/status"),
        ] {
            assert_eq!(fill(template, id, &captures), path);
        }
    }
}
