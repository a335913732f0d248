//! Recovery and time, by the simulated clock: crashes at every step of recovery, damaged journals, ten
//! minutes of downtime, a wall clock that jumps.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use tempfile::TempDir;
use tollgate::credit::ChargeId;
use tollgate::ledger::embedded::{EmbeddedLedger, Settings};
use tollgate::ledger::*;
use tollgate::meter::{Recovered, recover};
use tollgate::seam::{AppendFile, Clock, Disk, ScratchFile, SimulatedClock, SystemDisk};

use super::ledger_world::{
    HOUR, LEASE, MINUTE, NOON, Store, World, credits, legs, no, ok, on_every_store, wait,
};

/// The instance that `World` reserves for.
const INSTANCE: &str = "i1";

/// Open charges by what became of them: the first was never forwarded, the others were.
struct Crashed {
    folder: TempDir,
    never: ChargeId,
    released: ChargeId,
    charged: ChargeId,
    kept: ChargeId,
}

/// Four holds of ten and three marks.
fn crash(world: &World) -> Crashed {
    world.buy("pay_1", 100);
    let hold = |on_unknown, reconcile_ms| {
        let call = Reserve { on_unknown, reconcile_ms, ..world.call(10) };
        ok(world.reserve(&call));
        call.charge
    };
    let never = hold(OnUnknown::Charge, 2 * MINUTE);
    let released = hold(OnUnknown::Release, 2 * MINUTE);
    let charged = hold(OnUnknown::Charge, 2 * MINUTE);
    let kept = hold(OnUnknown::Hold, 2 * MINUTE);
    let folder = tempfile::tempdir().unwrap();
    let marks: String = [released, charged, kept].map(mark).concat();
    let write = |name: &str, marks: &str| {
        std::fs::write(folder.path().join(name), boot(&SystemDisk.boot().unwrap()) + marks)
            .unwrap();
    };
    write("journal-0", &marks[..marks.len() / 2]);
    write("journal-1", &(mark(charged) + &mark(kept)));
    write("journal-2", &mark(released));
    Crashed { folder, never, released, charged, kept }
}

fn mark(charge: ChargeId) -> String {
    line(&format!("forwarding {charge}"))
}

/// The first line of a journal.
fn boot(boot: &str) -> String {
    line(&format!("boot {boot}"))
}

fn line(text: &str) -> String {
    format!("{text} {:08x}\n", crc32fast::hash(text.as_bytes()))
}

fn recovered(world: &World, disk: &dyn Disk, folder: &Path) -> io::Result<Recovered> {
    wait(recover(world.store.ledger(), disk, folder, INSTANCE))
}

fn state(world: &World, charge: ChargeId) -> ChargeState {
    ok(world.charge(charge)).state
}

/// The end that every recovery must come to, and then every deadline.
#[track_caller]
fn comes_to_its_end(world: &World, crashed: &Crashed) {
    let left = std::fs::read_dir(crashed.folder.path()).unwrap();
    assert_eq!(left.count(), 0, "the journals are gone");
    assert_eq!(state(world, crashed.never), ChargeState::Released);
    for unknown in [crashed.released, crashed.charged, crashed.kept] {
        assert_eq!(state(world, unknown), ChargeState::Unknown);
    }
    assert_eq!(world.columns("pay_1"), [70, 30, 0, 0, 0]);
    world.clock.advance(2 * MINUTE);
    assert_eq!(world.tick(), 2);
    assert_eq!(world.tick(), 0, "nothing ends twice");
    assert_eq!(state(world, crashed.released), ChargeState::Released);
    assert_eq!(state(world, crashed.charged), ChargeState::Settled);
    assert_eq!(state(world, crashed.kept), ChargeState::Unknown);
    assert_eq!(world.columns("pay_1"), [80, 10, 10, 0, 0]);
}

#[test]
fn recovery_is_by_the_marks_and_the_same_when_repeated() {
    on_every_store(|world| {
        let crashed = crash(&world);
        let folder = crashed.folder.path();
        let done = recovered(&world, &SystemDisk, folder).unwrap();
        assert_eq!(done, Recovered { released: 1, unknown: 3 });
        for _ in 0..3 {
            assert_eq!(recovered(&world, &SystemDisk, folder).unwrap(), Recovered::default());
        }
        comes_to_its_end(&world, &crashed);
    });
}

#[test]
fn another_instances_charges_are_not_touched() {
    on_every_store(|world| {
        let crashed = crash(&world);
        let folder = crashed.folder.path();
        let done = wait(recover(world.store.ledger(), &SystemDisk, folder, "i2")).unwrap();
        assert_eq!(done, Recovered::default());
        assert_eq!(world.columns("pay_1"), [60, 40, 0, 0, 0]);
    });
}

