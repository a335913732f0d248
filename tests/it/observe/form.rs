//! Forms: what clients write is read, whatever a server could read otherwise is refused, and no split changes that.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use tollgate::observe::{FormProblem, FormReader, Listener, PartHead, Sought};

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=xYz";

/// What was read: the text of `n`, its characters, the items of `f`, and the parts as a listener saw them.
type Read = Result<(Option<String>, Option<u64>, Option<u64>, Vec<Heard>), FormProblem>;
type Heard = (String, Option<String>, Option<String>, Vec<u8>);

#[derive(Default)]
struct Ear {
    parts: Vec<Heard>,
    open: bool,
}

impl Listener for Ear {
    fn begins(&mut self, part: &PartHead) {
        assert!(!std::mem::replace(&mut self.open, true));
        let (file, media) = (part.file_name.clone(), part.media_type.clone());
        self.parts.push((part.name.clone(), file, media, Vec::new()));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        assert!(self.open && !bytes.is_empty());
        self.parts.last_mut().unwrap().3.extend_from_slice(bytes);
    }

    fn ends(&mut self) {
        assert!(std::mem::replace(&mut self.open, false));
    }
}

fn head(kinds: &[&str]) -> HeaderMap {
    let pairs = kinds.iter().map(|kind| {
        (http::header::CONTENT_TYPE, HeaderValue::from_bytes(kind.as_bytes()).unwrap())
    });
    let mut head = HeaderMap::new();
    pairs.for_each(|(name, value)| _ = head.append(name, value));
    head
}

fn sought() -> Vec<Sought> {
    let (n, f) = ("n".to_owned(), "f".to_owned());
    vec![Sought::Text(n.clone()), Sought::Characters(n), Sought::Items(f)]
}

fn read<'a>(kind: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut reader = FormReader::of(&head(&[kind]), sought()).expect("a form");
    let mut ear = Ear::default();
    for piece in pieces {
        if !reader.feed(piece, &mut ear) {
            break;
        }
    }
    let form = reader.finish()?;
    assert!(!ear.open);
    Ok((form.text("n").map(str::to_owned), form.characters("n"), form.items("f"), ear.parts))
}

/// The same as a whole, and in pieces of every size.
#[track_caller]
fn every_split(kind: &str, body: &[u8]) -> Read {
    let whole = read(kind, [body]);
    for size in 1..body.len() {
        assert_eq!(read(kind, body.chunks(size)), whole, "in pieces of {size}");
    }
    for at in 0..body.len() {
        let (one, other) = body.split_at(at);
        assert_eq!(read(kind, [one, other]), whole, "split at {at}");
    }
    whole
}

/// A body with `xYz` as its boundary.
fn parts(parts: &[(&str, &str)]) -> Vec<u8> {
    let part = |(head, text): &(&str, &str)| format!("--xYz\r\n{head}\r\n\r\n{text}\r\n");
    let mut body: String = parts.iter().map(part).collect();
    body += "--xYz--\r\n";
    body.into_bytes()
}

