//! Listening sockets: one for each core on the same address, so that the kernel spreads connections.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// A listener on `address`.
///
/// # Errors
/// When the address cannot be had; the message names it.
pub(super) fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    bind(address, false).map_err(|error| named(address, &error))
}

/// As many listeners on `address` as there are cores. With port 0 the system picks one for all of them.
///
/// # Errors
/// When the address cannot be had; the message names it.
pub(super) fn listeners(
    address: SocketAddr,
    cores: usize,
) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    // SO_REUSEPORT would let a second instance share the port unasked: take it alone first.
    drop(listener(address)?);
    let first = bind(address, true).map_err(|error| named(address, &error))?;
    let address = first.local_addr()?;
    let mut all = vec![first];
    while all.len() < cores {
        all.push(bind(address, true).map_err(|error| named(address, &error))?);
    }
    Ok((address, all))
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn named(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}
