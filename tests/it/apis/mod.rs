//! The presets, each in a real gateway in front of an upstream that answers as the API's documents say.
//!
//! `tests/cases/apis/NAME.yaml` has the cases of the preset `apis/NAME.yaml`: the request, what the upstream
//! answers, and what must come of it: the client's status, the hold, the outcome, the charge and its lines. A body
//! passes as it came, unless the case says what is `sent` to the upstream, or what is `shown` to the client.

mod upstream;
mod yaml;

use std::path::Path;

use serde_json::{Map, Value, json};

use super::wire::{Ask, Reply};
use super::world::{Payer, World, until};
use upstream::{Answer, CASE, Upstream};

/// What every account begins with.
const CREDITS: &str = "1000000";
/// The boundary of forms.
const BOUNDARY: &str = "a-boundary-of-tests";
/// How many presets and cases there are.
const COUNTED: (usize, usize) = (26, 411);

const HEAD: &str = "
listen: 127.0.0.1:0
store: { embedded: { path: ledger, lease: 3s } }
admin: { listen: 127.0.0.1:0, token: { env: ADMIN } }
plans: { studio: {} }
";

/// A preset, with its gateway and its upstream.
struct Api {
    name: String,
    world: World,
    upstream: Upstream,
}

impl Api {
    fn start(name: &str, wants: &[&str]) -> Self {
        let upstream = Upstream::start();
        let entry = |name: &&str| {
            let addr = upstream.addr;
            let timeouts = "timeouts: { connect: 1s, first_byte: 20s, idle: 20s, total: 40s }";
            format!(
                "  {name}: {{ url: \"http://{addr}\", credentials: {{ bearer: {{ env: SECRET }} }}, {timeouts} }}\n"
            )
        };
        let upstreams: String = wants.iter().map(entry).collect();
        let yaml = format!("{HEAD}upstreams:\n{upstreams}use: [apis/{name}.yaml]\n");
        Self { name: name.to_owned(), world: World::of(&yaml, &[]), upstream }
    }

    /// `http://UPSTREAM` in a case is the upstream.
    fn run(&self, case: &Value) {
        let there = format!("http://{}", self.upstream.addr);
        let text = case.to_string().replace("http://UPSTREAM", &there);
        let case: &Value = &serde_json::from_str(&text).unwrap();
        let told = || format!("{}: {}", self.name, case["name"]);
        let payer = self.world.payer("studio", CREDITS);
        let mut steps = vec![case.clone()];
        steps.extend(case["then"].as_array().into_iter().flatten().cloned());
        let mut charge = None;
        for step in &steps {
            let reply = self.step(&payer, step, &told());
            charge = charge.or(reply.header("credits-charge-id").map(str::to_owned));
        }
        match (case["expect"].as_object(), charge) {
            (None, None) => {
                let said = case.get("code").is_some() || case["free"] == true;
                assert!(said, "{}: nothing is expected", told());
            }
            (Some(expect), Some(charge)) => self.judged(&payer, &charge, expect, &told()),
            (expected, charge) => panic!("{}: {expected:?}, but {charge:?}", told()),
        }
    }

    /// Sends one request, and looks at what the upstream got and the client.
    fn step(&self, payer: &Payer, step: &Value, told: &str) -> Reply {
        let (ask, line) = request(payer, step, told);
        let forwarded = step.get("answer").map(|told| self.upstream.tell(answer(told)));
        let reply = self.world.send(&ask);
        let wanted = step["status"].as_u64().unwrap_or(200);
        assert_eq!(u64::from(reply.status), wanted, "{told}: {}", reply.text());
        if let Some(code) = step["code"].as_str() {
            assert_eq!(reply.json()["code"], code, "{told}: {}", reply.text());
        }
        let seen = self.upstream.take();
        assert_eq!(seen.len(), usize::from(forwarded.is_some()), "{told}: {seen:?}");
        if let Some(seen) = seen.first() {
            let sent = step["sent"].as_str().map_or(ask.body.as_slice(), str::as_bytes);
            assert_eq!(seen.line, line, "{told}");
            assert_eq!(
                String::from_utf8_lossy(&seen.body),
                String::from_utf8_lossy(sent),
                "{told}"
            );
            assert!(!seen.head.contains(&payer.key), "{told}: our key is nobody else's");
        }
        if let Some(answered) = step.get("answer").map(answer).filter(|answer| !answer.cut) {
            let shown = step["shown"].as_str().map_or(answered.body.as_slice(), str::as_bytes);
            assert_eq!(reply.text(), String::from_utf8_lossy(shown), "{told}");
        }
        reply
    }

