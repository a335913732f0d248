//! As much HTTP/1.1 as the two ends of the bench need.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One JSON answer of about 1 KiB.
    Json,
    /// Fifty chunks, two milliseconds apart, each with its time.
    Stream,
    /// A stream that stays open after its first chunk.
    Held,
}

impl Kind {
    /// The model by which the upstream knows what to do.
    pub(crate) const fn model(self) -> &'static str {
        match self {
            Self::Json => "bench-json",
            Self::Stream => "bench-stream",
            Self::Held => "bench-held",
        }
    }
}

/// What stands before an upstream's time in a chunk.
pub(crate) const TIME_MARK: &[u8] = b"\"t\":\"";
/// How many digits that time has: microseconds since the machine started.
pub(crate) const TIME_DIGITS: usize = 15;
/// How a stream ends.
pub(crate) const STREAM_END: &[u8] = b"\r\n0\r\n\r\n";

/// A chat request, about 150 bytes of JSON, with a key.
pub(crate) fn request(kind: Kind, key: &str) -> Vec<u8> {
    let stream = kind != Kind::Json;
    let body = format!(
        r#"{{"model":"{}","max_tokens":256,"stream":{stream},"messages":[{{"role":"user","content":"Say something about the sea, in a few short sentences."}}]}}"#,
        kind.model()
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Where a head ends and, if it says so, how long the body behind it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) body_at: usize,
    pub(crate) length: Option<usize>,
}

/// The head that `bytes` begin with, if all of it is there.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let name = b"content-length:";
    let length = bytes.get(..end)?.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = || std::str::from_utf8(value).ok()?.trim().parse().ok();
        if found.eq_ignore_ascii_case(name) { value() } else { None }
    });
    Some(Head { body_at: end + 4, length })
}

/// Where a message of a stated length ends, if all of it is there.
pub(crate) fn whole(bytes: &[u8]) -> Option<usize> {
    let head = head(bytes)?;
    let end = head.body_at + head.length.unwrap_or(0);
    (bytes.len() >= end).then_some(end)
}

/// Whether an answer says that all went well.
pub(crate) fn is_ok(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 200 ")
}

/// Connects to a port of this machine.
pub(crate) fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// Sends a request and reads its answer, which must have a stated length.
pub(crate) fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> std::io::Result<bool> {
    stream.write_all(request)?;
    buffer.clear();
    let mut part = [0; 4_096];
    while whole(buffer).is_none() {
        match stream.read(&mut part)? {
            0 => return Ok(false),
            length => buffer.extend_from_slice(&part[..length]),
        }
    }
    Ok(is_ok(buffer))
}

/// Posts JSON to the operators' API and hands back what it made.
pub(crate) fn operate(port: u16, token: &str, path: &str, body: &Value) -> std::io::Result<Value> {
    let body = body.to_string();
    let request = format!(
        "POST /admin/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = Vec::new();
    exchange(&mut connect(port)?, request.as_bytes(), &mut answer)?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(text.starts_with("HTTP/1.1 201 "), "{path}: {text}");
    let body_at = head(&answer).unwrap().body_at;
    Ok(serde_json::from_slice(&answer[body_at..]).unwrap())
}
