//! The ledger as a whole: whether its epoch is in every partition, and whether Sentinels agree.
//!
//! Invariant: a ledger is whole only if all partitions have the same epoch; anything else is refused.

use std::collections::BTreeMap;

use redis::Value;

use crate::ledger::finding::{Finding, UNREACHABLE};
use crate::ledger::redis::epoch::Epoch;
use crate::ledger::redis::link::Outcome;
use crate::seam::Timestamp;

/// The most ranges of partitions that are listed.
const RANGES_MAX: usize = 8;
/// So many Sentinels must agree before one of them may be lost.
const SENTINELS: usize = 2;

/// What was read of each partition's epoch.
#[derive(Clone, Debug, Default)]
pub(in crate::ledger::redis) struct Census {
    present: Vec<(u16, Epoch)>,
    absent: Vec<u16>,
    unreadable: Vec<u16>,
    earlier: Vec<u16>,
    unanswered: Vec<(u16, String)>,
}

impl Census {
    /// From the replies to `GET` of every partition's epoch.
    pub(in crate::ledger::redis) fn of(replies: impl Iterator<Item = (u16, Outcome)>) -> Self {
        let mut census = Self::default();
        for (number, reply) in replies {
            match reply {
                Outcome::Done(Value::Nil) => census.absent.push(number),
                Outcome::Done(Value::BulkString(bytes)) => match Epoch::read(&bytes) {
                    Some(epoch) => census.present.push((number, epoch)),
                    None if Epoch::is_earlier(&bytes) => census.earlier.push(number),
                    None => census.unreadable.push(number),
                },
                Outcome::Done(_) | Outcome::Broken(_) => census.unreadable.push(number),
                Outcome::NotDone(why) | Outcome::Unknown(why) => {
                    census.unanswered.push((number, why));
                }
            }
        }
        census
    }

    /// Whether nothing of a ledger was found, and everything was looked at.
    pub(in crate::ledger::redis) fn is_empty(&self) -> bool {
        let read = self.present.is_empty() && self.earlier.is_empty() && self.unreadable.is_empty();
        read && self.unanswered.is_empty()
    }

    /// The epoch of a whole ledger.
    ///
    /// # Errors
    /// What is wrong with it: nothing may be served.
    pub(in crate::ledger::redis) fn whole(&self) -> Result<Epoch, Finding> {
        if let Some((_, why)) = self.unanswered.first() {
            let numbers = ranges(self.unanswered.iter().map(|(number, _)| *number));
            let found = format!("partitions {numbers} do not answer: {why}");
            return Err(Finding::error(UNREACHABLE, "", found, "look at the servers first"));
        }
        if !self.unreadable.is_empty() {
            let numbers = ranges(self.unreadable.iter().copied());
            let found = format!("the epochs of partitions {numbers} are not ours to read");
            let advice = "does something else use the same prefix, or a newer program the ledger?";
            return Err(Finding::error("epoch_unreadable", "", found, advice));
        }
        if !self.earlier.is_empty() {
            let numbers = ranges(self.earlier.iter().copied());
            let found = format!("partitions {numbers} were made by an earlier version");
            let advice = "its records cannot be read any more: make a new ledger with `tollgate ledger \
                          create` under another `prefix` or in an empty database";
            return Err(Finding::error("earlier_ledger", "", found, advice));
        }
        let Some((_, first)) = self.present.first() else { return Err(no_ledger()) };
        if !self.absent.is_empty() {
            return Err(self.lost());
        }
        if self.present.iter().any(|(_, epoch)| epoch.id != first.id) {
            return Err(self.differ());
        }
        Ok(*first)
    }

    /// What is to be said of it.
    pub(super) fn findings(&self, now: Timestamp) -> Vec<Finding> {
        let epoch = match self.whole() {
            Ok(epoch) => epoch,
            Err(finding) => return vec![finding],
        };
        let name = epoch.name();
        let mut found = vec![match epoch.for_tests {
            true => {
                let advice = "never keep money in it: its clock may be set";
                let found = format!("{name} was made for tests");
                Finding::warning("test_ledger", "", found, advice)
            }
            false => Finding::ok("ledger", "", format!("{name}, made {}", epoch.created)),
        }];
        let grace = self.present.iter().map(|(_, epoch)| epoch.grace_until).max();
        if let Some(until) = grace.filter(|until| *until > now) {
            let what = format!("after an outage nothing is ended until {until}");
            found.push(Finding::ok("grace", "", what));
        }
        found
    }

