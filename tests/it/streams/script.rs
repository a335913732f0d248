//! A service that answers by a script: byte for byte, with pauses, and remembers what it was asked.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::world::until;

/// A part of an answer's body.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// These bytes, as one chunk.
    Send(Vec<u8>),
    /// Nothing, until this is set.
    Wait(Arc<AtomicBool>),
    /// The same bytes for as long as somebody takes them.
    Forever(Vec<u8>),
}

/// How an answer ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ending {
    /// As its framing says, with these trailers.
    Whole(String),
    /// The connection closes before that.
    Cut,
}

/// An answer. Its body comes in chunks.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: u16,
    head: String,
    steps: Vec<Step>,
    ending: Ending,
}

impl Answer {
    /// A 200 with this head and body.
    pub(super) fn new(head: &str, body: impl AsRef<[u8]>) -> Self {
        let steps = vec![Step::Send(body.as_ref().to_vec())];
        Self { status: 200, head: head.to_owned(), steps, ending: Ending::Whole(String::new()) }
    }

    /// The same with another status.
    pub(super) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same with its body in pieces of this size.
    pub(super) fn in_pieces(mut self, size: usize) -> Self {
        let pieces = self.steps.iter().flat_map(|step| match step {
            Step::Send(bytes) => bytes.chunks(size).map(|part| Step::Send(part.to_vec())).collect(),
            other => vec![other.clone()],
        });
        self.steps = pieces.collect();
        self
    }

    /// The same with more behind it.
    pub(super) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// The same, cut off behind its last byte.
    pub(super) fn cut(self) -> Self {
        Self { ending: Ending::Cut, ..self }
    }

    /// The same with trailers.
    pub(super) fn trailers(self, lines: &str) -> Self {
        Self { ending: Ending::Whole(lines.to_owned()), ..self }
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Asked {
    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The values of a header.
    pub(super) fn header(&self, name: &str) -> Vec<String> {
        let lines = self.head.split("\r\n").filter_map(|line| line.split_once(':'));
        let own = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.trim().to_owned()).collect()
    }
}

#[derive(Debug, Default)]
struct Shared {
    answers: VecDeque<Answer>,
    asked: Vec<Asked>,
    left: usize,
}

/// See the module.
pub(super) struct Script {
    pub(super) addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Script {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::<Mutex<Shared>>::default();
        let own = shared.clone();
        // It ends with the test's process: nothing waits for a connection that never comes.
        drop(tollgate::seam::thread("script", move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = own.clone();
                drop(tollgate::seam::thread("scripted", move || serve(stream, &shared)));
            }
        }));
        Self { addr, shared }
    }

    /// The next request is answered so.
    pub(super) fn next(&self, answer: Answer) {
        self.shared.lock().unwrap().answers.push_back(answer);
    }

    /// The last request.
    #[track_caller]
    pub(super) fn asked(&self) -> Asked {
        self.shared.lock().unwrap().asked.last().unwrap().clone()
    }

    /// Waits until somebody has hung up in the middle of an answer.
    #[track_caller]
    pub(super) fn until_left(&self) {
        until("the gateway hangs up", || self.shared.lock().unwrap().left > 0);
    }
}

fn serve(mut stream: TcpStream, shared: &Mutex<Shared>) {
    stream.set_nodelay(true).unwrap();
    while let Some(asked) = request(&mut stream) {
        let answer = {
            let mut shared = shared.lock().unwrap();
            shared.asked.push(asked);
            shared.answers.pop_front().unwrap_or_else(|| Answer::new("", "").status(500))
        };
        match play(&mut stream, &answer) {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => return shared.lock().unwrap().left += 1,
        }
    }
}

/// Plays an answer; whether the connection goes on.
fn play(stream: &mut TcpStream, answer: &Answer) -> std::io::Result<bool> {
    let Answer { status, head, steps, ending } = answer;
    let head = format!("HTTP/1.1 {status} X\r\n{head}transfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    for step in steps {
        match step {
            Step::Send(bytes) => chunk(stream, bytes)?,
            Step::Wait(flag) => {
                while !flag.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            Step::Forever(bytes) => loop {
                chunk(stream, bytes)?;
                std::thread::sleep(Duration::from_millis(2));
            },
        }
    }
    match ending {
        Ending::Whole(trailers) => {
            stream.write_all(format!("0\r\n{trailers}\r\n").as_bytes())?;
            Ok(true)
        }
        Ending::Cut => Ok(false),
    }
}

fn chunk(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let framed = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    stream.write_all(&framed)
}

/// Reads one request with a length; `None`: the peer has closed.
fn request(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        if let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            let mut asked = Asked { head: text, body: Vec::new() };
            let length = asked.header("content-length");
            let length = length.first().map_or(0, |length| length.parse::<usize>().unwrap());
            if bytes.len() >= head + 4 + length {
                asked.body = bytes[head + 4..head + 4 + length].to_vec();
                return Some(asked);
            }
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&part[..read]),
        }
    }
}
