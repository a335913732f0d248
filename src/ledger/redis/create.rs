//! Makes a ledger where there is none.
//!
//! Invariant: nothing but this writes an epoch, and only where no trace of a ledger is: an empty store
//! where a ledger was is never taken for zero balances.

use std::collections::BTreeMap;

use redis::Value;

use super::check::{Servers, census, text, words};
use super::epoch::Epoch;
use super::keys::Keys;
use super::link::plain::Plain;
use super::link::{Call, Outcome, What};
use super::settings::Settings;
use crate::credit::Partition;
use crate::ledger::finding::{Finding, UNREACHABLE};
use crate::seam::{Clock, Entropy, Timestamp};

/// How many keys the server looks at in one call.
const SCAN_COUNT: &str = "10000";

/// Why no ledger was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There is one, or something of one.
    #[error("{0}")]
    Refused(String),
    /// It may work later.
    #[error("{0}")]
    Unreachable(String),
}

/// Makes a ledger, and answers with the name of its epoch. `for_tests`: its clock may be a test's.
///
/// # Errors
/// When there is a ledger or a trace of one, or a server does not answer.
pub async fn create(
    settings: &Settings,
    for_tests: bool,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<String, CreateError> {
    let servers = Plain::open(settings).await.map_err(|finding| told(&finding))?;
    let mut id = [0; 16];
    let random = entropy.fill(&mut id);
    random.map_err(|error| CreateError::Unreachable(format!("no randomness: {error}")))?;
    let epoch = Epoch { for_tests, id, grace_until: Timestamp(0), created: clock.now() };
    create_on(&servers, settings, epoch).await?;
    Ok(epoch.name())
}

/// As `create`, on servers that are connected.
async fn create_on(
    servers: &dyn Servers,
    settings: &Settings,
    epoch: Epoch,
) -> Result<(), CreateError> {
    let before = census(servers, settings).await;
    if !before.is_empty() {
        return Err(present(before.whole().err().as_ref()));
    }
    if let Some(key) = trace(servers, settings).await? {
        let say = format!(
            "there was a ledger here: `{key}` is left of it, without an epoch. Restore it, or use \
             another `prefix` or database"
        );
        return Err(CreateError::Refused(say));
    }
    let mut partitions = Partition::all();
    // The first is the one that two who create at once quarrel about.
    if let Some(first) = partitions.next() {
        write(servers, settings, first, epoch).await?;
    }
    let rest = partitions.map(|partition| write(servers, settings, partition, epoch));
    for written in futures_util::future::join_all(rest).await {
        written?;
    }
    census(servers, settings).await.whole().map(drop).map_err(|finding| told(&finding))
}

fn present(wrong: Option<&Finding>) -> CreateError {
    match wrong {
        Some(finding) if finding.code == UNREACHABLE => told(finding),
        Some(finding) => {
            let say = format!("there is a ledger already, not whole: {}", finding.found);
            CreateError::Refused(say)
        }
        None => CreateError::Refused("there is a ledger already".to_owned()),
    }
}

fn told(finding: &Finding) -> CreateError {
    let place = if finding.place.is_empty() { "" } else { ": " };
    let say = format!("{}{place}{}", finding.place, finding.found);
    match finding.code {
        UNREACHABLE => CreateError::Unreachable(say),
        _ => CreateError::Refused(say),
    }
}

async fn write(
    servers: &dyn Servers,
    settings: &Settings,
    partition: Partition,
    epoch: Epoch,
) -> Result<(), CreateError> {
    let key = Keys::new(&settings.prefix).epoch(partition);
    let words = vec![b"SET".to_vec(), key, epoch.bytes(), b"NX".to_vec()];
    let deadline_ms = settings.deadlines.other_ms;
    let again = "look with `tollgate doctor`; a ledger that was only begun, and never served from, \
                 is removed by deleting its `epoch` keys";
    match servers.run(Call { what: What::Command(words), partition, deadline_ms }).await {
        Outcome::Done(Value::Okay) => Ok(()),
        Outcome::Done(_) => {
            let say = "somebody else creates a ledger here at this moment";
            Err(CreateError::Refused(say.to_owned()))
        }
        Outcome::Broken(why) => Err(CreateError::Refused(format!("{why}; {again}"))),
        Outcome::NotDone(why) | Outcome::Unknown(why) => {
            Err(CreateError::Unreachable(format!("{why}; {again}")))
        }
    }
}

/// A key that looks like a ledger's.
async fn trace(servers: &dyn Servers, settings: &Settings) -> Result<Option<String>, CreateError> {
    let pattern = format!("{}{{[0-9][0-9][0-9][0-9]}}:*", settings.prefix);
    let mut cursors: BTreeMap<String, String> = BTreeMap::new();
    let scan = |cursor: &str| {
        let words = words(&["SCAN", cursor, "MATCH", &pattern, "COUNT", SCAN_COUNT]);
        servers.everywhere(words, settings.deadlines.other_ms)
    };
    for (name, outcome) in scan("0").await {
        let (cursor, found) = page(outcome)?;
        if found.is_some() {
            return Ok(found);
        }
        cursors.insert(name, cursor);
    }
    // A cursor is its server's own: of all the answers to it only that one counts.
    while let Some((name, cursor)) = cursors.pop_first() {
        if cursor == "0" {
            continue;
        }
        let answers = scan(&cursor).await;
        let Some((name, outcome)) = answers.into_iter().find(|(own, _)| *own == name) else {
            return Err(CreateError::Unreachable(format!("{name} does not answer any more")));
        };
        let (cursor, found) = page(outcome)?;
        if found.is_some() {
            return Ok(found);
        }
        cursors.insert(name, cursor);
    }
    Ok(None)
}

/// The next cursor, and a key.
fn page(outcome: Outcome) -> Result<(String, Option<String>), CreateError> {
    let unreadable = || CreateError::Refused("`SCAN` is answered strangely".to_owned());
    match outcome {
        Outcome::Done(Value::Array(parts)) => {
            let cursor = parts.first().and_then(text).ok_or_else(unreadable)?;
            let Some(Value::Array(keys)) = parts.get(1) else { return Err(unreadable()) };
            Ok((cursor, keys.first().and_then(text)))
        }
        Outcome::Done(_) => Err(unreadable()),
        Outcome::Broken(why) => Err(CreateError::Refused(why)),
        Outcome::NotDone(why) | Outcome::Unknown(why) => Err(CreateError::Unreachable(why)),
    }
}

#[cfg(test)]
mod tests;
