//! What is JSON to us and what is not, and what is picked from it.

use std::fmt::Write as _;
use std::time::Instant;

use tollgate::observe::{Fact, JsonProblem, Pointer, response, strict};

fn pointers(texts: &[&str]) -> Vec<Pointer> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Each must be accepted, or refused, as a body of its own.
const ACCEPTED: &[&str] = &[
    "{}",
    "[]",
    "0",
    "-0",
    "\"\"",
    "null",
    "true",
    "false",
    " \t\r\n{} \t\r\n",
    r#"{"a":1}"#,
    r#"{"":0}"#,
    r#"{"a":[1,2,{"b":null}]}"#,
    r#"{"n":123456789012345678901234567890}"#,
    r#"{"n":1.5e+10}"#,
    r#"{"n":1E-2}"#,
    r#"{"n":1e400}"#,
    r#"{"n":0.1}"#,
    r#"{"a":"\"\\\/\b\f\n\r\t"}"#,
    r#"{"a":"\u00e9"}"#,
    r#"{"a":"\ud83c\udfb5"}"#,
    r#"{"a":"\u0000"}"#,
    "{\"a\":\"\u{7f}\"}",
    "{\"a\":\"\u{ffff}\"}",
    "{\"é\":\"é\"}",
    "{\"a\":\"\u{2028}\"}",
    r#"{"a":1,"b":{"a":1}}"#,
    r#"[{"a":1},{"a":1}]"#,
    r#"{"x":1,"X":2}"#,
    r#"{"a":{"N":1}}"#,
    "[[[[[[]]]]]]",
];

const REFUSED: &[&[u8]] = &[
    b"",
    b" ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[1,]",
    b"[,1]",
    b"[1,,2]",
    b"[1 2]",
    b"[1:2]",
    b"{\"a\":1,}",
    b"{,}",
    b"{\"a\"}",
    b"{\"a\":}",
    b"{\"a\":1 \"b\":2}",
    b"{\"a\":1;\"b\":2}",
    b"{a:1}",
    b"{'a':1}",
    b"{1:1}",
    b"{null:1}",
    b"{\"a\":1}{\"a\":1}",
    b"{\"a\":1} x",
    b"{\"a\":1}\n{\"b\":1}\n",
    b"{\"a\":1}#",
    b"{\"a\":1}\0",
    b"{/**/}",
    b"{\"a\":1}//x",
    b"NaN",
    b"{\"n\":NaN}",
    b"{\"n\":Infinity}",
    b"{\"n\":-Infinity}",
    b"{\"n\":nan}",
    b"{\"n\":01}",
    b"{\"n\":-01}",
    b"{\"n\":+1}",
    b"{\"n\":1.}",
    b"{\"n\":.5}",
    b"{\"n\":1e}",
    b"{\"n\":1e+}",
    b"{\"n\":0x10}",
    b"{\"n\":1_000}",
    b"{\"n\":-}",
    b"{\"n\":1 000}",
    b"{\"n\":\xef\xbc\x91}",
    b"{\"x\":1e400}",
    b"nul",
    b"NULL",
    b"True",
    b"\"a",
    b"{\"a\":\"\n\"}",
    b"{\"a\":\"\t\"}",
    b"{\"a\":\"\0\"}",
    b"{\"a\":\"\\x41\"}",
    b"{\"a\":\"\\u12\"}",
    b"{\"a\":\"\\u{41}\"}",
    b"{\"a\":\"\\'\"}",
    b"{\"x\":\"\\ud800\"}",
    b"{\"x\":\"\\udc00\"}",
    b"{\"x\":\"\\ud800\\ud800\"}",
    b"{\"n\":\"\\ud800\"}",
    b"{\"\\ud800\":1}",
    b"\xef\xbb\xbf{}",
    b"{}\xef\xbb\xbf",
    b"\xff\xfe{\0}\0",
    b"\xfe\xff\0{\0}",
    b"{\0\"\0n\0\"\0:\x001\0}\0",
    b"\0{\0}",
    b"{\0\0\0}\0\0\0",
    b"{\"a\":\"\xff\"}",
    b"{\"a\":\"\xc0\xaf\"}",
    b"{\"a\":\"\xed\xa0\x80\"}",
    b"{\"a\":\"\xe2\x82\"}",
    b"{\"\xe9\":1}",
    b"+ADw-",
    b"{\"a\":1,\"a\":1}",
    b"{\"n\":1,\"n\":9}",
    b"{\"n\":1,\"\\u006e\":9}",
    b"{\"a\":{\"b\":1,\"b\":2}}",
    b"[[{\"b\":1,\"b\":2}]]",
    b"{\"n\":{\"b\":1,\"\\u0062\":2}}",
    b"{\"N\":1}",
    b"{\"n\":1,\"N\":9}",
    b"{\"\\u004e\":9}",
];

#[test]
fn accepted_and_refused() {
    let wanted = pointers(&["/n"]);
    assert!(ACCEPTED.len() + REFUSED.len() >= 80);
    for text in ACCEPTED {
        assert!(strict(text.as_bytes(), &wanted).is_ok(), "{text}");
    }
    for bytes in REFUSED {
        let read = strict(bytes, &wanted);
        assert!(read.is_err(), "{}: {read:?}", bytes.escape_ascii());
    }
}

