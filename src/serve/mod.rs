//! Floor 6: listeners, cores, drain.

use std::io;
use std::net::SocketAddr;

use crate::config::Settings;

/// A running proxy.
#[derive(Debug)]
pub struct Running {
    /// Where clients connect.
    pub data_addr: SocketAddr,
    /// Where operators connect.
    pub admin_addr: Option<SocketAddr>,
}

impl Running {
    /// Drains and ends it.
    pub fn stop(self) {}
}

/// Starts a proxy on threads of its own.
///
/// # Errors
/// When it cannot.
pub fn start(_settings: Settings) -> io::Result<Running> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "serving comes with the proxy"))
}

/// Serves until told to stop by a signal.
///
/// # Errors
/// When it cannot start or go on.
pub fn run(settings: Settings) -> io::Result<()> {
    start(settings).map(Running::stop)
}
