//! The gateway's configuration in a bench, and the accounts with their keys.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::wire::{connect, operate};

/// What operators show.
pub(crate) const TOKEN: &str = "operators-token-of-the-bench";
/// What the upstream would be shown.
pub(crate) const SECRET: &str = "a-secret-of-the-upstream";
/// How many keys take turns.
pub(crate) const KEYS: usize = 100;
/// Among how many accounts they are shared out, unless `ACCOUNTS` says otherwise.
const ACCOUNTS: usize = 10;

/// Priced by the tokens of the answer: the answer is read, and every request is settled at what it says.
const CONFIG: &str = r#"
listen: 127.0.0.1:@PORT@
cores: 2
store: @STORE@
admin: { listen: 127.0.0.1:@ADMIN@, token: { env: BENCH_ADMIN } }
flood: { per_address: 1000000, failures: 1000 }
upstreams:
  model:
    url: http://127.0.0.1:@UPSTREAM@
    credentials: { bearer: { env: BENCH_SECRET } }
plans:
  bench:
    caps: [{ name: daily, measure: credits, limit: 1000000000, every: day }]
    concurrency: [{ name: at-once, limit: 100000 }]
prices:
  chat:
    lines:
      - { label: Prompt, quantities: [prompt_tokens], per: 1000, rate: 0.5 }
      - { label: Completion, quantities: [completion_tokens], per: 1000, rate: 2 }
routes:
  - name: chat
    match: POST /v1/chat/completions
    upstream: model
    price: chat
    quantities:
      prompt_tokens:
        { type: integer, hold: 8000, maximum: 8000, response: [{ json: /usage/prompt_tokens }] }
      completion_tokens:
        type: integer
        request: [{ json: /max_tokens }]
        default: 1000
        maximum: 4000
        response: [{ json: /usage/completion_tokens }]
    stream: { end: "[DONE]" }
    on_unknown: release
"#;

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) port: u16,
    pub(crate) admin: u16,
    pub(crate) upstream: u16,
    /// The port of Redis; `None`: the embedded ledger.
    pub(crate) redis: Option<u16>,
}

/// Writes the configuration into `folder`.
pub(crate) fn write(folder: &Path, places: &Places) {
    let store = match places.redis {
        None => "{ embedded: { path: ./data } }".to_owned(),
        Some(port) => {
            format!("{{ redis: {{ url: \"redis://127.0.0.1:{port}\", state: ./data }} }}")
        }
    };
    let text = CONFIG
        .replace("@PORT@", &places.port.to_string())
        .replace("@ADMIN@", &places.admin.to_string())
        .replace("@UPSTREAM@", &places.upstream.to_string())
        .replace("@STORE@", &store);
    std::fs::write(config(folder), text).unwrap();
}

/// The configuration's path.
pub(crate) fn config(folder: &Path) -> std::path::PathBuf {
    folder.join("tollgate.yaml")
}

/// The release gateway that is measured.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tollgate");

/// Another one to measure beside it, such as the one before a change; named by `OTHER`.
pub(crate) fn other_program() -> Option<OsString> {
    std::env::var_os("OTHER")
}

/// A command of a gateway.
pub(crate) fn command(program: &OsStr, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words);
    secrets(&mut command);
    command
}

/// Gives a command what the configuration names.
pub(crate) fn secrets(command: &mut Command) {
    command.env("BENCH_ADMIN", TOKEN).env("BENCH_SECRET", SECRET);
}

/// How many accounts pay.
pub(crate) fn accounts() -> usize {
    std::env::var("ACCOUNTS").map_or(ACCOUNTS, |text| text.parse().unwrap())
}

/// Makes the accounts through the operators' API. The answer is all their keys, which take turns.
pub(crate) fn keys(admin: u16) -> Vec<String> {
    while connect(admin).is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let make = |path: &str, body| operate(admin, TOKEN, path, &body).unwrap();
    let count = accounts();
    for account in 0..count {
        make("/accounts", json!({ "id": format!("acct_{account}"), "plan": "bench" }));
        let id = format!("bench_{account}");
        let grant = json!({ "id": id, "amount": "100000000", "reason": "a bench" });
        make(&format!("/accounts/acct_{account}/grants"), grant);
    }
    let key = |number| make(&format!("/accounts/acct_{}/keys", number % count), json!({}));
    (0..KEYS).map(|number| key(number)["secret"].as_str().unwrap().to_owned()).collect()
}
