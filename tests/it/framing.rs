//! Requests whose framing can be read in two ways. Whatever happens to them, the upstream sees at most one
//! request for each charge, and never one that nobody pays for.

use super::wire::Reply;
use super::world::{IMAGES, Payer, World, until};

/// What may come of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
enum May {
    /// Refused, or the connection is closed.
    BeRefused,
    /// One request, charged once.
    Pass,
}

const BODY: &str = r#"{"n":1,"quality":"low"}"#;

/// A head with these lines; the key is put in later.
fn head(first: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{first}\r\nAuthorization: Bearer {{key}}\r\n{lines}\r\n")
}

fn post(lines: &[&str], body: &str) -> String {
    let first =
        format!("POST {IMAGES} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json");
    head(&first, lines) + body
}

/// A chunked body.
fn chunks(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len())
}

/// Everything that is odd, by name.
#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<(&'static str, May, String)> {
    let length = format!("Content-Length: {}", BODY.len());
    let length = length.as_str();
    let longer = format!("Content-Length: {}", BODY.len() + 5);
    let chunked = "Transfer-Encoding: chunked";
    let body = chunks(BODY);
    let first = |line: &str| format!("{line}\r\nContent-Type: application/json");
    let whole = |line: &str, host: &[&str]| head(&first(line), &[host, &[length]].concat()) + BODY;
    let path = |text: &str| text.replace("PATH", IMAGES);
    let host = "Host: gateway";
    use May::{BeRefused, Pass};
    vec![
        ("as it should be", Pass, post(&[length], BODY)),
        ("chunked", Pass, post(&[chunked], &body)),
        ("length and chunked", BeRefused, post(&[length, chunked], &body)),
        ("chunked and length", BeRefused, post(&[chunked, length], &body)),
        ("chunked and a length of 0", BeRefused, post(&[chunked, "Content-Length: 0"], &body)),
        ("two lengths that differ", BeRefused, post(&[length, &longer], BODY)),
        ("two lengths that agree", BeRefused, post(&[length, length], BODY)),
        ("a list of lengths", BeRefused, post(&["Content-Length: 23, 23"], BODY)),
        ("a length with a sign", BeRefused, post(&["Content-Length: +23"], BODY)),
        ("a negative length", BeRefused, post(&["Content-Length: -1"], BODY)),
        ("a length in hex", BeRefused, post(&["Content-Length: 0x17"], BODY)),
        ("a length with a space", BeRefused, post(&["Content-Length: 2 3"], BODY)),
        ("an empty length", BeRefused, post(&["Content-Length:"], BODY)),
        ("a huge length", BeRefused, post(&["Content-Length: 99999999999999999999"], BODY)),
        ("a space before the colon", BeRefused, post(&["Content-Length : 23"], BODY)),
        ("a folded header", BeRefused, post(&[length, "X-A: b\r\n c"], BODY)),
        ("a folded length", BeRefused, post(&["Content-Length:\r\n 23"], BODY)),
        ("a bare line feed in the head", BeRefused, post(&["X-A: b\nContent-Length: 23"], BODY)),
        ("a null in a header", BeRefused, post(&[length, "X-A: b\0c"], BODY)),
        ("a bare return in a header", BeRefused, post(&[length, "X-A: b\rc"], BODY)),
        ("two codings", BeRefused, post(&["Transfer-Encoding: gzip, chunked"], &body)),
        ("chunked twice", BeRefused, post(&[chunked, chunked], &body)),
        ("chunked first", BeRefused, post(&["Transfer-Encoding: chunked, identity"], &body)),
        ("an unknown coding", BeRefused, post(&["Transfer-Encoding: xchunked"], &body)),
        ("identity", BeRefused, post(&["Transfer-Encoding: identity", length], BODY)),
        ("a tab before chunked", Pass, post(&["Transfer-Encoding:\tchunked"], &body)),
        ("a form feed before chunked", BeRefused, post(&["Transfer-Encoding: \x0bchunked"], &body)),
        ("chunked in quotes", BeRefused, post(&["Transfer-Encoding: \"chunked\""], &body)),
        ("a chunk that is no number", BeRefused, post(&[chunked], "xyz\r\nabc\r\n0\r\n\r\n")),
        ("a chunk with a sign", BeRefused, post(&[chunked], "-1\r\nabc\r\n0\r\n\r\n")),
        ("a chunk of 0x", BeRefused, post(&[chunked], "0x17\r\nabc\r\n0\r\n\r\n")),
        (
            "a chunk beyond all",
            BeRefused,
            post(&[chunked], "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
        ),
        (
            "a chunk that is longer than it says",
            BeRefused,
            post(&[chunked], "2\r\nabc\r\n0\r\n\r\n"),
        ),
        (
            "a chunk with an extension",
            Pass,
            post(&[chunked], &body.replacen("\r\n", ";a=b\r\n", 1)),
        ),
        (
            "a trailer that says a length",
            BeRefused,
            post(&[chunked], &body.replace("0\r\n\r\n", "0\r\nContent-Length: 99\r\n\r\n")),
        ),
        ("chunked in 1.0", BeRefused, post(&[chunked], &body).replacen("HTTP/1.1", "HTTP/1.0", 1)),
        ("no host", BeRefused, whole(&path("POST PATH HTTP/1.1"), &[])),
        ("two hosts", BeRefused, whole(&path("POST PATH HTTP/1.1"), &[host, "Host: other"])),
        ("the same host twice", BeRefused, whole(&path("POST PATH HTTP/1.1"), &[host, host])),
        (
            "an absolute target",
            Pass,
            whole(&path("POST http://gateway PATH HTTP/1.1").replace(" /", "/"), &[host]),
        ),
        (
            "an absolute target of another host",
            BeRefused,
            whole(&path("POST http://other PATH HTTP/1.1").replace(" /", "/"), &[host]),
        ),
        (
            "an absolute target with a user",
            BeRefused,
            whole(&path("POST http://a@gateway PATH HTTP/1.1").replace(" /", "/"), &[host]),
        ),
        ("CONNECT", BeRefused, whole("CONNECT gateway:80 HTTP/1.1", &[host])),
        ("CONNECT with a path", BeRefused, whole(&path("CONNECT PATH HTTP/1.1"), &[host])),
        (
            "an upgrade",
            BeRefused,
            whole(
                &path("POST PATH HTTP/1.1"),
                &[host, "Connection: upgrade", "Upgrade: websocket"],
            ),
        ),
        (
            "an upgrade to h2c",
            Pass,
            whole(
                &path("POST PATH HTTP/1.1"),
                &[
                    host,
                    "Connection: upgrade, http2-settings",
                    "Upgrade: h2c",
                    "HTTP2-Settings: AAAA",
                ],
            ),
        ),
        ("no version", BeRefused, whole(&path("POST PATH"), &[host])),
        ("version 0.9", BeRefused, whole(&path("POST PATH HTTP/0.9"), &[host])),
        ("version 1.2", BeRefused, whole(&path("POST PATH HTTP/1.2"), &[host])),
        ("version 2.0", BeRefused, whole(&path("POST PATH HTTP/2.0"), &[host])),
        ("two spaces", BeRefused, whole(&path("POST  PATH HTTP/1.1"), &[host])),
        ("a tab in the line", BeRefused, whole(&path("POST\tPATH HTTP/1.1"), &[host])),
        ("another method's case", BeRefused, whole(&path("post PATH HTTP/1.1"), &[host])),
        (
            "the method in a header",
            Pass,
            whole(&path("POST PATH HTTP/1.1"), &[host, "X-HTTP-Method-Override: GET"]),
        ),
        (
            "the path in a header",
            Pass,
            whole(
                &path("POST PATH HTTP/1.1"),
                &[host, "X-Original-URL: /v1/models", "X-Rewrite-URL: /v1/models"],
            ),
        ),
        (
            "the length in Connection",
            Pass,
            whole(
                &path("POST PATH HTTP/1.1"),
                &[host, "Connection: content-length, host, authorization"],
            ),
        ),
        (
            "expect continue",
            Pass,
            whole(&path("POST PATH HTTP/1.1"), &[host, "Expect: 100-continue"]),
        ),
        ("the h2 preface", BeRefused, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("a TLS hello", BeRefused, "\u{16}\u{3}\u{1}\u{0}\u{5}hello\r\n\r\n".to_owned()),
        ("garbage", BeRefused, "\u{0}\u{1}\u{2}\r\n\r\n".to_owned()),
    ]
}

/// Sends a case with a whole request hidden behind it, and reads all answers to it.
fn answers(world: &World, payer: &Payer, case: &str) -> Vec<Reply> {
    let mut wire = world.wire();
    wire.write(case.replace("{key}", &payer.key).as_bytes());
    let first = wire.reply().filter(|reply| reply.status != 100).or_else(|| wire.reply());
    let mut all: Vec<Reply> = first.into_iter().collect();
    if all.first().is_some_and(|reply| reply.header("connection") != Some("close")) {
        // What was left over of the case would be read as the beginning of this.
        let last = "GET /v1/models HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n";
        wire.write(last.as_bytes());
        all.extend(wire.until_closed());
    }
    all
}

#[test]
fn odd_framing_is_refused_or_charged_once() {
    let world = World::start(&[("head: 5s", "head: 1s, idle: 1s")]);
    let cases = cases();
    let mut odd = Vec::new();
    for (name, may, case) in &cases {
        let payer = world.payer("crowded", "100");
        let before = world.forwarded();
        let replies = answers(&world, &payer, case);
        until("nothing is held", || world.purse(&payer).held == "0");
        assert_eq!(world.in_use(&payer), 0);
        let charged = world.charges(&payer).iter().filter(|one| one["charged"] == "1").count();
        let forwarded = world.forwarded() - before;
        let passed = replies.iter().filter(|reply| reply.status == 200).count();
        assert!(forwarded <= charged as u64, "{name}: {forwarded} for {charged}: {replies:?}");
        assert_eq!(charged, passed, "{name}: {replies:?}");
        let as_it_may = match may {
            May::Pass => charged == 1,
            May::BeRefused => charged == 0,
        };
        if !as_it_may {
            let shown: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
            odd.push(format!("{name}: {shown:?}, {charged} charged"));
        }
    }
    println!("framing: {} cases", cases.len());
    assert!(odd.is_empty(), "{odd:#?}");
}