    fn lost(&self) -> Finding {
        let numbers = ranges(self.absent.iter().copied());
        let (lost, all) = (self.absent.len(), self.absent.len() + self.present.len());
        let found = format!("{lost} of {all} partitions have lost their data: {numbers}");
        let advice = "restore them from a replica, a log or a snapshot; nothing is served before, \
                      since what is gone must not be taken for zero";
        Finding::error("ledger_lost", "", found, advice)
    }

    fn differ(&self) -> Finding {
        let mut by_id: BTreeMap<[u8; 16], Vec<u16>> = BTreeMap::new();
        for (number, epoch) in &self.present {
            by_id.entry(epoch.id).or_default().push(*number);
        }
        // All but the most frequent one are strangers.
        let most = by_id.values().map(Vec::len).max().unwrap_or(0);
        let mut others: Vec<Vec<u16>> = by_id.into_values().collect();
        if let Some(at) = others.iter().position(|numbers| numbers.len() == most) {
            others.remove(at);
        }
        let mut strangers: Vec<u16> = others.concat();
        strangers.sort_unstable();
        let numbers = ranges(strangers.iter().copied());
        let found = format!("partitions {numbers} belong to another ledger than the rest");
        let advice =
            "servers of two ledgers were mixed, or an old copy was restored: separate them";
        Finding::error("epochs_differ", "", found, advice)
    }
}

fn no_ledger() -> Finding {
    let advice = "for a new one run `tollgate ledger create`; if there was one its data is lost: \
                  restore it";
    Finding::error("no_ledger", "", "there is no ledger here", advice)
}

/// `0, 5-9, 1023`
fn ranges(numbers: impl Iterator<Item = u16>) -> String {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown = ranges.iter().take(RANGES_MAX).map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if ranges.len() > RANGES_MAX {
        text.push_str(", …");
    }
    text
}

