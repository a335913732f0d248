//! Every example of `--help`, run by a shell as it stands there, and the command line over TLS.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

use super::operator::Server;
use super::panes::{Panes, TOKEN};
use super::redis_server::pki::Pki;

/// The commands whose examples need an operators' API.
const COMMANDS: &[&str] = &[
    "account",
    "account create",
    "account list",
    "account show",
    "account change",
    "account suspend",
    "account resume",
    "account close",
    "account restrict",
    "person",
    "key",
    "key create",
    "key import",
    "key list",
    "key show",
    "key change",
    "key rotate",
    "key disable",
    "key enable",
    "key revoke",
    "grant",
    "grant create",
    "grant list",
    "grant show",
    "grant void",
    "grant refund",
    "grant reverse",
    "grant expire",
    "grant freeze",
    "grant thaw",
    "packs",
    "override",
    "override create",
    "override list",
    "override end",
    "charge",
    "charge show",
    "charge list",
    "charge release",
    "charge refund",
    "charge adjust",
    "config",
    "config show",
    "config reload",
    "hold",
    "hold list",
    "balance",
    "limits",
    "usage",
    "token",
    "token create",
    "health",
    "audit",
    "clock",
    "clock show",
    "clock advance",
];

fn help(command: &str) -> String {
    let mut run = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let output = run.args(command.split(' ')).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command}");
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of a help text that are examples.
fn examples(help: &str) -> Vec<&str> {
    let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
    // Those that compare with exported files are run where there are some.
    let here = |line: &&str| line.starts_with("tollgate ") && !line.contains("--rebuild");
    lines.filter(here).collect()
}

#[test]
fn every_example_works_as_it_stands() {
    let programs = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut count = 0;
    for command in COMMANDS {
        let text = help(command);
        let found = examples(&text);
        assert!(!found.is_empty(), "{command} has no example: {text}");
        for example in found {
            count += 1;
            let server = Server::start();
            let (key, charge) = prepared(&server, example);
            let request = charge.replace("chg_", "req_");
            let line =
                example.replace("key_…", &key).replace("chg_…", &charge).replace("req_…", &request);
            let output = Command::new("bash")
                .args(["-c", &line])
                .env("PATH", &path)
                .env("TOLLGATE_ADMIN_URL", &server.url)
                .env("TOLLGATE_ADMIN_TOKEN", TOKEN)
                .env("OLD_KEY", "sk-live-0123456789")
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && told.is_empty(), "{line}\n{told}");
            let out = String::from_utf8(output.stdout).unwrap();
            assert!(!out.is_empty(), "{line}");
            if line.contains("-o json") {
                let _: Value = serde_json::from_str(&out).unwrap();
            }
        }
    }
    assert!(count > 75, "{count}");
}

/// What the examples speak of, but for what they make themselves: the ids of a key and a charge.
fn prepared(server: &Server, example: &str) -> (String, String) {
    let own = example.starts_with("tollgate account create acct_maria");
    let id = if own { "acct_other" } else { "acct_maria" };
    let plan = if example.starts_with("tollgate override") { "tiny" } else { "studio" };
    let (_, key) = server.panes.account(id, plan);
    let reference = serde_json::json!({ "reference": "crm-4711" });
    if !example.contains("create --plan studio --reference") {
        let path = format!("/accounts/{id}");
        server.panes.operator("PATCH", &path, Some(reference)).ok();
    }
    server.panes.give(id, "pay_1", "100");
    let charge = server.panes.hold(id, &key, 4, Default::default());
    if example.contains("charge refund") {
        server.panes.settle(id, charge, 4);
    }
    if example.contains("ov_1") {
        let one = serde_json::json!({ "id": "ov_1", "limit": "cap", "name": "two-a-day", "add": 1,
                                      "reason": "a test" });
        server.panes.operator("POST", &format!("/accounts/{id}/overrides"), Some(one)).ok();
    }
    (key, charge.to_string())
}

#[test]
fn every_command_is_in_the_list_above() {
    for group in ["account", "key", "grant", "override", "charge", "hold", "token"] {
        let text = help(group);
        let verbs = text.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
        for line in verbs.lines().filter(|line| !line.trim().is_empty()) {
            let verb = line.split_whitespace().next().unwrap();
            let command = format!("{group} {verb}");
            assert!(verb == "help" || COMMANDS.contains(&command.as_str()), "{command}");
        }
    }
}

/// An operators' API behind TLS, until the end of the test.
fn over_tls(pki: &Pki, names: &[&str]) -> String {
    let (certificate, key) = pki.certify(names);
    let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Panes::new().admin;
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let stream = listener.accept().await.unwrap().0;
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let service = TowerToHyperService::new(router.clone());
                let serving = hyper::server::conn::http1::Builder::new();
                drop(serving.serve_connection(TokioIo::new(stream), service).await);
            }
        });
    };
    drop(tollgate::seam::thread("admin", serve).unwrap());
    format!("https://localhost:{port}")
}

#[test]
fn https_is_believed_only_by_the_named_file() {
    let (pki, other) = (Pki::new(), Pki::new());
    let url = over_tls(&pki, &["localhost"]);
    let run = |ca: Option<&Path>, url: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(["account", "list", "--admin-url", url]).env("TOLLGATE_ADMIN_TOKEN", TOKEN);
        command.env_remove("TOLLGATE_ADMIN_CA");
        if let Some(ca) = ca {
            command.arg("--ca-file").arg(ca);
        }
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(Some(&pki.ca_file()), &url), (0, String::new()));
    // Public roots, somebody else's file, another name than the certificate's.
    for (ca, url) in [
        (None, url.clone()),
        (Some(other.ca_file()), url.clone()),
        (Some(pki.ca_file()), url.replace("localhost", "127.0.0.1")),
    ] {
        let (code, told) = run(ca.as_deref(), &url);
        assert_eq!(code, 75, "{told}");
        assert!(!told.contains(TOKEN), "{told}");
    }
    let (code, told) = run(Some(Path::new("/nowhere/ca.pem")), &url);
    assert!(code == 78 && told.contains("/nowhere/ca.pem: cannot be read"), "{told}");
    let empty = tempfile::NamedTempFile::new().unwrap();
    let (code, told) = run(Some(empty.path()), &url);
    assert!(code == 78 && told.contains("no certificate"), "{told}");
}

#[test]
fn a_made_token_is_a_line_of_the_configuration() {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["token", "create", "--name", "alice", "--role", "finance", "-o", "json"])
        .output()
        .unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let token = made["token"].as_str().unwrap();
    let hash = <sha2::Sha256 as sha2::Digest>::digest(token.as_bytes());
    assert_eq!(made["sha256"], data_encoding::HEXLOWER.encode(&hash));
    let line = made["line"].as_str().unwrap();
    let yaml = include_str!("../../config/quickstart.yaml");
    let own = format!("admin:\n  tokens:\n    {line}\n");
    let yaml = yaml.replace("admin: { token: { env: TOLLGATE_ADMIN_TOKEN } }\n", &own);
    let settings = tollgate::config::load_text("own.yaml", &yaml, &tollgate::config::Assumed);
    let settings = settings.unwrap_or_else(|report| panic!("{report}")).0;
    let tokens = settings.admin.unwrap().tokens;
    assert_eq!(tokens.len(), 1);
    assert_eq!(format!("{:?}", tokens[0]), "Token(alice, finance, …)");
    assert_eq!(tokens[0].hash()[..], hash[..]);
    let wrong = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["token", "create", "--name", "alice", "--role", "king"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}
