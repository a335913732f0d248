//! Requests and their prices.

use http::{HeaderMap, Method};
use tollgate::credit::{Rounding, Value};
use tollgate::meter::{
    Asked, Content, Due, Flaw, Held, Reason, RequestSource, Sort, Source, Unpriceable, ValueType,
    Why, price_request,
};

use crate::sample::{
    credits, due, fixed, headers, integer, json, line, name, number, quantity, seconds, table,
    words,
};

const JSON: (&str, &str) = ("content-type", "application/json");

struct Request<'a> {
    captures: &'a [(String, String)],
    query: &'a str,
    headers: HeaderMap,
    body: Option<&'a [u8]>,
}

fn ask(due: &Due, request: &Request<'_>) -> Result<Held, Unpriceable> {
    let asked = Asked {
        method: &Method::POST,
        captures: request.captures,
        query: request.query,
        headers: &request.headers,
        body: request.body.map(Content::Whole),
        plan: &name("pro"),
    };
    price_request(due, asked)
}

fn body<'a>(body: &'a [u8]) -> Request<'a> {
    Request { captures: &[], query: "", headers: headers(&[JSON]), body: Some(body) }
}

/// The value of the one quantity `q`, or the pointer of the refusal.
fn value_of(value: &ValueType, source: &RequestSource, text: &str) -> Result<Value, String> {
    let due =
        due(vec![quantity("q", value.clone(), vec![source.clone()])], vec![line(&[], fixed("1"))]);
    match ask(&due, &body(text.as_bytes())) {
        Ok(held) => Ok(held.facts.0.get(&name("q")).unwrap().clone()),
        Err(refused) => Err(refused.pointer),
    }
}

#[test]
fn json_values_are_exactly_of_their_type() {
    let whole = integer("1", "10");
    let free = ValueType::Decimal("0".parse().unwrap()..="1000000".parse().unwrap());
    let time = seconds("1", "60");
    let any = ValueType::Text(Vec::new());
    let listed = ValueType::Text(words(&["dall-e-3", "gpt-image-1"]));
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    for (value, json_text, expected) in [
        (&whole, "4", Some(number("4"))),
        (&whole, "10", Some(number("10"))),
        (&whole, "0", None),
        (&whole, "11", None),
        (&whole, "-1", None),
        (&whole, "-0", None),
        (&whole, "0.5", None),
        (&whole, "4.0", None),
        (&whole, "4e0", None),
        (&whole, "1e308", None),
        (&whole, "1e400", None),
        (&whole, "123456789012345678901234567890", None),
        (&whole, "18446744073709551620", None),
        (&whole, "\"4\"", None),
        (&whole, "true", None),
        (&whole, "[4]", None),
        (&whole, "{\"a\":4}", None),
        (&whole, "null", None),
        (&free, "0.5", Some(number("0.5"))),
        (&free, "1e3", Some(number("1000"))),
        (&free, "0.000000001", Some(number("0.000000001"))),
        (&free, "0.0000000001", None),
        (&free, "1000000.1", None),
        (&free, "\"0.5\"", None),
        (&time, "5", Some(number("5"))),
        (&time, "5.5", Some(number("5.5"))),
        (&time, "\"5\"", Some(number("5"))),
        (&time, "\"5s\"", Some(number("5"))),
        (&time, "\"5 s\"", None),
        (&time, "\"s\"", None),
        (&time, "\"5m\"", None),
        (&time, "\"-5s\"", None),
        (&time, "\"61s\"", None),
        (&time, "true", None),
        (&any, "\"x\"", text("x")),
        (&any, "\"\"", text("")),
        (&any, "4", None),
        (&any, "null", None),
        (&listed, "\"dall-e-3\"", text("dall-e-3")),
        (&listed, "\"dall\\u002de-3\"", text("dall-e-3")),
        (&listed, "\"DALL-E-3\"", None),
        (&listed, "\"dall-e-3 \"", None),
        (&listed, "\"dall‑e-3\"", None),
        (&ValueType::Flag, "true", Some(Value::Flag(true))),
        (&ValueType::Flag, "false", Some(Value::Flag(false))),
        (&ValueType::Flag, "1", None),
        (&ValueType::Flag, "\"true\"", None),
        (&ValueType::Flag, "null", None),
    ] {
        let read = value_of(value, &json("/a/n"), &format!("{{\"a\":{{\"n\":{json_text}}}}}"));
        assert_eq!(read, expected.ok_or_else(|| "/a/n".to_owned()), "{value:?} {json_text}");
    }
}

