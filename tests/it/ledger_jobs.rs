//! Jobs: charges that outlive their exchange, and what is kept of them, on every store.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt;
use tollgate::credit::{AccountId, ChargeId};
use tollgate::ledger::embedded::EmbeddedLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, SimulatedClock, Timestamp};

use crate::ledger_disk::SimulatedDisk;
use crate::ledger_redis::RedisStore;
use crate::ledger_world::{
    DAY, HOUR, LEASE, MINUTE, NOON, Store, World, credits, key_of, neighbour, new_account, no, ok,
    on_every_store, wait, world_on,
};

pub(crate) fn job_name() -> JobName {
    "video".parse().unwrap()
}

impl World {
    pub(crate) fn handing(&self, charge: ChargeId, id: &str, lives_ms: u64) -> HandOver {
        HandOver {
            account: self.account.clone(),
            charge,
            job: job_name(),
            upstream_id: id.to_owned(),
            until: self.now().plus_ms(lives_ms),
            watch_at: None,
            record: b"first".to_vec(),
            explanation: Vec::new(),
        }
    }

    pub(crate) fn hand_over(&self, call: &HandOver) -> Answer<HandedOver> {
        wait(self.store.ledger().hand_over(call.clone()))
    }

    fn job_of(&self, account: &AccountId, id: &str) -> Answer<Job> {
        wait(self.store.ledger().job(account.clone(), job_name(), id.to_owned()))
    }

    pub(crate) fn job(&self, id: &str) -> Answer<Job> {
        self.job_of(&self.account, id)
    }

    fn noting(&self, id: &str, version: u64, record: &str) -> NoteJob {
        NoteJob {
            account: self.account.clone(),
            job: job_name(),
            upstream_id: id.to_owned(),
            version,
            record: record.as_bytes().to_vec(),
            watch: Watching::AsBefore,
            ended: false,
        }
    }

    fn note(&self, call: &NoteJob) -> Answer<Noted> {
        wait(self.store.ledger().note_job(call.clone()))
    }

    fn watch(&self, limit: usize, lease_ms: u64) -> Vec<WatchedJob> {
        ok(wait(self.store.ledger().watch_jobs(limit, lease_ms)))
    }

    /// A charge of ten credits that waits for a job of this id for an hour.
    fn waiting(&self, id: &str) -> ChargeId {
        let call = self.call(10);
        ok(self.reserve(&call));
        ok(self.hand_over(&self.handing(call.charge, id, HOUR)));
        call.charge
    }

    fn state(&self, charge: ChargeId) -> ChargeState {
        ok(self.charge(charge)).state
    }

    fn slots(&self) -> u32 {
        let check = SlotCheck { name: "slots".into(), scope: Scope::Account, limit: 9 };
        self.view(&Gates { slots: vec![check], ..Gates::default() }).slots[0].used
    }

    fn audit_is_clean(&self) {
        let found = ok(wait(audit(self.store.ledger(), self.account.clone())));
        assert_eq!(found.books.breaches, []);
    }
}

#[test]
fn a_charge_outlives_its_exchange_and_ends_with_its_job() {
    on_every_store(|w| {
        w.buy("a", 100);
        let call = w.call(10);
        ok(w.reserve(&call));
        w.clock.advance(MINUTE / 2);
        let until = w.now().plus_ms(2 * HOUR);
        let handed = ok(w.hand_over(&w.handing(call.charge, "pred/1", 2 * HOUR)));
        assert_eq!(handed, HandedOver { state: ChargeState::Held, until, version: 1 });
        // Hours without a renewal: it is held, with its slot.
        w.clock.advance(2 * HOUR - 1);
        w.tick();
        assert_eq!((w.state(call.charge), w.slots()), (ChargeState::Held, 1));
        assert_eq!(ok(w.charge(call.charge)).deadline, None, "its outcome is not unknown");
        assert_eq!(w.columns("a"), [90, 10, 0, 0, 0]);
        let job = ok(w.job("pred/1"));
        assert_eq!((job.charge, job.until, job.version), (call.charge, until, 1));
        assert_eq!((job.record, job.state), (b"first".to_vec(), JobState::Open { unknown: false }));
        w.audit_is_clean();
        ok(w.settle(call.charge, 7));
        let at = w.now();
        assert_eq!((w.columns("a"), w.slots()), ([93, 0, 7, 0, 0], 0));
        let JobState::Ended { state, charged, at: ended, by_deadline } = ok(w.job("pred/1")).state
        else {
            panic!("the charge has ended")
        };
        assert_eq!((state, charged, ended), (ChargeState::Settled, credits(7), at));
        assert!(!by_deadline);
        w.audit_is_clean();
    });
}

