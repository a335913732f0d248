//! What surrounds the program: the container's recipe and the service's unit name only what exists, and the
//! unit's cage leaves the program what it needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::processes::{BIN, Proxy, Site};

const UNIT: &str = "config/tollgate.service";

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What a command of this program, as a recipe has it, must answer to: its words are known to it.
#[track_caller]
fn is_known(words: &[&str]) {
    let verb = words[0];
    let help = Command::new(BIN).args([verb, "--help"]).output().unwrap();
    assert!(help.status.success(), "tollgate {verb} is no command");
    let help = String::from_utf8(help.stdout).unwrap();
    for flag in words.iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(flag), "tollgate {verb} has no {flag}");
    }
}

/// The words of `["a", "b"]` behind an instruction of a recipe.
fn words<'a>(recipe: &'a str, instruction: &str) -> Vec<&'a str> {
    let line = recipe.lines().rfind(|line| line.starts_with(instruction)).unwrap();
    let (_, list) = line.split_once('[').unwrap();
    list.trim_end_matches(']').split(',').map(|word| word.trim().trim_matches('"')).collect()
}

#[test]
fn the_containers_recipe_has_two_stages_nobody_and_a_health_check() {
    let recipe = file("Dockerfile");
    let place = |start: &str| {
        let lines: Vec<_> = recipe.lines().collect();
        lines.iter().rposition(|line| line.starts_with(start)).unwrap()
    };
    assert_eq!(recipe.lines().filter(|line| line.starts_with("FROM ")).count(), 2);
    assert!(place("USER tollgate") > place("FROM ") && place("USER ") < place("ENTRYPOINT"));
    let built = "COPY --from=build /build/target/release/tollgate /usr/local/bin/tollgate";
    assert!(recipe.contains(built), "the second stage takes what the first has built");
    assert_eq!(words(&recipe, "ENTRYPOINT"), ["tollgate"]);
    assert_eq!(words(&recipe, "HEALTHCHECK"), ["tollgate", "health"]);
    is_known(&words(&recipe, "HEALTHCHECK")[1..]);
    is_known(&words(&recipe, "CMD"));
    for name in ["target", ".git"] {
        assert!(file(".dockerignore").lines().any(|line| line == name), "{name}");
    }
}

#[test]
fn the_health_check_tells_a_ready_instance_from_none() {
    let site = Site::new();
    let proxy = site.start();
    let health = |url: &str| {
        let mut command = Command::new(BIN);
        command.arg("health").env("TOLLGATE_ADMIN_URL", url).env_remove("TOLLGATE_ADMIN_TOKEN");
        command.output().unwrap().status.code()
    };
    let url = format!("http://{}", proxy.admin);
    assert_eq!(health(&url), Some(0));
    proxy.stop();
    assert_eq!(health(&url), Some(75));
}

/// The commands of the unit, as words.
fn commands() -> Vec<(String, Vec<String>)> {
    let unit = file(UNIT);
    let lines = unit.lines().filter(|line| line.starts_with("Exec"));
    lines
        .map(|line| {
            let (name, command) = line.split_once('=').unwrap();
            (name.to_owned(), command.split(' ').map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn the_units_commands_are_known() {
    let mut known = 0;
    for (name, words) in commands() {
        if words[0] == "/usr/local/bin/tollgate" {
            known += 1;
            is_known(&words[1..].iter().map(String::as_str).collect::<Vec<_>>());
        } else {
            assert!(Path::new(&words[0]).exists(), "{name}: {words:?}");
        }
    }
    assert_eq!(known, 2);
}

/// The unit with the program where it is here.
fn placed(folder: &Path) -> PathBuf {
    let unit = folder.join("tollgate.service");
    fs::write(&unit, file(UNIT).replace("/usr/local/bin/tollgate", BIN)).unwrap();
    unit
}

fn analyze(words: &[&str]) -> String {
    let output = Command::new("systemd-analyze").args(words).output();
    let output = output.expect("systemd-analyze, which tests/run installs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "systemd-analyze {words:?}: {out}{err}");
    // `verify` warns and succeeds.
    assert!(!err.contains("tollgate.service"), "{err}");
    out
}

#[test]
fn the_unit_is_sound_and_a_cage() {
    let folder = tempfile::tempdir().unwrap();
    let unit = placed(folder.path());
    let unit = unit.to_str().unwrap();
    analyze(&["verify", "--man=no", unit]);
    // In tenths: below 2.0 is called safe.
    analyze(&["security", "--offline=true", "--threshold=20", unit]);
}

/// The names of a set of system calls, and of the sets in it.
fn calls_of(set: &str) -> BTreeSet<String> {
    let listed = analyze(&["syscall-filter", set]);
    let mut found = BTreeSet::new();
    for name in listed.lines().map(str::trim) {
        match name {
            _ if name.starts_with('#') || name.is_empty() || name == set => {}
            _ if name.starts_with('@') => found.extend(calls_of(name)),
            _ => _ = found.insert(name.to_owned()),
        }
    }
    found
}

#[test]
fn the_cage_leaves_the_program_every_system_call_that_it_makes() {
    let unit = file(UNIT);
    let mut allowed = BTreeSet::new();
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (sets, taken) = line.strip_prefix('~').map_or((line, false), |sets| (sets, true));
        for calls in sets.split(' ').map(calls_of) {
            match taken {
                true => allowed.retain(|call| !calls.contains(call)),
                false => allowed.extend(calls),
            }
        }
    }
    assert!(allowed.len() > 100, "{allowed:?}");
    let site = Site::new();
    let traced = site.folder.path().join("traced");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&traced).arg(BIN).arg("serve").arg("--config");
    let proxy = Proxy::by(command.arg(site.config()));
    let key = proxy.account("acct_a", 100);
    let headers = [("authorization", format!("Bearer {key}"))];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = r#"{"serial":1,"seconds":1}"#;
    let dubbed = super::processes::ask(proxy.data, "POST", "/v1/dubbing", &headers, body).unwrap();
    assert_eq!(dubbed.status, 200);
    // Its own child: a signal to the tracer is not one to the program.
    let children = format!("/proc/{0}/task/{0}/children", proxy.process.id());
    let child: i32 = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    let child = rustix::process::Pid::from_raw(child).unwrap();
    rustix::process::kill_process(child, Signal::HUP).unwrap();
    rustix::process::kill_process(child, Signal::TERM).unwrap();
    let mut process = proxy.process;
    assert_eq!(process.wait(), Some(0), "{}", process.told());
    let traced = fs::read_to_string(traced).unwrap();
    let mut made = BTreeSet::new();
    for line in traced.lines() {
        let call = line.split_once(' ').map(|(_, rest)| rest.trim_start()).unwrap_or_default();
        let name = call.split(['(', ' ']).next().unwrap_or_default();
        if call.contains('(')
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            made.insert(name.to_owned());
        }
        let writes_code = call.contains("PROT_WRITE|PROT_EXEC");
        assert!(!writes_code, "MemoryDenyWriteExecute would refuse: {line}");
    }
    assert!(made.len() > 30, "{made:?}");
    let refused: Vec<_> = made.difference(&allowed).collect();
    assert!(refused.is_empty(), "the unit refuses {refused:?}");
}
