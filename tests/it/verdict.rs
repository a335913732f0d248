//! Responses and what they cost.

use http::HeaderMap;
use tollgate::credit::{Facts, Value};
use tollgate::meter::{
    Asked, Charge, ChargeRule, Class, Due, End, Held, Missing, OnDisconnect, ResponseSource,
    Source, Test, Verdict, Watch, price_request,
};

use crate::sample::{
    credits, due, fixed, headers, integer, line, name, number, quantity, rule, said, words,
};

const JSON: (&str, &str) = ("content-type", "application/json");
const SSE: (&str, &str) = ("content-type", "text/event-stream; charset=utf-8");

/// One credit a token; 100 are held, and the answer says how many it was.
fn tokens() -> Due {
    let mut tokens = quantity("tokens", integer("0", "200"), Vec::new());
    tokens.default = Some(number("100"));
    tokens.response = vec![
        said("/usage/total").into(),
        ResponseSource::Header("x-tokens".parse().unwrap()).into(),
    ];
    due(vec![tokens], vec![line(&["tokens"], fixed("1"))])
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

fn verdict(due: &Due, status: u16, head: &[(&str, &str)], body: &[u8], end: End) -> Verdict {
    let mut watch = Watch::new(due, status, &headers(head));
    for frame in body.chunks(7) {
        watch.feed(frame);
    }
    watch.finish(end, due, &held(due))
}

/// Class, charge and flags in one line.
fn shown(verdict: &Verdict) -> String {
    let class = serde_json::to_value(verdict.class).unwrap();
    let charge = match &verdict.charge {
        Charge::Settle { priced, .. } => format!("settle {}", priced.total),
        Charge::Full => "full".to_owned(),
        Charge::None => "none".to_owned(),
        Charge::Fee(fee) => format!("fee {fee}"),
        Charge::Hold => "hold".to_owned(),
    };
    let flags: String = verdict.flags.iter().map(|flag| format!(" {flag}")).collect();
    format!("{} {charge}{flags}", class.as_str().unwrap())
}

fn check(due: &Due, status: u16, head: &[(&str, &str)], body: &str, end: End, expected: &str) {
    let verdict = verdict(due, status, head, body.as_bytes(), end);
    assert_eq!(shown(&verdict), expected, "{status} {head:?} {body} {end:?}");
}

#[test]
fn usage_from_json() {
    for (total, expected) in [
        ("42", "completed settle 42"),
        ("0", "completed settle 0"),
        ("100", "completed settle 100"),
        ("150", "completed settle 150"),
        ("201", "completed settle 201 over_maximum:tokens"),
        ("41.2", "completed settle 42 rounded_quantity:tokens"),
        ("4.2e1", "completed settle 42"),
        ("-0", "completed settle 0"),
        ("-1", "completed settle 0 negative_quantity:tokens"),
        ("NaN", "completed settle 100 missing_quantity:tokens unreadable_body"),
        ("\"42\"", "completed settle 100 unreadable_quantity:tokens"),
        ("true", "completed settle 100 unreadable_quantity:tokens"),
        ("[42]", "completed settle 100 unreadable_quantity:tokens"),
        ("null", "completed settle 100 missing_quantity:tokens"),
        ("1e300", "completed settle 100 absurd_quantity:tokens"),
        ("1e400", "completed settle 100 absurd_quantity:tokens"),
        ("200000", "completed settle 200000 over_maximum:tokens"),
        ("200001", "completed settle 100 absurd_quantity:tokens"),
        ("9223372036854775807", "completed settle 100 absurd_quantity:tokens"),
        ("42,\"total\":1", "completed settle 100 missing_quantity:tokens unreadable_body"),
    ] {
        let body = format!("{{\"usage\":{{\"total\":{total}}}}}");
        check(&tokens(), 200, &[JSON], &body, End::Complete, expected);
    }
}

#[test]
fn usage_that_is_not_in_the_json() {
    let missing = "completed settle 100 missing_quantity:tokens";
    let unread = |flag: &str| format!("{missing} {flag}");
    for (head, body, expected) in [
        (&[JSON][..], "{}", missing.to_owned()),
        (&[JSON], "{\"usage\":null}", missing.to_owned()),
        (&[JSON, ("x-tokens", "7")], "{}", "completed settle 7".to_owned()),
        (&[JSON, ("x-tokens", "7")], "{\"usage\":{\"total\":8}}", "completed settle 8".to_owned()),
        (
            &[("content-type", "audio/mpeg"), ("x-tokens", " 7 ")],
            "ID3",
            "completed settle 7".to_owned(),
        ),
        (
            &[JSON, ("x-tokens", "7"), ("x-tokens", "7")],
            "{}",
            "completed settle 100 unreadable_quantity:tokens".to_owned(),
        ),
        (
            &[JSON, ("x-tokens", "-7")],
            "{}",
            "completed settle 0 negative_quantity:tokens".to_owned(),
        ),
        (&[JSON], "oops", unread("unreadable_body")),
        (&[("content-type", "text/plain")], "{\"usage\":{\"total\":8}}", unread("unreadable_body")),
        (&[], "{\"usage\":{\"total\":8}}", unread("unreadable_body")),
        (&[JSON, ("content-encoding", "gzip")], "xx", unread("encoded_body")),
    ] {
        check(&tokens(), 200, head, body, End::Complete, &expected);
    }
    // What is long in an answer are images and sound, as one text: it is passed over.
    let image = format!("{{\"x\":\"{}\",\"usage\":{{\"total\":8}}}}", "x".repeat(2_000_000));
    check(&tokens(), 200, &[JSON], &image, End::Complete, "completed settle 8");
    let large = format!("{{\"x\":[{}1],\"usage\":{{\"total\":8}}}}", "1,".repeat(1_000_000));
    check(&tokens(), 200, &[JSON], &large, End::Complete, &unread("oversized_body"));
    let mut route = tokens();
    route.quantities[0].missing = Missing::Value(number("3"));
    check(&route, 200, &[JSON], "{}", End::Complete, "completed settle 3 missing_quantity:tokens");
}

#[test]
fn usage_from_streams() {
    let mut route = tokens();
    route.stream.end = Some("[DONE]".to_owned());
    let event = |data: &str| format!("data: {data}\n\n");
    let usage = |total: &str| event(&format!("{{\"usage\":{{\"total\":{total}}}}}"));
    let done = event("[DONE]");
    let text = event("{\"delta\":\"hi\",\"usage\":null}");
    for (body, expected) in [
        (text.repeat(3) + &usage("42") + &done, "completed settle 42"),
        (usage("1") + &usage("42") + &text + &done, "completed settle 42"),
        (usage("42") + &usage("7") + &done, "completed settle 42 decreasing_quantity:tokens"),
        (usage("42") + &usage("-7") + &done, "completed settle 42 negative_quantity:tokens"),
        (text.clone() + &done, "completed settle 100 missing_quantity:tokens"),
        (event("ping") + &usage("42") + &done, "completed settle 42"),
        (
            event("{\"\\u0074otal\":1,\"\\u0075sage\":{\"\\u0074otal\":42}}") + &done,
            "completed settle 42",
        ),
        (usage("42") + "data: [DONE]", "completed settle 42"),
        (usage("42"), "unknown hold broken_body"),
        (String::new(), "unknown hold broken_body"),
        (event(&"x".repeat(300_000)) + &usage("42") + &done, "completed settle 42"),
        (
            event(&"x".repeat(300_000)) + &done,
            "completed settle 100 missing_quantity:tokens oversized_body",
        ),
    ] {
        check(&route, 200, &[SSE], &body, End::Complete, expected);
    }
    check(&tokens(), 200, &[SSE], &usage("42"), End::Complete, "completed settle 42");
    check(&tokens(), 200, &[SSE], &usage("42"), End::Broken, "unknown hold broken_body");
}

/// Anthropic's last event has a name, and data with spaces behind it.
#[test]
fn streams_that_end_by_the_name_of_an_event() {
    let mut route = tokens();
    route.stream.end_event = Some("message_stop".to_owned());
    let usage = "event: message_delta\ndata: {\"usage\":{\"total\":42}}   \n\n";
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}   \n\n";
    let unknown = "unknown hold broken_body";
    for (body, expected) in [
        (format!("{usage}{stop}"), "completed settle 42"),
        (format!("{usage}event: message_stop\ndata: {{}}"), "completed settle 42"),
        (usage.to_owned(), unknown),
        (format!("{usage}event: message_stop_\ndata: {{}}\n\n"), unknown),
        // What a model says is data, not a name; and an event without data is none.
        (format!("{usage}data: event: message_stop\n\n"), unknown),
        (format!("{usage}data: [DONE]\n\n"), unknown),
        (format!("{usage}event: message_stop\n\n"), unknown),
    ] {
        check(&route, 200, &[SSE], &body, End::Complete, expected);
    }
    check(&route, 200, &[SSE], usage, End::Broken, unknown);
    // With both, either ends it.
    route.stream.end = Some("[DONE]".to_owned());
    for end in [stop, "data: [DONE]\n\n"] {
        let body = format!("{usage}{end}");
        check(&route, 200, &[SSE], &body, End::Complete, "completed settle 42");
    }
}