#[test]
fn what_is_said_of_a_charge_that_waits_stays_until_its_end_says_more() {
    on_every_store(|w| {
        w.buy("a", 100);
        let [first, second] = [w.call(10), w.call(10)];
        let said = |charge| ok(w.charge(charge)).explanation;
        for (call, id) in [(&first, "x"), (&second, "y")] {
            ok(w.reserve(call));
            let explanation = b"waits".to_vec();
            let handing = HandOver { explanation, ..w.handing(call.charge, id, HOUR) };
            let long = HandOver { explanation: vec![b'x'; NOTE_MAX + 1], ..handing.clone() };
            assert!(matches!(no(w.hand_over(&long)), Refusal::Invalid(_)));
            assert_eq!(said(call.charge), b"", "a refusal says nothing");
            ok(w.hand_over(&handing));
            assert_eq!(said(call.charge), b"waits");
            // Who says it again changes nothing.
            ok(w.hand_over(&HandOver { explanation: b"other".to_vec(), ..handing }));
            assert_eq!(said(call.charge), b"waits");
        }
        ok(w.settle(first.charge, 7));
        assert_ne!(said(first.charge), b"");
        // Nobody says how this one ends.
        w.clock.advance(2 * HOUR);
        w.tick();
        assert_eq!(said(second.charge), b"waits");
        w.audit_is_clean();
    });
}

#[test]
fn the_same_hand_over_again_changes_nothing() {
    on_every_store(|w| {
        w.buy("a", 100);
        let charge = w.waiting("x");
        let before = w.everything();
        let again = HandOver { record: b"other".to_vec(), ..w.handing(charge, "x", 2 * HOUR) };
        let until = w.now().plus_ms(HOUR);
        assert_eq!(
            ok(w.hand_over(&again)),
            HandedOver { state: ChargeState::Held, until, version: 1 }
        );
        assert_eq!(w.everything(), before);
        assert_eq!(ok(w.job("x")).record, b"first");
        // Once its charge has ended too: the first answer may have been lost on its way.
        ok(w.release(charge));
        assert_eq!(ok(w.hand_over(&again)).state, ChargeState::Released);
    });
}

#[test]
fn an_id_is_one_charges_within_its_account_and_sort() {
    on_every_store(|w| {
        w.buy("a", 100);
        w.waiting("x");
        let other = w.call(1);
        ok(w.reserve(&other));
        let before = w.everything();
        assert_eq!(no(w.hand_over(&w.handing(other.charge, "x", HOUR))), Refusal::Exists);
        assert_eq!(w.everything(), before, "what is refused leaves no trace");
        // Another sort of job has ids of its own.
        let image =
            HandOver { job: "image".parse().unwrap(), ..w.handing(other.charge, "x", HOUR) };
        ok(w.hand_over(&image));
        assert_ne!(ok(w.job("x")).charge, other.charge);
    });
}

#[test]
fn another_accounts_job_is_no_job() {
    on_every_store(|w| {
        w.buy("a", 100);
        let charge = w.waiting("x");
        let bob = neighbour(&w.account);
        ok(wait(w.store.ledger().create_account(new_account(&bob))));
        assert_eq!(no(w.job_of(&bob, "x")), Refusal::UnknownJob);
        assert_eq!(no(w.job_of(&"acct_nobody".parse().unwrap(), "x")), Refusal::UnknownJob);
        let note = NoteJob { account: bob.clone(), ..w.noting("x", 1, "mine") };
        assert_eq!(no(w.note(&note)), Refusal::UnknownJob);
        // Nor does a charge become another's.
        let call = HandOver { account: bob.clone(), ..w.handing(charge, "y", HOUR) };
        assert_eq!(no(w.hand_over(&call)), Refusal::UnknownCharge);
        // The same id is the other account's own.
        let key = key_of(&bob, 9);
        let new = NewKey {
            member: None,
            routes: Vec::new(),
            account: bob.clone(),
            id: key,
            hash: [1; 32],
            label: String::new(),
            ends: None,
        };
        let version = ok(wait(w.store.ledger().create_key(new))).version;
        let call = w.call_for(w.id_of(&bob), 0);
        let call = Reserve { account: bob.clone(), key, document_version: version, ..call };
        ok(w.reserve(&call));
        ok(w.hand_over(&HandOver { account: bob.clone(), ..w.handing(call.charge, "x", HOUR) }));
        assert_eq!(ok(w.job_of(&bob, "x")).charge, call.charge);
        assert_eq!(ok(w.job("x")).charge, charge);
    });
}