    /// Looks at the receipt of a charge, and at what is left.
    fn judged(&self, payer: &Payer, charge: &str, expect: &Map<String, Value>, told: &str) {
        let receipt = || self.world.receipt(payer, charge);
        until("the charge ends", || receipt()["status"] != "held");
        let receipt = receipt();
        for (name, wanted) in expect {
            match name.as_str() {
                "held" => assert_eq!(&receipt["reserved"], wanted, "{told}: held {receipt}"),
                "charged" => assert_eq!(&receipt["charged"], wanted, "{told}: charged {receipt}"),
                "outcome" => assert_eq!(&receipt["outcome"], wanted, "{told}: outcome {receipt}"),
                "flags" => assert_eq!(&receipt["flags"], wanted, "{told}: flags {receipt}"),
                "lines" => assert_eq!(&lines(&receipt), wanted, "{told}: lines {receipt}"),
                other => panic!("{told}: nobody looks at `{other}`"),
            }
        }
        for name in ["held", "outcome", "charged"] {
            assert!(expect.contains_key(name), "{told}: does not say what is {name}");
        }
        // One grant: one leg, and nothing but the charge is missing.
        let taken = receipt["charged"].as_str().unwrap();
        let open = if receipt["status"] == "unknown" { &receipt["reserved"] } else { &json!("0") };
        let purse = self.world.purse(payer);
        assert_eq!(micros(&purse.held), micros(open.as_str().unwrap()), "{told}: {purse:?}");
        let left = micros(CREDITS) - micros(taken) - micros(&purse.held);
        assert_eq!(micros(&purse.available), left, "{told}: {purse:?}");
        let legs = receipt["legs"].as_array().unwrap();
        let paid: u64 = legs.iter().map(|leg| micros(leg["amount"].as_str().unwrap())).sum();
        assert_eq!(paid, micros(taken) + micros(&purse.held), "{told}: legs {legs:?}");
    }
}

/// An amount in micro-credits.
fn micros(amount: &str) -> u64 {
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{part:0<6}").parse().unwrap()
}

/// The amounts of a receipt's lines, by their labels.
fn lines(receipt: &Value) -> Value {
    let lines = receipt["lines"].as_array().cloned().unwrap_or_default();
    let pair = |line: &Value| (line["label"].as_str().unwrap().to_owned(), line["amount"].clone());
    Value::Object(lines.iter().map(pair).collect())
}

/// A case's request, and its line as the upstream must see it.
fn request(payer: &Payer, step: &Value, told: &str) -> (Ask, String) {
    let methods = ["get", "post", "put", "delete"];
    let said = methods.iter().find_map(|name| Some((name.to_uppercase(), step[name].as_str()?)));
    let (method, path) = said.unwrap_or_else(|| panic!("{told}: no request"));
    let mut ask = Ask::new(&method, path).key(&payer.key).header(CASE, "1");
    if let Some(body) = step.get("json") {
        ask = ask.json(body);
    }
    if let Some(text) = step["raw"].as_str() {
        ask = ask.header("content-type", "application/json").body(text.as_bytes());
    }
    if let Some(fields) = step["form"].as_object() {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        ask = ask.header("content-type", &kind).body(&form(fields));
    }
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        ask = ask.header(name, value.as_str().unwrap());
    }
    let line = format!("{method} {path}");
    (ask, line)
}

