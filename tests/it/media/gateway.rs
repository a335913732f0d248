//! Uploaded files at the gateway: what is held for them, and what is charged when the upstream disagrees.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::bytes::{mp4, mp4_box, mp4_track, noise, words};
use super::generated::MADE;
use super::{hostile, read};
use crate::wire::{Ask, Reply};
use crate::world::{Payer, World};

/// The most seconds that the route takes.
const MAXIMUM: u64 = 7_200;

const PATH: &str = "/v1/audio/transcriptions";

const YAML: &str = r#"
listen: 127.0.0.1:0
store: { embedded: { path: ledger, lease: 3s } }
admin: { listen: 127.0.0.1:0, token: { env: ADMIN } }
limits: { body: 10s, drain: 10s }
flood: { per_address: 1000000, failures: 1000000 }
upstreams: { transcriber: { url: TRANSCRIBER } }
plans: { studio: {} }
prices:
  transcription: { lines: [{ label: Seconds, quantities: [seconds], rate: 1 }] }
  translation:
    lines: [{ label: Seconds, quantities: [seconds], table: { by: [model], rows: [{ when: [large], rate: 2 }], otherwise: 1 } }]
routes:
  - name: transcription
    match: POST /v1/audio/transcriptions
    upstream: transcriber
    price: transcription
    body_limit: 16MiB
    quantities:
      seconds:
        { type: seconds, request: [{ media_seconds: body }], maximum: 7200, response: [{ json: /seconds }] }
    on_unknown: charge
    over_run: debt
  - name: translation
    match: POST /v1/audio/translations
    upstream: transcriber
    price: translation
    body_limit: 32MiB
    quantities:
      model: { type: text, request: [{ form: model }] }
      seconds:
        { type: seconds, request: [{ media_seconds: { form: file } }], maximum: 7200, response: [{ json: /seconds }] }
    on_unknown: charge
    over_run: debt
"#;

/// An upstream that answers how long a file was: whatever it was told to say.
struct Transcriber {
    addr: SocketAddr,
    says: Arc<Mutex<String>>,
}

impl Transcriber {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let says = Arc::new(Mutex::new("{}".to_owned()));
        let told = says.clone();
        // It ends with the test's process: nothing waits for a connection that never comes.
        drop(tollgate::seam::thread("transcriber", move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let told = told.clone();
                drop(tollgate::seam::thread("transcribing", move || answer(stream, &told)));
            }
        }));
        Self { addr, says }
    }
}

fn answer(mut stream: TcpStream, told: &Mutex<String>) {
    let (mut bytes, mut part) = (Vec::new(), [0; 65_536]);
    while let Ok(read @ 1..) = stream.read(&mut part) {
        bytes.extend_from_slice(&part[..read]);
        let Some(head) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        if bytes.len() - head - 4 < length.unwrap_or("0").parse::<usize>().unwrap() {
            continue;
        }
        let body = told.lock().unwrap().clone();
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        bytes.clear();
    }
}

struct Studio {
    world: World,
    payer: Payer,
    transcriber: Transcriber,
}

impl Studio {
    fn open() -> Self {
        let transcriber = Transcriber::start();
        let url = format!("http://{}", transcriber.addr);
        let world = World::of(YAML, &[("TRANSCRIBER", &url)]);
        let payer = world.payer("studio", "100000");
        Self { world, payer, transcriber }
    }

    fn upload(&self, file: &[u8]) -> Ask {
        let ask = Ask::new("POST", PATH).key(&self.payer.key).body(file);
        ask.header("content-type", "application/octet-stream")
    }

    /// A form of parts: name, name of the file or nothing, bytes.
    fn form(&self, parts: &[(&str, &str, &[u8])]) -> Ask {
        let mut body = Vec::new();
        for (name, file, bytes) in parts {
            body.extend_from_slice(
                format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes(),
            );
            if !file.is_empty() {
                body.extend_from_slice(
                    format!("; filename=\"{file}\"\r\nContent-Type: audio/mpeg").as_bytes(),
                );
            }
            body.extend_from_slice(&[b"\r\n\r\n", *bytes, b"\r\n"].concat());
        }
        body.extend_from_slice(b"--edge--\r\n");
        let ask = Ask::new("POST", "/v1/audio/translations").key(&self.payer.key).body(&body);
        ask.header("content-type", "multipart/form-data; boundary=edge")
    }

    fn quote(&self, file: &[u8]) -> Reply {
        self.world.send(&self.upload(file).header("prefer", "metering=quote"))
    }

    /// The receipt of a file that the upstream says lasted so long.
    fn transcribe(&self, file: &[u8], says: &str) -> Value {
        says.clone_into(&mut self.transcriber.says.lock().unwrap());
        let reply = self.world.send(&self.upload(file)).ok();
        self.world.ended(&self.payer, &reply.charge(), "settled")
    }
}

/// An amount in thousandths.
fn thousandths(amount: &Value) -> u64 {
    let text = amount.as_str().unwrap();
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{rest:0<3}").parse().unwrap()
}

#[test]
fn what_is_held_is_how_long_the_file_is() {
    let studio = Studio::open();
    for made in MADE {
        let file = made.bytes();
        let quote = studio.quote(&file).ok().json();
        let held = thousandths(&quote["hold"]);
        assert_eq!(Some(held), read(&file, usize::MAX), "{}: {quote}", made.name());
        assert!(held.abs_diff(made.ms) <= 100, "{}: {quote}", made.name());
    }
}

