//! The command line as its users see it: what it says without a server, and its exit codes.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tollgate::cli::http::Client;

fn tollgate(args: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(args)
        .env_remove("TOLLGATE_ADMIN_TOKEN")
        .env_remove("TOLLGATE_ADMIN_URL")
        .envs(env.iter().copied())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn help_has_examples_and_hides_what_is_for_tests() {
    let (code, out, _) = tollgate(&["--help"], &[]);
    assert_eq!(code, 0);
    assert!(out.contains("demo") && out.contains("serve") && !out.contains("sample-upstream"));
    for command in ["account", "key", "grant", "charge", "balance", "demo", "serve", "limits"] {
        let (code, out, _) = tollgate(&[command, "--help"], &[]);
        assert_eq!(code, 0);
        assert!(out.contains("Example"), "{command}: {out}");
    }
}

#[test]
fn misuse_is_two() {
    for args in [
        &["acount"][..],
        &["account", "create"],
        &["account", "show", "maria"],
        &["grant", "create", "acct_a", "-1", "--id", "x", "--reason", "y"],
        &["grant", "create", "acct_a", "1", "--reason", "y"],
        &["charge", "show", "chg_x"],
        &["balance", "acct_a", "-o", "yaml"],
    ] {
        assert_eq!(tollgate(args, &[]).0, 2, "{args:?}");
    }
    let token = [("TOLLGATE_ADMIN_TOKEN", "t")];
    assert_eq!(tollgate(&["account", "list", "--admin-url", "localhost"], &token).0, 2);
}

#[test]
fn no_server_is_seventy_five_and_says_what_to_do() {
    let url = nobody();
    let token = [("TOLLGATE_ADMIN_TOKEN", "a-very-secret-token")];
    for args in [&["account", "list"][..], &["balance", "acct_a"], &["health"]] {
        let args = [args, &["--admin-url", &url]].concat();
        let (code, out, err) = tollgate(&args, &token);
        assert_eq!(code, 75, "{err}");
        assert!(err.contains("is `tollgate serve` running?"), "{err}");
        assert!(!err.contains("secret") && out.is_empty());
    }
}

#[test]
fn no_token_is_seventy_eight() {
    let (code, _, err) = tollgate(&["account", "list"], &[]);
    assert_eq!(code, 78);
    assert!(err.contains("TOLLGATE_ADMIN_TOKEN") && err.contains("--token-file"), "{err}");
    let args = ["account", "list", "--token-file", "/nowhere/token"];
    assert_eq!(tollgate(&args, &[]).0, 78);
}

#[test]
fn the_sample_upstream_runs_alone_and_keeps_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("work.jsonl");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["sample-upstream", "--listen", "127.0.0.1:0", "--log"])
        .arg(&log)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = format!("http://{}/v1/images/generations", line.trim());
    let body = Full::new(Bytes::from_static(br#"{"nonce":"alone","n":1}"#));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = Request::post(url).body(body).unwrap();
    let answer = runtime.block_on(async { Client::new().unwrap().send(request).await });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(answer.unwrap().status, 200);
    assert!(std::fs::read_to_string(&log).unwrap().contains(r#""nonce":"alone""#));
}