#[test]
fn any_text_is_an_id_and_what_is_too_long_is_refused() {
    on_every_store(|w| {
        w.buy("a", 100);
        let long = "é".repeat(JOB_ID_MAX / 2);
        for id in ["a/b/../c", "\0\u{1}\n\r", "{0000}:*", "日本", long.as_str()] {
            let charge = w.waiting(id);
            let job = ok(w.job(id));
            assert_eq!((job.charge, job.upstream_id.as_str()), (charge, id));
        }
        let call = w.call(1);
        ok(w.reserve(&call));
        let handing = w.handing(call.charge, "big", HOUR);
        let full = HandOver { record: vec![0xff; JOB_RECORD_MAX], ..handing.clone() };
        for wrong in [
            HandOver { upstream_id: String::new(), ..handing.clone() },
            HandOver { upstream_id: "x".repeat(JOB_ID_MAX + 1), ..handing.clone() },
            HandOver { record: vec![0; JOB_RECORD_MAX + 1], ..handing },
        ] {
            assert!(matches!(no(w.hand_over(&wrong)), Refusal::Invalid(_)));
        }
        ok(w.hand_over(&full));
        assert_eq!(ok(w.job("big")).record, full.record);
        let long = NoteJob { record: vec![0; JOB_RECORD_MAX + 1], ..w.noting("big", 1, "") };
        assert!(matches!(no(w.note(&long)), Refusal::Invalid(_)));
        assert_eq!(no(w.job("a/b")), Refusal::UnknownJob);
    });
}

#[test]
fn a_job_that_nobody_ends_is_unknown_and_then_ended_by_its_route() {
    let table = [
        (OnUnknown::Release, [100, 0, 0, 0, 0], Some(ChargeState::Released)),
        (OnUnknown::Charge, [90, 0, 10, 0, 0], Some(ChargeState::Settled)),
        (OnUnknown::Hold, [90, 10, 0, 0, 0], None),
    ];
    for (on_unknown, columns, ends) in table {
        on_every_store(|w| {
            w.buy("a", 100);
            let call = Reserve { on_unknown, reconcile_ms: 10 * MINUTE, ..w.call(10) };
            ok(w.reserve(&call));
            ok(w.hand_over(&w.handing(call.charge, "x", HOUR)));
            w.clock.advance(HOUR);
            while w.tick() > 0 {}
            assert_eq!((w.state(call.charge), w.slots()), (ChargeState::Unknown, 0));
            assert_eq!(ok(w.job("x")).state, JobState::Open { unknown: true });
            let until = Some(w.now().plus_ms(10 * MINUTE)).filter(|_| ends.is_some());
            assert_eq!(ok(w.charge(call.charge)).deadline, until);
            w.clock.advance(10 * MINUTE);
            while w.tick() > 0 {}
            assert_eq!(w.columns("a"), columns, "{on_unknown:?}");
            match (ok(w.job("x")).state, ends) {
                (JobState::Ended { state, by_deadline, .. }, Some(wanted)) => {
                    assert_eq!((state, by_deadline), (wanted, true));
                }
                (state, wanted) => {
                    assert_eq!((state, wanted), (JobState::Open { unknown: true }, None));
                }
            }
            // A late end is heard once.
            ok(w.settle(call.charge, 4));
            assert_eq!(w.columns("a"), [96, 0, 4, 0, 0]);
            w.audit_is_clean();
        });
    }
}

