//! An upstream that answers a case's requests as it is told, in order, and keeps what it was asked.
//!
//! The gateway's own watchers come by when they like: they are told to come later.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The header of the requests that a case sends.
pub(super) const CASE: &str = "x-case";

/// What it answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Hangs up before the end of the body.
    pub(super) cut: bool,
}

impl Answer {
    /// The body in chunks, so that an end that never comes can be told from one that does.
    fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} Told\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status == 204 {
            return stream.write_all(format!("{head}\r\n").as_bytes());
        }
        stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes())?;
        for part in self.body.chunks(97) {
            stream.write_all(format!("{:x}\r\n", part.len()).as_bytes())?;
            stream.write_all(part)?;
            stream.write_all(b"\r\n")?;
        }
        if self.cut { stream.flush() } else { stream.write_all(b"0\r\n\r\n") }
    }
}

/// What it was asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// See the module.
pub(super) struct Upstream {
    pub(super) addr: SocketAddr,
    told: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (told, seen) = (Arc::<Mutex<VecDeque<Answer>>>::default(), Arc::default());
        let (answers, asked) = (Arc::clone(&told), Arc::<Mutex<Vec<Seen>>>::clone(&seen));
        // It ends with the test's process: nothing waits for a connection that never comes.
        drop(tollgate::seam::thread("told", move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
                drop(tollgate::seam::thread("telling", move || serve(stream, &answers, &asked)));
            }
        }));
        Self { addr, told, seen }
    }

    /// Tells it what to answer next.
    pub(super) fn tell(&self, answer: Answer) {
        self.told.lock().unwrap().push_back(answer);
    }

    /// Forgets what it was told and asked.
    pub(super) fn forget(&self) {
        self.told.lock().unwrap().clear();
        self.seen.lock().unwrap().clear();
    }

    /// What it was asked since the last time; nothing that it was told is left.
    #[track_caller]
    pub(super) fn take(&self) -> Vec<Seen> {
        assert_eq!(self.told.lock().unwrap().len(), 0, "not everything was asked for");
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn serve(mut stream: TcpStream, told: &Mutex<VecDeque<Answer>>, seen: &Mutex<Vec<Seen>>) {
    let mut bytes = Vec::new();
    while let Some(asked) = request(&mut stream, &mut bytes) {
        if !asked.head.to_lowercase().contains(&format!("\r\n{CASE}: ")) {
            let later = Answer { status: 503, ..Answer::default() };
            if later.write(&mut stream).is_err() {
                return;
            }
            continue;
        }
        seen.lock().unwrap().push(asked);
        let Some(answer) = told.lock().unwrap().pop_front() else { return };
        if answer.write(&mut stream).is_err() || answer.cut {
            return;
        }
    }
}

/// The next request on a connection; `None`: the peer has closed.
fn request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Seen> {
    let mut part = [0; 16 * 1024];
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let lower = head.to_lowercase();
            if let Some((body, used)) = body(&lower, &bytes[at + 4..]) {
                bytes.drain(..at + 4 + used);
                let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
                return Some(Seen { line, head, body });
            }
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&part[..read]),
        }
    }
}

/// The body behind a head, and how long it is on the wire; `None`: there is more to come. What is not read before
/// it is priced is passed on in chunks.
fn body(head: &str, mut bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    if !head.contains("transfer-encoding: chunked") {
        let length = head.split("content-length: ").nth(1);
        let length = length.map_or("0", |rest| rest.split("\r\n").next().unwrap().trim());
        let length = length.parse().unwrap();
        return bytes.get(..length).map(|body| (body.to_vec(), length));
    }
    let (all, mut body) = (bytes.len(), Vec::new());
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..line]).unwrap();
        let size = usize::from_str_radix(size.split(';').next().unwrap().trim(), 16).unwrap();
        bytes = bytes.get(line + 2..)?;
        body.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
        if size == 0 {
            return Some((body, all - bytes.len()));
        }
    }
}
