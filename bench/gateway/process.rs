//! Processes: starting, ending, and what they have used.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};

/// How long a process may take to end by itself.
const PATIENCE_MS: usize = 5_000;
/// The kernel's unit of processor time (`CLK_TCK`), which is 100 a second on every Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// A child that ends with its handle.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Self(started.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// This process and all that came of it.
    pub(crate) fn tree(&self) -> Vec<u32> {
        tree(self.0.id())
    }

    /// Asks it to end and waits; what has not ended in time is killed.
    pub(crate) fn stop(&mut self) {
        let all = self.tree();
        signal(self.0.id(), Signal::TERM);
        for _ in 0..PATIENCE_MS / 10 {
            if self.0.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        all.into_iter().for_each(|id| signal(id, Signal::KILL));
        drop(self.0.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn signal(id: u32, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    _ = kill_process(id, signal);
}

/// As many descriptors as this user may have, for this process and its children.
pub(crate) fn raise_limits() {
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).unwrap();
}

/// A port that nobody has.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The words of a process's `stat` behind its name; the first is its state. `None`: it has ended.
fn stat(id: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, words) = text.rsplit_once(") ")?;
    Some(words.split(' ').map(|word| word.trim().parse().unwrap_or(0)).collect())
}

fn tree(root: u32) -> Vec<u32> {
    let numbers = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.parse::<u32>().ok());
    let parents: Vec<(u32, u64)> = numbers.filter_map(|id| Some((id, stat(id)?[1]))).collect();
    let mut all = vec![root];
    let mut at = 0;
    while let Some(parent) = all.get(at).copied() {
        all.extend(parents.iter().filter(|(_, its)| *its == u64::from(parent)).map(|(id, _)| *id));
        at += 1;
    }
    all
}

/// User and system time that these processes have used so far, in seconds.
pub(crate) fn cpu(ids: &[u32]) -> f64 {
    let ticks = |id: &u32| stat(*id).map_or(0, |words| words[11] + words[12]);
    ids.iter().map(ticks).sum::<u64>() as f64 / TICKS_A_SECOND
}

/// What a line of these processes' `status`, such as `VmRSS`, comes to, in KiB.
pub(crate) fn memory(ids: &[u32], line: &str) -> f64 {
    let of = |id: &u32| {
        let text = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status"));
        let text = text.unwrap_or_default();
        let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'));
        found.and_then(|found| found.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
    };
    ids.iter().map(of).sum::<u64>() as f64
}

/// Seconds that the machine's processors have worked, and that the host has taken away, so far.
pub(crate) fn machine() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let first = text.lines().next().unwrap();
    let of: Vec<f64> = first.split_whitespace().skip(1).map(|word| word.parse().unwrap()).collect();
    let worked = of[0] + of[1] + of[2] + of[5] + of[6];
    (worked / TICKS_A_SECOND, of[7] / TICKS_A_SECOND)
}
