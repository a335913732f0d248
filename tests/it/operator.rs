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
fn from_a_pack_to_its_money_and_from_a_cap_to_its_override() {
    let server = Server::start();
    let (_, key) = server.panes.account("acct_joao", "tiny");
    let (_, out, _) = server.run(&["packs"]);
    assert!(out.contains("small") && out.contains("USD"), "{out}");
    let why = ["--reason", "ticket 4711"];
    let give = ["grant", "create", "acct_joao", "--pack", "small", "--id", "pay_1"];
    assert_eq!(server.json(&[&give[..], &why].concat())["bonus"]["granted"], "50");
    let (code, _, err) = server.run(&[&give[..], &["7"], &why].concat());
    assert_eq!(code, 2, "an amount beside a pack is no use: {err}");
    let charge = server.panes.hold("acct_joao", &key, 100, Default::default());
    server.panes.settle("acct_joao", charge, 100);
    let id = charge.to_string();
    let refund = ["charge", "refund", &id, "--id", "r_1", "--amount", "2.5"];
    assert_eq!(server.json(&[&refund[..], &why].concat())["charged"], "97.5");
    let (_, out, _) = server.run(&["charge", "show", &id]);
    assert!(out.contains("r_1") && out.contains("2.5 was refunded"), "{out}");
    let back = server.json(&[&["grant", "refund", "acct_joao", "pay_1"][..], &why].concat());
    // The bonus has paid first; 47.5 of the purchase are spent.
    assert_eq!(back["money"], serde_json::json!({ "amount": "4.525", "currency": "USD" }));
    let (_, out, _) = server.run(&[&["grant", "void", "acct_joao", "pay_1"][..], &why].concat());
    assert!(out.contains("still held") && out.contains("voided"), "{out}");

    let ada =
        server.json(&["account", "create", "acct_ada", "--plan", "starter", "--person", "ada/1"]);
    assert_eq!(ada["free_credits"], "granted");
    let person = server.json(&["person", "ada/1"]);
    assert_eq!(person["free_credits"]["claimed"], serde_json::json!(["acct_ada"]));
    let (_, out, _) = server.run(&["person", "ada/1"]);
    assert!(out.contains("acct_ada") && out.contains("FLAGGED"), "{out}");
    let (_, out, _) = server.run(&["person", "bob"]);
    assert!(out.contains("No account on this page"), "{out}");

    server.panes.give("acct_joao", "pay_2", "5");
    let open = server.panes.hold("acct_joao", &key, 5, Default::default()).to_string();
    let adjust = ["charge", "adjust", &open, "--id", "adj_1", "--held", "2"];
    assert_eq!(server.json(&adjust)["held"], "2");
    let (_, out, _) = server.run(&["charge", "show", &open]);
    assert!(
        out.contains("ADJUSTMENT") && out.contains("adjusted") && out.contains("adj_1"),
        "{out}"
    );

    let raise = ["override", "create", "acct_joao", "--cap", "two-a-day", "--add", "8"];
    let made = server.json(&[&raise[..], &why].concat());
    let (_, out, _) = server.run(&["limits", "acct_joao"]);
    assert!(out.contains("add 8") && out.contains("IN THE PLAN"), "{out}");
    let end = ["override", "end", "acct_joao", made["id"].as_str().unwrap()];
    assert_eq!(server.json(&end)["state"], "ended");
    let half = ["override", "create", "acct_joao", "--price", "images", "--multiply", "0.5"];
    assert_eq!(server.json(&[&half[..], &why].concat())["limit"], "price");
    let (_, out, _) = server.run(&["limits", "acct_joao"]);
    assert!(out.contains("PRICE") && out.contains("multiply 0.5"), "{out}");
    let (code, _, err) = server.run(&[&raise[..5], &["--add", "1", "--cut", "1"], &why].concat());
    assert_eq!(code, 2, "{err}");

    let until = ["account", "restrict", "acct_joao", "--until", "2099-12-22T00:00:00Z"];
    assert_eq!(server.run(&until).0, 2, "a reason is needed");
    let held = server.json(&[&until[..], &why].concat());
    assert_eq!(held["restricted_until"], "2099-12-22T00:00:00.000Z");
    let lifted = server.json(&["account", "restrict", "acct_joao", "--lift"]);
    assert_eq!(lifted["restricted_until"], Value::Null);
    let (_, out, _) = server.run(&["balance", "acct_joao"]);
    assert!(out.contains("3 comes at 2026-11-23T00:00:00-03:00"), "{out}");
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
