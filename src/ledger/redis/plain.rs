//! Plain connections for commands of people: they show the server's own words, and end with the command.
//!
//! Invariant: nothing here carries a request: those go through `link`.

use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, Value,
};
use redis::{Client, ClientTlsConfig, RedisError, TlsCertificates};

use super::check::Servers;
use super::link::{Call, Outcome, What};
use super::settings::{Address, Login, Settings, Tls, Topology};
use crate::ledger::finding::{Finding, UNREACHABLE};

/// What an unreachable server's finding says to do.
const ADVICE: &str = "is it running, and do address, TLS, user and password fit?";

/// The one primary that there is without a cluster.
#[derive(Clone)]
pub(super) struct Plain {
    name: String,
    connection: MultiplexedConnection,
}

impl Plain {
    /// Connects to the primary.
    pub(super) async fn open(settings: &Settings) -> Result<Self, Finding> {
        let (address, database) = match &settings.topology {
            Topology::Single { address, database } => (address.clone(), *database),
            Topology::Sentinel { database, .. } => (primary(settings).await?, *database),
            Topology::Cluster { .. } => {
                let found = "a cluster cannot be examined yet";
                return Err(Finding::error("not_yet", "", found, "examine its nodes by hand"));
            }
        };
        let name = address.to_string();
        match connect(settings, &address, &settings.login, database).await {
            Ok(connection) => Ok(Self { name, connection }),
            Err(error) => Err(Finding::error(UNREACHABLE, &name, error.to_string(), ADVICE)),
        }
    }

    fn ask(&self, words: Vec<Vec<u8>>, deadline_ms: u64) -> BoxFuture<'static, Outcome> {
        let mut connection = self.connection.clone();
        let asked = async move { command(&words).query_async::<Value>(&mut connection).await };
        async move {
            match tokio::time::timeout(Duration::from_millis(deadline_ms), asked).await {
                Ok(Ok(value)) => Outcome::Done(value),
                Ok(Err(error)) if error.code().is_some() => Outcome::Broken(error.to_string()),
                Ok(Err(error)) => Outcome::Unknown(error.to_string()),
                Err(_) => Outcome::Unknown(format!("no answer within {deadline_ms} ms")),
            }
        }
        .boxed()
    }
}

impl Servers for Plain {
    fn run(&self, call: Call) -> BoxFuture<'static, Outcome> {
        match call.what {
            What::Command(words) => self.ask(words, call.deadline_ms),
            What::Script { .. } => {
                let why = "scripts are not run by hand".to_owned();
                async move { Outcome::NotDone(why) }.boxed()
            }
        }
    }

    fn everywhere(
        &self,
        command: Vec<Vec<u8>>,
        deadline_ms: u64,
    ) -> BoxFuture<'static, Vec<(String, Outcome)>> {
        let (name, asked) = (self.name.clone(), self.ask(command, deadline_ms));
        async move { vec![(name, asked.await)] }.boxed()
    }
}

fn command(words: &[Vec<u8>]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(word);
    }
    command
}

/// Each Sentinel's word: where the primary is, or why it does not say.
pub(super) async fn ask_sentinels(
    settings: &Settings,
) -> Vec<(String, Result<Option<String>, String>)> {
    let Topology::Sentinel { sentinels, .. } = &settings.topology else { return Vec::new() };
    let asked = sentinels.iter().map(|address| async move {
        let said = ask_sentinel(settings, address).await;
        (address.to_string(), said.map(|primary| primary.map(|primary| primary.to_string())))
    });
    futures_util::future::join_all(asked).await
}

async fn ask_sentinel(settings: &Settings, address: &Address) -> Result<Option<Address>, String> {
    let Topology::Sentinel { login, name, .. } = &settings.topology else { return Ok(None) };
    let asked = async {
        let mut connection = connect(settings, address, login, 0).await?;
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("get-master-addr-by-name").arg(name);
        ask.query_async::<Option<(String, u16)>>(&mut connection).await
    };
    let limit = Duration::from_millis(settings.deadlines.other_ms);
    match tokio::time::timeout(limit, asked).await {
        Ok(Ok(primary)) => Ok(primary.map(|(host, port)| Address { host, port })),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} ms", limit.as_millis())),
    }
}

/// The primary that the first Sentinel names that names one.
async fn primary(settings: &Settings) -> Result<Address, Finding> {
    let Topology::Sentinel { sentinels, .. } = &settings.topology else { return Err(nobody()) };
    for sentinel in sentinels {
        if let Ok(Some(primary)) = ask_sentinel(settings, sentinel).await {
            return Ok(primary);
        }
    }
    Err(nobody())
}

fn nobody() -> Finding {
    Finding::error(UNREACHABLE, "", "no Sentinel names a primary", ADVICE)
}

async fn connect(
    settings: &Settings,
    address: &Address,
    login: &Login,
    database: u32,
) -> Result<MultiplexedConnection, RedisError> {
    let client = client(settings.tls.as_ref(), address, login, database)?;
    let limit = |ms| Some(Duration::from_millis(ms));
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(limit(settings.deadlines.connect_ms))
        .set_response_timeout(limit(settings.deadlines.other_ms));
    client.get_multiplexed_async_connection_with_config(&config).await
}

fn client(
    tls: Option<&Tls>,
    address: &Address,
    login: &Login,
    database: u32,
) -> Result<Client, RedisError> {
    let (host, port) = (address.host.clone(), address.port);
    let place = match tls {
        None => ConnectionAddr::Tcp(host, port),
        Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
    };
    let mut who = RedisConnectionInfo::default().set_db(i64::from(database));
    if let Some(password) = &login.password {
        who = who.set_password(password);
        if let Some(user) = &login.user {
            who = who.set_username(user);
        }
    }
    let info = place.into_connection_info()?.set_redis_settings(who);
    match tls {
        None => Client::open(info),
        Some(tls) => Client::build_with_tls(info, certificates(tls)?),
    }
}

fn certificates(tls: &Tls) -> Result<TlsCertificates, RedisError> {
    let read = |path: &Path| std::fs::read(path).map_err(RedisError::from);
    let client_tls = match &tls.client {
        None => None,
        Some((certificate, key)) => {
            Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
        }
    };
    Ok(TlsCertificates { client_tls, root_cert: tls.ca_file.as_deref().map(read).transpose()? })
}
