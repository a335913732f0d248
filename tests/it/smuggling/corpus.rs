//! Reads the cases of `tests/cases/smuggling`; its README says how they are written.

use std::path::Path;

/// What is sent, and what must come of it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    /// The answers, in order.
    pub(super) answers: Vec<Answer>,
    pub(super) end: End,
    lines: Vec<String>,
}

/// An answer that must come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) to_head: bool,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Live,
    Close,
    Late,
}

/// A body that is priced at one credit.
const JSON: &str = r#"{"n":1,"quality":"low"}"#;

/// All cases, in the order of files and lines.
pub(super) fn read() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/smuggling");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    files.sort();
    let mut cases: Vec<Case> = Vec::new();
    for file in files {
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let last = cases.last_mut();
            match line.as_bytes() {
                [] | [b'#', ..] => {}
                [b'=', ..] => cases.push(Case {
                    name: line[2..].to_owned(),
                    answers: Vec::new(),
                    end: End::Live,
                    lines: Vec::new(),
                }),
                [b'?', ..] => last.unwrap().expect(&line[2..]),
                _ => last.unwrap().lines.push(line.to_owned()),
            }
        }
    }
    cases
}

impl Case {
    fn expect(&mut self, line: &str) {
        let mut words: Vec<&str> = line.split(' ').collect();
        self.end = match words.pop().unwrap() {
            "live" => End::Live,
            "close" => End::Close,
            "late" => End::Late,
            other => panic!("{}: {other}", self.name),
        };
        let answer = |word: &str| {
            let (to_head, digits) = word.strip_prefix('h').map_or((false, word), |it| (true, it));
            Answer { status: digits.parse().unwrap(), to_head }
        };
        self.answers = words.into_iter().map(answer).collect();
    }

    /// The bytes, with this key in them.
    pub(super) fn bytes(&self, key: &str) -> Vec<u8> {
        let hidden = request("GET", "/v1/hidden", key) + "\r\n";
        let images = "/v1/images/generations";
        let json = "Content-Type: application/json\r\n";
        let mut bytes = Vec::new();
        for line in &self.lines {
            match line.as_str() {
                "@post" => bytes.extend((request("POST", images, key) + json).bytes()),
                "@dub" => bytes.extend((request("POST", "/v1/dubbing", key) + json).bytes()),
                "@get" => bytes.extend(request("GET", "/v1/models", key).bytes()),
                "@json" => bytes.extend(JSON.bytes()),
                "@chunks" => bytes.extend(format!("17\r\n{JSON}\r\n0\r\n\r\n").bytes()),
                "@hidden" => bytes.extend(hidden.bytes()),
                text => {
                    let (kind, text) = text.split_at(text.len().min(2));
                    let length = hidden.len().to_string();
                    let text = text.replace("{key}", key).replace("{hidden}", &length);
                    bytes.extend(plain(&repeated(&text)));
                    match kind.trim_end() {
                        "|" => bytes.extend(b"\r\n"),
                        "+" => {}
                        other => panic!("{}: {other}", self.name),
                    }
                }
            }
        }
        bytes
    }
}

/// The lines of a request up to its last header.
pub(super) fn request(method: &str, path: &str, key: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {key}\r\n")
}

/// `{3*ab}` as `ababab`.
fn repeated(text: &str) -> String {
    let part = |from: usize| {
        let end = from + text[from..].find('}')?;
        let (count, unit) = text[from + 1..end].split_once('*')?;
        Some((unit.repeat(count.parse().ok()?), end + 1))
    };
    let found = text.char_indices().filter(|(_, letter)| *letter == '{');
    let mut found = found.filter_map(|(from, _)| Some((from, part(from)?)));
    match found.next() {
        Some((from, (many, end))) => text[..from].to_owned() + &many + &text[end..],
        None => text.to_owned(),
    }
}

/// Escapes as the bytes that they stand for.
fn plain(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().unwrap() {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'0' => 0,
                b'\\' => b'\\',
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => panic!("\\{} in {text:?}", char::from(other)),
            },
            byte => byte,
        });
    }
    bytes
}
