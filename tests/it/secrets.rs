//! Secrets that are put into every place where they may stand, and looked for in everything that a proxy says
//! or keeps.

use std::path::Path;

use super::crash::{CHAT, DUBBING, IMAGES, body, headers};
use super::processes::{BIN, Site, TOKEN, ask};

const PROMPT: &str = "canary-prompt-5f1d";
const QUERY: &str = "canary-query-77ab";
const HEADER: &str = "canary-header-02c4";

/// Every file below a folder, as text.
pub(crate) fn kept(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            kept(&path, found);
        } else {
            found.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
}

#[test]
fn no_secret_and_no_body_is_logged_or_kept() {
    let site = Site::new();
    let mut proxy = site.start();
    let key = proxy.account("acct_maria", 1_000);
    let bearer = format!("Bearer {key}");
    let wrong = format!("{}{}", &bearer[..bearer.len() - 4], "0000");
    let ordinary = body(1, false).replacen('{', &format!("{{\"prompt\":\"{PROMPT}\","), 1);
    let twice = format!("{{\"n\":1,\"n\":2,\"prompt\":\"{PROMPT}\"}}");
    let mut statuses = Vec::new();
    for path in [IMAGES, CHAT, DUBBING, "/v1/nothing", "/_credits/v1/balance"] {
        let path = format!("{path}?token={QUERY}");
        for (bearer, body) in [(&bearer, &ordinary), (&bearer, &twice), (&wrong, &ordinary)] {
            for told in ["", "fail", "block"] {
                let mut all = headers(bearer, told).to_vec();
                all.push(("x-secret", HEADER));
                let reply = ask(proxy.data, "POST", &path, &all, body).unwrap();
                assert!(!reply.body.contains(&key), "{}", reply.body);
                statuses.push(reply.status);
            }
        }
    }
    let refused =
        ask(proxy.admin, "GET", "/admin/v1/accounts", &[("authorization", "Bearer no")], "");
    assert_eq!(refused.unwrap().status, 401);
    proxy.process.signal(rustix::process::Signal::TERM);
    assert_eq!(proxy.process.wait(), Some(0));
    let mut all = proxy.process.told() + &proxy.process.printed();
    assert!(all.lines().count() > 40, "there are logs to look into");
    kept(&site.data(), &mut all);
    let secret = key.rsplit('_').next().unwrap();
    let wrong = wrong.rsplit('_').next().unwrap();
    for canary in [secret, wrong, TOKEN, PROMPT, QUERY, HEADER] {
        assert!(!all.contains(canary), "{canary} was logged or kept");
    }
}

const IN_URL: &str = "canary-redis-url-91ce";
const PASSWORD: &str = "canary-redis-password-3fb8";
const SENTINEL: &str = "canary-redis-sentinel-c6d0";

/// The configurations of Redis that have a secret, none of which answers.
const STORES: [&str; 4] = [
    "url: { env: URL }",
    "url: { env: OPEN }, user: tollgate, password: { env: PASSWORD }",
    "cluster: [127.0.0.1:1], password: { env: PASSWORD }",
    "sentinel: { addresses: [127.0.0.1:1], name: m, password: { env: SENTINEL } }, \
     password: { env: PASSWORD }",
];

#[test]
fn no_command_tells_a_secret_of_redis() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/redis.yaml");
    let example = std::fs::read_to_string(example).unwrap();
    let (before, rest) = example.split_once("  redis:\n").unwrap();
    let (_, after) = rest.split_once("admin:").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("redis.yaml");
    for store in STORES {
        let text = format!("{before}  redis: {{ {store}, state: ./data }}\nadmin:{after}");
        std::fs::write(&file, text).unwrap();
        let url = format!("redis://tollgate:{IN_URL}@127.0.0.1:1");
        let variables = [
            ("URL", url.as_str()),
            ("OPEN", "redis://127.0.0.1:1"),
            ("PASSWORD", PASSWORD),
            ("SENTINEL", SENTINEL),
            ("TOLLGATE_ADMIN_TOKEN", TOKEN),
            ("IMAGES_KEY", TOKEN),
        ];
        let doctor = ["doctor", "--json", "--config"];
        let create = ["ledger", "create", "--config"];
        for words in [&["check"][..], &["serve", "--config"], &doctor, &create] {
            let output = std::process::Command::new(BIN)
                .args(words)
                .arg(&file)
                .envs(variables)
                .env("TOLLGATE_LOG", "trace")
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            let mut all = String::from_utf8_lossy(&said).into_owned();
            let code = output.status.code();
            assert_eq!(code == Some(0), words[0] == "check", "{words:?}: {code:?} {all}");
            kept(folder.path(), &mut all);
            for canary in [IN_URL, PASSWORD, SENTINEL, TOKEN] {
                assert!(!all.contains(canary), "{words:?} told {canary}");
            }
        }
        let settings = tollgate::config::load_with(&file, &Variables(&variables)).unwrap().0;
        let shown = format!("{settings:#?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

/// An environment of variables only.
struct Variables<'a>(&'a [(&'a str, &'a str)]);

impl tollgate::config::Environment for Variables<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
    }

    fn file(&self, _: &Path) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn cores(&self) -> usize {
        1
    }
}
