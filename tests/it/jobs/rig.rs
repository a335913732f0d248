//! An upstream that says what it is told to say, and a gateway in front of it.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::exposition::Scrape;
use crate::wire::{Ask, Reply};
use crate::world::{Payer, TOKEN, World};

/// The configuration of all tests here.
pub(crate) const YAML: &str = r#"
listen: 127.0.0.1:0
store: { embedded: { path: ledger, lease: 3s } } # store
admin: { listen: 127.0.0.1:0, token: { env: ADMIN } }
limits: { head: 5s, body: 2s, drain: 10s }
flood: { per_address: 1000000, failures: 1000000 }
# more
upstreams:
  service:
    url: http://FAKE
    hosts: [queue.service.test]
    credentials: { bearer: { env: SECRET } }
    timeouts: { connect: 1s, first_byte: 20s, idle: 20s, total: 40s }
plans:
  studio: {}
  single: { concurrency: [{ name: one-at-a-time, limit: 1 }] }
prices:
  prediction: { lines: [{ label: Seconds, quantities: [seconds], rate: 2 }] } # price
  picture: { lines: [{ label: Units, quantities: [units], rate: 3 }] }
  film: { lines: [{ label: Credits, quantities: [credits], rate: 1 }] }
jobs:
  - name: predictions
    id: { json: /id }
    status: /status
    words:
      pending: [starting, processing]
      completed: [succeeded]
      failed: [failed]
      cancelled: [canceled]
    ttl: 1h # ttl
    watch: { path: "/v1/predictions/{id}", every: 1s, after: 1h } # watch
    webhook: { url: { json: /webhook }, verify: standard }
  - name: pictures
    id: { json: /request_id }
    status: /status
    words: { pending: [IN_QUEUE, IN_PROGRESS], completed: [COMPLETED] }
    outcomes: [{ body: { at: /error, exists: true }, class: failed, charge: none }]
    grace: 1h # grace
    watch: { path: "/{model}/requests/{id}/status", every: 1s, after: 1h } # watch pictures
  - name: films
    id: { json: /id }
    status: /status
    words: { pending: [RUNNING], completed: [SUCCEEDED], failed: [FAILED] }
    outcomes: [{ status: [204], class: cancelled, charge: full }]
    ttl: 1h
    files: [/files/*, /links/*/url]