/// Every kind of damage before the last line: whatever was open may have been forwarded.
#[test]
fn a_damaged_journal_makes_everything_unknown() {
    on_every_store(|world| {
        let crashed = crash(&world);
        let whole = [crashed.released, crashed.charged, crashed.kept].map(mark).concat();
        let damaged = whole.replacen("forwarding", "forwarded", 1);
        let damaged = boot(&SystemDisk.boot().unwrap()) + &damaged;
        std::fs::write(crashed.folder.path().join("journal-1"), damaged).unwrap();
        let done = recovered(&world, &SystemDisk, crashed.folder.path()).unwrap();
        assert_eq!(done, Recovered { released: 0, unknown: 4 });
        assert_eq!(world.columns("pay_1"), [60, 40, 0, 0, 0]);
        world.clock.advance(2 * MINUTE);
        assert_eq!(world.tick(), 3);
        // The one that was never forwarded is charged by its policy: doubt never makes work free.
        assert_eq!(world.columns("pay_1"), [70, 10, 20, 0, 0]);
    });
}

/// What was not synced may be gone after a loss of power: marks of another boot prove nothing.
#[test]
fn a_machine_that_was_started_again_makes_everything_unknown() {
    on_every_store(|world| {
        let crashed = crash(&world);
        let other = boot("another boot") + &mark(crashed.released);
        std::fs::write(crashed.folder.path().join("journal-1"), other).unwrap();
        let done = recovered(&world, &SystemDisk, crashed.folder.path()).unwrap();
        assert_eq!(done, Recovered { released: 0, unknown: 4 });
    });
}

#[test]
fn a_crash_at_every_step_on_the_disk() {
    for steps in 0.. {
        let whole = Cell::new(false);
        on_every_store(|world| {
            let crashed = crash(&world);
            let folder = crashed.folder.path();
            let disk = Breaking { left: AtomicUsize::new(steps) };
            whole.set(recovered(&world, &disk, folder).is_ok());
            recovered(&world, &SystemDisk, folder).unwrap();
            comes_to_its_end(&world, &crashed);
        });
        if whole.get() {
            // Which boot, a look at the folder, three reads, a look, three removals.
            assert_eq!(steps, 9);
            break;
        }
    }
    on_every_store(|world| {
        let crashed = crash(&world);
        for steps in 0..9 {
            let disk = Breaking { left: AtomicUsize::new(steps) };
            _ = recovered(&world, &disk, crashed.folder.path());
        }
        comes_to_its_end(&world, &crashed);
    });
}

/// Dropped after so many looks at it: like a crash, what was asked is done and its answer is not heard.
#[test]
fn a_crash_at_every_step_in_the_ledger() {
    let mut crashes = 0;
    for looks in 0.. {
        let whole = Cell::new(false);
        on_every_store(|world| {
            let crashed = crash(&world);
            let folder = crashed.folder.path();
            let first = recover(world.store.ledger(), &SystemDisk, folder, INSTANCE);
            whole.set(looked_at(looks, first));
            recovered(&world, &SystemDisk, folder).unwrap();
            comes_to_its_end(&world, &crashed);
        });
        if whole.get() {
            break;
        }
        crashes += 1;
    }
    println!("{crashes} crashes between calls of the ledger");
    assert!(crashes >= 3, "{crashes}");
}

/// Whether the future ends within so many looks.
fn looked_at<T>(looks: usize, future: impl Future<Output = T>) -> bool {
    let awake = Arc::new(Awake(std::thread::current()));
    let waker = Waker::from(awake);
    let mut future = pin!(future);
    for _ in 0..looks {
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return true;
        }
        std::thread::park();
    }
    false
}

struct Awake(std::thread::Thread);

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A disk that fails for good after so many steps.
#[derive(Debug)]
struct Breaking {
    left: AtomicUsize,
}

impl Breaking {
    fn step(&self) -> io::Result<()> {
        let less = |left: usize| left.checked_sub(1);
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        taken.map(drop).map_err(|_| io::Error::other("the disk broke"))
    }
}

impl Disk for Breaking {
    fn append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        self.step()?;
        SystemDisk.append(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.step()?;
        SystemDisk.read(path)
    }

    fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.step()?;
        SystemDisk.replace(path, content)
    }

    fn list(&self, folder: &Path, prefix: &str) -> io::Result<Vec<PathBuf>> {
        self.step()?;
        SystemDisk.list(folder, prefix)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.remove(path)
    }

    fn scratch(&self, folder: &Path) -> io::Result<Box<dyn ScratchFile>> {
        self.step()?;
        SystemDisk.scratch(folder)
    }

    fn boot(&self) -> io::Result<String> {
        self.step()?;
        SystemDisk.boot()
    }
}

fn file(folder: &Path, clock: &Arc<SimulatedClock>) -> Store {
    let settings = Settings { lease_ms: LEASE, ..Settings::at(folder.join("ledger.redb")) };
    Store::Embedded(EmbeddedLedger::open(&settings, Arc::clone(clock) as Arc<dyn Clock>).unwrap())
}

/// The same file, opened by a process that starts later: its wall clock has moved on, its uptime is its own.
fn opened_again(world: World, folder: &Path, later_ms: u64) -> World {
    let clock = Arc::new(SimulatedClock::at(world.now().plus_ms(later_ms)));
    drop(world.store);
    let store = file(folder, &clock);
    World { store, clock, ..world }
}

