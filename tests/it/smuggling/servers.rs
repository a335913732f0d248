//! Real servers that write down every request that they get: nginx by its access log, Node by its output.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::processes::{Process, eventually};
use crate::wire::{Ask, Wire};
use crate::world::until;

/// A request as a server saw it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) method: String,
    /// The target as it came.
    pub(super) target: String,
    /// The path as the server takes it.
    pub(super) path: String,
    pub(super) headers: String,
    /// How long its body was; `None`: it did not come to its end.
    pub(super) length: Option<usize>,
}

/// A server that writes down what it sees, in lines of JSON.
pub(super) trait Server {
    fn addr(&self) -> SocketAddr;

    /// All that it has written down, in order; the last line may be a part of one.
    fn written(&self) -> String;

    /// What some of these lines say.
    fn read(&self, lines: &[Value]) -> Vec<Seen>;

    /// Whether a line tells of bytes that it could not read.
    fn unread(&self, line: &Value) -> bool;

    /// What it has seen between two marks, the last of which is set now: it writes in order.
    fn between(&self, last: &str, mark: &str) -> Vec<Seen> {
        assert_eq!(Wire::open(self.addr()).ask(&Ask::new("GET", mark)).status, 200);
        let text = || {
            let text = self.written();
            let end = text.rfind(&format!("{mark}\""))?;
            let end = end + text[end..].find('\n')?;
            let begin = if last.is_empty() { 0 } else { text.rfind(&format!("{last}\""))? };
            let begin = text[begin..].find('\n').map_or(begin, |line| begin + line + 1);
            Some(text[if last.is_empty() { 0 } else { begin }..end].to_owned())
        };
        until("the mark is written down", || text().is_some());
        let text = text().unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let unread: Vec<_> = lines.iter().filter(|line| self.unread(line)).collect();
        assert!(unread.is_empty(), "the server was sent what it could not read: {unread:?}");
        let mut seen = self.read(&lines);
        seen.retain(|seen| !seen.target.starts_with("/mark/"));
        seen
    }
}

/// nginx, which reads each body for a server of its own before it answers.
pub(super) struct Nginx {
    addr: SocketAddr,
    log: PathBuf,
    _process: Process,
    _folder: TempDir,
}

const NGINX: &str = r#"
daemon off; master_process off; user root; pid nginx.pid; error_log stderr error;
events { worker_connections 512; }
http {
  log_format seen escape=json '{"method":"$request_method","target":"$request_uri","path":"$uri",'
    '"headers":"host=$http_host length=$http_content_length coding=$http_transfer_encoding '
    'via=$http_via override=$http_x_http_method_override rewrite=$http_x_rewrite_url expect=$http_expect '
    'upgrade=$http_upgrade","body":"$request_body","status":$status,"line":"$request"}';
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_body_buffer_size 1m; client_max_body_size 1m; keepalive_timeout 60s; access_log off;
  server {
    listen 127.0.0.1:PORT; access_log seen.log seen;
    location / { proxy_pass http://unix:FOLDER/inner.sock; }
  }
  server {
    listen unix:FOLDER/inner.sock; default_type application/json;
    location / { return 200 '{"data":[1],"seconds":60}'; }
  }
}
"#;

impl Nginx {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = NGINX.replace("PORT", &addr.port().to_string()).replace("FOLDER", &path);
        std::fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.args(["-p", &path, "-c", "nginx.conf", "-e", "stderr"]);
        let mut process = Process::start(&mut command);
        eventually("nginx listens", || {
            assert!(process.ended().is_none(), "{}", process.told());
            std::net::TcpStream::connect(addr).ok()
        });
        Self { addr, log: folder.path().join("seen.log"), _process: process, _folder: folder }
    }
}

impl Server for Nginx {
    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn written(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn read(&self, lines: &[Value]) -> Vec<Seen> {
        let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        let read = |line: &Value| Seen {
            method: text(line, "method"),
            target: text(line, "target"),
            path: text(line, "path"),
            headers: text(line, "headers"),
            length: (line["status"] == 200).then(|| text(line, "body").len()),
        };
        // What has no first line is a connection that was closed.
        lines.iter().filter(|line| line["line"] != "").map(read).collect()
    }

    fn unread(&self, line: &Value) -> bool {
        line["method"] == "" && line["line"] != ""
    }
}

/// Node's own server.
pub(super) struct Node {
    addr: SocketAddr,
    process: Process,
}

impl Node {
    pub(super) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/smuggling/echo.mjs");
        let mut process = Process::start(Command::new("node").arg(script));
        let port = eventually("node listens", || {
            assert!(process.ended().is_none(), "{}", process.told());
            let line: Value = serde_json::from_str(process.printed().lines().next()?).unwrap();
            line["port"].as_u64()
        });
        let addr = format!("127.0.0.1:{port}").parse().unwrap();
        Self { addr, process }
    }
}

impl Server for Node {
    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn written(&self) -> String {
        self.process.printed() + "\n"
    }

    fn read(&self, lines: &[Value]) -> Vec<Seen> {
        let at = |word: &'static str| lines.iter().filter(move |line| line["at"] == word);
        let read = |line: &Value| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            let end = at("end").find(|end| end["number"] == line["number"]);
            let length = end.map(|end| usize::try_from(end["length"].as_u64().unwrap()).unwrap());
            let target = text("url");
            let path = target.split('?').next().unwrap().to_owned();
            let headers = line["headers"].to_string();
            Seen { method: text("method"), target, path, headers, length }
        };
        at("head").map(read).collect()
    }

    fn unread(&self, line: &Value) -> bool {
        // Connections that were closed within a body are no bytes that it could not read.
        let closed = ["HPE_INVALID_EOF_STATE", "ECONNRESET"];
        line["at"] == "error" && !closed.contains(&line["error"].as_str().unwrap())
    }
}