#[test]
fn no_renewal_moves_the_end_of_a_job() {
    on_every_store(|w| {
        w.buy("a", 100);
        let charge = w.waiting("x");
        let until = ok(w.job("x")).until;
        assert_eq!(w.extend(charge), Extended::Until(until));
        w.clock.advance(HOUR - LEASE / 2);
        assert_eq!(w.extend(charge), Extended::Until(until));
        w.clock.advance(LEASE / 2);
        assert_eq!(w.extend(charge), Extended::Ended);
        w.tick();
        assert_eq!(w.state(charge), ChargeState::Unknown);
    });
}

#[test]
fn recovery_and_restarts_leave_a_job_alone() {
    on_every_store(|w| {
        w.buy("a", 100);
        let running = w.call(1);
        ok(w.reserve(&running));
        let charge = w.waiting("x");
        let open_of = |instance: &str| -> Vec<ChargeId> {
            let open = ok(wait(w.store.ledger().open_of(instance.to_owned())));
            open.iter().map(|open| open.charge).collect()
        };
        assert_eq!(open_of("i1"), [running.charge]);
        match &w.store {
            Store::Model(ledger) => ledger.restart(),
            Store::Embedded(_) => {}
            Store::Redis(store) => store.ledger.restart(w.clock.clone()),
        }
        w.clock.advance(3 * LEASE);
        while w.tick() > 0 {}
        assert_eq!(w.state(running.charge), ChargeState::Unknown);
        assert_eq!(w.state(charge), ChargeState::Held);
        // Not even when nobody knows any more how it went.
        w.clock.advance(HOUR);
        while w.tick() > 0 {}
        assert_eq!(w.state(charge), ChargeState::Unknown);
        assert!(!open_of("i1").contains(&charge));
    });
}

#[test]
fn a_late_hand_over_never_revives() {
    on_every_store(|w| {
        w.buy("a", 100);
        // Unknown: the credits stay held for the job, the slot is not taken again.
        let call = Reserve { reconcile_ms: 10 * MINUTE, ..w.call(10) };
        ok(w.reserve(&call));
        w.clock.advance(LEASE);
        let until = w.now().plus_ms(HOUR);
        let handed = ok(w.hand_over(&w.handing(call.charge, "x", HOUR)));
        assert_eq!(handed, HandedOver { state: ChargeState::Unknown, until, version: 1 });
        assert_eq!(w.slots(), 0);
        w.audit_is_clean();
        w.clock.advance(HOUR + 10 * MINUTE - 1);
        w.tick();
        assert_eq!(w.state(call.charge), ChargeState::Unknown);
        assert_eq!(ok(w.job("x")).state, JobState::Open { unknown: true });
        w.clock.advance(1);
        w.tick();
        assert_eq!(w.state(call.charge), ChargeState::Released);
        // Ended, closed unseen, never seen.
        let charge = w.waiting("y");
        ok(w.settle(charge, 3));
        let before = w.everything();
        let late = w.hand_over(&w.handing(charge, "z", HOUR));
        assert_eq!(no(late), Refusal::Ended(ChargeState::Settled));
        assert_eq!(no(w.job("z")), Refusal::UnknownJob);
        let unseen = w.hand_over(&w.handing(w.id(), "z", HOUR));
        assert_eq!(no(unseen), Refusal::UnknownCharge);
        assert_eq!(w.everything(), before);
        let closed = w.id();
        ok(w.release(closed));
        let late = w.hand_over(&w.handing(closed, "z", HOUR));
        assert_eq!(no(late), Refusal::Ended(ChargeState::Released));
    });
}

#[test]
fn a_record_is_replaced_by_whoever_knows_its_version() {
    on_every_store(|w| {
        w.buy("a", 100);
        w.waiting("x");
        assert_eq!(no(w.note(&w.noting("none", 1, "one"))), Refusal::UnknownJob);
        w.clock.advance(MINUTE);
        let noted = ok(w.note(&w.noting("x", 1, "one")));
        assert_eq!(noted, Noted { version: 2, ended: None });
        // The same again: its answer was lost.
        assert_eq!(ok(w.note(&w.noting("x", 1, "one"))), noted);
        let before = w.everything();
        assert_eq!(no(w.note(&w.noting("x", 1, "two"))), Refusal::Conflict);
        assert_eq!(no(w.note(&w.noting("x", 3, "two"))), Refusal::Conflict);
        assert_eq!(w.everything(), before);
        let first = w.now();
        let ended = NoteJob { ended: true, ..w.noting("x", 2, "ended") };
        assert_eq!(ok(w.note(&ended)), Noted { version: 3, ended: Some(first) });
        w.clock.advance(MINUTE);
        // A report that contradicts it is kept, and it has ended all the same, when it first had.
        let late = NoteJob { watch: Watching::From(w.now()), ..w.noting("x", 3, "no") };
        assert_eq!(ok(w.note(&late)), Noted { version: 4, ended: Some(first) });
        let job = ok(w.job("x"));
        assert_eq!((job.record, job.version, job.ended), (b"no".to_vec(), 4, Some(first)));
        assert_eq!((job.noted, job.watch_at), (Some(w.now()), None));
    });
}

