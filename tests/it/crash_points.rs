//! kill -9 at the n-th system call on one file: the crash points that random kills hardly ever hit.
//!
//! strace ends the process as it enters the call, so the call does not happen. Nothing in the product knows.
//! Without strace these tests pass and say loudly that they proved nothing; tests/run installs it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::audit::{Seen, Sent, audit};
use super::crash::{DUBBING, IMAGES, body, headers};
use super::processes::{BIN, Process, Proxy, Site, answer, ask, eventually, send};

/// Calls by which the ledger's file changes.
const WRITES: &str = "pwrite64,fsync,fdatasync,ftruncate";
/// More than any story here takes.
const POINTS_MAX: usize = 400;

/// Without it nothing here would be proved, so nothing passes: `tests/run` installs it.
fn need_strace() {
    let found = Command::new("strace").arg("--version").output();
    assert!(found.is_ok_and(|it| it.status.success()), "strace is missing: tests/run installs it");
}

/// A site of one core: the system calls of a request are in one thread's order then.
fn site() -> Site {
    let site = Site::new();
    site.configure("cores: 1");
    site
}

/// Starts the proxy under strace, to die at the n-th of these calls of a thread on these files; no files:
/// on any. The error is the process that died before it was ready.
fn dying(site: &Site, calls: &str, files: &[&str], nth: usize) -> Result<Proxy, Process> {
    let mut command = Command::new("strace");
    let inject = format!("inject={calls}:signal=KILL:when={nth}");
    // -D: the tracer is the grandchild, so that the child is the proxy itself.
    command.args(["-D", "-f", "-q", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    command.args(["-e", &inject]);
    for file in files {
        command.arg("-P").arg(site.data().join(file));
    }
    command.args([BIN, "serve", "--config"]).arg(site.config());
    Proxy::perhaps(&mut command)
}

#[test]
fn killed_between_reserve_and_forward_is_released() {
    need_strace();
    let site = site();
    let proxy = site.start();
    let bearer = format!("Bearer {}", proxy.account("acct_a", 100));
    proxy.stop();
    // The first write into the journal is the mark: the hold is in the ledger, and nothing has been sent.
    let mut proxy = dying(&site, "write", &["journal-0"], 1).unwrap();
    ask(proxy.data, "POST", DUBBING, &headers(&bearer, ""), &body(1, false)).unwrap_err();
    assert_eq!(proxy.process.wait(), None);
    let proxy = site.start();
    assert_eq!(proxy.recovered(), (1, 0));
    let charge = proxy.newest("acct_a");
    assert_eq!(charge["status"], "released", "{charge}");
    assert_eq!(charge["outcome"], "failed", "{charge}");
    assert_eq!(proxy.balance("acct_a"), ("100".to_owned(), "0".to_owned()));
    proxy.stop();
    // The second is the mark that all is done: what was settled stays settled, and is not asked again.
    let mut proxy = dying(&site, "write", &["journal-0"], 2).unwrap();
    let reply = ask(proxy.data, "POST", DUBBING, &headers(&bearer, ""), &body(2, false)).unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(proxy.process.wait(), None);
    let proxy = site.start();
    assert_eq!(proxy.recovered(), (0, 0));
    assert_eq!(proxy.newest("acct_a")["charged"], "10.000002");
    proxy.stop();
    let found = audit(&site, &[Sent::lost(1), Sent { serial: 2, seen: Seen::Whole(200) }]);
    assert_eq!((found.released, found.settled, found.units), (1, 1, 1));
}

/// Dies at every call that changes the ledger's file while one request is reserved, forwarded and settled.
#[test]
fn killed_at_every_write_of_a_request() {
    need_strace();
    let site = site();
    let proxy = site.start();
    let bearer = format!("Bearer {}", proxy.account("acct_a", 10_000));
    proxy.stop();
    let mut sent = Vec::new();
    let (mut at_start, mut released, mut unknown, mut answered) = (0, 0, 0, 0);
    for nth in 1..POINTS_MAX {
        // Opening the file takes some calls too, on another thread.
        let Ok(mut proxy) = dying(&site, WRITES, &["ledger.redb"], nth) else {
            at_start += 1;
            continue;
        };
        let serial = u64::try_from(nth).unwrap();
        let reply = ask(proxy.data, "POST", DUBBING, &headers(&bearer, ""), &body(serial, false));
        let seen = reply.map_or(Seen::Lost, |reply| Seen::Whole(reply.status));
        answered += usize::from(seen != Seen::Lost);
        sent.push(Sent { serial, seen });
        // A settlement comes after its answer; with nothing due, nothing else writes. Then comes the end in
        // good order, which has its own writes to die at.
        std::thread::sleep(Duration::from_millis(200));
        if proxy.process.ended().is_none() {
            proxy.process.signal(Signal::TERM);
        }
        if proxy.process.wait() == Some(0) {
            break;
        }
        let proxy = site.start();
        let (r, u) = proxy.recovered();
        (released, unknown) = (released + r, unknown + u);
        proxy.stop();
    }
    let proxy = site.start();
    proxy.settled("acct_a");
    proxy.stop();
    let found = audit(&site, &sent);
    let kills = at_start + sent.len() - 1;
    println!(
        "{kills} kills, {at_start} of them at start; {answered} of {} answered; recovered: {released} \
         released, {unknown} unknown; {found:?}",
        sent.len()
    );
    assert!(kills > 10 && kills + 1 < POINTS_MAX);
    assert!(answered > 1 && unknown > 0, "kills hit the settlement too");
}

/// Dies at every call that changes anything in the folder while it recovers one hold that was never
/// forwarded and two that were; another start comes to the same end as one clean recovery.
#[test]
fn killed_at_every_step_of_recovery() {
    need_strace();
    let site = site();
    let proxy = site.start();
    let bearer = format!("Bearer {}", proxy.account("acct_a", 100));
    proxy.stop();
    let mut proxy = dying(&site, "write", &["journal-0"], 3).unwrap();
    let head = headers(&bearer, "hang=30");
    let mut open = Vec::new();
    for (serial, path) in [(1, IMAGES), (2, DUBBING)] {
        open.push(send(proxy.data, "POST", path, &head, &body(serial, false)).unwrap());
        eventually("the upstream works", || {
            (site.upstream.state()["running"] == serial).then_some(())
        });
    }
    ask(proxy.data, "POST", IMAGES, &head, &body(3, false)).unwrap_err();
    assert_eq!(proxy.process.wait(), None);
    for stream in open {
        answer(stream).unwrap_err();
    }
    let before = site.folder.path().join("before");
    copy(&site.data(), &before);
    let mut kills = 0;
    for (calls, files) in [
        (WRITES, &["ledger.redb"][..]),
        ("unlink,unlinkat,rename,renameat,renameat2,getdents64,openat", &["journal-0", ""]),
    ] {
        for nth in 1..POINTS_MAX {
            std::fs::remove_dir_all(site.data()).unwrap();
            copy(&before, &site.data());
            let died = dying(&site, calls, files, nth);
            if let Ok(proxy) = died {
                // It has come through its start; it may die later, when the deadlines come.
                let mut process = proxy.process;
                process.signal(Signal::KILL);
                process.wait();
                break;
            }
            kills += 1;
            let proxy = site.start();
            // What the killed recovery had done is not done again.
            let (released, unknown) = proxy.recovered();
            assert!(released <= 1 && unknown <= 2, "{calls} {nth}");
            proxy.stop();
        }
        let proxy = site.start();
        proxy.settled("acct_a");
        assert_eq!(proxy.balance("acct_a").0, "89.999998");
        proxy.stop();
        let found = audit(&site, &[Sent::lost(1), Sent::lost(2), Sent::lost(3)]);
        assert_eq!((found.by_deadline, found.released, found.units), (2, 1, 2));
    }
    println!("{kills} kills during recovery");
    assert!(kills > 10);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            continue;
        }
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
