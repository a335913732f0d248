//! Clients and upstreams that mean no good, byte by byte on real sockets.

mod answers;
mod ends;
mod heads;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tollgate::config::{Environment, load_text};
use tollgate::serve::{self, Running};

const TOKEN: &str = "an-admin-token-for-tests";
/// How long a test waits for bytes that must come.
const PATIENCE: Duration = Duration::from_secs(10);

const YAML: &str = r#"
listen: 127.0.0.1:0
cores: 1
store: { embedded: { path: ledger, lease: 3s } }
admin: { listen: 127.0.0.1:0, token: { env: ADMIN } }
limits: { head: 5s, body: 1s, drain: 10s }
flood: { per_address: 1000000, failures: 5 }
upstreams:
  raw:
    url: UPSTREAM
    timeouts: { connect: 1s, first_byte: 20s, idle: 20s, total: 20s }
plans: { studio: {} }
prices:
  flat: { lines: [{ label: Work, rate: 5 }] }
  tiered:
    lines:
      - label: Work
        table: { by: [tier], rows: [{ when: [cheap], rate: 1 }, { when: [dear], rate: 10 }] }
  timed: { lines: [{ label: Seconds, quantities: [seconds], rate: 1 }] }
routes:
  - { name: file, match: GET /v1/file, upstream: raw, price: flat, on_unknown: release }
  - { name: peek, match: HEAD /v1/file, upstream: raw, free: true }
  - { name: list, match: GET /v1/list, upstream: raw, free: true }
  - { name: upload, match: POST /v1/upload, upstream: raw, price: flat, on_unknown: release, body_limit: 8KiB }
  - name: tiered
    match: GET /v1/tiered
    upstream: raw
    price: tiered
    quantities:
      tier: { type: text, request: [{ header: x-tier }], default: dear, one_of: [cheap, dear] }
    on_unknown: release
  - name: timed
    match: GET /v1/timed
    upstream: raw
    price: timed
    quantities:
      seconds: { type: seconds, hold: 100, maximum: 100, response: [{ header: x-seconds }] }
    on_unknown: release
"#;

/// The variables that the configuration names.
#[derive(Debug)]
struct Variables;

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "ADMIN").then(|| TOKEN.to_owned())
    }

    fn file(&self, _: &Path) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn cores(&self) -> usize {
        1
    }
}

/// A gateway before an upstream that a test plays itself.
struct Scene {
    running: Option<Running>,
    data: SocketAddr,
    admin: SocketAddr,
    key: String,
    key_id: String,
    /// The heads that the upstream got.
    heads: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// A gateway whose configuration differs in these texts; `play` writes the upstream's answers.
    fn set(
        changes: &[(&str, &str)],
        play: impl Fn(&str, TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let heads = Arc::new(Mutex::new(Vec::new()));
        let upstream = upstream(heads.clone(), play);
        let folder = tempfile::tempdir().unwrap();
        let mut yaml = YAML.replace("UPSTREAM", &format!("http://{upstream}"));
        for (old, new) in changes {
            assert!(yaml.contains(old), "{old}");
            yaml = yaml.replace(old, new);
        }
        let name = folder.path().join("tollgate.yaml").display().to_string();
        let (settings, _) = load_text(&name, &yaml, &Variables).unwrap_or_else(|e| panic!("{e}"));
        let running = serve::start(settings).unwrap();
        let (data, admin) = (running.data_addr, running.admin_addr.unwrap());
        let mut scene = Self {
            running: Some(running),
            data,
            admin,
            key: String::new(),
            key_id: String::new(),
            heads,
            _folder: folder,
        };
        scene.operator("/accounts", &json!({ "id": "acct_eve", "plan": "studio" }));
        let given = json!({ "id": "pay_1", "amount": "1000", "reason": "test" });
        scene.operator("/accounts/acct_eve/grants", &given);
        let key = scene.operator("/accounts/acct_eve/keys", &json!({}));
        scene.key = key["secret"].as_str().unwrap().to_owned();
        scene.key_id = key["id"].as_str().unwrap().to_owned();
        scene
    }

    fn operator(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "POST /admin/v1{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.admin,
            body.len()
        );
        let answer = text(&mut send(self.admin, &request));
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or(Value::Null)
    }

    /// A connection over which this has been sent, with the key.
    fn ask(&self, line: &str, headers: &str) -> TcpStream {
        send(self.data, &self.request(line, headers))
    }

    fn request(&self, line: &str, headers: &str) -> String {
        format!("{line} HTTP/1.1\r\nhost: gateway\r\nx-api-key: {}\r\n{headers}\r\n", self.key)
    }

    /// What the client plane says of the account's newest charge, once it is no longer open.
    fn charge(&self) -> Value {
        let line = "GET /_credits/v1/charges?limit=1";
        for _ in 0..500 {
            let answer = text(&mut self.ask(line, "connection: close\r\n"));
            let body = answer.split_once("\r\n\r\n").unwrap().1;
            let list: Value = serde_json::from_str(body).unwrap();
            if list["data"][0]["status"].as_str().is_some_and(|status| status != "held") {
                return list["data"][0].clone();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the charge stays open");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.hurry()();
            running.stop();
        }
    }
}

fn send(to: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// All that comes until the connection ends, breaks or has been silent for too long.
fn text(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    drop(stream.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until `end` has come.
fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(end.as_bytes()) {
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Plays an upstream: reads a head on each connection and hands it over; one request a connection.
fn upstream(
    heads: Arc<Mutex<Vec<String>>>,
    play: impl Fn(&str, TcpStream) + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let play = Arc::new(play);
    let serve = move || {
        for stream in listener.incoming() {
            let (mut stream, heads, play) = (stream.unwrap(), heads.clone(), play.clone());
            let one = move || {
                let mut bytes = Vec::new();
                let mut byte = [0];
                while !bytes.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    bytes.push(byte[0]);
                }
                let head = String::from_utf8(bytes).unwrap();
                heads.lock().unwrap().push(head.clone());
                play(&head, stream);
            };
            drop(tollgate::seam::thread("one", one).unwrap());
        }
    };
    drop(tollgate::seam::thread("upstream", serve).unwrap());
    address
}

/// An upstream that answers everything shortly.
fn short(_: &str, mut stream: TcpStream) {
    drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"));
}
