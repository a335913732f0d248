//! Reaching a server: its address, TLS, login, and who it is.
//!
//! Invariant: nothing that is configured as a password gets into a text.
//! Invariant: every step lies within the deadline for connecting.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisResult, Value};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::errors::{self, Refusal, Verdict};
use super::job::ROOM;
use super::sentinel::{self, Watched};
use super::{Prepared, tls};
use crate::ledger::redis::settings::{Address, Login, Settings, Tls};

/// How many bytes share a write at most.
const WRITE: usize = 64 * 1_024;

/// How many bytes of a server's first line are read at most.
const FIRST_LINE: u64 = 1_024;

/// What reads and writes for a connection; it must be polled, and ends with the connection.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection that somebody must drive.
pub(super) struct Wire {
    pub(super) sender: MultiplexedConnection,
    /// `None`: it has ended.
    pub(super) driver: Option<Driver>,
}

/// Where a server is found.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// There.
    At(Address),
    /// Where the Sentinels say.
    Named(Watched),
}

/// What a server says of itself.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) address: Address,
    pub(super) run_id: String,
    pub(super) up_for: Duration,
}

impl Wire {
    /// Reaches a server; nobody has logged in yet.
    pub(super) async fn open(address: &Address, tls: Option<&Tls>) -> Result<Self, String> {
        let tcp = TcpStream::connect((address.host.as_str(), address.port));
        let tcp = tcp.await.map_err(|error| format!("{address} cannot be reached: {error}"))?;
        tcp.set_nodelay(true).map_err(|error| format!("{address}: {error}"))?;
        let mut stream: Box<dyn Stream> = match tls {
            Some(tls) => {
                let wrapped = tls::wrap(tls, &address.host, tcp).await;
                Box::new(wrapped.map_err(|why| format!("{address}: {why}"))?)
            }
            None => Box::new(tcp),
        };
        hail(&mut stream).await.map_err(|why| format!("{address}: {why}"))?;
        // The client says nothing by itself: what a server answers to a login is read here.
        let silent = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_write_backpressure_boundary(WRITE)
            .set_pipeline_buffer_size(2 * ROOM);
        let made = MultiplexedConnection::new_with_config(&silent, stream, config).await;
        let (sender, driver) = made.map_err(|error| format!("{address}: {error}"))?;
        Ok(Self { sender, driver: Some(Box::pin(driver)) })
    }

    /// Waits for an answer while driving.
    pub(super) async fn drive<T>(&mut self, answer: impl Future<Output = T>) -> T {
        tokio::pin!(answer);
        if let Some(driver) = &mut self.driver {
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                () = driver => self.driver = None,
            }
        }
        // With the driver went whoever could still answer: this does not wait.
        answer.await
    }

    async fn ask(&mut self, command: &Cmd) -> Verdict {
        let mut sender = self.sender.clone();
        let answer = self.drive(async { sender.send_packed_command(command).await }).await;
        errors::judge(answer)
    }

    /// Asks for several things in one write.
    pub(super) async fn ask_all(&mut self, commands: &redis::Pipeline) -> RedisResult<Vec<Value>> {
        let mut sender = self.sender.clone();
        let count = commands.len();
        self.drive(async { sender.send_packed_commands(commands, 0, count).await }).await
    }

    pub(super) async fn demand(&mut self, command: &Cmd) -> Result<Value, String> {
        match self.ask(command).await {
            Verdict::Done(value) => Ok(value),
            other => Err(other.words()),
        }
    }

    pub(super) async fn log_in(&mut self, login: &Login, database: u32) -> Result<(), String> {
        if let Some(password) = &login.password {
            let mut auth = redis::cmd("AUTH");
            if let Some(user) = &login.user {
                auth.arg(user);
            }
            self.demand(auth.arg(password)).await?;
        }
        self.demand(&redis::cmd("PING")).await?;
        if database != 0 {
            self.demand(redis::cmd("SELECT").arg(database)).await?;
        }
        // For people who look at CLIENT LIST; a login without that right still works.
        self.ask(redis::cmd("CLIENT").arg("SETNAME").arg("tollgate")).await;
        Ok(())
    }

    async fn load(&mut self, scripts: &[Prepared]) -> Result<(), String> {
        for script in scripts {
            self.demand(&load(script)).await?;
        }
        Ok(())
    }

    async fn identity(&mut self, address: &Address) -> Result<Identity, String> {
        let info = self.demand(redis::cmd("INFO").arg("server")).await?;
        let text: String = redis::from_redis_value(info).map_err(|error| error.to_string())?;
        let find = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let run_id = find("run_id").ok_or("INFO names no run_id")?.to_owned();
        let seconds = find("uptime_in_seconds").and_then(|number| number.parse().ok());
        let up_for = Duration::from_secs(seconds.unwrap_or_default());
        Ok(Identity { address: address.clone(), run_id, up_for })
    }

    async fn is_primary(&mut self) -> Result<bool, String> {
        let role = self.demand(&redis::cmd("ROLE")).await?;
        let role: Vec<Value> = redis::from_redis_value(role).map_err(|error| error.to_string())?;
        Ok(role.first().is_some_and(|role| *role == Value::BulkString(b"master".to_vec())))
    }
}

