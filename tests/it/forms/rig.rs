//! What stands around a gateway that reads forms: an upstream that keeps the bytes it gets, and the readers that
//! servers have, each in a process that lives as long as its test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tollgate::seam::thread;

/// One request as an upstream got it.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// An upstream that answers each request with an empty object.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    pub(super) addr: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Recorder {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = Self { addr: listener.local_addr().unwrap(), got: Arc::default() };
        let own = recorder.clone();
        thread("recorder", move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let own = own.clone();
                thread("recorded", move || while own.one(&stream).is_some() {}).unwrap();
            }
        })
        .unwrap();
        recorder
    }

    fn one(&self, stream: &TcpStream) -> Option<()> {
        let mut input = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if input.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let lower = head.to_ascii_lowercase();
        assert!(!lower.contains("transfer-encoding"), "a priced body has a length: {head}");
        let length = lower
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        let mut body = vec![0; length];
        input.read_exact(&mut body).ok()?;
        self.got.lock().unwrap().push(Got { head, body });
        let answer =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        { stream }.write_all(answer.as_bytes()).ok()
    }

    /// What came since this was last asked.
    pub(super) fn take(&self) -> Vec<Got> {
        std::mem::take(&mut self.got.lock().unwrap())
    }
}

/// A path among what tests/run installs.
#[track_caller]
pub(super) fn installed(path: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("sdk");
    let path = folder.join(path);
    assert!(path.exists(), "{} is not there: tests/run installs it", path.display());
    path
}

/// A script of tests/sdk, run by Python or, if it ends so, by Node.
pub(super) fn script(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(name);
    let mut command = if name.ends_with(".py") {
        Command::new(installed("python/bin/python"))
    } else {
        let mut command = Command::new("node");
        command.env("NODE_PATH", installed("node/node_modules"));
        command
    };
    command.arg(path).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The readers that one language has for bodies.
pub(super) struct Readers {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Readers {
    pub(super) fn start(name: &str) -> Self {
        let mut child =
            script(name).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(
                |error| panic!("{name} cannot be run ({error}): tests/run installs what it needs"),
            );
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// What each reader makes of each of these bodies.
    pub(super) fn read(&mut self, bodies: &[(String, Vec<u8>)]) -> Vec<Value> {
        let hex = |body: &[u8]| body.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let lines: String = bodies
            .iter()
            .map(|(kind, body)| json!({ "type": kind, "body": hex(body) }).to_string() + "\n")
            .collect();
        let mut input = self.child.stdin.take().unwrap();
        let writer = thread("bodies", move || {
            input.write_all(lines.as_bytes()).unwrap();
            input
        });
        let mut answers = Vec::new();
        for _ in bodies {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the readers have ended");
            answers.push(serde_json::from_str(&line).unwrap());
        }
        self.child.stdin = Some(writer.unwrap().join().unwrap());
        answers
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}
