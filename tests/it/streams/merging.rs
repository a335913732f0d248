//! How what several events say comes together, and what becomes of what cannot be true.

use http::HeaderMap;
use tollgate::meter::{
    Asked, Charge, Due, End, Held, Merge, OnDisconnect, ResponseSource, Watch, price_request,
};
use tollgate::observe::Streamed;

use crate::sample::{due, fixed, headers, integer, line, name, number, quantity, said};

const JSON: (&str, &str) = ("content-type", "application/json");
const SSE: (&str, &str) = ("content-type", "text/event-stream");
const LINES: (&str, &str) = ("content-type", "application/jsonl");

/// One credit for each; 100 are held, at least 2 are charged and at most 200 are likely.
fn route(response: Vec<ResponseSource>, merge: Merge) -> Due {
    let mut used = quantity("used", integer("2", "200"), Vec::new());
    used.default = Some(number("100"));
    (used.response, used.merge) = (response.into_iter().map(Into::into).collect(), merge);
    due(vec![used], vec![line(&["used"], fixed("1"))])
}

fn event(name: &str, at: &str) -> ResponseSource {
    ResponseSource::Event { name: name.to_owned(), at: at.parse().unwrap() }
}

fn held(due: &Due) -> Held {
    let asked = Asked {
        method: &http::Method::POST,
        captures: &[],
        query: "",
        headers: &HeaderMap::new(),
        body: None,
        plan: &name("pro"),
    };
    price_request(due, asked).unwrap()
}