#[test]
fn a_job_is_watched_by_one_at_a_time_until_it_has_ended() {
    on_every_store(|w| {
        w.buy("a", 100);
        let call = w.call(1);
        ok(w.reserve(&call));
        let watch_at = Some(w.now().plus_ms(MINUTE));
        ok(w.hand_over(&HandOver { watch_at, ..w.handing(call.charge, "x", HOUR) }));
        w.waiting("unwatched");
        assert_eq!(w.watch(10, MINUTE), []);
        w.clock.advance(MINUTE);
        assert_eq!(w.watch(0, MINUTE), []);
        let given = w.watch(10, MINUTE);
        assert_eq!(given.len(), 1);
        let job = &given[0];
        assert_eq!((job.charge, job.upstream_id.as_str(), job.version), (call.charge, "x", 1));
        assert_eq!(
            (&job.account, &job.job, &job.record),
            (&w.account, &job_name(), &b"first".to_vec())
        );
        assert_eq!(w.watch(10, MINUTE), [], "it is somebody's for a minute");
        w.clock.advance(MINUTE - 1);
        assert_eq!(w.watch(10, MINUTE), []);
        w.clock.advance(1);
        // Whoever had it has died; the next one says when to ask again.
        assert_eq!(w.watch(10, MINUTE).len(), 1);
        let next = Watching::From(w.now().plus_ms(10_000));
        ok(w.note(&NoteJob { watch: next, ..w.noting("x", 1, "pending") }));
        w.clock.advance(9_999);
        assert_eq!(w.watch(10, MINUTE), []);
        w.clock.advance(1);
        assert_eq!(w.watch(10, MINUTE)[0].record, b"pending");
        ok(w.note(&NoteJob { ended: true, ..w.noting("x", 2, "done") }));
        w.clock.advance(2 * HOUR);
        assert_eq!(w.watch(10, MINUTE), []);
        w.waiting("y");
        let soon = Watching::From(w.now());
        ok(w.note(&NoteJob { watch: soon, ..w.noting("y", 1, "now") }));
        ok(w.note(&NoteJob { watch: Watching::Stopped, ..w.noting("y", 2, "never") }));
        assert_eq!(w.watch(10, MINUTE), []);
    });
}

#[test]
fn those_that_wait_longest_are_watched_first() {
    on_every_store(|w| {
        w.buy("a", 100);
        for n in 0..7_u64 {
            let call = w.call(1);
            ok(w.reserve(&call));
            let watch_at = Some(Timestamp(w.now().0 + (n * 3 % 7) * 1_000));
            let id = format!("{}", n * 3 % 7);
            ok(w.hand_over(&HandOver { watch_at, ..w.handing(call.charge, &id, HOUR) }));
        }
        w.clock.advance(5_000);
        let ids = |given: Vec<WatchedJob>| -> Vec<String> {
            given.into_iter().map(|job| job.upstream_id).collect()
        };
        assert_eq!(ids(w.watch(4, HOUR)), ["0", "1", "2", "3"]);
        assert_eq!(ids(w.watch(4, HOUR)), ["4", "5"]);
        w.clock.advance(MINUTE);
        assert_eq!(ids(w.watch(4, HOUR)), ["6"]);
    });
}

