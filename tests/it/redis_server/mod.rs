//! Real Redis servers as children of a test: alone, behind Sentinels, as a cluster, behind TLS.
//!
//! Invariant: a server ends with its handle, by its own process id; nothing is ended that was not started
//! here.
//! Invariant: a handle is given out only when its own server answers, not another one on the same port.

pub(crate) mod cluster;
pub(crate) mod pki;
pub(crate) mod sentinels;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use pki::Pki;

const PAUSE: Duration = Duration::from_millis(10);
/// Pauses before a wait is given up: 30 s, longer than anything here takes on a busy machine.
const PATIENCE: u32 = 3_000;
/// Below the system's range for outgoing connections, so that none of them takes a server's port while
/// the server is down.
const PORTS: std::ops::Range<u16> = 11_000..31_000;

/// A `redis-server` of its own folder, without persistence unless it is configured.
#[derive(Debug)]
pub(crate) struct RedisServer {
    child: Option<Child>,
    sentinel: bool,
    port: u16,
    tls_port: Option<u16>,
    password: Option<String>,
    folder: TempDir,
}

impl RedisServer {
    /// Starts one with more lines of configuration, which come last.
    #[track_caller]
    pub(crate) fn start(extra_config: &[&str]) -> Self {
        Self::start_as(false, None, |_| extra_config.iter().map(ToString::to_string).collect())
    }

    /// Starts one that also speaks TLS, on [`Self::tls_port`], with a certificate for `names` that `pki`
    /// vouches for. A client needs a certificate of its own when the configuration says
    /// `tls-auth-clients yes`.
    #[track_caller]
    pub(crate) fn start_tls(pki: &Pki, names: &[&str], extra_config: &[&str]) -> Self {
        Self::start_with_certificate(&pki.certify(names), pki, extra_config)
    }

    /// The same with a certificate that was made before.
    #[track_caller]
    pub(crate) fn start_with_certificate(
        (certificate, key): &(std::path::PathBuf, std::path::PathBuf),
        pki: &Pki,
        extra_config: &[&str],
    ) -> Self {
        let tls_port = free_port();
        let mut lines = vec![
            format!("tls-port {tls_port}"),
            format!("tls-cert-file {}", certificate.display()),
            format!("tls-key-file {}", key.display()),
            format!("tls-ca-cert-file {}", pki.ca_file().display()),
            "tls-auth-clients optional".to_owned(),
        ];
        lines.extend(extra_config.iter().map(ToString::to_string));
        Self::start_as(false, Some(tls_port), |_| lines.clone())
    }

