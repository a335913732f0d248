//! What the figures belong to: the machine, the programs' versions, the day.

use std::fs;
use std::process::Command;

use tollgate::seam::{Clock, SystemClock};

/// Microseconds since the machine started, on the clock that all processes share.
pub(crate) fn now_us() -> u64 {
    SystemClock.uptime_us()
}

/// The same in seconds.
pub(crate) fn uptime() -> u64 {
    SystemClock.uptime_ms() / 1_000
}

/// The date in UTC.
pub(crate) fn today() -> String {
    SystemClock.now().to_string()[..10].to_owned()
}

fn line(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    found.map_or("", |(_, value)| value.trim()).to_owned()
}

/// What a program says of itself, whichever way it says it.
fn said(program: &str, words: &[&str]) -> String {
    let Ok(told) = Command::new(program).args(words).output() else {
        return format!("no {program}");
    };
    let text = [told.stdout, told.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}

/// One paragraph.
pub(crate) fn told() -> String {
    let cores = std::thread::available_parallelism().unwrap();
    let memory = line("/proc/meminfo", "MemTotal").replace(" kB", "").parse().unwrap_or(0) >> 20;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = said("git", &["describe", "--always", "--dirty", "--exclude=*"]);
    format!(
        "Machine: {cores} processors ({}), {memory} GiB, Linux {}; {}, {}, {}; commit {commit}.",
        line("/proc/cpuinfo", "model name"),
        kernel.trim(),
        said("nginx", &["-v"]).replace("nginx version: ", ""),
        said("redis-server", &["--version"]).split(" sha=").next().unwrap_or_default(),
        said("rustc", &["--version"]),
    )
}
