//! Real processes: the proxy and its upstream as children of the test, started, asked and killed like an
//! operator's.
//!
//! Invariant: a child ends with its handle; nothing is ended that was not started here.
//! Invariant: what clients did is read from their sockets, what was worked from the upstream's own log, what
//! was remembered from the ledger's file once nobody has it open.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::cli::demo::upstream::Work;
use tollgate::seam::{Clock, SystemClock, thread};

pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_tollgate");
pub(crate) const TOKEN: &str = "operators-token-for-tests";
/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// A child process whose lines of output are kept.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    out: Lines,
    err: Lines,
}

#[derive(Debug)]
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&lines);
        let read = move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        };
        Self { lines, reader: Some(thread("lines", read).unwrap()) }
    }

    fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl Process {
    /// Starts a command; what it prints is kept.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Lines::of(child.stdout.take().unwrap());
        let err = Lines::of(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Ends it as a power cut would, but for the page cache.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Whether it has ended, and how. `None` as a code: by a signal.
    pub(crate) fn ended(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().unwrap().map(|status| status.code())
    }

    /// Waits until it ends. The answer is its code; `None`: a signal ended it.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let code = eventually("the process has ended", || self.ended());
        for lines in [&mut self.out, &mut self.err] {
            lines.reader.take().map(JoinHandle::join);
        }
        code
    }

    /// What it printed.
    pub(crate) fn printed(&self) -> String {
        self.out.all().join("\n")
    }

    /// What it said on its error stream.
    pub(crate) fn told(&self) -> String {
        self.err.all().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill();
        }
        if std::thread::panicking() {
            let told = self.err.all();
            let last = told.len().saturating_sub(30);
            println!("--- process {} said last:\n{}", self.id(), told[last..].join("\n"));
        }
    }
}

/// Waits until `look` finds something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = SystemClock.uptime_ms();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let waited = Duration::from_millis(SystemClock.uptime_ms() - began);
        assert!(waited < PATIENCE, "waited {waited:?} in vain until {what}");
        std::thread::sleep(PAUSE);
    }
}

/// The sample upstream as a process.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) addr: SocketAddr,
    log: PathBuf,
    _process: Process,
}

impl Upstream {
    pub(crate) fn start(folder: &Path) -> Self {
        let log = folder.join("work.jsonl");
        let mut command = Command::new(BIN);
        command.args(["sample-upstream", "--listen", "127.0.0.1:0", "--log"]).arg(&log);
        let process = Process::start(&mut command);
        let addr = eventually("the upstream says its address", || {
            process.out.all().first().map(|line| line.parse().unwrap())
        });
        Self { addr, log, _process: process }
    }

    /// What it has seen and what runs.
    pub(crate) fn state(&self) -> Value {
        ask(self.addr, "GET", "/_work?nonce=none", &[], "").unwrap().json()
    }

    /// Every unit of work that has ended.
    pub(crate) fn units(&self) -> Vec<Work> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until nothing runs, then as `units`.
    pub(crate) fn all_units(&self) -> Vec<Work> {
        eventually("the upstream is idle", || (self.state()["running"] == 0).then_some(()));
        self.units()
    }
}

/// A proxy as a process.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) process: Process,
}

impl Proxy {
    /// Starts `tollgate serve` and waits until it is ready.
    pub(crate) fn start(config: &Path) -> Self {
        Self::by(Command::new(BIN).args(["serve", "--config"]).arg(config))
    }

    /// As `start`, by a command of the caller's.
    #[track_caller]
    pub(crate) fn by(command: &mut Command) -> Self {
        Self::perhaps(command).unwrap_or_else(|ended| panic!("{}", ended.told()))
    }

    /// As `by`; the error is the process that ended before it was ready.
    #[track_caller]
    pub(crate) fn perhaps(command: &mut Command) -> Result<Self, Process> {
        let mut process = Process::start(command);
        let found = eventually("the proxy is ready", || {
            let ended = process.ended();
            let lines = process.err.all();
            match lines.iter().find(|line| line.contains("\"ready\"")) {
                Some(line) => Some(Some(serde_json::from_str::<Value>(line).unwrap())),
                None => ended.map(|_| None),
            }
        });
        let Some(line) = found else {
            process.wait();
            return Err(process);
        };
        let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
        let (data, admin) = (address("data"), address("admin"));
        eventually("/readyz says so", || {
            let ready = ask(admin, "GET", "/readyz", &[], "").is_ok_and(|it| it.status == 200);
            (ready || process.ended().is_some()).then_some(())
        });
        Ok(Self { data, admin, process })
    }

    /// What recovery did at its start: released and unknown.
    pub(crate) fn recovered(&self) -> (u64, u64) {
        let lines = self.process.err.all();
        let line = lines.iter().find(|line| line.contains("\"recovered\"")).unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        (line["released"].as_u64().unwrap(), line["unknown"].as_u64().unwrap())
    }