#[test]
fn picked_values_are_their_own_text() {
    let text = r#"{"n":1e400,"big":123456789012345678901234567890,"s":"a\u00e9","none":null,
        "data":[{"seconds":1.50},{"seconds":2},{}],"yes":true,"a/b":{"m~n":"x"},"o":{"p":[7,8]}}"#;
    let wanted = pointers(&[
        "/n",
        "/big",
        "/s",
        "/none",
        "/data",
        "/data/*/seconds",
        "/data/1/seconds",
        "/yes",
        "/a~1b/m~0n",
        "/o",
        "/o/p/1",
        "/o/p/01",
        "/o/p/*",
        "/gone",
        "/n/deeper",
        "/data/*",
    ]);
    let picked = strict(text.as_bytes(), &wanted).unwrap();
    let expected: Vec<Vec<Fact<'_>>> = vec![
        vec![Fact::Number("1e400")],
        vec![Fact::Number("123456789012345678901234567890")],
        vec![Fact::Text("aé".into())],
        vec![Fact::Null],
        vec![Fact::Array(3)],
        vec![Fact::Number("1.50"), Fact::Number("2")],
        vec![Fact::Number("2")],
        vec![Fact::Flag(true)],
        vec![Fact::Text("x".into())],
        vec![Fact::Object],
        vec![Fact::Number("8")],
        vec![],
        vec![Fact::Number("7"), Fact::Number("8")],
        vec![],
        vec![],
        vec![Fact::Object; 3],
    ];
    for (number, expected) in expected.iter().enumerate() {
        assert_eq!(picked.at(number), expected, "{}", wanted[number]);
        assert_eq!(picked.uneven(number), number == 5, "{}", wanted[number]);
    }
    assert_eq!(strict(b" 5 ", &pointers(&[""])).unwrap().at(0), [Fact::Number("5")]);
}

#[test]
fn errors_say_where() {
    let wanted = pointers(&["/n", "/data/*/n"]);
    for (text, pointer) in [
        (r#"{"a":{"b":[1,{"c":1,"c":2}]}}"#, "/a/b/1/c"),
        (r#"{"n":1,"n":2}"#, "/n"),
        (r#"{"data":[{"n":1},{"N":1}]}"#, "/data/1/N"),
        (r#"{"a":[1,2,x]}"#, "/a/2"),
        (r#"{"a/b":{"~":nan}}"#, "/a~1b/~0"),
        (r#"{"n":"\ud800"}"#, "/n"),
        (r#"{"a":1} x"#, ""),
    ] {
        assert_eq!(strict(text.as_bytes(), &wanted).unwrap_err().pointer, pointer, "{text}");
    }
    let kelvin = strict("{\"\u{212a}ind\":1}".as_bytes(), &pointers(&["/kind"]));
    assert_eq!(kelvin.unwrap_err().problem, JsonProblem::OtherCase("kind".into()));
    assert!(response(br#"{"N":1,"n":2}"#, &wanted).is_ok());
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for wanted in [pointers(&[]), pointers(&["", "/0", "/0/0"])] {
        assert!(strict(deep(64).as_bytes(), &wanted).is_ok());
        for depth in [65, 127, 128, 129, 100_000] {
            assert!(strict(deep(depth).as_bytes(), &wanted).is_err(), "{depth}");
        }
    }
    let members = |count: usize| {
        let mut text = String::from("{\"n\":1");
        for number in 1..count {
            write!(text, ",\"k{number}\":0").unwrap();
        }
        text + "}"
    };
    assert!(strict(members(100_000).as_bytes(), &pointers(&["/n"])).is_ok());
    let error = strict(members(100_001).as_bytes(), &pointers(&["/n"])).unwrap_err();
    assert_eq!(error.problem, JsonProblem::TooMany);
    let items = format!("[{}0]", "0,".repeat(100_000));
    assert!(strict(items.as_bytes(), &pointers(&["/7"])).is_ok());
    assert_eq!(
        strict(items.as_bytes(), &pointers(&["/*"])).unwrap_err().problem,
        JsonProblem::TooMany
    );
}

/// Ten times the text may take about ten times as long; a hundred times would be quadratic.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test of time needs a clock")]
fn time_is_linear() {
    let time = |size: usize| {
        let text = format!("{{\"n\":1,\"x\":{{{}\"z\":\"{}\"}}}}", "", "y".repeat(size));
        let nested = format!("[{}0]", "{\"a\":[1,{\"b\":\"c\"}]},".repeat(size / 40));
        let start = Instant::now();
        assert!(strict(text.as_bytes(), &pointers(&["/n", "/x", "/x/z"])).is_ok());
        assert!(strict(nested.as_bytes(), &pointers(&["/0/a", ""])).is_ok());
        start.elapsed()
    };
    let (small, large) = (time(100_000), time(1_000_000));
    println!("100 kB {small:?}, 1 MB {large:?}");
    assert!(large < small * 60, "100 kB {small:?}, 1 MB {large:?}");
}
