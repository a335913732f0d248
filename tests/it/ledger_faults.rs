//! Faults of the disk: the n-th change fails, for every n. Whoever was told `Unknown` asks again by id,
//! and in the end the books are the same as if nothing had happened.

use std::sync::Arc;

use tollgate::credit::Class;
use tollgate::ledger::embedded::{EmbeddedLedger, OpenError, Settings};
use tollgate::ledger::model::ModelLedger;
use tollgate::ledger::*;
use tollgate::seam::{Clock, SimulatedClock};

use crate::ledger_disk::{Loss, SimulatedDisk};
use crate::ledger_world::{
    LEASE, NOON, Store, World, credits, embedded_in_memory, no, ok, on_every_store, wait, world_on,
};

/// Asks until the store knows. The answer is how often it did not.
fn insist<T: std::fmt::Debug>(unknown: &mut u32, ask: impl Fn() -> Reply<T>) -> T {
    for _ in 0..20 {
        match wait(ask()) {
            Answer::Applied(value) => return value,
            Answer::Unknown(_) => *unknown += 1,
            Answer::Refused(Refusal::Unavailable(_)) => {}
            Answer::Refused(other) => panic!("{other:?}"),
        }
    }
    panic!("the store does not come back");
}

/// A day's work with every verb that writes. The same ids in the same order on every store.
fn work(w: &World) -> u32 {
    let ledger = w.store.ledger();
    let account = || w.account.clone();
    let mut unknown = 0;
    let u = &mut unknown;
    insist(u, || ledger.grant(w.granting("a", Class::Purchased, 20)));
    insist(u, || ledger.grant(w.granting("b", Class::Bonus, 5)));
    let calls: Vec<Reserve> = (0..6).map(|_| w.call(3)).collect();
    for call in &calls {
        insist(u, || ledger.reserve(call.clone()));
    }
    let settle = |n: usize, actual| Settle {
        account: account(),
        charge: calls[n].charge,
        actual: credits(actual),
        explanation: b"done".to_vec(),
    };
    let release =
        |n: usize| Release { account: account(), charge: calls[n].charge, explanation: vec![] };
    insist(u, || ledger.settle(settle(0, 2)));
    insist(u, || ledger.release(release(1)));
    let doubt = || Doubt { account: account(), charge: calls[2].charge, explanation: vec![] };
    insist(u, || ledger.doubt(doubt()));
    insist(u, || ledger.settle(settle(3, 30)));
    insist(u, || ledger.grant(w.granting("c", Class::Purchased, 9)));
    // A late success, and several calls that share one commit.
    insist(u, || ledger.settle(settle(1, 1)));
    let together = [ledger.settle(settle(4, 3)), ledger.settle(settle(5, 0))];
    for (answer, n) in together.into_iter().zip([4_usize, 5]) {
        if let Answer::Unknown(_) = wait(answer) {
            *u += 1;
        }
        let actual = if n == 4 { 3 } else { 0 };
        insist(u, || ledger.settle(settle(n, actual)));
    }
    unknown
}

fn judged() -> String {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let ledger = ModelLedger::new(Arc::clone(&clock) as Arc<dyn Clock>, LEASE);
    let world = World::with(Store::Model(Box::new(ledger)), clock);
    assert_eq!(work(&world), 0);
    world.everything()
}

#[test]
#[expect(clippy::print_stdout, reason = "says how much was tried")]
fn whichever_change_of_the_disk_fails_everything_happens_once() {
    let judged = judged();
    let (mut tried, mut unknown) = (0_u64, 0_u32);
    for loss in [Loss::Nothing, Loss::All, Loss::Some(1), Loss::Some(2)] {
        for n in 0.. {
            let disk = SimulatedDisk::default();
            let world = world_on(&disk);
            disk.fail_after(n, loss);
            unknown += work(&world);
            let struck = disk.struck();
            disk.heal();
            assert_eq!(world.everything(), judged, "change {n}, {loss:?}");
            assert_eq!(disk.synced_after_failure(), 0, "change {n}, {loss:?}");
            drop(world);
            // And the file says so, too.
            let clock = Arc::new(SimulatedClock::at(NOON));
            let again = EmbeddedLedger::open_with(disk.opener(), LEASE, clock).unwrap();
            let account = "acct_maria".parse().unwrap();
            assert_eq!(ok(wait(again.inspect(account))), judged, "change {n}, {loss:?}");
            if struck == 0 {
                break;
            }
            tried += 1;
        }
    }
    println!("{tried} faults, {unknown} unknown answers");
    assert!(tried >= 4 * 60, "only {tried} faults were tried");
    assert!(u64::from(unknown) >= tried / 2, "only {unknown} answers were unknown");
}

