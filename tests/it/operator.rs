//! The command line as an operator uses it: each command against a running admin API.

use std::process::Command;

use serde_json::Value;

use super::panes::{Panes, TOKEN};

/// An admin API on a socket, until the end of the test.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) panes: Panes,
}

impl Server {
    pub(crate) fn start() -> Self {
        let panes = Panes::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = panes.admin.clone();
        let serve = move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        };
        drop(tollgate::seam::thread("admin", serve).unwrap());
        Self { url, panes }
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(args)
            .env("TOLLGATE_ADMIN_URL", &self.url)
            .env("TOLLGATE_ADMIN_TOKEN", TOKEN)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn json(&self, args: &[&str]) -> Value {
        let (code, out, err) = self.run(&[args, &["-o", "json"]].concat());
        assert_eq!(code, 0, "{args:?} {err}");
        serde_json::from_str(&out).unwrap()
    }
}

#[test]
fn from_an_account_to_a_receipt() {
    let server = Server::start();
    assert_eq!(server.run(&["health"]).0, 0);
    let zone = "Europe/Lisbon";
    let made = server.json(&["account", "create", "acct_joao", "--plan", "tiny", "--zone", zone]);
    assert_eq!(made["zone"], zone);
    let key = server.json(&["key", "create", "acct_joao", "--label", "phone"]);
    let id = key["id"].as_str().unwrap();
    assert!(key["secret"].as_str().unwrap().starts_with("tk_"));
    let give = ["grant", "create", "acct_joao", "12.5", "--id", "pay_1", "--reason", "r"];
    assert_eq!(server.json(&give)["available"], "12.5");
    assert_eq!(server.json(&give)["available"], "12.5");
    let charge = server.panes.hold("acct_joao", id, 4, Default::default());
    server.panes.settle("acct_joao", charge, 2);
    assert_eq!(server.json(&["charge", "show", &charge.to_string()])["charged"], "2");
    let (code, out, _) = server.run(&["charge", "show", &charge.to_string()]);
    assert_eq!(code, 0);
    assert!(out.contains("4 was held and 2 was charged") && out.contains("pay_1"), "{out}");
    let listed = server.json(&["charge", "list", "acct_joao"]);
    assert_eq!(listed["data"][0]["id"], charge.to_string());
    let (_, out, _) = server.run(&["balance", "acct_joao"]);
    assert!(out.starts_with("KIND") && out.contains("10.5") && out.contains("pay_1"), "{out}");
    let (_, out, _) = server.run(&["limits", "acct_joao"]);
    assert!(out.contains("two-a-day") && out.contains("one-at-a-time"), "{out}");
    assert_eq!(server.json(&["key", "revoke", id])["status"], "revoked");
    let (_, out, _) = server.run(&["key", "list", "acct_joao"]);
    assert!(out.contains("revoked") && out.contains("phone"), "{out}");
    let change = ["account", "change", "acct_joao", "--status", "suspended"];
    assert_eq!(server.json(&change)["status"], "suspended");
    let (_, out, _) = server.run(&["account", "list", "--limit", "1"]);
    assert!(out.starts_with("ID") && out.contains("suspended"), "{out}");
}

#[test]
fn refusals_are_told_in_the_servers_words() {
    let server = Server::start();
    let (code, out, err) = server.run(&["account", "show", "acct_nobody"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("no such account") && err.contains("[unknown_account]"), "{err}");
    let (code, _, err) = server.run(&["account", "create", "--plan", "gold"]);
    assert_eq!(code, 1);
    assert!(err.contains("studio, tiny"), "{err}");
    server.panes.ready.store(false, std::sync::atomic::Ordering::SeqCst);
    let (code, _, err) = server.run(&["health"]);
    assert_eq!(code, 1);
    assert!(err.contains("draining"), "{err}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "another-token\n").unwrap();
    let path = file.to_str().unwrap();
    let (code, _, err) = server.run(&["account", "list", "--token-file", path]);
    assert_eq!(code, 78);
    assert!(!err.contains("another-token") && err.contains("not the server's"), "{err}");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    assert_eq!(server.run(&["account", "list", "--token-file", path]).0, 0);
}