#[test]
fn no_hostile_file_is_held_for_less_than_it_has() {
    let studio = Studio::open();
    for hostile::Case { name, file, .. } in hostile::cases() {
        let reply = studio.quote(&file);
        match read(&file, usize::MAX) {
            None => assert_eq!(thousandths(&reply.ok().json()["hold"]), MAXIMUM * 1_000, "{name}"),
            Some(ms) if ms > MAXIMUM * 1_000 => {
                assert_eq!(reply.json()["decision"], "block", "{name}")
            }
            Some(ms) => assert_eq!(thousandths(&reply.ok().json()["hold"]), ms, "{name}"),
        }
    }
}

#[test]
fn a_file_of_unknown_length_holds_the_most_and_costs_what_the_upstream_says() {
    let studio = Studio::open();
    let receipt = studio.transcribe(&noise(4, 5_000), r#"{"seconds": 12.5}"#);
    assert_eq!(
        (&receipt["reserved"], &receipt["charged"]),
        (&"7200".into(), &"12.5".into()),
        "{receipt}"
    );
    assert_eq!(receipt["flags"], serde_json::json!(["unknown_length:seconds"]));
    // An upstream that says nothing either: what was held.
    let receipt = studio.transcribe(b"", "{}");
    assert_eq!(receipt["charged"], "7200", "{receipt}");
    let flags = serde_json::json!(["unknown_length:seconds", "missing_quantity:seconds"]);
    assert_eq!(receipt["flags"], flags);
    assert_eq!(studio.world.purse(&studio.payer).available, "92787.5");
}

#[test]
fn a_file_that_lies_costs_what_the_upstream_says() {
    let studio = Studio::open();
    // A second by its tables, whatever is in it.
    let times = mp4_box("stts", &words(&[0, 1, 8_000, 1]));
    let lie =
        [mp4(1_000, 1_000, &mp4_track(8_000, 8_000, &times)), mp4_box("mdat", &noise(6, 9_000))]
            .concat();
    let receipt = studio.transcribe(&lie, r#"{"seconds": 95.25}"#);
    assert_eq!(
        (&receipt["reserved"], &receipt["charged"]),
        (&"1".into(), &"95.25".into()),
        "{receipt}"
    );
    // And one that says more than it has.
    let wav =
        super::bytes::wav(super::bytes::PLAIN, &[super::bytes::chunk("data", 0, &[0; 80_000])]);
    let receipt = studio.transcribe(&wav, r#"{"seconds": 9.5}"#);
    assert_eq!(
        (&receipt["reserved"], &receipt["charged"]),
        (&"10".into(), &"9.5".into()),
        "{receipt}"
    );
    assert_eq!(receipt["flags"], serde_json::json!([]));
}

#[test]
fn a_file_longer_than_the_route_takes_is_refused() {
    let studio = Studio::open();
    let hours = mp4(1, 7_201, &mp4_track(1, 7_201, &[]));
    let (status, code) = studio.world.send(&studio.upload(&hours)).problem();
    assert_eq!((status, code.as_str()), (422, "unpriceable_request"));
    assert_eq!(studio.world.purse(&studio.payer).available, "100000");
}

#[test]
fn a_file_in_a_form_is_as_long_as_one_alone() {
    let studio = Studio::open();
    let quote = |parts: &[(&str, &str, &[u8])]| {
        studio.world.send(&studio.form(parts).header("prefer", "metering=quote"))
    };
    for made in MADE.iter().filter(|made| made.ms <= 20_000) {
        let file = made.bytes();
        let whole = quote(&[("file", made.name(), &file), ("model", "", b"small")]).ok().json();
        assert_eq!(
            Some(thousandths(&whole["hold"])),
            read(&file, usize::MAX),
            "{}: {whole}",
            made.name()
        );
    }
    // Twenty megabytes before the field that doubles the price.
    let chunk = super::bytes::chunk("data", 20_000_000, &vec![0; 20_000_000]);
    let long = super::bytes::wav(super::bytes::PLAIN, &[chunk]);
    let quoted = quote(&[("file", "long.wav", &long), ("model", "", b"large")]).ok().json();
    assert_eq!(
        (&quoted["hold"], &quoted["inputs"]["seconds"]),
        (&"5000".into(), &"2500".into()),
        "{quoted}"
    );
    let unknown = quote(&[("model", "", b"small"), ("file", "x", b"what is this")]).ok().json();
    assert_eq!(unknown["hold"], "7200");
}

#[test]
fn a_form_has_one_file() {
    let studio = Studio::open();
    let wav =
        super::bytes::wav(super::bytes::PLAIN, &[super::bytes::chunk("data", 8_000, &[0; 8_000])]);
    let refused = |parts: &[(&str, &str, &[u8])]| studio.world.send(&studio.form(parts)).problem();
    let unpriceable = (422, "unpriceable_request".to_owned());
    let model: (&str, &str, &[u8]) = ("model", "", b"small");
    assert_eq!(refused(&[model, ("file", "a.wav", &wav), ("file", "b.wav", &wav)]), unpriceable);
    assert_eq!(refused(&[model, ("File", "a.wav", &wav)]), unpriceable);
    assert_eq!(refused(&[model]), unpriceable);
    assert_eq!(refused(&[model, ("file[]", "a.wav", &wav)]), unpriceable);
    assert_eq!(studio.world.purse(&studio.payer).available, "100000");
}
