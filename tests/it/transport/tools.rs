//! The gateway as a person tries it: `openssl s_client`, `curl`, `h2load`, and `tollgate` itself.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::processes::BIN;
use crate::redis_server::pki::Pki;
use crate::world::{IMAGES, Payer, TOKEN, World, until};

/// Runs a command to its end; whether it succeeded, and all that it said.
fn say(command: &mut Command) -> (bool, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn curl(world: &World, payer: &Payer, scheme: &str, options: &[&str]) -> String {
    let url = format!("{scheme}://localhost:{}{IMAGES}", world.data.port());
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20", "--resolve"]);
    command.arg(format!("localhost:{}:127.0.0.1", world.data.port()));
    command.args(options).args(["-H", &format!("Authorization: Bearer {}", payer.key)]);
    command.args(["-H", "content-type: application/json", "-d", r#"{"n":1,"quality":"low"}"#]);
    command.args(["-o", "/dev/null", "-w", "%{http_code} %{http_version}"]);
    say(command.arg(url)).1
}

#[test]
fn curl_speaks_each_version() {
    let (pki, plain) = (Pki::new(), World::start(&[]));
    let tls = World::start_tls(&pki, "", &[]);
    let (own, other) = (plain.payer("studio", "10"), tls.payer("studio", "10"));
    let ca = pki.ca_file();
    let ca = ["--cacert", ca.to_str().unwrap()];
    for (world, payer, scheme, options, expected) in [
        (&plain, &own, "http", vec![], "200 1.1"),
        (&plain, &own, "http", vec!["--http1.0"], "200 1"),
        // It asks for an upgrade, which is passed over.
        (&plain, &own, "http", vec!["--http2"], "200 1.1"),
        (&plain, &own, "http", vec!["--http2-prior-knowledge"], "200 2"),
        (&tls, &other, "https", [&ca[..], &["--http1.1"]].concat(), "200 1.1"),
        (&tls, &other, "https", [&ca[..], &["--http2"]].concat(), "200 2"),
        (&tls, &other, "https", [&ca[..], &["--http2-prior-knowledge"]].concat(), "200 2"),
        (&tls, &other, "https", [&ca[..], &["--tls-max", "1.2"]].concat(), "200 2"),
    ] {
        assert_eq!(curl(world, payer, scheme, &options), expected, "{scheme} {options:?}");
    }
    // Without the authority nobody is trusted.
    assert!(curl(&tls, &other, "https", &[]).contains("certificate"));
}

#[test]
fn openssl_sees_what_is_spoken() {
    let pki = Pki::new();
    let world = World::start_tls(&pki, ", minimum_version: 1.3", &[]);
    let ask = |options: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &world.data.to_string(), "-verify_return_error"]);
        command.arg("-CAfile").arg(pki.ca_file()).args(["-servername", "localhost"]);
        say(command.args(options))
    };
    let (good, text) = ask(&["-alpn", "h2,http/1.1"]);
    assert!(good && text.contains("ALPN protocol: h2"), "{text}");
    assert!(text.contains("TLSv1.3") && text.contains("Verify return code: 0 (ok)"), "{text}");
    let (good, text) = ask(&["-alpn", "http/1.1"]);
    assert!(good && text.contains("ALPN protocol: http/1.1"), "{text}");
    let (good, text) = ask(&[]);
    assert!(good && text.contains("No ALPN negotiated"), "{text}");
    // Neither an old version nor a protocol that is not spoken.
    assert!(!ask(&["-tls1_2"]).0);
    assert!(!ask(&["-alpn", "smtp"]).0);
}

#[test]
fn h2load_loses_no_request() {
    let pki = Pki::new();
    for (scheme, world) in [("http", World::start(&[])), ("https", World::start_tls(&pki, "", &[]))]
    {
        let payer = world.payer("crowded", "100000");
        let body = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(body.path(), r#"{"n":1,"quality":"low"}"#).unwrap();
        let mut command = Command::new("h2load");
        command.args(["-n", "600", "-c", "6", "-m", "20", "-d"]).arg(body.path());
        command.args(["-H", &format!("authorization: Bearer {}", payer.key)]);
        command.args(["-H", "content-type: application/json"]);
        let (good, text) = say(command.arg(format!("{scheme}://{}{IMAGES}", world.data)));
        let all = "600 total, 600 started, 600 done, 600 succeeded, 0 failed";
        assert!(good && text.contains(all) && text.contains("600 2xx"), "{text}");
        until("all is settled", || world.purse(&payer).held == "0");
        assert_eq!(world.purse(&payer).available, "99400");
        assert_eq!(world.forwarded(), 600);
    }
}

#[test]
fn operators_come_by_tls() {
    let pki = Pki::new();
    let (certificate, key) = pki.certify(&["127.0.0.1"]);
    let block = format!(
        "admin: {{ tls: {{ certificate_file: {}, key_file: {} }},",
        certificate.display(),
        key.display()
    );
    let world = World::start(&[("admin: {", &block)]);
    let ask = |ca: Option<&Path>, arguments: &[&str]| {
        let mut command = Command::new(BIN);
        command.args(arguments).env("TOLLGATE_ADMIN_TOKEN", TOKEN);
        command.args(["--admin-url", &format!("https://{}", world.admin)]);
        if let Some(ca) = ca {
            command.arg("--ca-file").arg(ca);
        }
        say(&mut command)
    };
    let ca = pki.ca_file();
    let (good, text) = ask(Some(&ca), &["health"]);
    assert!(good, "{text}");
    let (good, text) = ask(Some(&ca), &["account", "create", "acct_tls", "--plan", "studio"]);
    assert!(good && text.contains("acct_tls"), "{text}");
    let (good, text) = ask(None, &["health"]);
    assert!(!good, "{text}");
    // In clear there is nothing.
    let (good, _) =
        say(Command::new("curl").args(["-sS", &format!("http://{}/livez", world.admin)]));
    assert!(!good);
}

#[test]
fn check_tells_of_a_pair_that_does_not_fit() {
    let (pki, folder) = (Pki::new(), tempfile::tempdir().unwrap());
    let ((certificate, _), (_, key)) = (pki.certify(&["a"]), pki.certify(&["b"]));
    let file = folder.path().join("tollgate.yaml");
    let text = format!(
        "tls: {{ certificate_file: {}, key_file: {} }}\n\
         store: {{ embedded: {{ path: ./data }} }}\n\
         upstreams: {{ a: {{ url: http://127.0.0.1:9 }} }}\n\
         plans: {{ p: {{}} }}\n\
         routes: [{{ name: r, match: GET /r, upstream: a, free: true }}]\n",
        certificate.display(),
        key.display()
    );
    std::fs::write(&file, text).unwrap();
    let (good, text) = say(Command::new(BIN).arg("check").arg(&file));
    assert!(!good && text.contains("does not belong to the key in"), "{text}");
    let (good, text) = say(Command::new(BIN).args(["check", "--without-secrets"]).arg(&file));
    assert!(good, "{text}");
    let (good, text) = say(Command::new(BIN).args(["serve", "--config"]).arg(&file));
    assert!(!good && text.contains("bad_certificate"), "{text}");
}
