//! An official SDK in a process of its own: orders go in, results come out, a line of JSON each.
//!
//! Invariant: what is not installed fails the test; it is never passed over.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tollgate::seam::thread;

/// Longer than all the attempts of any call take, with the pauses between them.
const PATIENCE: Duration = Duration::from_secs(90);

/// Which SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sdk {
    OpenaiPython,
    OpenaiNode,
    AnthropicPython,
}

impl Sdk {
    /// How its script is run.
    fn command(self) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
        let python = |script: &str| {
            let mut command = Command::new(installed("python/bin/python"));
            command.arg(scripts.join(script)).env_clear().env("PYTHONDONTWRITEBYTECODE", "1");
            command
        };
        match self {
            Self::OpenaiPython => python("openai_calls.py"),
            Self::AnthropicPython => python("anthropic_calls.py"),
            Self::OpenaiNode => {
                let modules = installed("node/node_modules/openai").parent().unwrap().to_owned();
                let mut command = Command::new("node");
                let path = std::env::var("PATH").unwrap();
                command.arg(scripts.join("openai_calls.cjs")).env_clear().env("PATH", path);
                command.env("NODE_PATH", modules);
                command
            }
        }
    }
}

/// A path among the installed SDKs.
#[track_caller]
pub(super) fn installed(path: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("sdk");
    let path = folder.join(path);
    assert!(path.exists(), "{} is not there: tests/run installs the SDKs", path.display());
    path
}

/// How a gateway is reached.
#[derive(Clone, Debug)]
pub(super) struct Gateway {
    /// Its base URL, such as `http://127.0.0.1:8080`.
    pub(super) url: String,
    /// Who signed its certificate; `None`: it has none.
    pub(super) ca: Option<PathBuf>,
}

/// See the module.
pub(super) struct Client {
    gateway: Gateway,
    child: Child,
    input: Option<ChildStdin>,
    results: Receiver<String>,
}

impl Client {
    pub(super) fn start(sdk: Sdk, gateway: Gateway) -> Self {
        let mut command = sdk.command();
        if let Some(ca) = &gateway.ca {
            command.env("SSL_CERT_FILE", ca).env("NODE_EXTRA_CA_CERTS", ca);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{command:?} cannot be run ({error}): tests/run installs what it needs")
        });
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, results) = channel();
        let read = move || {
            for line in output.lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        };
        drop(thread("sdk", read).unwrap());
        Self { gateway, child, input, results }
    }

    /// Gives an order, and does not wait.
    pub(super) fn begin(&mut self, mut order: Value) {
        order["base_url"] = self.gateway.url.clone().into();
        writeln!(self.input.as_mut().unwrap(), "{order}").unwrap();
    }

    /// The result of the order that was given.
    #[track_caller]
    pub(super) fn end(&mut self) -> Value {
        match self.results.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}")),
            Err(_) => {
                drop(self.child.kill());
                let mut told = String::new();
                let stderr = self.child.stderr.as_mut().map(|e| e.read_to_string(&mut told));
                panic!("no result came: {stderr:?} {told}")
            }
        }
    }

    /// Gives an order and waits for its result.
    #[track_caller]
    pub(super) fn ask(&mut self, order: Value) -> Value {
        self.begin(order);
        self.end()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