#[test]
fn a_body_that_breaks_off_is_unknown() {
    let whole = "{\"usage\":{\"total\":42}}";
    let length = |number: &'static str| [JSON, ("content-length", number)];
    let unknown = "unknown hold broken_body";
    check(&tokens(), 200, &length("22"), whole, End::Complete, "completed settle 42");
    check(&tokens(), 200, &length("23"), whole, End::Complete, unknown);
    check(&tokens(), 200, &length("22"), whole, End::Broken, unknown);
    check(&tokens(), 200, &[JSON], &whole[..10], End::Broken, unknown);
    check(&tokens(), 204, &[], "", End::Complete, "completed settle 100 missing_quantity:tokens");
    check(&tokens(), 500, &[JSON], "", End::Broken, "failed none");
    let mut route = tokens();
    route.outcomes = vec![
        rule(&[(200, 299)], Some(("/error", Test::Exists(true))), Class::Failed, ChargeRule::None),
        rule(
            &[(200, 299)],
            Some(("/done", Test::Exists(true))),
            Class::Completed,
            ChargeRule::Settle,
        ),
        rule(&[(206, 206)], None, Class::Completed, ChargeRule::Full),
        rule(&[(200, 200)], None, Class::Partial, ChargeRule::Settle),
    ];
    let events = "data: {\"usage\":{\"total\":42}}\n\n";
    check(&route, 200, &[SSE], events, End::Broken, "partial settle 42 broken_body");
    check(&route, 206, &[SSE], events, End::Broken, unknown);
    let failed = format!("{events}data: {{\"error\":{{}}}}\n\n");
    check(&route, 200, &[SSE], &failed, End::Broken, "failed none broken_body");
    let done = format!("{events}data: {{\"done\":1}}\n\n");
    check(&route, 200, &[SSE], &done, End::Complete, "completed settle 42");
    check(&route, 206, &[SSE], &done, End::Broken, unknown);
}

