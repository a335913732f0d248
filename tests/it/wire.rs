//! HTTP as it looks on the wire: bytes out, answers in, nothing corrected on the way.
//!
//! Tests that must send what no HTTP library would, or see how exactly an answer ended, go through this.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// The longest that a test waits for a byte.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request, as it will be written.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    /// A request without a body.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// The same with JSON as its body.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string().as_bytes())
    }

    /// The same with this body.
    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// The same with one more header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with this key.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// The same with a switch of the sample upstream.
    pub(crate) fn sample(self, switches: &str) -> Self {
        self.header("x-sample", switches)
    }

    /// Its head: everything before the body.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: gateway\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method == "POST" {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body came to the end that its framing announces.
    pub(crate) whole: bool,
}

impl Reply {
    /// The value of the one header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} twice: {self:?}");
        value
    }

    /// The body as JSON; `null` if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and code of a refusal.
    pub(crate) fn problem(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The id of its charge.
    #[track_caller]
    pub(crate) fn charge(&self) -> String {
        let id = self.header("credits-charge-id");
        id.unwrap_or_else(|| panic!("no charge: {} {}", self.status, self.text())).to_owned()
    }

    /// The same, after a look at the status.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text());
        assert!(self.whole, "the body broke off: {self:?}");
        self
    }

    /// The first answer in `bytes` and how long it is; `None`: there is more to come. `over`: there is not.
    pub(crate) fn read(bytes: &[u8], to_head: bool, over: bool) -> Option<(Self, usize)> {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
        let status: u16 = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let reply = Self { status, headers: lines.map(pair).collect(), body: vec![], whole: true };
        let rest = &bytes[head..];
        let (body, used, whole) = if to_head || status == 204 || status == 304 || status < 200 {
            (Vec::new(), 0, true)
        } else if reply.header("transfer-encoding").is_some() {
            chunked(rest).or_else(|| over.then(|| (rest.to_vec(), rest.len(), false)))?
        } else if let Some(length) = reply.header("content-length") {
            let length: usize = length.parse().unwrap();
            if rest.len() < length && !over {
                return None;
            }
            let used = length.min(rest.len());
            (rest[..used].to_vec(), used, used == length)
        } else if over {
            (rest.to_vec(), rest.len(), true)
        } else {
            return None;
        };
        Some((Self { body, whole, ..reply }, head + used))
    }
}

/// A chunked body, its length on the wire, and that it is whole; `None`: it is not.
fn chunked(mut bytes: &[u8]) -> Option<(Vec<u8>, usize, bool)> {
    let all = bytes.len();
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..line]).unwrap();
        let size = usize::from_str_radix(size.split(';').next().unwrap().trim(), 16).unwrap();
        bytes = &bytes[line + 2..];
        if size == 0 {
            // No trailers come here.
            return bytes.starts_with(b"\r\n").then(|| (body, all - bytes.len() + 2, true));
        }
        body.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

/// A TLS client that trusts `ca`, speaks one of `inside`, and shows its own certificate if it has one.
pub(crate) fn trusting(
    ca: &Path,
    inside: &[&[u8]],
    own: Option<&(PathBuf, PathBuf)>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_file_iter(certificate).unwrap();
            let chain = chain.collect::<Result<_, _>>().unwrap();
            let key = PrivateKeyDer::from_pem_file(key).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = inside.iter().map(|name| name.to_vec()).collect();
    config
}

/// What carries the bytes of a connection.
trait Carrier: Read + Write + Send {}
impl<T: Read + Write + Send> Carrier for T {}

/// A connection.
pub(crate) struct Wire {
    stream: Box<dyn Carrier>,
    buffer: Vec<u8>,
    over: bool,
}

impl Wire {
    /// A new connection.
    pub(crate) fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(stream)
    }

    fn over(stream: impl Carrier + 'static) -> Self {
        Self { stream: Box::new(stream), buffer: Vec::new(), over: false }
    }

    /// A new connection under TLS, to whom the certificates in `ca` vouch for.
    pub(crate) fn open_tls(to: SocketAddr, ca: &Path) -> Self {
        let config = trusting(ca, &[b"http/1.1"], None);
        let session = ClientConnection::new(Arc::new(config), to.ip().into()).unwrap();
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(StreamOwned::new(session, stream))
    }

    /// Writes bytes; that the other side has hung up shows when its answer is read.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes));
    }

    /// Sends a request and waits for its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, ask: &Ask) -> Reply {
        self.write(&ask.bytes());
        let reply = self.reply_to(ask.method == "HEAD");
        reply.unwrap_or_else(|| panic!("no answer to {} {}", ask.method, ask.path))
    }

    /// The next answer; `None`: the connection was closed before one came.
    pub(crate) fn reply(&mut self) -> Option<Reply> {
        self.reply_to(false)
    }

    /// The next answer, which is to a HEAD.
    pub(crate) fn reply_to_head(&mut self) -> Option<Reply> {
        self.reply_to(true)
    }

    fn reply_to(&mut self, to_head: bool) -> Option<Reply> {
        loop {
            if let Some((reply, used)) = Reply::read(&self.buffer, to_head, self.over) {
                self.buffer.drain(..used);
                return Some(reply);
            }
            if self.over || self.more() == 0 {
                self.over = true;
                return Reply::read(&self.buffer, to_head, true).map(|(reply, used)| {
                    self.buffer.drain(..used);
                    reply
                });
            }
        }
    }

    /// Reads until `text` has come.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) {
        while !self.buffer.windows(text.len()).any(|part| part == text.as_bytes()) {
            assert_ne!(self.more(), 0, "{text:?} never came: {:?}", self.seen());
        }
    }

    /// Reads until something of the body has come, after its head.
    pub(crate) fn some_of_the_body(&mut self) {
        let head = self.buffer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        while self.buffer.len() == head && self.more() > 0 {}
    }

    /// Reads an answer byte by byte, up to the last but one: its end mark or length tells which that is.
    pub(crate) fn all_but_the_end(&mut self) {
        let mut byte = [0];
        loop {
            let head = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
            let text =
                head.map(|head| String::from_utf8_lossy(&self.buffer[..head]).to_lowercase());
            let length = text.and_then(|text| {
                text.split("content-length: ").nth(1)?.split("\r\n").next()?.parse::<usize>().ok()
            });
            let whole = head.zip(length).map(|(head, length)| head + 4 + length);
            let nearly = self.buffer.ends_with(b"[DONE]\n\n");
            if nearly || whole.is_some_and(|whole| self.buffer.len() + 1 >= whole) {
                return;
            }
            match self.stream.read(&mut byte) {
                Ok(1) => self.buffer.extend_from_slice(&byte),
                _ => return,
            }
        }
    }

    /// What has come and was not taken.
    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Reads until the other side closes: the answers that came.
    pub(crate) fn until_closed(&mut self) -> Vec<Reply> {
        let mut replies = Vec::new();
        while let Some(reply) = self.reply() {
            replies.push(reply);
        }
        replies
    }

    #[track_caller]
    fn more(&mut self) -> usize {
        let mut part = [0; 16 * 1024];
        let count = match self.stream.read(&mut part) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("nothing came for {PATIENCE:?}; before that: {:?}", self.seen())
            }
            // A reset: the same as an end, as far as these tests go.
            Err(_) => 0,
        };
        self.buffer.extend_from_slice(&part[..count]);
        count
    }
}