    /// `config` writes the lines for the port that was chosen.
    #[track_caller]
    fn start_as(
        sentinel: bool,
        tls_port: Option<u16>,
        config: impl Fn(u16) -> Vec<String>,
    ) -> Self {
        // Somebody else may take the port between the choice and the start.
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let port = free_port();
            let lines = config(port);
            std::fs::write(folder.path().join("redis.conf"), text(port, sentinel, &lines)).unwrap();
            let password = lines.iter().rev().find_map(|line| line.strip_prefix("requirepass "));
            let password = password.map(str::to_owned);
            let mut server = Self { child: None, sentinel, port, tls_port, password, folder };
            if server.try_start() {
                return server;
            }
        }
        panic!("no redis-server would start");
    }

    /// Where it listens, at 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where it speaks TLS, at 127.0.0.1.
    #[track_caller]
    pub(crate) fn tls_port(&self) -> u16 {
        self.tls_port.expect("started with TLS")
    }

    /// Its process.
    #[track_caller]
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("is running").id()
    }

    /// Its folder: configuration, log, data.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a power cut would, but for the page cache.
    #[track_caller]
    pub(crate) fn kill_nine(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it after [`Self::kill_nine`] with the same port, folder and configuration.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "still running");
        assert!(self.try_start(), "redis-server would not start again");
    }

    /// Stops it in the middle of whatever it does; the kernel still accepts connections for it.
    pub(crate) fn stop_the_clock(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.pid()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Runs a command on a connection of its own and returns the reply.
    #[track_caller]
    pub(crate) fn command(&self, words: &[&[u8]]) -> redis::Value {
        self.try_command(words).unwrap()
    }

    /// The same, for commands that the server may refuse.
    pub(crate) fn try_command(&self, words: &[&[u8]]) -> redis::RedisResult<redis::Value> {
        let login = redis::RedisConnectionInfo::default();
        let login = match &self.password {
            Some(password) => login.set_password(password),
            None => login,
        };
        let address = redis::ConnectionAddr::Tcp("127.0.0.1".to_owned(), self.port);
        let info = redis::IntoConnectionInfo::into_connection_info(address)?;
        let client = redis::Client::open(info.set_redis_settings(login))?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(5))?;
        connection.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command.query(&mut connection)
    }

    /// The same with words and a reply that are text.
    #[track_caller]
    pub(crate) fn say<T: redis::FromRedisValue>(&self, line: &str) -> T {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        redis::from_redis_value(self.command(&words)).unwrap()
    }

    /// What it says of replication; nothing if it does not answer, or is cut short as one that changes its part is.
    pub(crate) fn replication(&self) -> String {
        let told = self.try_command(&[b"INFO", b"replication"]);
        told.ok().and_then(|told| redis::from_redis_value(told).ok()).unwrap_or_default()
    }

    /// Cuts its only replica off: what it acknowledges from now on is not passed on.
    #[track_caller]
    pub(crate) fn cut_off(&self, replica: &Self) {
        // A login at a server that asks for none is refused.
        let _: String = replica.say("CONFIG SET masterauth nobody-asked-for-it");
        let _: i64 = self.say("CLIENT KILL TYPE replica");
        wait_until("the replica is cut off", || {
            self.replication().contains("connected_slaves:0")
                && replica.replication().contains("master_link_status:down")
        });
    }

    /// Waits until its only replica has all that has been written so far.
    #[track_caller]
    pub(crate) fn wait_for_its_replica(&self) {
        let told = || self.say::<String>("INFO replication");
        let number = |text: &str, name: &str| -> Option<u64> {
            let (_, rest) = text.split_once(name)?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        let written = number(&told(), "master_repl_offset:").unwrap();
        wait_until("the replica has it", || {
            number(&told(), "offset=").is_some_and(|confirmed| confirmed >= written)
        });
    }

    /// `false`: it ended at once.
    fn try_start(&mut self) -> bool {
        let log = self.folder.path().join("redis.log");
        drop(std::fs::remove_file(&log));
        let mut command = Command::new("redis-server");
        command.arg("redis.conf").args(self.sentinel.then_some("--sentinel"));
        command.current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("redis-server is installed");
        for _ in 0..PATIENCE {
            let told = std::fs::read_to_string(&log).unwrap_or_default();
            // Its own log: another server on the port would answer as well.
            let listens = if self.sentinel { "Sentinel ID is" } else { "Ready to accept" };
            if told.contains(listens) && self.answers() {
                self.child = Some(child);
                return true;
            }
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        false
    }

    fn answers(&self) -> bool {
        match self.try_command(&[b"PING"]) {
            Ok(_) => true,
            // It speaks, only not to us: a test of logins.
            Err(error) => error.code().is_some(),
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill_nine();
    }
}

fn text(port: u16, sentinel: bool, extra: &[String]) -> String {
    let mut lines: Vec<String> = vec![
        format!("port {port}"),
        "bind 127.0.0.1".to_owned(),
        "daemonize no".to_owned(),
        "logfile redis.log".to_owned(),
    ];
    if !sentinel {
        let plain = [
            "save \"\"",
            "appendonly no",
            "maxmemory-policy noeviction",
            "databases 16",
            "repl-diskless-sync-delay 0",
            "hz 100",
        ];
        lines.extend(plain.map(str::to_owned));
    }
    lines.extend_from_slice(extra);
    lines.join("\n") + "\n"
}

/// A port that nobody listens on. Tests of one process never get the same one.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    let start = u16::try_from(std::process::id().wrapping_mul(131) % u32::from(span)).unwrap();
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + start.wrapping_add(offset) % span;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits until `look` says yes.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut look: impl FnMut() -> bool) {
    for _ in 0..PATIENCE {
        if look() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("waited in vain until {what}");
}

#[test]
fn a_server_starts_dies_comes_back_and_stands_still() {
    let mut server = RedisServer::start(&["appendonly yes", "appendfsync always"]);
    server.command(&[b"SET", b"a", b"1"]);
    let first = server.pid();
    server.kill_nine();
    assert!(server.try_command(&[b"PING"]).is_err());
    server.start_again();
    assert_ne!(server.pid(), first);
    assert_eq!(server.say::<String>("GET a"), "1");
    assert!(server.folder().join("appendonlydir").exists());
    server.stop_the_clock();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    wait_until("it stands still", || state().contains(") T "));
    server.go_on();
    assert_eq!(server.say::<String>("GET a"), "1");
}

#[test]
fn a_server_with_a_password_is_asked_with_it() {
    let server = RedisServer::start(&["requirepass secret"]);
    assert_eq!(server.say::<String>("PING"), "PONG");
}