#[test]
fn a_hundred_watchers_get_a_job_once() {
    on_every_store(|w| {
        w.buy("a", 1_000);
        for n in 0..20 {
            let call = w.call(1);
            ok(w.reserve(&call));
            let watch_at = Some(w.now());
            ok(w.hand_over(&HandOver { watch_at, ..w.handing(call.charge, &n.to_string(), HOUR) }));
        }
        let asked = (0..100).map(|_| w.store.ledger().watch_jobs(3, MINUTE));
        let answers =
            wait(futures_util::stream::iter(asked).buffer_unordered(20).collect::<Vec<_>>());
        let given: Vec<String> =
            answers.into_iter().flat_map(ok).map(|job| job.upstream_id).collect();
        let once: BTreeSet<&String> = given.iter().collect();
        assert_eq!((given.len(), once.len()), (20, 20), "{given:?}");
    });
}

#[test]
fn a_job_is_settled_released_and_adjusted_as_any_other() {
    on_every_store(|w| {
        w.buy("a", 100);
        let charge = w.waiting("x");
        let adjust = Adjust {
            account: w.account.clone(),
            charge,
            id: "cost".parse().unwrap(),
            held: credits(25),
        };
        let adjusted = ok(wait(w.store.ledger().adjust(adjust)));
        assert_eq!((adjusted.held, w.columns("a")), (credits(25), [75, 25, 0, 0, 0]));
        // It waits as before.
        w.clock.advance(HOUR - 1);
        assert_eq!(w.tick(), 0);
        assert_eq!(w.extend(charge), Extended::Until(w.now().plus_ms(1)));
        ok(w.settle(charge, 20));
        assert_eq!(no(w.settle(charge, 21).map(drop)), Refusal::Conflict);
        ok(w.settle(charge, 20));
        let charge = w.waiting("y");
        ok(w.release(charge));
        assert_eq!(w.columns("a"), [80, 0, 20, 0, 0]);
        // Somebody doubts one that was handed over: then its `reconcile` time runs.
        let charge = w.waiting("z");
        ok(w.doubt(charge));
        assert_eq!(ok(w.charge(charge)).deadline, Some(w.now().plus_ms(HOUR)));
        w.audit_is_clean();
    });
}

#[test]
fn due_work_comes_first() {
    on_every_store(|w| {
        w.buy("a", 100);
        let mut charges = Vec::new();
        for _ in 0..20 {
            let call = w.call(1);
            ok(w.reserve(&call));
            charges.push(call.charge);
        }
        w.clock.advance(LEASE);
        let call = w.handing(charges[0], "x", HOUR);
        assert_eq!(no(w.hand_over(&call)), Refusal::Tick);
        while w.tick() > 0 {}
        ok(w.hand_over(&call));
        // A few are done beside it.
        let call = w.call(1);
        ok(w.reserve(&call));
        let last = w.call(1);
        ok(w.reserve(&last));
        w.clock.advance(LEASE);
        assert_eq!(ok(w.hand_over(&w.handing(last.charge, "y", HOUR))).state, ChargeState::Unknown);
        assert_eq!(w.tick(), 0, "the other one's lease has lapsed with it");
        assert_eq!(w.state(call.charge), ChargeState::Unknown);
        w.audit_is_clean();
    });
}

#[test]
fn a_hold_that_waits_for_a_job_promises_nothing_before_its_end() {
    on_every_store(|w| {
        w.buy("a", 10);
        let call = Reserve { timeout_ms: MINUTE / 2, ..w.call(10) };
        ok(w.reserve(&call));
        let freed = |w: &World| match no(w.reserve(&w.call(5))) {
            Refusal::Insufficient { freed_at, .. } => freed_at,
            other => panic!("{other:?}"),
        };
        assert_eq!(freed(&w), Some(w.now().plus_ms(MINUTE / 2)));
        ok(w.hand_over(&w.handing(call.charge, "x", HOUR)));
        assert_eq!(freed(&w), None);
        w.clock.advance(HOUR - MINUTE / 2);
        assert_eq!(freed(&w), Some(w.now().plus_ms(MINUTE / 2)));
    });
}

