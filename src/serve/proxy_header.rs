//! The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): a load balancer says who connected
//! to it. The header is read whole and not a byte beyond it; what it says is read by `ppp`.
//!
//! Invariant: a header has a bound, and one that is not whole and right gives no address.

use std::net::SocketAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest header of version 1, with its line break.
const V1_MAX: usize = 107;
/// The part of a header of version 2 that says how long the rest is.
const V2_HEAD: usize = 16;
/// The longest rest: the addresses, and what some load balancers add to them.
const V2_REST_MAX: usize = 4 << 10;
/// As much as both versions have at least.
const COMMON: usize = 12;

/// Reads a header. `None`: the connection is the load balancer's own, or it does not say whose.
///
/// # Errors
/// When there is none, or it is broken.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, String> {
    let mut header = vec![0; COMMON];
    fill(stream, &mut header, 0).await?;
    if header == v2::PROTOCOL_PREFIX {
        second(stream, header).await
    } else if header.starts_with(b"PROXY ") {
        first(stream, header).await
    } else {
        Err("the connection does not begin with one".to_owned())
    }
}

/// Fills `header` from `from` on.
async fn fill(
    stream: &mut (impl AsyncRead + Unpin),
    header: &mut [u8],
    from: usize,
) -> Result<(), String> {
    let rest = header.get_mut(from..).unwrap_or_default();
    match stream.read_exact(rest).await {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("it broke off: {error}")),
    }
}

/// Version 1: a line of text. Byte by byte, since what follows it belongs to TLS or HTTP.
async fn first(
    stream: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
) -> Result<Option<SocketAddr>, String> {
    while !header.ends_with(b"\n") {
        if header.len() == V1_MAX {
            return Err(format!("version 1, longer than {V1_MAX} bytes"));
        }
        header.push(0);
        let last = header.len().saturating_sub(1);
        fill(stream, &mut header, last).await?;
    }
    let read = v1::Header::try_from(header.as_slice());
    Ok(match read.map_err(|error| format!("version 1, {error}"))?.addresses {
        v1::Addresses::Tcp4(of) => Some((of.source_address, of.source_port).into()),
        v1::Addresses::Tcp6(of) => Some((of.source_address, of.source_port).into()),
        v1::Addresses::Unknown => None,
    })
}

/// Version 2: binary, and its length is told.
async fn second(
    stream: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
) -> Result<Option<SocketAddr>, String> {
    header.resize(V2_HEAD, 0);
    fill(stream, &mut header, COMMON).await?;
    let rest = match header.as_slice() {
        [.., high, low] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    };
    if rest > V2_REST_MAX {
        return Err(format!("version 2, of {rest} bytes; at most {V2_REST_MAX} are read"));
    }
    header.resize(V2_HEAD.saturating_add(rest), 0);
    fill(stream, &mut header, V2_HEAD).await?;
    let read = v2::Header::try_from(header.as_slice());
    let read = read.map_err(|error| format!("version 2, {error}"))?;
    Ok(match (read.command, read.protocol, read.addresses) {
        (v2::Command::Local, ..) => None,
        (_, v2::Protocol::Datagram, _) => return Err("version 2, of a datagram".to_owned()),
        (_, _, v2::Addresses::IPv4(of)) => Some((of.source_address, of.source_port).into()),
        (_, _, v2::Addresses::IPv6(of)) => Some((of.source_address, of.source_port).into()),
        (_, _, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
    })
}