#[test]
fn outcomes_by_status_and_body() {
    for (status, expected) in [
        (200, "completed settle 42"),
        (201, "completed settle 42"),
        (299, "completed settle 42"),
        (302, "failed none"),
        (400, "rejected none"),
        (429, "rejected none"),
        (499, "rejected none"),
        (500, "failed none"),
        (599, "failed none"),
        (101, "failed none"),
    ] {
        check(&tokens(), status, &[JSON], "{\"usage\":{\"total\":42}}", End::Complete, expected);
    }
    let mut route = tokens();
    let failed = || Test::In(words(&["failed", "error"]));
    route.outcomes = vec![
        rule(&[(200, 299)], Some(("/status", failed())), Class::Failed, ChargeRule::None),
        rule(
            &[],
            Some(("/code", Test::Prefix("content_".into()))),
            Class::Blocked,
            ChargeRule::Fee(credits("5")),
        ),
        rule(&[], Some(("/images", Test::Items(2))), Class::Completed, ChargeRule::Full),
        rule(&[(202, 202)], None, Class::Pending, ChargeRule::Hold),
        rule(
            &[(200, 200)],
            Some(("/usage", Test::Exists(false))),
            Class::Partial,
            ChargeRule::Fee(credits("500")),
        ),
    ];
    for (status, body, expected) in [
        (200, r#"{"status":"failed","usage":{"total":1}}"#, "failed none"),
        (200, r#"{"status":"done","usage":{"total":1}}"#, "completed settle 1"),
        (500, r#"{"status":"failed"}"#, "failed none"),
        (400, r#"{"code":"content_policy"}"#, "blocked fee 5"),
        (200, r#"{"images":[1,2]}"#, "completed full"),
        (202, r#"{"status":"queued"}"#, "pending hold"),
        (202, r#"{"status":"failed"}"#, "failed none"),
        (200, "{}", "partial fee 100"),
        // What cannot be read passes no test: it is completed, and charged as held.
        (200, "oops", "completed settle 100 unreadable_body missing_quantity:tokens"),
    ] {
        check(&route, status, &[JSON], body, End::Complete, expected);
    }
    let stream =
        "data: {\"status\":\"error\"}\n\ndata: {\"status\":\"done\",\"usage\":{\"total\":3}}\n\n";
    check(&route, 200, &[SSE], stream, End::Complete, "failed none");
}

#[test]
fn a_client_that_left() {
    let mut route = tokens();
    route.on_disconnect = OnDisconnect::Cancel;
    route.quantities[0].missing = Missing::Value(number("0"));
    let usage = "data: {\"usage\":{\"total\":42}}\n\n";
    check(&route, 200, &[SSE], usage, End::Cancelled, "cancelled settle 42");
    // A declared value stands for answers that do not say; here nobody waited for the answer.
    check(&route, 200, &[SSE], "", End::Cancelled, "cancelled settle 100 missing_quantity:tokens");
    check(
        &route,
        200,
        &[JSON],
        "{\"usa",
        End::Cancelled,
        "cancelled settle 100 missing_quantity:tokens",
    );
    check(&route, 503, &[JSON], "{", End::Cancelled, "failed none");
    route.outcomes = vec![
        rule(&[], Some(("/error", Test::Exists(true))), Class::Failed, ChargeRule::None),
        rule(&[], None, Class::Cancelled, ChargeRule::Full),
    ];
    check(&route, 200, &[SSE], usage, End::Cancelled, "cancelled full");
    check(&route, 200, &[SSE], "data: {\"error\":1}\n\n", End::Cancelled, "failed none");
}

#[test]
fn what_the_head_alone_decides() {
    let known = |due: &Due, status: u16, head: &[(&str, &str)]| {
        let watch = Watch::new(due, status, &headers(head));
        watch.known_at_head(due, &held(due)).map(|verdict| shown(&verdict))
    };
    assert_eq!(known(&tokens(), 200, &[JSON]), None);
    assert_eq!(known(&tokens(), 200, &[JSON, ("x-tokens", "7")]), None);
    assert_eq!(known(&tokens(), 429, &[JSON]), Some("rejected none".to_owned()));
    let mut route = tokens();
    route.quantities[0].response.reverse();
    let assumed = "completed settle 7 completeness_assumed";
    assert_eq!(known(&route, 200, &[("x-tokens", "7")]), Some(assumed.to_owned()));
    route.quantities[0].response.clear();
    let flat = "completed settle 100 completeness_assumed";
    assert_eq!(known(&route, 200, &[]), Some(flat.to_owned()));
    route.outcomes = vec![
        rule(&[(202, 202)], None, Class::Pending, ChargeRule::Hold),
        rule(&[], Some(("/error", Test::Exists(true))), Class::Failed, ChargeRule::None),
    ];
    assert_eq!(known(&route, 202, &[]), None);
    assert_eq!(known(&route, 200, &[JSON]), None);
}

/// What a sum or difference of two places comes to.
#[test]
fn sums_and_differences_of_an_answer() {
    let header = || ResponseSource::Header("x-cached".parse().unwrap());
    let total = || Source::One(said("/usage/total"));
    let sum = Source::SumOf(vec![total(), said("/usage/more").into()]);
    let less = Source::Minus(vec![total(), header().into(), said("/usage/free").into()]);
    let mut route = tokens();
    for (source, head, usage, expected) in [
        (&sum, None, r#""total":40,"more":2"#, "settle 42"),
        (&sum, None, r#""total":40,"more":null"#, "settle 40"),
        (&sum, None, r#""more":2"#, "settle 2"),
        (&sum, None, r#""total":"x","more":2"#, "settle 100 unreadable_quantity:tokens"),
        (&sum, None, r#""other":1"#, "settle 100 missing_quantity:tokens"),
        (&sum, None, r#""total":150,"more":150"#, "settle 300 over_maximum:tokens"),
        (&sum, None, r#""total":1.5,"more":2"#, "settle 4 rounded_quantity:tokens"),
        (&less, Some("10"), r#""total":40,"free":1"#, "settle 29"),
        (&less, None, r#""total":40"#, "settle 40"),
        (&less, Some("40"), r#""total":40"#, "settle 0"),
        (&less, Some("41"), r#""total":40,"free":3"#, "settle 0 clamped_quantity:tokens"),
        (&less, Some("-1"), r#""total":40"#, "settle 40 negative_quantity:tokens"),
        (&less, Some("10"), r#""free":3"#, "settle 100 missing_quantity:tokens"),
    ] {
        route.quantities[0].response = vec![source.clone()];
        let mut lines = vec![JSON];
        lines.extend(head.map(|value| ("x-cached", value)));
        let body = format!("{{\"usage\":{{{usage}}}}}");
        check(&route, 200, &lines, &body, End::Complete, &format!("completed {expected}"));
    }
    // Known at the head only once every header is there; what is missing may come as a trailer.
    let other = || ResponseSource::Header("x-other".parse().unwrap());
    route.quantities[0].response = vec![Source::SumOf(vec![header().into(), other().into()])];
    let known = |head: &[(&str, &str)]| {
        let watch = Watch::new(&route, 200, &headers(head));
        watch.known_at_head(&route, &held(&route)).map(|verdict| shown(&verdict))
    };
    let both = known(&[("x-cached", "3"), ("x-other", "4")]);
    assert_eq!(both.as_deref(), Some("completed settle 7 completeness_assumed"));
    assert_eq!(known(&[("x-cached", "3")]), None);
    let mut watch = Watch::new(&route, 200, &headers(&[("x-cached", "3")]));
    watch.trailers(&headers(&[("x-other", "9")]));
    assert_eq!(shown(&watch.finish(End::Complete, &route, &held(&route))), "completed settle 12");
}

#[test]
fn trailers_and_facts() {
    let mut route = tokens();
    route.quantities[0].response = vec![ResponseSource::Header("x-tokens".parse().unwrap()).into()];
    let mut watch = Watch::new(&route, 200, &headers(&[("content-type", "audio/mpeg")]));
    watch.feed(b"ID3");
    watch.trailers(&headers(&[("x-tokens", "9")]));
    let verdict = watch.finish(End::Complete, &route, &held(&route));
    let Charge::Settle { facts: Facts(facts), priced } = &verdict.charge else {
        panic!("{verdict:?}");
    };
    assert_eq!(facts.get(&name("tokens")), Some(&number("9")));
    assert_eq!(facts.get(&name("plan")), Some(&Value::Text("pro".into())));
    assert_eq!(priced.total, credits("9"));
    assert!(verdict.flags.is_empty());
}

#[test]
fn sound_has_no_fields() {
    let sound = ("content-type", "audio/mpeg");
    let mut route = tokens();
    let missing = "settle 100 missing_quantity:tokens";
    check(&route, 200, &[sound], "ID3", End::Complete, &format!("completed {missing}"));
    route.outcomes = vec![
        rule(&[], Some(("/error", Test::Exists(true))), Class::Failed, ChargeRule::None),
        rule(&[], Some(("/error", Test::Exists(false))), Class::Partial, ChargeRule::Settle),
    ];
    check(&route, 200, &[sound], "ID3", End::Complete, &format!("partial {missing}"));
}

#[test]
fn every_split_costs_the_same() {
    let mut route = tokens();
    route.stream.end = Some("[DONE]".to_owned());
    let streams: [&[u8]; 3] = [
        b"data: {\"usage\":{\"total\":1}}\r\n\r\ndata: {\"usage\":\r\ndata: {\"total\":42}}\r\n\r\ndata: [DONE]\r\n\r\n",
        b"\xef\xbb\xbfdata: {\"t\":\"\xc3\xa9\xf0\x9f\x8e\xb5\",\"usage\":{\"total\":42}}\r\r: p\rdata: [DONE]\r\r",
        b"data: {\"usage\":{\"total\":42}}\n\ndata: {\"usage\":null}\n\nevent: end\ndata: [DONE]",
    ];
    let held = held(&route);
    let mut cases = 0;
    for stream in streams {
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let mut watch = Watch::new(&route, 200, &headers(&[SSE]));
                for frame in [&stream[..first], &stream[first..second], &stream[second..]] {
                    watch.feed(frame);
                }
                let verdict = watch.finish(End::Complete, &route, &held);
                assert_eq!(shown(&verdict), "completed settle 42", "split at {first} and {second}");
                cases += 1;
            }
        }
    }
    println!("{cases} splits");
    assert!(cases > 8_000, "{cases}");
}

/// Every class of a rule that matches by status, at every end, of a success and of a failure.
#[test]
fn rules_and_ends() {
    use Class::{Blocked, Cancelled, Completed, Failed, Partial, Pending, Rejected, Unknown};
    let classes = [Completed, Partial, Failed, Rejected, Blocked, Cancelled, Pending, Unknown];
    for class in classes {
        for (status, end) in [200, 500].into_iter().flat_map(|status| {
            [End::Complete, End::Broken, End::Cancelled].map(|end| (status, end))
        }) {
            let mut route = tokens();
            route.outcomes = vec![rule(&[], None, class, ChargeRule::Fee(credits("5")))];
            let judged = verdict(&route, status, &[JSON], b"{", end);
            let by_rule = (class, Charge::Fee(credits("5")));
            let expected = match (status, end, class) {
                (500, ..) | (_, End::Complete, _) => by_rule,
                (_, End::Broken, Partial) | (_, End::Cancelled, Cancelled) => by_rule,
                (_, End::Broken, _) => (Unknown, Charge::Hold),
                _ => (Cancelled, verdict(&tokens(), 200, &[JSON], b"{}", End::Complete).charge),
            };
            assert_eq!((judged.class, judged.charge), expected, "{class:?} {status} {end:?}");
        }
    }
}

#[test]
fn several_body_tests_must_all_pass() {
    let mut due = tokens();
    let mut both = rule(
        &[(200, 299)],
        Some(("/status", Test::In(vec!["canceled".to_owned()]))),
        Class::Cancelled,
        ChargeRule::Settle,
    );
    both.body.push(("/usage/total".parse().unwrap(), Test::Exists(true)));
    let mut unsaid = both.clone();
    unsaid.body[1].1 = Test::Exists(false);
    unsaid.charge = ChargeRule::None;
    due.outcomes = vec![both, unsaid];
    let broken = "unknown hold broken_body";
    for (head, body, end, expected) in [
        (JSON, r#"{"status":"canceled","usage":{"total":4}}"#, End::Complete, "cancelled settle 4"),
        (JSON, r#"{"status":"canceled"}"#, End::Complete, "cancelled none"),
        (JSON, r#"{"status":"done","usage":{"total":4}}"#, End::Complete, "completed settle 4"),
        // Each may pass in an event of its own.
        (
            SSE,
            "data: {\"usage\":{\"total\":4}}\n\ndata: {\"status\":\"canceled\"}\n\n",
            End::Complete,
            "cancelled settle 4",
        ),
        (SSE, "data: {\"status\":\"canceled\"}\n\n", End::Complete, "cancelled none"),
        (SSE, "data: {\"usage\":{\"total\":4}}\n\n", End::Complete, "completed settle 4"),
        // Of what has broken off only what has been seen is proven: what is missing may still have come.
        (
            SSE,
            "data: {\"usage\":{\"total\":4}}\n\ndata: {\"status\":\"canceled\"}\n\n",
            End::Broken,
            "cancelled settle 4 broken_body",
        ),
        (SSE, "data: {\"status\":\"canceled\"}\n\n", End::Broken, broken),
        (SSE, "data: {\"usage\":{\"total\":4}}\n\n", End::Broken, broken),
    ] {
        check(&due, 200, &[head], body, end, expected);
    }
}