routes:
  - name: predict
    match: POST /v1/predictions
    upstream: service
    price: prediction
    job: predictions
    quantities:
      seconds: { type: seconds, hold: 10, maximum: 100, response: [{ job: /metrics/predict_time }] }
    rewrite: { json: [/urls/get, /urls/cancel, /output], headers: [location] }
    on_unknown: release
    reconcile: 1s
  - { name: prediction, match: "GET /v1/predictions/{id}", upstream: service, free: true, polls: predictions, rewrite: { json: [/urls/get] } }
  - { name: stop, match: "POST /v1/predictions/{id}/cancel", upstream: service, free: true, cancels: predictions }
  - name: picture
    match: POST /{model}
    upstream: service
    price: picture
    job: pictures
    quantities:
      units: { type: integer, hold: 4, maximum: 100, response: [{ job_header: x-billable-units }] }
    on_unknown: release
    reconcile: 1s
  - { name: picture-state, match: "GET /{model}/requests/{id}/status", upstream: service, free: true, polls: pictures }
  - { name: picture-result, match: "GET /{model}/requests/{id}", upstream: service, free: true, fetches: pictures }
  - name: film
    match: POST /v1/films
    upstream: service
    price: film
    job: films
    quantities:
      credits: { type: integer, hold: 50, maximum: 100, response: [{ created: /estimatedCost/credits }] }
    on_unknown: charge
    reconcile: 1s
  - { name: film-state, match: GET /v1/films, upstream: service, free: true, polls: films, job_id: { query: id }, rewrite: { json: [/links/*/url] } }
  - { name: film-file, match: "GET /v1/files/{id}/content", upstream: service, free: true, file_of: films }
  - { name: about, match: "GET /v1/about/{*path}", upstream: service, free: true }
  - { name: film-stop, match: "DELETE /v1/films/{id}", upstream: service, free: true, cancels: films }
"#;

/// A request that has reached the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Method and target.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
struct Told {
    calls: Vec<Call>,
    says: HashMap<String, Vec<u8>>,
    /// Lines whose answers are kept back.
    held: HashSet<String>,
}

impl Told {
    fn answer(&self, line: &str) -> Option<Vec<u8>> {
        self.says.get(line).or_else(|| self.says.get("")).cloned()
    }
}

/// See the module.
pub(crate) struct Fake {
    pub(crate) addr: SocketAddr,
    told: Arc<Mutex<Told>>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let told = Arc::<Mutex<Told>>::default();
        let shared = told.clone();
        // It ends with the test's process: nothing waits for a connection that never comes.
        drop(tollgate::seam::thread("fake", move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let told = shared.clone();
                drop(tollgate::seam::thread("faked", move || serve(stream, &told)));
            }
        }));
        Self { addr, told }
    }

    /// From now on it answers so to `line`, a method and a target.
    pub(crate) fn says(&self, line: &str, status: u16, headers: &[(&str, &str)], body: &str) {
        let mut text = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len());
        if status == 204 {
            text = "HTTP/1.1 204 Said\r\n".to_owned();
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let text = format!("{text}\r\n{body}");
        self.told.lock().unwrap().says.insert(line.to_owned(), text.into_bytes());
    }

    /// From now on it answers so to whatever it has no answer to.
    pub(crate) fn says_all(&self, status: u16, headers: &[(&str, &str)], body: &str) {
        self.says("", status, headers, body);
    }

    /// The same with a JSON body.
    pub(crate) fn json(&self, line: &str, status: u16, body: &Value) {
        self.says(line, status, &[("content-type", "application/json")], &body.to_string());
    }

    /// From now on it keeps its answers to `line` back.
    pub(crate) fn hold(&self, line: &str) {
        self.told.lock().unwrap().held.insert(line.to_owned());
    }

    /// It does not any more.
    pub(crate) fn free(&self, line: &str) {
        self.told.lock().unwrap().held.remove(line);
    }

    /// What has come with this line.
    pub(crate) fn calls(&self, line: &str) -> Vec<Call> {
        let told = self.told.lock().unwrap();
        told.calls.iter().filter(|call| call.line == line).cloned().collect()
    }

    /// What has come last.
    pub(crate) fn last(&self) -> Call {
        self.told.lock().unwrap().calls.last().unwrap().clone()
    }

    /// How much has come.
    pub(crate) fn count(&self) -> usize {
        self.told.lock().unwrap().calls.len()
    }
}

fn serve(mut stream: TcpStream, told: &Mutex<Told>) {
    let mut bytes = Vec::new();
    while let Some(call) = read(&mut stream, &mut bytes) {
        let none = b"HTTP/1.1 404 None\r\ncontent-length: 0\r\n\r\n".to_vec();
        let line = call.line.clone();
        told.lock().unwrap().calls.push(call);
        while told.lock().unwrap().held.contains(&line) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let answer = told.lock().unwrap().answer(&line).unwrap_or(none);
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Call> {
    let mut part = [0; 8192];
    loop {
        if let Some((call, used)) = parse(bytes) {
            bytes.drain(..used);
            return Some(call);
        }
        match stream.read(&mut part) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&part[..count]),
            _ => return None,
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(Call, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let said = |name: &str| {
        headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
    };
    let rest = &bytes[head..];
    let (body, used) = if said("transfer-encoding").is_some() {
        chunks(rest)?
    } else {
        let length: usize = said("content-length").map_or(0, |value| value.parse().unwrap());
        (rest.get(..length)?.to_vec(), length)
    };
    Some((Call { line, headers, body }, head + used))
}

/// A body in chunks, and how long it is with its framing.
fn chunks(mut rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (whole, mut body) = (rest.len(), Vec::new());
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let data = rest.get(end + 2..end + 2 + size)?;
        body.extend_from_slice(data);
        rest = rest.get(end + 4 + size..)?;
        if size == 0 {
            return Some((body, whole - rest.len()));
        }
    }
}

/// A gateway in front of an upstream.
pub(crate) struct Rig {
    pub(crate) fake: Fake,
    pub(crate) world: World,
}

impl Rig {
    #[track_caller]
    pub(crate) fn start(changes: &[(&str, &str)]) -> Self {
        let fake = Fake::start();
        let world = World::of(YAML, &with(&fake.addr.to_string(), changes));
        Self { fake, world }
    }

    /// Starts the gateway anew, with other texts in its configuration.
    #[track_caller]
    pub(crate) fn restart(&mut self, changes: &[(&str, &str)]) {
        self.world.restart(&with(&self.fake.addr.to_string(), changes));
    }

    /// What the upstream says of a prediction, whoever asks.
    pub(crate) fn prediction(&self, id: &str, status: &str, seconds: Option<f64>) {
        self.fake.json(&format!("GET /v1/predictions/{id}"), 200, &prediction(id, status, seconds));
    }

    /// Begins a prediction.
    #[track_caller]
    pub(crate) fn predict(&self, payer: &Payer, id: &str, status: &str) -> Reply {
        self.fake.json("POST /v1/predictions", 201, &prediction(id, status, None));
        let reply = self.world.send(&payer.post("/v1/predictions", &json!({ "input": {} })));
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply
    }

    /// Asks for a prediction.
    pub(crate) fn poll(&self, payer: &Payer, id: &str) -> Reply {
        self.world.send(&payer.get(&format!("/v1/predictions/{id}")))
    }

    /// What the gateway counts of jobs under this name.
    #[track_caller]
    pub(crate) fn counts(&self, name: &str, job: &str) -> String {
        let text = self.world.operator(&Ask::new("GET", "/metrics").key(TOKEN)).ok().text();
        Scrape::read(&text).value(name, &[("job", job)]).to_owned()
    }
}

fn with<'a>(addr: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![("FAKE", addr)];
    all.extend(changes);
    all
}

/// A prediction as the upstream tells it.
pub(crate) fn prediction(id: &str, status: &str, seconds: Option<f64>) -> Value {
    let metrics = seconds.map_or(json!({}), |seconds| json!({ "predict_time": seconds }));
    json!({ "id": id, "status": status, "metrics": metrics })
}
