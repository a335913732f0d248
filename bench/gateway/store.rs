//! A `redis-server` of a peer's own, and what it says of its scripts.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use redis::{Connection, Value};

use crate::process::{Process, free_port};

/// Calls of the empty script.
const EMPTY_CALLS: usize = 2_000;
/// Of these in one write.
const AT_ONCE: usize = 50;

/// See the module.
pub(crate) struct Store {
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) connection: Connection,
}

/// Scripts that were run, and the microseconds that were spent in them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scripts {
    pub(crate) calls: f64,
    pub(crate) usec: f64,
}

impl Store {
    /// A server in `folder`; `fsync`: its `appendfsync`, or no log at all.
    pub(crate) fn start(folder: &Path, fsync: Option<&str>) -> Self {
        let port = free_port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--loglevel", "warning", "--maxmemory-policy", "noeviction"]);
        command.arg("--dir").arg(folder);
        if let Some(fsync) = fsync {
            command.args(["--appendonly", "yes", "--appendfsync", fsync]);
        }
        let process = Process::start(&mut command);
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
        let connection = loop {
            if let Ok(connection) = client.get_connection() {
                break connection;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        Self { process, port, connection }
    }

    /// Forgets what it has counted.
    pub(crate) fn forget(&mut self) {
        let done: Value =
            redis::cmd("CONFIG").arg("RESETSTAT").query(&mut self.connection).unwrap();
        assert_eq!(done, Value::Okay);
    }

    /// What it has counted since then. Commands within a script are within its time.
    pub(crate) fn scripts(&mut self) -> Scripts {
        let all: String =
            redis::cmd("INFO").arg("commandstats").query(&mut self.connection).unwrap();
        let line = all.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:"));
        let of = |name: &str| {
            let mut pairs = line.unwrap_or_default().split(',').filter_map(|it| it.split_once('='));
            pairs.find(|(found, _)| *found == name).map_or(0.0, |(_, value)| value.parse().unwrap())
        };
        Scripts { calls: of("calls"), usec: of("usec") }
    }

    /// What a script costs that does nothing, with as many keys and bytes as a reserve has.
    pub(crate) fn empty_script(&mut self) -> f64 {
        let load = redis::cmd("SCRIPT").arg("LOAD").arg("#!lua\nreturn 1").clone();
        let sha: String = load.query(&mut self.connection).unwrap();
        self.forget();
        for _ in 0..EMPTY_CALLS / AT_ONCE {
            let mut pipe = redis::pipe();
            for _ in 0..AT_ONCE {
                let call = pipe.cmd("EVALSHA").arg(&sha).arg(10);
                for key in 0..10 {
                    call.arg(format!("tollgate:{{0001}}:a:acct_{key}"));
                }
                call.arg([0_u8; 40].as_slice()).arg([0_u8; 600].as_slice());
            }
            let answers: Vec<Value> = pipe.query(&mut self.connection).unwrap();
            assert_eq!(answers.len(), AT_ONCE);
        }
        let Scripts { calls, usec } = self.scripts();
        usec / calls
    }
}
