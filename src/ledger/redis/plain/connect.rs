//! One connection to one server: deadline, TLS, login.
//!
//! Invariant: a connection logs in before it is given away, and with TLS wherever the settings say so.

use std::path::Path;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, TlsCertificates,
};

use crate::ledger::redis::settings::{Address, Login, Settings, Tls};

pub(super) async fn connect(
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