#[test]
fn counts_and_several_values() {
    let whole = integer("0", "100");
    let model = ValueType::Text(Vec::new());
    let items = RequestSource::Items("/d".parse().unwrap());
    let item_items = RequestSource::Items("/d/*".parse().unwrap());
    let one = RequestSource::Characters("/t".parse().unwrap());
    let all = RequestSource::Characters("/d/*/t".parse().unwrap());
    for (value, source, text, expected) in [
        (&whole, &items, r#"{"d":[]}"#, Ok("0")),
        (&whole, &items, r#"{"d":[1,[2,3],null]}"#, Ok("3")),
        (&whole, &items, r#"{"d":{}}"#, Err("/d")),
        (&whole, &items, r#"{"d":"abc"}"#, Err("/d")),
        (&whole, &item_items, r#"{"d":[[1],[2,3]]}"#, Ok("3")),
        (&whole, &one, r#"{"t":"abc"}"#, Ok("3")),
        (&whole, &one, r#"{"t":""}"#, Ok("0")),
        (&whole, &one, r#"{"t":"h\u00e9\ud83c\udfb5"}"#, Ok("3")),
        (&whole, &one, r#"{"t":["abc"]}"#, Err("/t")),
        (&whole, &one, r#"{"t":null}"#, Err("/t")),
        (&whole, &all, r#"{"d":[{"t":"abc"},{"t":"de"}]}"#, Ok("5")),
        (&whole, &all, r#"{"d":[{"t":"abc"},{"x":"de"}]}"#, Err("/d/*/t")),
        (&whole, &all, r#"{"d":[{"t":"abc"},"de"]}"#, Err("/d/*/t")),
        (&whole, &all, r#"{"d":[]}"#, Err("/d/*/t")),
        (&whole, &json("/d/*"), r#"{"d":[1,2,3]}"#, Ok("6")),
        (&whole, &json("/d/*"), r#"{"d":[60,60]}"#, Err("/d/*")),
        (&whole, &json("/d/1"), r#"{"d":[1,2]}"#, Ok("2")),
        (&model, &json("/d/*/m"), r#"{"d":[{"m":"a"},{"m":"a"}]}"#, Ok("a")),
        (&model, &json("/d/*/m"), r#"{"d":[{"m":"a"},{"m":"b"}]}"#, Err("/d/*/m")),
        (&whole, &RequestSource::BodyBytes, r#"{"t": 1}"#, Ok("8")),
    ] {
        let read = value_of(value, source, text).map(|value| value.to_string());
        assert_eq!(read, expected.map(str::to_owned).map_err(str::to_owned), "{source:?} {text}");
    }
}

#[test]
fn the_first_source_that_is_there_counts() {
    let mut n = quantity(
        "n",
        integer("1", "10"),
        vec![
            json("/n"),
            RequestSource::Header("x-n".parse().unwrap()),
            RequestSource::Query("n".into()),
            RequestSource::Path("n".into()),
        ],
    );
    let captures = [("n".to_owned(), "4".to_owned())];
    let request = |body: &'static str, list: &[(&str, &str)], query: &'static str| Request {
        captures: &captures,
        query,
        headers: headers(&[&[JSON], list].concat()),
        body: Some(body.as_bytes()),
    };
    let due_of = |n| due(vec![n], vec![line(&["n"], fixed("2"))]);
    let route = due_of(n.clone());
    for (request, expected) in [
        (request(r#"{"n":1}"#, &[("x-n", "2")], "n=3"), Ok("2")),
        (request("{}", &[("x-n", "2")], "n=3"), Ok("4")),
        (request("{}", &[("x-n", " 2\t")], "n=3"), Ok("4")),
        (request("{}", &[], "n=3"), Ok("6")),
        (request("{}", &[], "x=3"), Ok("8")),
        (request("", &[], "n=3"), Ok("6")),
        (request(r#"{"n":null}"#, &[("x-n", "2")], ""), Ok("4")),
        (request("{}", &[("x-n", "2"), ("x-n", "2")], ""), Err("header x-n")),
        (request("{}", &[("x-n", "2, 3")], ""), Err("header x-n")),
        (request("{}", &[("x-n", "")], ""), Err("header x-n")),
        (request("{}", &[("x-n", "2"), ("x_n", "9")], ""), Err("header x-n")),
        (request("{}", &[("x_n", "9")], ""), Err("header x-n")),
        (request("{}", &[("x-n", "é")], ""), Err("header x-n")),
        (request("{}", &[], "n=3&n=4"), Err("query n")),
        (request("{}", &[], "n=3&N=4"), Err("query n")),
        (request("{}", &[], "n=03"), Err("query n")),
        (request("{}", &[], "n=%2B3"), Err("query n")),
        (request("{}", &[], "n=3;x=1"), Err("query")),
        (request("[]", &[], ""), Err("")),
        (request(r#"[{"n":1},{"n":1}]"#, &[], "n=3"), Err("")),
        (request("{\"N\":3}", &[], ""), Err("/N")),
    ] {
        let priced =
            ask(&route, &request).map(|held| held.priced.total).map_err(|refused| refused.pointer);
        assert_eq!(priced, expected.map(credits).map_err(str::to_owned), "{}", request.query);
    }
    n.request.pop();
    let refused = ask(&due_of(n.clone()), &request("{}", &[], "")).unwrap_err();
    assert_eq!((refused.pointer.as_str(), refused.quantity), ("/n", Some(name("n"))));
    n.default = Some(number("5"));
    let held = ask(&due_of(n), &request("{}", &[], "")).unwrap();
    assert_eq!(held.priced.total, credits("10"));
    assert_eq!(held.facts.0.get(&name("plan")), Some(&Value::Text("pro".into())));
}

#[test]
fn what_a_head_must_say() {
    let in_json = due(
        vec![quantity("n", integer("1", "10"), vec![json("/n")])],
        vec![line(&["n"], fixed("1"))],
    );
    let bytes = integer("0", "1000");
    let by_size = due(
        vec![quantity("n", bytes, vec![RequestSource::BodyBytes])],
        vec![line(&["n"], fixed("1"))],
    );
    for (list, json_is, size_is) in [
        (&[("content-type", "application/json")][..], None, None),
        (&[("content-type", "Application/JSON; charset=UTF-8")], None, None),
        (&[("content-type", "application/json;charset=\"utf-8\"")], None, None),
        (&[("content-type", "application/vnd.x+json")], None, None),
        (&[("content-type", "application/json"), ("content-encoding", "identity")], None, None),
        (&[], Some(Reason::Media), None),
        (&[("content-type", "text/plain")], Some(Reason::Media), None),
        (
            &[("content-type", "application/json; charset*=utf-8''utf-16")],
            Some(Reason::Media),
            None,
        ),
        (&[("content-type", "application/jsonx")], Some(Reason::Media), None),
        (&[("content-type", "multipart/form-data; boundary=x")], Some(Reason::Media), None),
        (&[("content-type", "application/json; charset=utf-16")], Some(Reason::Media), None),
        (
            &[("content-type", "application/json; charset=utf-7; charset=utf-8")],
            Some(Reason::Media),
            None,
        ),
        (
            &[("content-type", "application/json"), ("content-type", "text/plain")],
            Some(Reason::Media),
            None,
        ),
        (
            &[("content-type", "application/json"), ("content-encoding", "gzip")],
            Some(Reason::Media),
            Some(Reason::Media),
        ),
        (
            &[("content-type", "application/json"), ("content-encoding", "identity, br")],
            Some(Reason::Media),
            Some(Reason::Media),
        ),
    ] {
        let request =
            Request { captures: &[], query: "", headers: headers(list), body: Some(br#"{"n":2}"#) };
        let reason = |due| ask(due, &request).err().map(|refused| refused.reason);
        assert_eq!(reason(&in_json), json_is, "{list:?}");
        assert_eq!(reason(&by_size), size_is, "{list:?}");
    }
    let unread = Request { body: None, ..body(b"") };
    assert!(ask(&in_json, &unread).is_err() && ask(&by_size, &unread).is_err());
}

#[test]
fn prices_are_exact_or_refused() {
    let model = quantity("model", ValueType::Text(Vec::new()), vec![json("/model")]);
    let n = quantity("n", integer("1", "9223372036854775807"), vec![json("/n")]);
    let by_model = table("model", &[("cheap", "1.5"), ("dear", "40")]);
    let images = due(vec![model, n], vec![line(&["n"], by_model)]);
    for (text, expected) in [
        (r#"{"model":"cheap","n":3}"#, Ok("4.5")),
        (r#"{"model":"dear","n":2}"#, Ok("80")),
        (r#"{"model":"Dear","n":2}"#, Err(("/model", Some("model")))),
        (r#"{"model":"","n":2}"#, Err(("/model", Some("model")))),
        (r#"{"model":"dear","n":9223372036854775807}"#, Err(("", None))),
        (r#"{"model":"dear","n":2,"n":2}"#, Err(("/n", None))),
        (r#"{"model":"dear","n":2,"x":{"y":1,"y":2}}"#, Err(("/x/y", None))),
        (r#"{"model":"dear","n":2} {}"#, Err(("", None))),
    ] {
        let priced = ask(&images, &body(text.as_bytes()));
        let total = priced.map(|held| held.priced.total);
        let expected = expected
            .map(credits)
            .map_err(|(place, quantity)| (place.to_owned(), quantity.map(name)));
        assert_eq!(
            total.map_err(|refused| (refused.pointer, refused.quantity)),
            expected,
            "{text}"
        );
    }
    let minutes = quantity("seconds", seconds("0", "7200"), vec![json("/seconds")]);
    let mut per_minute = line(&["seconds"], fixed("10"));
    per_minute.per = 60.try_into().unwrap();
    per_minute.rounding = Rounding::Started;
    let video = due(vec![minutes], vec![per_minute]);
    for (text, total) in [("0", "0"), ("1", "10"), ("60", "10"), ("60.1", "20"), ("\"90s\"", "20")]
    {
        let held = ask(&video, &body(format!("{{\"seconds\":{text}}}").as_bytes())).unwrap();
        assert_eq!(held.priced.total, credits(total), "{text}");
    }
}

#[test]
fn units_and_sizes_are_numbers() {
    let range = || "1".parse().unwrap()..="4194304".parse().unwrap();
    let pixels = ValueType::Pixels(range());
    let lines = ValueType::Unit("p".to_owned(), Box::new(ValueType::Integer(range())));
    let time = ValueType::Unit(" min".to_owned(), Box::new(seconds("0", "60")));
    for (value, json_text, expected) in [
        (&pixels, "1572864", Some("1572864")),
        (&pixels, "\"1024x1536\"", Some("1572864")),
        (&pixels, "\"1024*1536\"", Some("1572864")),
        (&pixels, "\"1572864\"", Some("1572864")),
        (&pixels, "\"4096x4096\"", None),
        (&pixels, "\"0x1024\"", None),
        (&pixels, "\"1024X1536\"", None),
        (&pixels, "\"1024x\"", None),
        (&pixels, "\"1024x1x1\"", None),
        (&pixels, "\"1024 x 1536\"", None),
        (&pixels, "\"01024x1536\"", None),
        (&pixels, "\"1e3x1e3\"", None),
        (&pixels, "\"auto\"", None),
        (&pixels, "\"4294967296x4294967296\"", None),
        (&pixels, "1.5", None),
        (&pixels, "true", None),
        (&lines, "\"720p\"", Some("720")),
        (&lines, "\"720\"", Some("720")),
        (&lines, "720", Some("720")),
        (&lines, "\"720P\"", None),
        (&lines, "\"720pp\"", None),
        (&lines, "\"p\"", None),
        (&lines, "\"0p\"", None),
        (&lines, "[720]", None),
        (&time, "\"5.5 min\"", Some("5.5")),
        (&time, "\"5s\"", Some("5")),
    ] {
        let read = value_of(value, &json("/n"), &format!("{{\"n\":{json_text}}}"));
        assert_eq!(read, expected.map(number).ok_or_else(|| "/n".to_owned()), "{json_text}");
    }
    let by_query = due(
        vec![quantity("n", lines, vec![RequestSource::Query("n".into())])],
        vec![line(&["n"], fixed("1"))],
    );
    let asked = Request { query: "n=720p", ..body(b"") };
    assert_eq!(ask(&by_query, &asked).unwrap().priced.total, credits("720"));
}

#[test]
fn sums_and_differences_of_what_is_there() {
    let characters =
        |pointer: &str| Source::One(RequestSource::Characters(pointer.parse().unwrap()));
    let query = || Source::One(RequestSource::Query("free".into()));
    let mut n = quantity("n", integer("1", "10"), Vec::new());
    let mut priced = |source: Source<RequestSource>, text: &'static str, query: &'static str| {
        n.request = vec![source, json("/other").into()];
        let due = due(vec![n.clone()], vec![line(&["n"], fixed("1"))]);
        let held = ask(&due, &Request { query, ..body(text.as_bytes()) });
        held.map(|held| held.priced.total).map_err(|refused| (refused.pointer, refused.why))
    };
    let both = || Source::SumOf(vec![characters("/a"), characters("/b")]);
    let less = || Source::Minus(vec![both(), query()]);
    let flaw = |flaw| Why::Quantity { name: name("n"), flaw };
    let range = || flaw(Flaw::Range { first: "1".parse().unwrap(), last: "10".parse().unwrap() });
    for (source, text, query, expected) in [
        (both(), r#"{"a":"abc","b":"de"}"#, "", Ok("5")),
        (both(), r#"{"b":"de"}"#, "", Ok("2")),
        (both(), r#"{"other":7}"#, "", Ok("7")),
        (both(), r#"{"a":"abcdef","b":"ghijkl"}"#, "", Err(("/a", range()))),
        (
            both(),
            r#"{"a":"abc","b":4}"#,
            "",
            Err(("/b", flaw(Flaw::Sort { wanted: Sort::Text, found: Some(Sort::Number) }))),
        ),
        (less(), r#"{"a":"abcdef","b":"ghijkl"}"#, "free=4", Ok("8")),
        (less(), r#"{"a":"abc"}"#, "", Ok("3")),
        (less(), r#"{"a":"abc"}"#, "free=4", Err(("/a", flaw(Flaw::BelowZero)))),
        (less(), r#"{"a":"abc"}"#, "free=3", Err(("/a", range()))),
        (less(), r#"{"a":"abc"}"#, "free=-1", Err(("query free", flaw(Flaw::Digits)))),
        (less(), r#"{"other":2}"#, "free=4", Ok("2")),
    ] {
        let expected = expected.map(credits).map_err(|(place, why)| (place.to_owned(), why));
        assert_eq!(priced(source, text, query), expected, "{text} {query}");
    }
}