/// What the Sentinels say: each its own name, and the address of the primary or why there is none.
pub(super) fn sentinels(
    name: &str,
    said: &[(String, Result<Option<String>, String>)],
) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut primaries: BTreeMap<&str, usize> = BTreeMap::new();
    for (sentinel, answer) in said {
        match answer {
            Ok(Some(primary)) => {
                let count = primaries.entry(primary).or_default();
                *count = count.saturating_add(1);
            }
            Ok(None) => {
                let what = format!("it knows no primary called {name}");
                let advice = "compare `name` with `sentinel monitor` in its configuration";
                found.push(Finding::error("unknown_primary", sentinel, what, advice));
            }
            Err(why) => {
                let advice = "is it running, and do address, TLS, user and password fit?";
                found.push(Finding::warning("sentinel_away", sentinel, why, advice));
            }
        }
    }
    let names = primaries.keys().copied().collect::<Vec<_>>().join(" and ");
    let counted: usize = primaries.values().sum();
    let all = said.len();
    let what = format!("{counted} of {all} name {names}");
    match (primaries.len(), counted) {
        (0, _) => {
            let advice = "without them nobody knows which server is the primary";
            found.push(Finding::error(UNREACHABLE, "", "no Sentinel names a primary", advice));
        }
        (1, agreeing) if agreeing >= SENTINELS => {
            found.push(Finding::ok("sentinels", "", what));
        }
        (1, _) => {
            let advice =
                "name at least two that answer: one may be down, and one alone may be wrong";
            found.push(Finding::warning("few_sentinels", "", what, advice));
        }
        _ => {
            let advice =
                "a failover runs, or they are cut off from each other: look again in a minute";
            found.push(Finding::error("sentinels_differ", "", what, advice));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::finding::Level;

    fn epoch(id: u8) -> Outcome {
        let epoch = Epoch {
            for_tests: id == 0,
            id: [id; 16],
            grace_until: Timestamp(u64::from(id)),
            created: Timestamp(1_790_000_000_000),
        };
        Outcome::Done(Value::BulkString(epoch.bytes()))
    }

    fn codes(reply: impl Fn(u16) -> Outcome) -> Vec<(Level, &'static str, String)> {
        let census = Census::of((0..1_024).map(|number| (number, reply(number))));
        let found = census.findings(Timestamp(8));
        found.into_iter().map(|one| (one.level, one.code, one.found)).collect()
    }

    #[test]
    fn a_ledger_is_whole_or_refused() {
        let id = "07".repeat(16);
        let one = |level, code, found: &str| vec![(level, code, found.to_owned())];
        assert_eq!(
            codes(|_| epoch(7)),
            one(Level::Ok, "ledger", &format!("{id}, made 2026-09-21T14:13:20.000Z"))
        );
        assert_eq!(
            codes(|_| Outcome::Done(Value::Nil)),
            one(Level::Error, "no_ledger", "there is no ledger here")
        );
        let lost = |n| if n < 3 || n == 1_023 { Outcome::Done(Value::Nil) } else { epoch(7) };
        let said = "4 of 1024 partitions have lost their data: 0-2, 1023";
        assert_eq!(codes(lost), one(Level::Error, "ledger_lost", said));
        let odd = |n| if n % 2 == 0 { epoch(7) } else { Outcome::Done(Value::Nil) };
        let said = "512 of 1024 partitions have lost their data: 1, 3, 5, 7, 9, 11, 13, 15, …";
        assert_eq!(codes(odd), one(Level::Error, "ledger_lost", said));
        let mixed = |n| epoch(if n == 5 || n == 600 { 6 } else { 7 });
        let said = "partitions 5, 600 belong to another ledger than the rest";
        assert_eq!(codes(mixed), one(Level::Error, "epochs_differ", said));
        let strange = |n| match n {
            9 => Outcome::Done(Value::BulkString(b"x".to_vec())),
            _ => epoch(7),
        };
        let said = "the epochs of partitions 9 are not ours to read";
        assert_eq!(codes(strange), one(Level::Error, "epoch_unreadable", said));
        let old = |_| {
            let Outcome::Done(Value::BulkString(bytes)) = epoch(7) else { panic!() };
            Outcome::Done(Value::BulkString([&[1], &bytes[1..]].concat()))
        };
        let said = "partitions 0-1023 were made by an earlier version";
        assert_eq!(codes(old), one(Level::Error, "earlier_ledger", said));
        let away = |n| match n {
            0..512 => Outcome::NotDone("CLUSTERDOWN".to_owned()),
            _ => Outcome::Done(Value::Nil),
        };
        let said = "partitions 0-511 do not answer: CLUSTERDOWN";
        assert_eq!(codes(away), one(Level::Error, UNREACHABLE, said));
    }

    #[test]
    fn a_ledger_for_tests_and_one_in_grace_say_so() {
        let found = codes(|_| epoch(0));
        assert_eq!((found.len(), found[0].0, found[0].1), (1, Level::Warning, "test_ledger"));
        let found = codes(|_| epoch(9));
        assert_eq!(found[1].1, "grace");
    }

    #[test]
    fn two_sentinels_must_agree() {
        let primary = |at: &str| Ok(Some(at.to_owned()));
        let away: Result<Option<String>, String> = Err("refused".to_owned());
        let say = |answers: &[Result<Option<String>, String>]| -> Vec<(Level, &'static str)> {
            let names = ["s1:1", "s2:1", "s3:1"].into_iter().map(str::to_owned);
            let said: Vec<_> = names.zip(answers.iter().cloned()).collect();
            sentinels("m", &said).into_iter().map(|one| (one.level, one.code)).collect()
        };
        let ok = (Level::Ok, "sentinels");
        assert_eq!(say(&[primary("a:1"), primary("a:1")]), [ok]);
        assert_eq!(
            say(&[primary("a:1"), away.clone(), primary("a:1")]),
            [(Level::Warning, "sentinel_away"), ok]
        );
        assert_eq!(say(&[primary("a:1")]), [(Level::Warning, "few_sentinels")]);
        assert_eq!(
            say(&[primary("a:1"), primary("b:1"), primary("a:1")]),
            [(Level::Error, "sentinels_differ")]
        );
        assert_eq!(
            say(&[Ok(None), away]),
            [
                (Level::Error, "unknown_primary"),
                (Level::Warning, "sentinel_away"),
                (Level::Error, UNREACHABLE)
            ]
        );
    }
}
