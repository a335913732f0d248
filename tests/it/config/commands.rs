//! The commands `check` and `schema`, as a person runs them.

use std::process::{Command, Output};

use super::at;

fn tollgate(arguments: &[&str], token: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(arguments).current_dir(at("")).env_clear();
    if let Some(token) = token {
        command.env("TOLLGATE_ADMIN_TOKEN", token);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn check_accepts_the_quickstart() {
    let output = tollgate(&["check", "config/quickstart.yaml"], Some("0123456789abcdef"));
    let said = text(&output.stdout);
    assert!(
        said.starts_with("config/quickstart.yaml: ok, 1 route, 1 plan, revision rev_"),
        "{said}"
    );
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn check_refuses_with_the_report_on_stderr() {
    let output = tollgate(&["check", "config/quickstart.yaml"], None);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    let report = text(&output.stderr);
    assert!(report.starts_with("error[missing_secret]: "), "{report}");
    assert!(report.ends_with("1 error\n"), "{report}");
    let without = tollgate(&["check", "--without-secrets", "config/quickstart.yaml"], None);
    assert_eq!(without.status.code(), Some(0));
}

#[test]
fn warnings_can_be_denied() {
    let file = "tests/cases/config/warnings.yaml";
    let warned = tollgate(&["check", "--without-secrets", file], None);
    assert_eq!(warned.status.code(), Some(0));
    assert!(text(&warned.stderr).contains("warning[admin_exposed]"));
    let denied = tollgate(&["check", "--without-secrets", "--deny-warnings", file], None);
    assert_eq!((denied.status.code(), text(&denied.stdout)), (Some(1), String::new()));
    assert!(text(&denied.stderr).ends_with("warnings, which --deny-warnings refuses\n"));
}

#[test]
fn schema_prints_what_is_committed() {
    let output = tollgate(&["schema"], None);
    assert_eq!(text(&output.stdout), super::read(&at("config/tollgate.schema.json")));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.arg("schema").stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn wrong_use_is_two() {
    assert_eq!(tollgate(&["check"], None).status.code(), Some(2));
}