/// Asks whether anybody is there. A server that has no room says so unasked and hangs up, perhaps before
/// anything was written: the client library would know of a broken pipe only.
async fn hail(stream: &mut Box<dyn Stream>) -> Result<(), String> {
    // Where this fails, what the server said can still be read.
    drop(stream.write_all(b"*1\r\n$4\r\nPING\r\n").await);
    let mut line = Vec::new();
    // Only one line is on its way: nothing behind it can be lost in the buffer.
    let mut reader = BufReader::new(stream).take(FIRST_LINE);
    let read = reader.read_until(b'\n', &mut line).await.map_err(redis::RedisError::from);
    match errors::judge(read.and_then(|_| redis::parse_redis_value(&line))) {
        // The login comes next.
        Verdict::Refused(..) if line.starts_with(b"-NOAUTH") => Ok(()),
        refused @ (Verdict::Refused(Refusal::Server, _) | Verdict::Lost(_)) => Err(refused.words()),
        _ => Ok(()),
    }
}

/// The command that loads a script.
pub(super) fn load(script: &Prepared) -> Cmd {
    let mut command = redis::cmd("SCRIPT");
    command.arg("LOAD").arg(script.text.as_str());
    command
}

/// Reaches the server at a place, logs in, loads the scripts.
pub(super) async fn reach(
    settings: &Settings,
    scripts: &[Prepared],
    place: &Place,
    database: u32,
) -> Result<(Wire, Identity), String> {
    let watched = match place {
        Place::At(address) => return reach_at(settings, scripts, address, database, false).await,
        Place::Named(watched) => watched,
    };
    let mut first = None;
    for address in sentinel::candidates(settings, watched).await? {
        match reach_at(settings, scripts, &address, database, true).await {
            Ok(reached) => return Ok(reached),
            Err(why) => first = first.or(Some(why)),
        }
    }
    Err(first.unwrap_or_else(|| format!("no Sentinel names {:?}", watched.name)))
}

async fn reach_at(
    settings: &Settings,
    scripts: &[Prepared],
    address: &Address,
    database: u32,
    must_be_primary: bool,
) -> Result<(Wire, Identity), String> {
    let work = async {
        let mut wire = log_in_at(settings, address, database).await?;
        if must_be_primary && !wire.is_primary().await? {
            return Err(format!("{address} is not the primary, though Sentinels say so"));
        }
        let identity = wire.identity(address).await?;
        wire.load(scripts).await?;
        Ok((wire, identity))
    };
    within(settings.deadlines.connect_ms, address, work).await
}

/// Reaches a data server and logs in.
async fn log_in_at(settings: &Settings, address: &Address, database: u32) -> Result<Wire, String> {
    let mut wire = Wire::open(address, settings.tls.as_ref()).await?;
    wire.log_in(&settings.login, database).await.map_err(|why| format!("{address}: {why}"))?;
    Ok(wire)
}

/// Asks a data server one thing on a connection of its own.
pub(super) async fn once(
    settings: &Settings,
    address: &Address,
    command: &Cmd,
) -> Result<Value, String> {
    let work = async {
        let mut wire = log_in_at(settings, address, 0).await?;
        wire.demand(command).await
    };
    within(settings.deadlines.connect_ms, address, work).await
}

/// Gives up after a time.
pub(super) async fn within<T>(
    ms: u64,
    address: &Address,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    match timeout(Duration::from_millis(ms), work).await {
        Ok(done) => done,
        Err(_) => Err(format!("{address} does not answer within {ms} ms")),
    }
}
