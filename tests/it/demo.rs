//! The demo, run as its users run it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn every_line_answers_as_it_should() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tollgate")).args(["demo", "--once"]).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{out}{err}");
    assert!(!out.contains("DIFF") && out.contains("answered as they should"), "{out}");
    // What is printed is the answers; keys are for curl lines only.
    assert!(!out.contains("tk_"));
}

#[test]
fn it_prints_lines_to_copy_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["demo", "--listen", "127.0.0.1:0"])
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut lines = out.lines().map_while(Result::ok);
    let page: Vec<String> = lines.by_ref().take_while(|line| !line.contains("operators")).collect();
    let page = page.join("\n");
    assert!(page.contains("-H 'Authorization: Bearer tk_"), "{page}");
    assert_eq!(page.matches("curl -sS").count(), page.matches("\n# ").count(), "{page}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_some());

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(lines.any(|line| line.contains("Gone.")));
    assert!(child.wait().unwrap().success());
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}
