//! Our reading of a body against Python's, which many upstreams are written in.
//!
//! What we accept, Python must read to the same exact values; what Python finds twice, we must refuse.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use tollgate::observe::{Fact, Pointer, strict};

const CASES: usize = 4_000;

/// Reads bodies, one in hex a line, and writes for each `["bad"]` or what stands at `n` and under `d/*/s`.
const READER: &str = r#"
import sys, json
from decimal import Decimal
class Twice(Exception): pass
def pairs(items):
    names = [name for name, _ in items]
    if len(set(names)) != len(names): raise Twice()
    return dict(items)
def shown(value):
    if value is None: return "null"
    if value is True or value is False: return "true" if value else "false"
    if isinstance(value, str): return "s" + value.encode("utf-8", "surrogatepass").hex()
    if isinstance(value, (int, float, Decimal)): return "i" + str(value)
    if isinstance(value, list): return "a" + str(len(value))
    return "o"
for line in sys.stdin:
    try:
        body = json.loads(bytes.fromhex(line.strip()), object_pairs_hook=pairs, parse_float=Decimal, parse_int=Decimal)
    except Twice:
        print(json.dumps(["twice"])); continue
    except Exception:
        print(json.dumps(["bad"])); continue
    out = ["ok", None, []]
    if isinstance(body, dict):
        if "n" in body: out[1] = shown(body["n"])
        d = body.get("d")
        if isinstance(d, list):
            out[2] = [shown(x["s"]) for x in d if isinstance(x, dict) and "s" in x]
    print(json.dumps(out))
"#;

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn value(&mut self, depth: usize) -> String {
        const PLAIN: &[&str] = &[
            "0",
            "-0",
            "4",
            "4.0",
            "0.5",
            "1e3",
            "1E-2",
            "-1",
            "123456789012345678901234567890",
            "null",
            "true",
            "false",
            "\"\"",
            "\"4\"",
            "\"a\\u00e9b\"",
            "\"\\ud83c\\udfb5\"",
            "\"🎵\"",
            "\"n\"",
            "0.000000001",
            "9007199254740993",
            "18446744073709551616",
        ];
        const ODD: &[&str] =
            &["NaN", "Infinity", "01", "\"\\ud800\"", "[1,]", "'x'", "\"\t\"", "+1", ".5", "nul"];
        match self.below(if depth < 4 { 12 } else { 9 }) {
            0 if self.below(20) == 0 => self.one(ODD).to_owned(),
            0..=8 => self.one(PLAIN).to_owned(),
            9 => {
                let count = self.below(4);
                let items: Vec<_> = (0..count).map(|_| self.value(depth + 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => self.object(depth + 1),
        }
    }

    fn object(&mut self, depth: usize) -> String {
        const NAMES: &[&str] =
            &["n", "s", "d", "a", "\\u006e", "\\u0073", "b", "c", "e", "f", "g/h", "é"];
        let count = self.below(4).max(usize::from(depth == 0) * 2);
        let members = (0..count).map(|_| {
            let name = self.one(NAMES);
            let value = if name == "d" { self.items(depth) } else { self.value(depth) };
            format!("\"{name}\"{}:{value}", self.one(&["", " ", "\n"]))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
    }

    fn items(&mut self, depth: usize) -> String {
        let count = self.below(4);
        let items: Vec<_> = (0..count).map(|_| self.object(depth + 1)).collect();
        format!("[{}]", items.join(","))
    }

    fn body(&mut self) -> Vec<u8> {
        let mut body = self.object(0).into_bytes();
        match self.below(40) {
            0 => body.extend_from_slice(b" x"),
            1 => drop(body.pop()),
            2 => body.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
            3 => body = body.iter().flat_map(|byte| [*byte, 0]).collect(),
            4 => {
                let at = self.below(body.len());
                body[at] = u8::try_from(self.below(256)).unwrap();
            }
            _ => {}
        }
        body
    }
}

fn python(bodies: &[Vec<u8>]) -> Vec<Value> {
    let mut child = Command::new("python3")
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed for this test");
    let mut stdin = child.stdin.take().unwrap();
    let lines: String = bodies.iter().map(|body| hex(body) + "\n").collect();
    let writer =
        std::thread::Builder::new().spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.unwrap().join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A fact as the reader in Python shows it, numbers as plain digits and an exponent.
fn shown(fact: &Fact<'_>) -> String {
    match fact {
        Fact::Null => "null".to_owned(),
        Fact::Flag(flag) => flag.to_string(),
        Fact::Number(digits) => format!("i{digits}"),
        Fact::Text(text) => format!("s{}", hex(text.as_bytes())),
        Fact::Array(items) => format!("a{items}"),
        Fact::Object => "o".to_owned(),
    }
}

/// `4.0`, `40e-1` and `4` come out alike: digits without zeros at either end, and a power of ten.
fn same_number(ours: &str, theirs: &str) -> bool {
    fn parts(text: &str) -> (bool, String, i64) {
        let text = text.to_ascii_lowercase();
        let (negative, text) =
            text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
        let (number, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        let kept = digits.trim_end_matches('0');
        let power = exponent.trim_start_matches('+').parse::<i64>().unwrap()
            - i64::try_from(fraction.len()).unwrap()
            + i64::try_from(digits.len() - kept.len()).unwrap();
        let kept = kept.trim_start_matches('0').to_owned();
        if kept.is_empty() { (false, kept, 0) } else { (negative, kept, power) }
    }
    parts(ours) == parts(theirs)
}

fn same(ours: &str, theirs: &str) -> bool {
    match (ours.strip_prefix('i'), theirs.strip_prefix('i')) {
        (Some(ours), Some(theirs)) => same_number(ours, theirs),
        _ => ours == theirs,
    }
}

#[test]
fn what_we_accept_python_reads_alike() {
    let seed = std::env::var("TOLLGATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(20_261_122);
    println!("TOLLGATE_SEED={seed}");
    let mut random = Random(seed);
    let bodies: Vec<_> = (0..CASES).map(|_| random.body()).collect();
    let wanted: Vec<Pointer> = ["/n", "/d/*/s"].iter().map(|text| text.parse().unwrap()).collect();
    let (mut accepted, mut valued, mut twice) = (0, 0, 0);
    let answers = python(&bodies);
    assert_eq!(answers.len(), CASES);
    for (body, theirs) in bodies.iter().zip(answers) {
        let text = body.escape_ascii().to_string();
        let ours = strict(body, &wanted);
        if theirs[0] == "twice" {
            twice += 1;
            assert!(ours.is_err(), "{text}");
        }
        let Ok(ours) = ours else {
            continue;
        };
        accepted += 1;
        assert_eq!(theirs[0], "ok", "{text}");
        let n = theirs[1].as_str().map(str::to_owned);
        let their_values =
            theirs[2].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned());
        let theirs: Vec<String> = n.into_iter().chain(their_values).collect();
        let facts: Vec<String> = ours.at(0).iter().chain(ours.at(1)).map(shown).collect();
        assert_eq!(facts.len(), theirs.len(), "{text}: {facts:?} {theirs:?}");
        for (ours, theirs) in facts.iter().zip(&theirs) {
            assert!(same(ours, theirs), "{text}: {ours} {theirs}");
        }
        valued += facts.len();
    }
    println!("{accepted} of {CASES} accepted with {valued} values, {twice} with a name twice");
    assert!(accepted > CASES / 3 && valued > CASES / 8 && twice > CASES / 50);
}