    /// Asks the operators' API, which must agree.
    #[track_caller]
    pub(crate) fn operator(&self, method: &str, path: &str, body: &Value) -> Value {
        let bearer = format!("Bearer {TOKEN}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("/admin/v1{path}");
        let reply = ask(self.admin, method, &path, &[("authorization", &bearer)], &body).unwrap();
        assert!((200..300).contains(&reply.status), "{method} {path}: {}", reply.body);
        reply.json()
    }

    /// An account with a key and, perhaps, credits. The answer is the key's secret.
    pub(crate) fn account(&self, id: &str, credits: u64) -> String {
        let none = json!({});
        self.operator("POST", "/accounts", &json!({ "id": id, "plan": "studio" }));
        if credits > 0 {
            let body = json!({ "id": format!("pay_{id}"), "amount": credits.to_string(), "reason": "a test" });
            self.operator("POST", &format!("/accounts/{id}/grants"), &body);
        }
        let made = self.operator("POST", &format!("/accounts/{id}/keys"), &none);
        made["secret"].as_str().unwrap().to_owned()
    }

    /// What the account has: available and held.
    pub(crate) fn balance(&self, account: &str) -> (String, String) {
        let path = format!("/accounts/{account}/balance");
        let sum = self.operator("GET", &path, &Value::Null)["balances"][0].clone();
        let text = |name: &str| sum[name].as_str().unwrap().to_owned();
        (text("available"), text("held"))
    }

    /// The account's newest charge.
    pub(crate) fn newest(&self, account: &str) -> Value {
        let path = format!("/accounts/{account}/charges?limit=1");
        self.operator("GET", &path, &Value::Null)["data"][0].clone()
    }

    /// Waits until the account holds nothing and its newest charges have ended; the answer is the newest. A
    /// balance looks ahead, as if due work were done; a charge ends when it is.
    #[track_caller]
    pub(crate) fn settled(&self, account: &str) -> Value {
        eventually("nothing is held", || (self.balance(account).1 == "0").then_some(()));
        let path = format!("/accounts/{account}/charges?limit=100");
        eventually("the newest charges have ended", || {
            let listed = self.operator("GET", &path, &Value::Null);
            let all = listed["data"].as_array().unwrap();
            let ended = all.iter().all(|charge| !charge["ended"].is_null());
            ended.then(|| all.first().cloned().unwrap_or_default())
        })
    }

    /// Ends it in good order.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.process.signal(Signal::TERM);
        assert_eq!(self.process.wait(), Some(0), "{}", self.process.told());
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Opens a connection and sends a request on it that is the only one.
pub(crate) fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<TcpStream> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    if method != "GET" {
        let length = body.len();
        write!(head, "content-type: application/json\r\ncontent-length: {length}\r\n").unwrap();
    }
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    Ok(stream)
}

/// Reads an answer that ends with its connection. One that is not whole by its framing is an error.
pub(crate) fn answer(mut stream: TcpStream) -> std::io::Result<Reply> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let broken = || std::io::Error::other(format!("not whole: {text:?}"));
    let (head, rest) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let head = head.to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let body = match length {
        Some(length) => Some(rest).filter(|rest| rest.len().to_string() == length).map(Into::into),
        None => unchunked(rest),
    };
    Ok(Reply { status, head, body: body.ok_or_else(broken)? })
}

fn unchunked(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, more) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return (more == "\r\n").then_some(body);
        }
        body.push_str(more.get(..size)?);
        rest = more.get(size..)?.strip_prefix("\r\n")?;
    }
}

/// Sends a request and reads its whole answer.
pub(crate) fn ask(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Reply> {
    answer(send(to, method, path, headers, body)?)
}

/// A folder with a configuration, an upstream, and what runs on them.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) upstream: Upstream,
    pub(crate) folder: TempDir,
}

impl Site {
    /// A folder whose configuration has short deadlines and prices that carry a request's serial number:
    /// every amount is whole credits for the work and the serial in micro-credits. So a charge tells which
    /// request it is for, whatever became of it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let upstream = Upstream::start(folder.path());
        std::fs::write(folder.path().join("admin-token"), TOKEN).unwrap();
        let site = Self { upstream, folder };
        site.configure("");
        site
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("tollgate.yaml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes the configuration, with more lines at its top.
    pub(crate) fn configure(&self, more: &str) {
        let yaml = YAML.replace("UPSTREAM", &self.upstream.addr.to_string()).replace("MORE", more);
        std::fs::write(self.config(), yaml).unwrap();
    }

    pub(crate) fn start(&self) -> Proxy {
        Proxy::start(&self.config())
    }
}

pub(crate) const YAML: &str = r"
listen: 127.0.0.1:0
store: { embedded: { path: data, lease: 1s } }
admin: { listen: 127.0.0.1:0, token: { file: admin-token } }
flood: { per_address: 100000, failures: 100000 }
MORE
upstreams:
  sample:
    url: http://UPSTREAM
    timeouts: { connect: 2s, first_byte: 30s, idle: 30s, total: 60s }
plans: { studio: {} }
prices:
  images:
    lines:
      - { label: Images, quantities: [n], rate: 1 }
      - { label: Serial, quantities: [serial], per: 1000000, rate: 1 }
  dubbing:
    lines:
      - { label: Dubbing, rate: 10 }
      - { label: Serial, quantities: [serial], per: 1000000, rate: 1 }
  chat:
    lines:
      - { label: Tokens, quantities: [tokens], rate: 1 }
      - { label: Serial, quantities: [serial], per: 1000000, rate: 1 }
routes:
  - name: images
    match: POST /v1/images/generations
    upstream: sample
    price: images
    quantities:
      n: { type: integer, request: [{ json: /n }], minimum: 1, maximum: 10, response: [{ items: /data }] }
      serial: { type: integer, request: [{ json: /serial }], minimum: 0, maximum: 999999 }
    on_unknown: release
    reconcile: 1s
  - name: dubbing
    match: POST /v1/dubbing
    upstream: sample
    price: dubbing
    quantities:
      serial: { type: integer, request: [{ json: /serial }], minimum: 0, maximum: 999999 }
    on_unknown: charge
    reconcile: 1s
  - name: chat
    match: POST /v1/chat/completions
    upstream: sample
    price: chat
    quantities:
      tokens:
        type: integer
        hold: 20
        maximum: 1000
        response: [{ json: /usage/completion_tokens }]
      serial: { type: integer, request: [{ json: /serial }], minimum: 0, maximum: 999999 }
    stream: { end: '[DONE]' }
    on_unknown: release
    reconcile: 1s
";
