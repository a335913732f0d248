//! The upstream: one thread that answers as fast as a thread can, so that what is measured stands before it.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::Instant;

use crate::machine::now_us;
use crate::process::{Process, free_port};
use crate::wire::{Kind, TIME_DIGITS, connect, whole};

/// How long the JSON answer is, in bytes.
const LENGTH: usize = 1_024;
/// Chunks of a stream.
pub(crate) const CHUNKS: usize = 50;
/// How far they are apart.
const APART: Duration = Duration::from_millis(2);
/// How long a held stream stays open if nobody leaves.
const HELD: Duration = Duration::from_secs(60);
/// What the work came to.
const USAGE: &str = r#""usage":{"prompt_tokens":24,"completion_tokens":129,"total_tokens":153}"#;

/// The upstream as a process of its own, so that its processor time is known.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) port: u16,
    pub(crate) process: Process,
}

impl Started {
    pub(crate) fn start() -> Self {
        let port = free_port();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let process = Process::start(command.args(["upstream", &port.to_string()]));
        while connect(port).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Self { port, process }
    }
}

/// Serves until it is ended.
pub(crate) fn run(port: u16) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            drop(spawn_local(async { drop(serve(stream).await) }));
        }
    });
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let json = json();
    let mut buffer = vec![0; 4_096];
    loop {
        let mut filled = 0;
        while whole(&buffer[..filled]).is_none() {
            match stream.read(&mut buffer[filled..]).await? {
                0 => return Ok(()),
                length => filled += length,
            }
        }
        let asked = |kind: Kind| has(&buffer[..filled], kind.model().as_bytes());
        match () {
            () if asked(Kind::Stream) => chunks(&mut stream).await?,
            () if asked(Kind::Held) => held(&mut stream).await?,
            () => stream.write_all(&json).await?,
        }
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn json() -> Vec<u8> {
    let answer = |content: &str| {
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"finish_reason":"stop"}}],{USAGE}}}"#
        )
    };
    let body = answer(&"lorem ipsum ".repeat(LENGTH)[..LENGTH - answer("").len()]);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
    format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes()
}

const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(into: &mut String, data: &str) {
    write!(into, "{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8).unwrap();
}

fn timed(into: &mut String) {
    let now = format!("{:0TIME_DIGITS$}", now_us());
    let data = format!(
        r#"{{"t":"{now}","choices":[{{"index":0,"delta":{{"content":"lorem ipsum dolor sit"}}}}]}}"#
    );
    chunk(into, &data);
}

async fn chunks(stream: &mut TcpStream) -> io::Result<()> {
    let mut pace = tokio::time::interval_at(Instant::now() + APART, APART);
    let mut text = STREAM_HEAD.to_owned();
    for number in 0..CHUNKS {
        // Even an instant that has come is waited for up to a millisecond.
        if number > 0 {
            pace.tick().await;
        }
        timed(&mut text);
        stream.write_all(text.as_bytes()).await?;
        text.clear();
    }
    chunk(&mut text, &format!(r#"{{"choices":[],{USAGE}}}"#));
    chunk(&mut text, "[DONE]");
    text.push_str("0\r\n\r\n");
    stream.write_all(text.as_bytes()).await
}

/// One chunk, and then nothing until whoever asked has left.
async fn held(stream: &mut TcpStream) -> io::Result<()> {
    let mut text = STREAM_HEAD.to_owned();
    timed(&mut text);
    stream.write_all(text.as_bytes()).await?;
    let left = tokio::time::timeout(HELD, stream.read(&mut [0; 16])).await;
    drop(left);
    Err(io::Error::other("held long enough"))
}