/// `multipart/form-data` (RFC 7578); a field called `file` or `image` is one, and `{ wav: 2.5 }` a sound of so many
/// seconds.
fn form(fields: &Map<String, Value>) -> Vec<u8> {
    let part = |(name, value): (&String, &Value)| {
        let content = match (&value["wav"], value) {
            (Value::Number(seconds), _) => wav(&seconds.to_string()),
            (_, Value::String(text)) => text.clone().into_bytes(),
            (_, value) => value.to_string().into_bytes(),
        };
        let file = if name == "file" || name == "image" { "; filename=\"a\"" } else { "" };
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
        );
        [head.as_bytes(), &content, b"\r\n"].concat()
    };
    let parts: Vec<u8> = fields.iter().flat_map(part).collect();
    [parts.as_slice(), format!("--{BOUNDARY}--\r\n").as_bytes()].concat()
}

/// A WAV file of so many seconds: mono, 8 bits, 1000 samples a second.
fn wav(seconds: &str) -> Vec<u8> {
    let samples = u32::try_from(micros(seconds) / 1000).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + samples).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1_u16, 1].map(u16::to_le_bytes).concat());
    file.extend([1000_u32, 1000].map(u32::to_le_bytes).concat());
    file.extend([1_u16, 8].map(u16::to_le_bytes).concat());
    file.extend(b"data");
    file.extend(samples.to_le_bytes());
    file.resize(file.len() + samples as usize, 128);
    file
}

/// What the upstream is told to answer: `json`, or of a `type` a `body`, or `wav`: a sound of so many seconds.
fn answer(told: &Value) -> Answer {
    let (kind, body) = match (told.get("json"), &told["wav"]) {
        (Some(json), _) => ("application/json", json.to_string().into_bytes()),
        (None, seconds) => {
            let text = || told["body"].as_str().unwrap_or_default().as_bytes().to_vec();
            let body = seconds.as_number().map_or_else(text, |seconds| wav(&seconds.to_string()));
            (told["type"].as_str().unwrap_or("application/octet-stream"), body)
        }
    };
    let mut headers = vec![("content-type".to_owned(), kind.to_owned())];
    for (name, value) in told["headers"].as_object().into_iter().flatten() {
        headers.push((name.clone(), value.as_str().unwrap().to_owned()));
    }
    let status = u16::try_from(told["status"].as_u64().unwrap_or(200)).unwrap();
    Answer { status, headers, body, cut: told["cut"] == true }
}

/// The cases of all presets, by their names.
fn all() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/apis");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let cases = yaml::read(&name, &std::fs::read_to_string(&path).unwrap());
            (name, cases)
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

#[test]
fn every_preset_has_its_cases() {
    let all = all();
    let names: Vec<_> = all.iter().map(|(name, _)| format!("apis/{name}.yaml")).collect();
    let presets: Vec<_> = tollgate::config::presets().iter().map(|(path, _)| *path).collect();
    assert_eq!(names, presets);
    let counted = all.iter().map(|(_, cases)| cases["cases"].as_array().unwrap().len());
    assert_eq!((all.len(), counted.clone().sum::<usize>()), COUNTED);
    for ((name, cases), count) in all.iter().zip(counted) {
        assert!(count >= 4, "{name} has {count} cases");
        let outcome = |word: &str| {
            let cases = cases["cases"].as_array().unwrap();
            cases.iter().any(|case| case["expect"]["outcome"] == word)
        };
        assert!(outcome("blocked"), "{name}: no content is refused");
        assert!(outcome("failed") || outcome("rejected"), "{name}: nothing fails");
    }
}

#[test]
fn every_case_comes_to_what_it_says() {
    let mut wrong = Vec::new();
    for (name, file) in all() {
        let wants: Vec<_> = file["upstreams"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let api = Api::start(&name, &wants);
        for case in file["cases"].as_array().unwrap() {
            // All that is wrong is told, not the first of it alone.
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| api.run(case)));
            if run.is_err() {
                wrong.push(format!("{name}: {}", case["name"]));
                api.upstream.forget();
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