fn named(rest: &str) -> String {
    format!("Content-Disposition: form-data; {rest}")
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_clients_write_is_read() {
    let n = "Content-Disposition: form-data; name=\"n\"";
    let file =
        "Content-Disposition: form-data; name=\"f\"; filename=\"a.wav\"\r\nContent-Type: audio/wav";
    let chrome = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
    let dotnet = "c7b3a0e0-5f0e-4b0a-9f0a-2f3b6a1f0c11";
    for (client, kind, body) in [
        (
            "curl",
            "multipart/form-data; boundary=------------------------d74496d66958873e",
            format!(
                "--------------------------d74496d66958873e\r\n{n}\r\n\r\n4\r\n--------------------------d74496d66958873e\r\n{file}\r\n\r\nRIFF\r\n--------------------------d74496d66958873e--\r\n"
            ),
        ),
        (
            "Chromium",
            &*format!("multipart/form-data; boundary={chrome}"),
            format!(
                "--{chrome}\r\n{n}\r\n\r\n4\r\n--{chrome}\r\n{file}\r\n\r\nRIFF\r\n--{chrome}--\r\n"
            ),
        ),
        (
            "requests",
            "multipart/form-data; boundary=0f1e",
            format!("--0f1e\r\n{n}\r\n\r\n4\r\n--0f1e\r\n{file}\r\n\r\nRIFF\r\n--0f1e--\r\n"),
        ),
        (
            "undici",
            "multipart/form-data; boundary=----formdata-undici-012345678901",
            format!(
                "------formdata-undici-012345678901\r\n{n}\r\n\r\n4\r\n------formdata-undici-012345678901\r\n{file}\r\n\r\nRIFF\r\n------formdata-undici-012345678901--\r\n"
            ),
        ),
        (
            ".NET",
            &*format!("multipart/form-data; boundary=\"{dotnet}\""),
            format!(
                "--{dotnet}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=n\r\n\r\n4\r\n--{dotnet}\r\nContent-Disposition: form-data; name=f; filename=a.wav; filename*=utf-8''a.wav\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--{dotnet}--\r\n"
            ),
        ),
        (
            "OkHttp",
            "multipart/form-data; boundary=3aa8",
            format!(
                "--3aa8\r\n{n}\r\nContent-Length: 1\r\n\r\n4\r\n--3aa8\r\n{file}\r\nContent-Length: 4\r\n\r\nRIFF\r\n--3aa8--\r\n"
            ),
        ),
        (
            "Apache HttpClient",
            "multipart/form-data; boundary=Vx_9; charset=UTF-8",
            format!(
                "--Vx_9\r\n{n}\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n4\r\n--Vx_9\r\n{file}\r\nContent-Transfer-Encoding: binary\r\n\r\nRIFF\r\n--Vx_9--\r\n"
            ),
        ),
        (
            "without the last line end",
            "multipart/form-data; boundary=b",
            format!("--b\r\n{file}\r\n\r\nRIFF\r\n--b\r\n{n}\r\n\r\n4\r\n--b--"),
        ),
    ] {
        let (text, characters, items, heard) =
            every_split(kind, body.as_bytes()).unwrap_or_else(|error| panic!("{client}: {error}"));
        assert_eq!((text.as_deref(), characters, items), (Some("4"), Some(1), Some(1)), "{client}");
        let sound = heard.iter().find(|part| part.0 == "f").unwrap();
        assert_eq!((sound.1.as_deref(), sound.2.as_deref()), (Some("a.wav"), Some("audio/wav")));
        assert_eq!((heard.len(), sound.3.as_slice()), (2, &b"RIFF"[..]), "{client}");
    }
    for (body, expected) in [
        ("n=4&f=1&f=2", (Some("4"), Some(1), Some(2))),
        ("", (None, None, None)),
        ("a=1&&b", (None, None, None)),
        ("n=&a=%zz", (Some(""), Some(0), None)),
        ("n", (Some(""), Some(0), None)),
        ("n=a+b%20c%2B", (Some("a b c+"), Some(6), None)),
        ("%6E=h%C3%A9%F0%9F%8E%B5", (Some("hé🎵"), Some(3), None)),
        ("_charset_=UTF-8&n=a=b", (Some("a=b"), Some(3), None)),
        ("f[]=1&f[]=2&f[]=3", (None, None, Some(3))),
        ("nn=1&n=4&m=é", (Some("4"), Some(1), None)),
    ] {
        for kind in [URLENCODED, "application/x-www-form-urlencoded;charset=UTF-8"] {
            let read = every_split(kind, body.as_bytes()).unwrap();
            assert_eq!((read.0.as_deref(), read.1, read.2), expected, "{body}");
        }
    }
}

#[test]
fn a_head_says_once_which_form_it_is() {
    for kinds in [
        &[][..],
        &["application/json"],
        &["text/plain; multipart/form-data"],
        &["multipart/mixed; boundary=b"],
        &[MULTIPART, MULTIPART],
        &[URLENCODED, "application/json"],
    ] {
        assert!(FormReader::of(&head(kinds), sought()).is_none(), "{kinds:?}");
    }
    for (kind, problem) in [
        ("multipart/form-data", FormProblem::Boundary),
        ("multipart/form-data; boundary=", FormProblem::Boundary),
        ("multipart/form-data; boundary=\"\"", FormProblem::Boundary),
        ("multipart/form-data; boundary=a; boundary=b", FormProblem::Boundary),
        ("multipart/form-data; boundary=a; Boundary=a", FormProblem::Boundary),
        ("multipart/form-data; boundary*=utf-8''a", FormProblem::Boundary),
        ("multipart/form-data; boundary*0=a; boundary*1=b", FormProblem::Boundary),
        ("multipart/form-data; boundary=a b", FormProblem::Boundary),
        ("multipart/form-data; boundary=\"a b\"", FormProblem::Boundary),
        ("multipart/form-data; boundary=\"a\\\"b\"", FormProblem::Boundary),
        ("multipart/form-data; boundary=a, multipart/form-data; boundary=b", FormProblem::Boundary),
        ("multipart/form-data boundary=a", FormProblem::Boundary),
        ("multipart/form-data; boundary=a; charset=utf-16", FormProblem::Charset),
        ("multipart/form-data; boundary=a; charset*=utf-8''utf-16", FormProblem::Boundary),
        ("application/x-www-form-urlencoded; charset=latin1", FormProblem::Charset),
        ("application/x-www-form-urlencoded; charset=utf-8; charset=utf-7", FormProblem::Charset),
        ("application/x-www-form-urlencoded; charset", FormProblem::Charset),
    ] {
        // A multipart type with other words behind it is one of which nobody knows what it is.
        match FormReader::of(&head(&[kind]), sought()) {
            Some(reader) => assert_eq!(reader.finish().unwrap_err(), problem, "{kind}"),
            None => assert!(kind.starts_with("multipart/form-data "), "{kind}"),
        }
    }
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    assert_eq!(read(&long, []), Err(FormProblem::Boundary));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_some_server_reads_otherwise_is_refused() {
    use FormProblem::{
        Charset, Encoding, Method, Name, Nested, NotText, NotUtf8, PartHead, PartName, Spelling,
        Start, Stray, Tail, TooLong, Twice, Unclosed,
    };
    let n = || "n".to_owned();
    let plain = named("name=\"n\"");
    let two = |one: &str, other: &str| parts(&[(&named(one), "4"), (&named(other), "9")]);
    let with = |line: &str| parts(&[(&format!("{plain}\r\n{line}"), "4")]);
    let raw = |text: &str| text.as_bytes().to_vec();
    let good = parts(&[(&plain, "4")]);
    let after = |more: &str| [good.as_slice(), more.as_bytes()].concat();
    let before = |more: &str| [more.as_bytes(), good.as_slice()].concat();
    for (body, problem) in [
        (two("name=\"n\"", "name=\"n\""), Twice(n())),
        (two("name=\"n\"", "name=n"), Twice(n())),
        (two("name=\"n\"", "name=\"N\""), Spelling(n())),
        (two("name=\"N\"", "name=\"n\""), Spelling(n())),
        (two("name=\"n\"", "name=\"n[]\""), Spelling(n())),
        (two("name=\"n\"", "name=\"n[0]\""), Spelling(n())),
        (two("name=\"n\"", "name=\"[n]\""), Spelling(n())),
        (two("name=\"n\"", "name=\" n\""), Spelling(n())),
        (two("name=\"n\"", "name=\"%6e\""), Spelling(n())),
        (two("name=\"f\"", "name=\"f[]\""), Spelling("f".to_owned())),
        (two("name=\"f\"", "name=\"F\""), Spelling("f".to_owned())),
        (two("name=\"n\"", "name=\"_method\""), Method),
        (two("name=\"_charset_\"", "name=\"n\""), Charset),
        (two("name=\"x\"", "name=\"n\"; name=\"m\""), PartName),
        (two("name=\"x\"", "name=\"m\"; name*=utf-8''n"), PartName),
        (two("name=\"x\"", "Name=\"n\"; name=\"m\""), PartName),
        (two("name=\"x\"", "name=\"m\"; name*0=\"n\""), PartName),
        (two("name=\"x\"", "name=\"=?utf-8?B?bg==?=\""), PartName),
        (two("name=\"x\"", "name=\"a\\\"; name=\"n\""), PartName),
        (two("name=\"x\"", "filename=\"y\\\"; name=\"n\"; x=\"; name=\"m\""), PartName),
        (two("name=\"x\"", "filename=\"y\""), PartName),
        (two("name=\"x\"", "name"), PartName),
        (two("name=\"x\"", "name=\"n\"; filename=\"n.txt\""), NotText(n())),
        (two("name=\"x\"", "name=\"n\"; filename=\"\""), NotText(n())),
        (parts(&[(&named("name=\"n\"; filenam*=\"a\""), "4")]), PartName),
        (two("name=\"x\"", "name=\"n\"; filename*=utf-8''n"), NotText(n())),
        (with("Content-Type: application/octet-stream"), NotText(n())),
        (with("Content-Type: text/plain; charset=utf-16"), NotText(n())),
        (with("Content-Type: text/plain; charset=utf-8; charset=utf-16"), NotText(n())),
        (with("Content-Type: multipart/mixed; boundary=y"), Nested),
        (with("Content-Type: message/rfc822"), Nested),
        (with("Content-Type: audio"), NotText(n())),
        (with("Content-Transfer-Encoding: base64"), Encoding),
        (with("Content-Transfer-Encoding: quoted-printable"), Encoding),
        (with("content-disposition: form-data; name=\"m\""), PartHead),
        (with("Content-Type: text/plain\r\nContent-Type: audio/wav"), PartHead),
        (with(" ; filename=\"x\""), PartHead),
        (with("\t; name=\"m\""), PartHead),
        (with("X-A: a\u{0}b"), PartHead),
        (with("X-A: a\nContent-Type: audio/wav"), PartHead),
        (with("X-A: a\rContent-Type: audio/wav"), PartHead),
        (with("X-A"), PartHead),
        (with("X A: b"), PartHead),
        (with(&format!("X-A: {}", "a".repeat(9_000))), PartHead),
        (with("--xYz: 1"), Stray),
        (parts(&[("Content-Type: text/plain", "4")]), PartName),
        (parts(&[("Content-Disposition: attachment; name=\"n\"", "4")]), PartName),
        (raw("--xYz\r\n\r\n4\r\n--xYz--\r\n"), PartHead),
        (before("\r\n"), Start),
        (before("preamble\r\n"), Start),
        (before("--xYz\r\n"), Stray),
        (raw("--xyz\r\n"), Start),
        (raw("\n"), Start),
        (after("\r\n"), Tail),
        (after("--xYz\r\n"), Tail),
        (after("x"), Tail),
        (raw("--xYz--x"), Tail),
        (raw(""), Unclosed),
        (raw("--xYz"), Unclosed),
        (raw("--xYz\r\n"), Unclosed),
        (raw(&format!("--xYz\r\n{plain}\r\n\r\n4\r\n--xYz")), Unclosed),
        (raw(&format!("--xYz\r\n{plain}\r\n\r\n4\r\n--xYz-")), Unclosed),
        (raw(&format!("--xYz\r\n{plain}\r\n\r\n4")), Unclosed),
        (raw(&format!("--xYz\r\n{plain}\r\n\r\n4\r\n--xYz \r\n")), Stray),
        (raw(&format!("--xYz\r\n{plain}\r\n\r\n4\r\n--xYz\nContent")), Stray),
        (raw(&format!("--xYz\r\n{plain}\r\n\r\n4\r\n--xYzz--\r\n")), Stray),
        (raw(&format!("--xYz\r\n{plain}\r\n\r\n4\n--xYz--\r\n")), Stray),
        (raw(&format!("--xYz\r\n{plain}\r\n\r\n4\r--xYz--\r\n")), Stray),
        (raw(&format!("--xYz\r\n{plain}\r\n\r\n--xYz--\r\n")), Stray),
        (raw(&format!("--xYz\n{plain}\n\n4\n--xYz--\n")), Stray),
        (raw(&format!("--xYz\r\n{plain}\n\n4\r\n--xYz--\r\n")), Unclosed),
        (raw("--xYz--\r\n\u{0}"), Tail),
        (parts(&[(&plain, &"4".repeat(1_025))]), TooLong(n())),
        (
            [b"--xYz\r\n".as_slice(), plain.as_bytes(), b"\r\n\r\n\xff\r\n--xYz--\r\n"].concat(),
            NotUtf8(n()),
        ),
        (
            [b"--xYz\r\nContent-Disposition: form-data; name=\"\xff\"\r\n\r\n".as_slice()].concat(),
            PartName,
        ),
        (
            parts(&[(&format!("{plain}\r\nContent-Type: text/plain; charset=iso-8859-1"), "é")]),
            Charset,
        ),
    ] {
        let shown = String::from_utf8_lossy(&body).into_owned();
        // A head that runs into another part is not told apart from a long one.
        let read = if body.len() > 2_000 {
            read(MULTIPART, [&*body])
        } else {
            every_split(MULTIPART, &body)
        };
        let found = read.map(drop).unwrap_err();
        let same = found == problem || (problem == NotText(n()) && found == PartHead);
        assert!(same, "{found:?} instead of {problem:?}: {shown:?}");
    }
    for (body, problem) in [
        ("n=4&n=9", Twice(n())),
        ("n=4&%6e=9", Twice(n())),
        ("n=4&N=9", Spelling(n())),
        ("n[]=4", Spelling(n())),
        ("n=4&n%5B0%5D=9", Spelling(n())),
        ("[n]=4", Spelling(n())),
        ("?n=4", Spelling(n())),
        ("+n=4", Spelling(n())),
        ("%0An=4", Spelling(n())),
        ("n%00x=4", Spelling(n())),
        ("%256e=4", Spelling(n())),
        ("f=1&f[]=2", Spelling("f".to_owned())),
        ("f[0]=1", Spelling("f".to_owned())),
        ("a=1;n=9", FormProblem::Semicolon),
        ("n=4&_charset_=iso-8859-1", Charset),
        ("_charset_=utf-8&_charset_=utf-7", Twice("_charset_".to_owned())),
        ("n=4&_method=PUT", Method),
        ("%zz=1&n=4", Name),
        ("%u006e=4", Name),
        ("%ff=1&n=4", Name),
        ("é=1&n=4", Name),
        ("%4", Name),
        ("n=%zz", FormProblem::Escape(n())),
        ("n=%", FormProblem::Escape(n())),
        ("n=%4&a=1", FormProblem::Escape(n())),
        // What is wrong first is told.
        ("n=%F0%9F%91A8%7&a=1", FormProblem::NotUtf8(n())),
        ("n=%F0%9F%91A;", FormProblem::NotUtf8(n())),
        ("n=é", FormProblem::Escape(n())),
        ("n=%ff", NotUtf8(n())),
        ("n=%EF%BB%BF4", NotUtf8(n())),
        ("n=%c3&a=%a9", NotUtf8(n())),
    ] {
        assert_eq!(every_split(URLENCODED, body.as_bytes()), Err(problem), "{body}");
    }
    let long = format!("n={}", "4".repeat(1_025));
    assert_eq!(read(URLENCODED, [long.as_bytes()]), Err(TooLong(n())));
    let long = format!("{}=1", "a".repeat(4_000));
    assert_eq!(read(URLENCODED, [long.as_bytes()]), Err(Name));
    let many = "a=1&".repeat(1_000);
    assert!(read(URLENCODED, [many.as_bytes()]).is_ok());
    assert_eq!(read(URLENCODED, [(many + "b=1").as_bytes()]), Err(FormProblem::TooMany));
    let head = named("name=\"a\"");
    let many: Vec<_> = (0..1_001).map(|_| (head.as_str(), "1")).collect();
    assert_eq!(read(MULTIPART, [&*parts(&many)]), Err(FormProblem::TooMany));
}

/// Bytes that often stand near a boundary, and others.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let bit = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"--".to_vec()),
        Just(b"--xY".to_vec()),
        Just(b"x--xYz".to_vec()),
        Just(b"-".to_vec()),
        Just(b"xYz".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(bit, 0..12).prop_map(|bits| bits.concat())
}

/// A body of parts, and of it what stands in each.
fn body() -> impl Strategy<Value = (Vec<u8>, Vec<(String, Vec<u8>)>)> {
    let part = ("[a-eg-mo-z]{1,8}", content());
    proptest::collection::vec(part, 0..6).prop_map(|parts| {
        let mut body = Vec::new();
        for (name, content) in &parts {
            let head =
                format!("--xYz\r\n{}; filename=\"a\"\r\n\r\n", named(&format!("name=\"{name}\"")));
            body.extend([head.as_bytes(), content, b"\r\n"].concat());
        }
        body.extend(b"--xYz--\r\n");
        (body, parts)
    })
}

/// Where to cut.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1..60_usize, 1..200)
}

fn cut<'a>(body: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut pieces) = (body, Vec::new());
    for size in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, more) = rest.split_at((*size).min(rest.len()));
        pieces.push(piece);
        rest = more;
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever stands in parts: any split reads the same, and what is read is what was written.
    #[test]
    fn parts_are_what_was_written((body, written) in body(), cuts in cuts()) {
        let whole = read(MULTIPART, [&*body]);
        prop_assert_eq!(&read(MULTIPART, cut(&body, &cuts)), &whole);
        if let Ok((.., heard)) = whole {
            let heard: Vec<_> = heard.into_iter().map(|part| (part.0, part.3)).collect();
            prop_assert_eq!(heard, written);
        } else {
            // Only a boundary at the beginning of a line is a reason.
            let ambiguous = written.iter().any(|(_, content)| {
                let text = [b"\n".as_slice(), content].concat();
                [&b"\n--xYz"[..], b"\r--xYz"].iter().any(|it| text.windows(6).any(|w| w == *it))
            });
            prop_assert!(ambiguous);
        }
    }

    /// Any bytes at all: any split reads the same.
    #[test]
    fn any_split_reads_the_same(bits in content(), cuts in cuts(), at in 0..200_usize) {
        let mut body = parts(&[(&named("name=\"n\""), "4"), (&named("name=\"f\"; filename=\"a\""), "RIFF")]);
        let at = at.min(body.len());
        body.splice(at..at, bits.iter().copied());
        prop_assert_eq!(read(MULTIPART, cut(&body, &cuts)), read(MULTIPART, [&*body]));
        let body = [b"n=4&a=".as_slice(), &bits, b"&f=1"].concat();
        prop_assert_eq!(read(URLENCODED, cut(&body, &cuts)), read(URLENCODED, [&*body]));
        let body = [b"a=1&n=".as_slice(), &bits, b"&f=1"].concat();
        prop_assert_eq!(read(URLENCODED, cut(&body, &cuts)), read(URLENCODED, [&*body]));
    }
}