#[test]
fn ten_minutes_of_downtime_are_no_jump_and_end_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::at(NOON));
    let world = World::with(file(folder.path(), &clock), clock);
    let crashed = crash(&world);
    // One that is unknown already, whose deadline passes while nobody is there.
    let early = Reserve { on_unknown: OnUnknown::Charge, reconcile_ms: MINUTE, ..world.call(10) };
    ok(world.reserve(&early));
    ok(world.doubt(early.charge));
    // A grant that ends while nobody is there.
    let short = Grant {
        expires: Some(world.now().plus_ms(5 * MINUTE)),
        ..world.granting("short", tollgate::credit::Class::Bonus, 7)
    };
    ok(world.grant(&short));

    let world = opened_again(world, folder.path(), 10 * MINUTE);
    // Recovery comes first, as in `serve`; it is not refused for a jump.
    let done = recovered(&world, &SystemDisk, crashed.folder.path()).unwrap();
    assert_eq!(done, Recovered { released: 1, unknown: 3 });
    // Within one lease of a start no deadline is applied; the grant has ended.
    assert_eq!(state(&world, early.charge), ChargeState::Unknown);
    world.clock.advance(LEASE);
    world.tick();
    assert_eq!(world.tick(), 0);
    assert_eq!(world.columns("short"), [0, 0, 0, 7, 0]);
    assert_eq!(state(&world, early.charge), ChargeState::Settled);
    assert_eq!(world.columns("pay_1"), [60, 30, 10, 0, 0]);
    // The others have their whole time from the restart on.
    assert_eq!(state(&world, crashed.released), ChargeState::Unknown);
    world.clock.advance(2 * MINUTE - LEASE);
    assert_eq!(world.tick(), 2);
    assert_eq!(world.tick(), 0);
    assert_eq!(world.columns("pay_1"), [70, 10, 20, 0, 0]);
    // Another ten minutes, another start: nothing ends a second time.
    let before = world.everything();
    let world = opened_again(world, folder.path(), 10 * MINUTE);
    world.clock.advance(LEASE);
    assert_eq!(world.tick(), 0);
    assert_eq!(
        recovered(&world, &SystemDisk, crashed.folder.path()).unwrap(),
        Recovered::default()
    );
    assert_eq!(world.everything(), before);
    // And the account is as good as new.
    let call = world.call(10);
    assert_eq!(ok(world.reserve(&call)).legs, legs(&[("pay_1", 10)]));
    assert_eq!(ok(world.settle(call.charge, 4)).charged, credits(4));
    assert_eq!(world.columns("pay_1"), [66, 10, 24, 0, 0]);
}

#[test]
fn holds_of_an_instance_that_never_returns_end_by_policy_after_the_downtime() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::at(NOON));
    let world = World::with(file(folder.path(), &clock), clock);
    let crashed = crash(&world);
    let world = opened_again(world, folder.path(), 10 * MINUTE);
    // Nobody recovers: the leases have lapsed, which is noticed after one lease of grace.
    assert_eq!(world.tick(), 0);
    world.clock.advance(LEASE);
    assert_eq!(world.tick(), 4);
    assert_eq!(world.columns("pay_1"), [60, 40, 0, 0, 0]);
    world.clock.advance(2 * MINUTE);
    assert_eq!(world.tick(), 3);
    assert_eq!(world.tick(), 0);
    assert_eq!(state(&world, crashed.never), ChargeState::Settled);
    assert_eq!(world.columns("pay_1"), [70, 10, 20, 0, 0]);
}

#[test]
fn a_jump_while_running_refuses_writes_nothing_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SimulatedClock::at(NOON));
    let world = World::with(file(folder.path(), &clock), clock);
    world.buy("pay_1", 100);
    let open = Reserve { reconcile_ms: MINUTE, ..world.call(10) };
    ok(world.reserve(&open));
    let before = world.everything();
    let truth = world.now();
    // Five minutes are within what clocks do; a little more is not.
    world.clock.set_wall(truth.plus_ms(5 * MINUTE));
    ok(world.charge(open.charge));
    world.clock.set_wall(truth.plus_ms(5 * MINUTE + 1));
    let refused = [
        no(world.reserve(&world.call(1))),
        no(world.settle(open.charge, 1)),
        no(world.release(open.charge)),
        no(world.doubt(open.charge)),
        no(wait(world.store.ledger().tick(world.account.clone()))),
        no(world.grant(&world.granting("gift", tollgate::credit::Class::Bonus, 1))),
        no(world.charge(open.charge)),
    ];
    assert!(refused.iter().all(|why| *why == Refusal::ClockJump), "{refused:?}");
    // Time passes, and the jump stays a jump.
    world.clock.advance(HOUR);
    assert_eq!(no(world.reserve(&world.call(1))), Refusal::ClockJump);
    // Somebody sets the clock right: nothing was written meanwhile.
    world.clock.set_wall(truth);
    assert_eq!(world.everything(), before);
    assert_eq!(ok(world.settle(open.charge, 4)).charged, credits(4));
    assert_eq!(world.columns("pay_1"), [96, 0, 4, 0, 0]);
}