/// What a body costs, with its flags.
fn charged(due: &Due, head: &[(&str, &str)], body: &[u8], end: End) -> String {
    let held = held(due);
    let charged = |size: usize| {
        let mut watch = Watch::new(due, 200, &headers(head));
        body.chunks(size).for_each(|part| watch.feed(part));
        let verdict = watch.finish(end, due, &held);
        let Charge::Settle { priced, .. } = &verdict.charge else {
            return format!("{:?}", verdict.charge);
        };
        let flags: String = verdict.flags.iter().map(|flag| format!(" {flag}")).collect();
        format!("{}{flags}", priced.total)
    };
    let whole = charged(usize::MAX);
    for size in [1, 2, 3, 5, 8, 13, 21] {
        assert_eq!(charged(size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn values_of_several_events() {
    use Merge::{Last, Max, Sum};
    for (values, last, max, sum) in [
        (&["3", "5"][..], "5", "5", "8"),
        (&["5", "3"], "5 decreasing_quantity:used", "5", "8"),
        (&["5", "null", "5"], "5", "5", "10"),
        (&["5", "0"], "5 decreasing_quantity:used", "5", "5"),
        (&["0"], "0", "0", "0"),
        (
            &["null"],
            "100 missing_quantity:used",
            "100 missing_quantity:used",
            "100 missing_quantity:used",
        ),
        // Below zero counts as the least that the range allows.
        (
            &["-3"],
            "2 negative_quantity:used",
            "2 negative_quantity:used",
            "2 negative_quantity:used",
        ),
        (
            &["5", "-3"],
            "5 negative_quantity:used",
            "5 negative_quantity:used",
            "7 negative_quantity:used",
        ),
        // What nobody can have used is passed over; a sum without it is not whole, and at least what was held.
        (
            &["5", "9007199254740993"],
            "5 absurd_quantity:used",
            "5 absurd_quantity:used",
            "100 absurd_quantity:used unreadable_quantity:used",
        ),
        (
            &["150", "1e300"],
            "150 absurd_quantity:used",
            "150 absurd_quantity:used",
            "150 absurd_quantity:used unreadable_quantity:used",
        ),
        (
            &["200001"],
            "100 absurd_quantity:used",
            "100 absurd_quantity:used",
            "100 absurd_quantity:used",
        ),
        (
            &["200000"],
            "200000 over_maximum:used",
            "200000 over_maximum:used",
            "200000 over_maximum:used",
        ),
        (
            &["5", "\"x\""],
            "5 unreadable_quantity:used",
            "5 unreadable_quantity:used",
            "100 unreadable_quantity:used",
        ),
        (
            &["1.5", "1.5"],
            "2 rounded_quantity:used",
            "2 rounded_quantity:used",
            "4 rounded_quantity:used",
        ),
    ] {
        let stream: String =
            values.iter().map(|value| format!("data: {{\"used\":{value}}}\n\n")).collect();
        let lines: String = values.iter().map(|value| format!("{{\"used\":{value}}}\n")).collect();
        for (merge, expected) in [(Last, last), (Max, max), (Sum, sum)] {
            let due = route(vec![said("/used")], merge);
            let what = format!("{values:?} {merge:?}");
            assert_eq!(charged(&due, &[SSE], stream.as_bytes(), End::Complete), expected, "{what}");
            assert_eq!(
                charged(&due, &[LINES], lines.as_bytes(), End::Complete),
                expected,
                "{what}"
            );
        }
    }
}

#[test]
fn only_events_of_that_name() {
    let due = route(vec![event("done", "/n"), event("start", "/n"), said("/whole")], Merge::Last);
    for (stream, expected) in [
        ("event: done\ndata: {\"n\":7}\n\n", "7"),
        ("event: start\ndata: {\"n\":3}\n\nevent: done\ndata: {\"n\":7}\n\n", "7"),
        ("event: start\ndata: {\"n\":9}\n\nevent: done\ndata: {\"n\":7}\n\n", "7"),
        ("event: start\ndata: {\"n\":3}\n\nevent: other\ndata: {\"n\":7}\n\n", "3"),
        // Without an `event` field its data may say its name; with one, that holds.
        ("data: {\"type\":\"done\",\"n\":7}\n\n", "7"),
        ("event: x\ndata: {\"type\":\"done\",\"n\":7}\n\n", "100 missing_quantity:used"),
        ("data: {\"type\":[\"done\"],\"n\":7}\n\n", "100 missing_quantity:used"),
        ("data: {\"n\":7}\n\n", "100 missing_quantity:used"),
        ("data: {\"whole\":4}\n\n", "4"),
    ] {
        assert_eq!(charged(&due, &[SSE], stream.as_bytes(), End::Complete), expected, "{stream}");
    }
    // A body that is no stream has no events.
    let body = b"{\"type\":\"done\",\"n\":7,\"whole\":4}";
    assert_eq!(charged(&due, &[JSON], body, End::Complete), "4");
}

#[test]
fn characters_and_bytes() {
    let at = |text: &str| ResponseSource::Characters(text.parse().unwrap());
    let due = route(vec![at("/choices/*/delta/content")], Merge::Last);
    let chunk =
        |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":{text}}}}}]}}\n\n");
    for (stream, expected) in [
        (chunk("\"abc\"") + &chunk("\"\u{1f3b5}\u{e9}\""), "5"),
        (chunk("\"\\ud83c\\udfb5\"") + &chunk("null") + &chunk("\"\""), "1"),
        (chunk("null"), "100 missing_quantity:used"),
        (chunk("\"abc\"") + &chunk("[1]"), "100 unreadable_quantity:used"),
        // Beyond what is kept of a text nothing is known of it.
        (chunk(&format!("\"{}\"", "x".repeat(70_000))), "100 unreadable_quantity:used"),
        (chunk(&format!("\"{}\"", "x".repeat(60_000))), "60000 over_maximum:used"),
        (
            chunk("\"abc\"") + &format!("data: {{\"content\":[{}1]}}\n\n", "1,".repeat(200_000)),
            "100 unreadable_quantity:used oversized_body",
        ),
    ] {
        assert_eq!(charged(&due, &[SSE], stream.as_bytes(), End::Complete), expected);
    }
    let due = route(vec![at("/text")], Merge::Last);
    assert_eq!(charged(&due, &[JSON], "{\"text\":\"été\"}".as_bytes(), End::Complete), "3");
    let due = route(vec![ResponseSource::BodyBytes], Merge::Last);
    let sound = ("content-type", "audio/mpeg");
    assert_eq!(charged(&due, &[sound], b"12345", End::Complete), "5");
    assert_eq!(charged(&due, &[sound], b"", End::Complete), "0");
    let coded = [sound, ("content-encoding", "gzip")];
    assert_eq!(charged(&due, &coded, b"12345", End::Complete), "5");
    let mut due = due;
    due.on_disconnect = OnDisconnect::Cancel;
    assert_eq!(charged(&due, &[sound], b"123", End::Cancelled), "3");
    assert_eq!(charged(&due, &[sound], b"123", End::Broken), "Hold");
}

#[test]
fn lists_in_several_events() {
    let count = |text: &str| ResponseSource::Count(text.parse().unwrap());
    let items = |text: &str| ResponseSource::Items(text.parse().unwrap());
    let stream = "data: {\"data\":[{\"url\":1},{}]}\n\ndata: {\"data\":[]}\n\ndata: {\"data\":[{\"url\":2}]}\n\n";
    for (source, merge, expected) in [
        (count("/data/*/url"), Merge::Sum, "2"),
        (count("/data/*/url"), Merge::Last, "1"),
        (items("/data"), Merge::Sum, "3"),
        (items("/data"), Merge::Max, "2"),
        (items("/data"), Merge::Last, "2 decreasing_quantity:used"),
        (count("/data/*/none"), Merge::Sum, "0"),
        (count("/none/*/url"), Merge::Sum, "100 missing_quantity:used"),
    ] {
        let due = route(vec![source.clone()], merge);
        let found = charged(&due, &[SSE], stream.as_bytes(), End::Complete);
        assert_eq!(found, expected, "{source:?} {merge:?}");
    }
}

/// The route says how a stream is written whose content type does not.
#[test]
fn formats_that_a_route_declares() {
    let plain = ("content-type", "text/plain");
    let octets = ("content-type", "application/octet-stream");
    let sound = ("content-type", "audio/mpeg");
    let lines = "{\"used\":3}\n{\"used\":5}\n";
    let events = "data: {\"used\":3}\n\ndata: {\"used\":5}\n\n";
    let unread = "100 missing_quantity:used unreadable_body";
    use Streamed::{Events, Items, Lines};
    for (format, head, body, expected) in [
        (Some(Lines), plain, lines, "8"),
        (Some(Lines), octets, lines, "8"),
        (Some(Lines), JSON, lines, "8"),
        (Some(Lines), JSON, "{\n\"used\":\n8}", "8"),
        (Some(Lines), SSE, events, "8"),
        (Some(Items), JSON, "[{\"used\":3},{\"used\":5}]", "8"),
        (Some(Items), plain, "[{\"used\":3}\n,{\"used\":5}", "8"),
        (Some(Items), LINES, lines, "8"),
        (Some(Events), plain, events, "8"),
        (Some(Events), JSON, "{\"used\":8}", "8"),
        (Some(Lines), sound, lines, "100 missing_quantity:used"),
        (None, plain, lines, unread),
        (None, JSON, lines, unread),
        (None, octets, lines, "100 missing_quantity:used"),
    ] {
        let mut due = route(vec![said("/used")], Merge::Sum);
        due.stream.format = format;
        let found = charged(&due, &[head], body.as_bytes(), End::Complete);
        assert_eq!(found, expected, "{format:?} {head:?} {body}");
    }
}

/// Amounts that cannot be counted are charged as held.
#[test]
fn more_than_can_be_counted() {
    let mut due = route(vec![said("/used")], Merge::Last);
    let mut used = quantity("used", integer("0", "9007199254740991"), Vec::new());
    used.default = Some(number("100"));
    used.response = vec![said("/used").into()];
    due.quantities = vec![used];
    let found = charged(&due, &[JSON], b"{\"used\":9007199254740991}", End::Complete);
    assert_eq!(found, "Full");
}