#[test]
fn while_the_file_cannot_be_opened_calls_are_refused() {
    let disk = SimulatedDisk::default();
    let world = world_on(&disk);
    world.buy("a", 10);
    let call = world.call(4);
    disk.fail_after(0, Loss::All);
    assert!(matches!(world.reserve(&call), Answer::Unknown(_)));
    disk.fail_after(0, Loss::All);
    assert!(matches!(no(world.reserve(&call)), Refusal::Unavailable(_)));
    // It is not tried again at once.
    assert!(matches!(no(world.reserve(&call)), Refusal::Unavailable(_)));
    world.clock.advance(100);
    ok(world.reserve(&call));
    assert_eq!(world.columns("a"), [6, 4, 0, 0, 0]);
}

#[test]
fn after_an_outage_no_lease_lapses_for_one_lease() {
    let disk = SimulatedDisk::default();
    let world = world_on(&disk);
    world.buy("a", 10);
    let call = world.call(4);
    ok(world.reserve(&call));
    world.clock.advance(LEASE - 1);
    disk.fail_after(0, Loss::All);
    assert!(matches!(world.doubt(world.call(1).charge), Answer::Refused(_)));
    assert!(matches!(world.grant(&world.granting("b", Class::Bonus, 1)), Answer::Unknown(_)));
    world.clock.advance(LEASE - 1);
    assert_eq!(world.tick(), 0);
    world.clock.advance(1);
    assert!(matches!(world.extend(call.charge), Extended::Until(_)));
}

#[test]
fn a_file_is_private_and_has_one_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::at(folder.path().join("ledger.redb"));
    let clock = || Arc::new(SimulatedClock::at(NOON)) as Arc<dyn Clock>;
    let ledger = EmbeddedLedger::open(&settings, clock()).unwrap();
    let mode = std::fs::metadata(&settings.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(EmbeddedLedger::open(&settings, clock()), Err(OpenError::InUse)));
    ledger.close();
    EmbeddedLedger::open(&settings, clock()).unwrap().close();

    std::fs::write(&settings.path, b"this is no ledger, whatever its name says").unwrap();
    assert!(matches!(EmbeddedLedger::open(&settings, clock()), Err(OpenError::File(_))));
}

#[test]
fn what_is_queued_is_answered_before_the_end() {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let ledger = embedded_in_memory(&clock);
    let account: tollgate::credit::AccountId = "acct_maria".parse().unwrap();
    ok(wait(ledger.create_account(crate::ledger_world::new_account(&account))));
    let answers: Vec<_> = (0..100).map(|_| ledger.document(account.clone())).collect();
    ledger.close();
    for answer in answers {
        ok(wait(answer));
    }
}

