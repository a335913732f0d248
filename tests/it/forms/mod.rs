//! Forms through a real gateway: priced in any order and size, forwarded byte for byte, or refused with nothing
//! forwarded and nothing held.

mod bodies;
mod differential;
mod rig;

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::processes::{Proxy, TOKEN};
use super::wire::{Ask, Reply, Wire};
use rig::{Recorder, script};

const EDITS: &str = "/v1/images/edits";
const RAW: &str = "/v1/raw";
const MULTIPART: &str = "multipart/form-data; boundary=xYz";
const URLENCODED: &str = "application/x-www-form-urlencoded";
/// The large file of a form.
const LARGE: usize = 50 * 1024 * 1024;

const YAML: &str = r"
listen: 127.0.0.1:0
cores: 1
store: { embedded: { path: data } }
admin: { listen: 127.0.0.1:0, token: { file: admin-token } }
limits: { spool: 64MiB, spool_folder: spool }
upstreams: { own: { url: http://UPSTREAM } }
plans:
  studio: {}
  small: { options: { n: { maximum: 2 }, quality: { allow: [low] } } }
prices:
  edits:
    lines:
      - label: Pictures
        quantities: [n]
        table: { by: [quality], rows: [{ when: [low], rate: 1 }, { when: [high], rate: 4 }] }
      - { label: Shown, quantities: [images], rate: 0.5 }
      - { label: Prompt, quantities: [prompt], rate: 0.01 }
  size: { lines: [{ label: Bytes, quantities: [bytes], per: 1048576, rounding: started, rate: 1 }] }
routes:
  - name: edits
    match: POST /v1/images/edits
    upstream: own
    price: edits
    body_limit: 64MiB
    quantities:
      n: { type: integer, request: [{ json: /n }, { form: n }], default: 1, minimum: 1, maximum: 10 }
      quality: { type: text, request: [{ json: /quality }, { form: quality }], default: low, one_of: [low, high] }
      images: { type: integer, request: [{ items: /image }, { form_items: image }], default: 0, maximum: 16 }
      prompt:
        type: integer
        request: [{ characters: /prompt }, { form_characters: prompt }]
        default: 0
        maximum: 100000
    on_unknown: release
  - name: raw
    match: POST /v1/raw
    upstream: own
    price: size
    body_limit: 64MiB
    quantities: { bytes: { type: integer, request: [body_bytes], maximum: 67108864 } }
    on_unknown: release
";

/// A gateway, what stands behind it, and somebody who pays.
struct Rig {
    upstream: Recorder,
    proxy: Proxy,
    key: String,
    folder: TempDir,
}

impl Rig {
    fn start() -> Self {
        let (upstream, folder) = (Recorder::start(), tempfile::tempdir().unwrap());
        let yaml = YAML.replace("UPSTREAM", &upstream.addr.to_string());
        std::fs::write(folder.path().join("admin-token"), TOKEN).unwrap();
        let config = folder.path().join("tollgate.yaml");
        std::fs::write(&config, yaml).unwrap();
        let proxy = Proxy::start(&config);
        let key = proxy.account("acct_forms", 100_000);
        Self { upstream, proxy, key, folder }
    }

    fn ask(&self, path: &str, kind: &str, body: &[u8]) -> Ask {
        Ask::new("POST", path).key(&self.key).header("content-type", kind).body(body)
    }

    fn send(&self, ask: &Ask) -> Reply {
        Wire::open(self.proxy.data).ask(ask)
    }

    /// Sends a body; the answer is what was held. The upstream got these very bytes and this type.
    #[track_caller]
    fn held(&self, path: &str, kind: &str, body: &[u8]) -> String {
        let reply = self.send(&self.ask(path, kind, body)).ok();
        let got = self.upstream.take();
        assert_eq!(got.len(), 1);
        assert!(got[0].body == body, "other bytes were forwarded");
        assert!(
            got[0].head.to_ascii_lowercase().contains(&kind.to_ascii_lowercase()),
            "{}",
            got[0].head
        );
        reply.header("credits-held").unwrap().to_owned()
    }

    /// Sends a body that is refused; the answer is what the refusal says. Nothing is forwarded or held.
    #[track_caller]
    fn refused(&self, ask: &Ask, status: u16, code: &str) -> Value {
        let before = self.proxy.balance("acct_forms");
        let reply = self.send(ask);
        assert_eq!(reply.problem(), (status, code.to_owned()), "{}", reply.text());
        assert_eq!(self.upstream.take().len(), 0);
        assert_eq!(self.proxy.balance("acct_forms"), before);
        reply.json()
    }

    /// What its charges came to, the oldest first.
    #[track_caller]
    fn charges(&self) -> Vec<String> {
        self.proxy.settled("acct_forms");
        let listed =
            self.proxy.operator("GET", "/accounts/acct_forms/charges?limit=100", &Value::Null);
        let all = listed["data"].as_array().unwrap().iter().rev();
        all.map(|charge| charge["charged"].as_str().unwrap().to_owned()).collect()
    }

    /// The most memory that the gateway has used, in KiB.
    fn peak(&self) -> u64 {
        let path = format!("/proc/{}/status", self.proxy.process.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// A part of a form, with its head's rest behind the name.
fn part(name: &str, rest: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--xYz\r\nContent-Disposition: form-data; name=\"{name}\"{rest}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat().as_slice(), b"--xYz--\r\n"].concat()
}

fn file(content: &[u8]) -> Vec<u8> {
    part("image", "; filename=\"a.png\"\r\nContent-Type: image/png", content)
}

/// Bytes that begin like boundaries all the time.
fn noise(length: usize) -> Vec<u8> {
    b"\r\n--xY \n-\0\xff\r".iter().copied().cycle().take(length).collect()
}

#[test]
fn forms_and_json_are_priced_alike_and_forwarded_as_they_came() {
    let rig = Rig::start();
    let (n, high) = (part("n", "", b"3"), part("quality", "", b"high"));
    let prompt = part("prompt", "", "hé".as_bytes());
    let png = || file(&noise(1_000));
    for (kind, body, held) in [
        (MULTIPART, form(&[n.clone(), high.clone(), prompt.clone(), png()]), "12.52"),
        (MULTIPART, form(&[png(), prompt, png(), high, n]), "13.02"),
        (MULTIPART, form(&[]), "1"),
        (URLENCODED, b"n=3&quality=high&prompt=h%C3%A9&image=1".to_vec(), "12.52"),
        (URLENCODED, b"image[]=1&image[]=2&model=x".to_vec(), "2"),
        (URLENCODED, Vec::new(), "1"),
        (
            "application/json",
            br#"{"n":3,"quality":"high","prompt":"h\u00e9","image":[1]}"#.to_vec(),
            "12.52",
        ),
        ("application/json", b"{}".to_vec(), "1"),
    ] {
        assert_eq!(rig.held(EDITS, kind, &body), held, "{kind} {}", body.escape_ascii());
    }
    // A quote is of the same bytes and forwards nothing.
    let body = form(&[part("n", "", b"2"), file(b"x")]);
    let quote = rig.ask(EDITS, MULTIPART, &body).header("prefer", "metering=quote");
    let quote = rig.send(&quote).ok().json();
    assert_eq!((&quote["decision"], &quote["hold"]), (&json!("allow"), &json!("2.5")));
    assert_eq!(quote["inputs"]["images"], json!("1"), "{quote}");
    assert_eq!(rig.upstream.take().len(), 0);
    assert_eq!(rig.charges().len(), 8);
}

#[test]
fn a_large_file_before_the_priced_field_is_priced_right_and_not_held_in_memory() {
    let rig = Rig::start();
    rig.held(EDITS, MULTIPART, &form(&[file(&noise(400_000)), part("n", "", b"2")]));
    let before = rig.peak();
    let body = form(&[file(&noise(LARGE)), part("n", "", b"7"), part("quality", "", b"high")]);
    assert_eq!(rig.held(EDITS, MULTIPART, &body), "28.5");
    // Of a body of which only the size is priced neither.
    assert_eq!(rig.held(RAW, "application/octet-stream", &noise(LARGE)), "50");
    let grown = rig.peak() - before;
    println!("two bodies of 50 MiB: {grown} KiB more at the peak, from {before} KiB");
    assert!(grown < 16 * 1024, "{grown} KiB");
    // Exactly at the bound of memory, and around it.
    for length in [262_143, 262_144, 262_145, 327_680, 327_681] {
        assert_eq!(rig.held(RAW, "application/octet-stream", &noise(length)), "1", "{length}");
    }
    // What lay on the disk had no name, and is gone.
    assert_eq!(std::fs::read_dir(rig.folder.path().join("spool")).unwrap().count(), 0);
}

#[test]
fn the_disk_has_room_for_so_much_at_once() {
    let rig = Rig::start();
    let body = form(&[file(&noise(LARGE)), part("n", "", b"1")]);
    let ask = rig.ask(EDITS, MULTIPART, &body);
    let mut first = Wire::open(rig.proxy.data);
    let bytes = ask.bytes();
    let (most, last) = bytes.split_at(bytes.len() - 100);
    first.write(most);
    // The first has its room: the gateway has read nearly all of it.
    let mut second = Wire::open(rig.proxy.data);
    second.write(&ask.head());
    assert_eq!(second.reply().unwrap().problem(), (503, "metering_unavailable".to_owned()));
    first.write(last);
    assert_eq!(first.reply().unwrap().ok().header("credits-held"), Some("1.5"));
    rig.upstream.take();
    // Its room is free again.
    assert_eq!(rig.held(EDITS, MULTIPART, &body), "1.5");
    // A folder that is gone refuses, and holds nothing.
    std::fs::remove_dir(rig.folder.path().join("spool")).unwrap();
    let ask = rig.ask(EDITS, MULTIPART, &form(&[file(&noise(300_000))]));
    rig.refused(&ask, 503, "metering_unavailable");
    // What fits into memory needs none.
    assert_eq!(rig.held(EDITS, MULTIPART, &form(&[part("n", "", b"1")])), "1");
}

#[test]
fn what_can_be_read_in_two_ways_is_refused_and_forwards_nothing() {
    let rig = Rig::start();
    let n = || part("n", "", b"1");
    for (path, kind, body, pointer, words) in [
        (EDITS, MULTIPART, form(&[n(), part("n", "", b"9")]), "form n", "more than once"),
        (EDITS, MULTIPART, form(&[n(), part("N", "", b"9")]), "form n", "could be taken for"),
        (EDITS, MULTIPART, form(&[part("n", "; filename=\"n\"", b"1")]), "form n", "as a text"),
        (
            EDITS,
            MULTIPART,
            form(&[n(), file(&noise(LARGE))])[..40_000_000].to_vec(),
            "",
            "before its closing",
        ),
        (EDITS, MULTIPART, [b"\n".as_slice(), &form(&[n()])].concat(), "", "does not begin"),
        (EDITS, MULTIPART, form(&[part("n", "", b"")]), "form n", "has no value"),
        (EDITS, MULTIPART, form(&[part("n", "", b"1 ")]), "form n", "in digits"),
        (EDITS, MULTIPART, form(&[part("n", "", b"11")]), "form n", "from 1 to 10"),
        (EDITS, "multipart/form-data", form(&[n()]), "", "boundary"),
        (EDITS, "text/plain", b"n=1".to_vec(), "", "application/json or a form"),
        (EDITS, URLENCODED, b"n=1;n=9".to_vec(), "", "semicolon"),
        ("/v1/images/edits?n=9", URLENCODED, b"n=1".to_vec(), "query n", "in the query too"),
        (
            "/v1/images/edits?image[]=9",
            URLENCODED,
            b"n=1".to_vec(),
            "query image",
            "in the query too",
        ),
    ] {
        let told = rig.refused(&rig.ask(path, kind, &body), 422, "unpriceable_request");
        assert_eq!(told["pointer"].as_str().unwrap_or_default(), pointer, "{told}");
        assert!(told["detail"].as_str().unwrap().contains(words), "{told}");
    }
    let twice = rig.ask(EDITS, URLENCODED, b"n=1&n=9");
    for (language, words) in [("pt-BR", "mais de uma vez"), ("fr", "plus d’une fois")] {
        let told = rig.refused(
            &twice.clone().header("accept-language", language),
            422,
            "unpriceable_request",
        );
        assert!(told["detail"].as_str().unwrap().contains(words), "{told}");
    }
    let packed = rig.ask(EDITS, MULTIPART, &form(&[n()])).header("content-encoding", "gzip");
    rig.refused(&packed, 422, "unpriceable_request");
    assert_eq!(rig.charges().len(), 0);
}

#[test]
fn plans_allow_values_of_fields() {
    let rig = Rig::start();
    rig.proxy.operator("PATCH", "/accounts/acct_forms", &json!({ "plan": "small" }));
    let ask = |fields: &[(&str, &str)]| {
        let parts: Vec<_> =
            fields.iter().map(|(name, text)| part(name, "", text.as_bytes())).collect();
        rig.ask(EDITS, MULTIPART, &form(&parts))
    };
    for fields in [&[("n", "3")][..], &[("n", "1"), ("quality", "high")]] {
        rig.refused(&ask(fields), 403, "option_not_in_plan");
    }
    rig.send(&ask(&[("quality", "low"), ("n", "2")])).ok();
    assert_eq!(rig.charges(), ["2"]);
}

#[test]
fn clients_are_not_refused() {
    let rig = Rig::start();
    let (url, picture) = (format!("http://{}/v1", rig.proxy.data), rig.folder.path().join("a.png"));
    std::fs::write(&picture, noise(300_000)).unwrap();
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command
            .args(["-sSf", "-H"])
            .arg(format!("Authorization: Bearer {}", rig.key))
            .args(arguments);
        command.arg(format!("{url}/images/edits"));
        command
    };
    let at = format!("image=@{}", picture.display());
    let scripts = ["form_calls.py", "form_calls.cjs"].map(|name| {
        let mut command = script(name);
        command.arg(&url).arg(&rig.key).arg(&picture);
        command
    });
    let calls = [
        curl(&["-F", &at, "-F", "n=3", "-F", "quality=high", "-F", "prompt=hé"]),
        curl(&["-d", "n=4", "-d", "prompt=a+cat"]),
        curl(&["--data-urlencode", "prompt=hé & ; you", "-d", "image[]=1"]),
    ];
    for mut call in calls.into_iter().chain(scripts) {
        let done = call.output().unwrap();
        assert!(done.status.success(), "{call:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    assert_eq!(
        rig.charges(),
        // curl; Python's SDK; Node's SDK and its fetch, whose line ends are CRLF.
        ["12.52", "4.05", "1.6", "12.52", "2.55", "12.52", "2.05", "2.6", "4.04"]
    );
    let got = rig.upstream.take();
    assert_eq!(got.len(), 9);
    assert_eq!(got.iter().filter(|one| one.body.windows(9).any(|w| w == b"form-data")).count(), 6);
}