#[test]
fn jobs_are_forgotten_a_day_after_their_last_deadline() {
    on_every_store(|w| {
        w.buy("a", 100);
        let call = Reserve { reconcile_ms: 10 * MINUTE, ..w.call(1) };
        ok(w.reserve(&call));
        let watch_at = Some(w.now().plus_ms(40 * DAY));
        ok(w.hand_over(&HandOver { watch_at, ..w.handing(call.charge, "x", HOUR) }));
        assert_eq!(ok(w.job("x")).watch_at, None, "nobody can ask about it then");
        ok(w.settle(call.charge, 1));
        w.clock.advance(HOUR + 10 * MINUTE + JOB_KEPT_MS - 1);
        ok(w.job("x"));
        w.clock.advance(1);
        assert_eq!(no(w.job("x")), Refusal::UnknownJob);
        assert_eq!(no(w.note(&w.noting("x", 1, "late"))), Refusal::UnknownJob);
        // Its id may be another one's then, with a record of its own.
        let charge = w.waiting("x");
        assert_eq!(ok(w.job("x")).charge, charge);
        assert_eq!(ok(w.note(&w.noting("x", 1, "one"))).version, 2);
        // No job lives for ever.
        let call = w.call(1);
        ok(w.reserve(&call));
        let handed = ok(w.hand_over(&w.handing(call.charge, "y", 400 * DAY)));
        assert_eq!(handed.until, w.now().plus_ms(JOB_TTL_MAX_MS));
    });
}

#[test]
fn jobs_outlive_the_process() {
    let disk = SimulatedDisk::default();
    let w = world_on(&disk);
    w.buy("a", 100);
    let call = w.call(10);
    ok(w.reserve(&call));
    let watch_at = Some(w.now());
    ok(w.hand_over(&HandOver { watch_at, ..w.handing(call.charge, "x", HOUR) }));
    let World { clock, store, account, .. } = w;
    drop(store);
    clock.advance(HOUR / 2);
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let ledger = EmbeddedLedger::open_with(disk.opener(), LEASE, shared).unwrap();
    assert_eq!(ok(wait(ledger.open_of("i1".into()))), []);
    let given = ok(wait(ledger.watch_jobs(9, MINUTE)));
    assert_eq!((given.len(), given[0].charge), (1, call.charge));
    clock.advance(HOUR / 2 - 1);
    assert_eq!(ok(wait(ledger.tick(account.clone()))), 0);
    clock.advance(1);
    assert_eq!(ok(wait(ledger.tick(account.clone()))), 1);
    let job = ok(wait(ledger.job(account, job_name(), "x".into())));
    assert_eq!(job.state, JobState::Open { unknown: true });
    // What is forgotten leaves the file, with what led to it.
    clock.advance(2 * JOB_KEPT_MS);
    assert_eq!(ok(wait(ledger.watch_jobs(9, MINUTE))), []);
}

/// Many cores of many instances, on one server: each job is given once, and noted by one of those who try.
#[test]
fn instances_share_jobs_without_a_word() {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let w = World::with(Store::Redis(Box::new(RedisStore::start(&clock))), clock.clone());
    let Store::Redis(store) = &w.store else { panic!("it is in Redis") };
    let settings = crate::ledger_redis::settings(store.server());
    let cores: Vec<_> = (0..4).map(|_| crate::ledger_redis::open(&settings, &clock)).collect();
    w.buy("a", 100);
    for n in 0..50 {
        let call = w.call(1);
        ok(w.reserve(&call));
        let watch_at = Some(w.now());
        ok(w.hand_over(&HandOver { watch_at, ..w.handing(call.charge, &n.to_string(), HOUR) }));
    }
    let asked =
        cores.iter().flat_map(|core| [core.watch_jobs(20, MINUTE), core.watch_jobs(20, MINUTE)]);
    let answers = wait(futures_util::future::join_all(asked));
    let given: Vec<String> = answers.into_iter().flat_map(ok).map(|job| job.upstream_id).collect();
    let once: BTreeSet<&String> = given.iter().collect();
    assert_eq!((given.len(), once.len()), (50, 50), "{given:?}");
    let noting = |n: usize| NoteJob { ended: true, ..w.noting("7", 1, &format!("by {n}")) };
    let noted = cores.iter().enumerate().map(|(n, core)| core.note_job(noting(n)));
    let answers = wait(futures_util::future::join_all(noted));
    let won = answers.iter().filter(|answer| matches!(answer, Answer::Applied(_))).count();
    let lost = answers.iter().filter(|a| **a == Answer::Refused(Refusal::Conflict)).count();
    assert_eq!((won, lost), (1, 3), "{answers:?}");
}