#[test]
fn a_full_queue_refuses_and_never_loses() {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let ledger = embedded_in_memory(&clock);
    let account: tollgate::credit::AccountId = "acct_maria".parse().unwrap();
    ok(wait(ledger.create_account(crate::ledger_world::new_account(&account))));
    let answers: Vec<_> = (0..20_000).map(|_| ledger.document(account.clone())).collect();
    for answer in answers {
        match wait(answer) {
            Answer::Applied(_) | Answer::Refused(Refusal::Unavailable(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn many_callers_never_overdraw() {
    on_every_store(|w| {
        w.buy("a", 50);
        let calls: Vec<_> = (0..200).map(|_| w.call(1)).collect();
        let answers: Vec<_> =
            calls.iter().map(|call| w.store.ledger().reserve(call.clone())).collect();
        let passed = answers
            .into_iter()
            .filter(|_| true)
            .map(wait)
            .filter(|answer| matches!(answer, Answer::Applied(_)));
        assert_eq!(passed.count(), 50);
        assert_eq!(w.columns("a"), [0, 50, 0, 0, 0]);
    });
}

#[test]
fn a_record_that_cannot_be_read_stops_its_account_alone() {
    let disk = SimulatedDisk::default();
    let world = world_on(&disk);
    world.buy("a", 10);
    let bob: tollgate::credit::AccountId = "acct_bob".parse().unwrap();
    ok(wait(world.store.ledger().create_account(crate::ledger_world::new_account(&bob))));
    let call = world.call(1);
    drop(world.store);
    let money: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("money");
    let database = disk.opener()().unwrap();
    let transaction = database.begin_write().unwrap();
    let bytes = [9_u8].as_slice();
    transaction.open_table(money).unwrap().insert("acct_maria", bytes).unwrap();
    transaction.commit().unwrap();
    drop(database);

    let clock = Arc::new(SimulatedClock::at(NOON));
    let ledger = EmbeddedLedger::open_with(disk.opener(), LEASE, clock).unwrap();
    let Refusal::Broken(why) = no(wait(ledger.reserve(call))) else { panic!() };
    assert_eq!(why, "money of acct_maria has version 9, known is 2");
    ok(wait(ledger.view(bob, Gates::default())));
}

#[test]
fn another_format_of_the_file_is_named() {
    let disk = SimulatedDisk::default();
    drop(world_on(&disk));
    let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
    let database = disk.opener()().unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(meta).unwrap().insert("format", 7).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let clock = Arc::new(SimulatedClock::at(NOON));
    let opened = EmbeddedLedger::open_with(disk.opener(), LEASE, clock);
    assert!(matches!(opened, Err(OpenError::Format { found: 7, known: 3 })));
}

#[test]
fn another_format_is_named_even_if_its_tables_are_others() {
    let disk = SimulatedDisk::default();
    let meta: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");
    let due: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("due");
    let database = disk.opener()().unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(meta).unwrap().insert("format", 1).unwrap();
    transaction.open_table(due).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let clock = Arc::new(SimulatedClock::at(NOON));
    let opened = EmbeddedLedger::open_with(disk.opener(), LEASE, clock);
    let error = opened.unwrap_err();
    assert!(matches!(error, OpenError::Format { found: 1, known: 3 }));
    assert!(
        error.to_string().starts_with("the ledger was made by an earlier version: "),
        "{error}"
    );
}

#[test]
fn the_mark_outlives_a_restart() {
    let disk = SimulatedDisk::default();
    let world = world_on(&disk);
    world.clock.advance(60 * 60 * 1_000);
    world.buy("a", 10);
    let written_at = world.now();
    drop(world.store);
    // The machine comes back with an earlier wall clock.
    let clock = Arc::new(SimulatedClock::at(NOON));
    let ledger = EmbeddedLedger::open_with(disk.opener(), LEASE, clock).unwrap();
    let view = ok(wait(ledger.view(world.account, Gates::default())));
    assert_eq!(view.at, written_at);
}

#[test]
fn after_a_restart_no_deadline_is_applied_for_one_lease() {
    let disk = SimulatedDisk::default();
    let world = world_on(&disk);
    world.buy("a", 10);
    let call = world.call(4);
    ok(world.reserve(&call));
    ok(world.doubt(call.charge));
    let World { clock, store, account, .. } = world;
    drop(store);
    clock.advance(2 * 60 * 60 * 1_000);
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let ledger = EmbeddedLedger::open_with(disk.opener(), LEASE, shared).unwrap();
    assert_eq!(ok(wait(ledger.tick(account.clone()))), 0);
    assert_eq!(ok(wait(ledger.due(9))), []);
    clock.advance(LEASE);
    assert_eq!(ok(wait(ledger.due(9))), vec![account.clone()]);
    assert_eq!(ok(wait(ledger.tick(account))), 1);
}

/// Where the child of the test below works; set by its parent alone.
const CHILD: &str = "TOLLGATE_TEST_LEDGER";

fn world_on_file(path: &std::path::Path) -> World {
    let clock = Arc::new(SimulatedClock::at(NOON));
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let ledger = EmbeddedLedger::open(&Settings::at(path.to_owned()), shared).unwrap();
    World::with(Store::Embedded(ledger), clock)
}

/// Not a test by itself: reserves and settles one credit at a time until it is killed, and says what it
/// was told.
#[test]
#[expect(clippy::print_stdout, reason = "speaks to its parent")]
fn child_that_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let world = world_on_file(path.as_ref());
    world.buy("a", 1_000_000);
    loop {
        let call = world.call(1);
        ok(world.reserve(&call));
        println!("\nreserved {}", call.charge);
        ok(world.settle(call.charge, 1));
        println!("\nsettled {}", call.charge);
    }
}

#[test]
fn what_was_answered_before_kill_9_is_there_after_it() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.redb");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["ledger_faults::child_that_is_killed", "--exact", "--nocapture"])
        .env(CHILD, &path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.filter(|line| line.starts_with("reserved") || line.starts_with("settled"));
    let told: Vec<String> = told.take(61).collect();
    child.kill().unwrap();
    child.wait().unwrap();

    let world = world_on_file(&path);
    assert_eq!(told.len(), 61);
    for line in told {
        let (what, id) = line.split_once(' ').unwrap();
        let id = id.parse().unwrap();
        let state = ok(world.charge(id)).state;
        assert!(what == "reserved" || state == ChargeState::Settled, "{line}: {state:?}");
        // Asking again takes nothing more.
        assert_eq!(ok(world.settle(id, 1)).charged, credits(1));
    }
    let records = ok(wait(world.store.ledger().charges(world.account.clone(), None, 1_000)));
    let settled = records.iter().filter(|record| record.state == ChargeState::Settled).count();
    let [_, held, spent, _, _] = world.columns("a");
    assert_eq!(spent, settled as u64);
    assert_eq!(held, (records.len() - settled) as u64);
}
