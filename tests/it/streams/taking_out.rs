//! Whatever is taken out of a stream, and however that is split: the client gets the very bytes that it would
//! have got, and the meter reads the same usage.

use http::HeaderMap;
use tollgate::meter::{Asked, Charge, Due, End, Held, TakeOut, Watch, price_request};
use tollgate::observe::EVENT_MAX;
use tollgate::proxy::TakingOut;

use crate::sample::{due, fixed, headers, integer, line, name, number, quantity, said};
use crate::world::{Dice, seed};

fn rule() -> TakeOut {
    TakeOut { member: "/usage".parse().unwrap(), alone: Some("/choices".parse().unwrap()) }
}

/// What passes of a stream that comes in these pieces.
fn passed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, complete: bool) -> Vec<u8> {
    let mut stream = TakingOut::new(rule());
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&stream.feed(piece));
    }
    out.extend_from_slice(&stream.finish(complete));
    out
}

/// A stream for which usage was asked, as it comes and as it would have come otherwise.
const PAIRS: &[(&str, &str)] = &[
    // OpenAI: a `null` in each, and a chunk of its own.
    (
        "data: {\"choices\":[{\"delta\":{}}],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"n\":7}}\n\ndata: [DONE]\n\n",
        "data: {\"choices\":[{\"delta\":{}}]}\n\ndata: [DONE]\n\n",
    ),
    // vLLM: only the chunk of its own. Lines end with CRLF, or with CR.
    (
        "data: {\"choices\":[{}]}\r\n\r\ndata: {\"choices\":[],\"usage\":{\"n\":7}}\r\n\r\ndata: [DONE]\r\n\r\n",
        "data: {\"choices\":[{}]}\r\n\r\ndata: [DONE]\r\n\r\n",
    ),
    (
        "data: {\"choices\":[{}]}\r\rdata: {\"choices\":[],\"usage\":{\"n\":7}}\r\rdata: [DONE]\r\r",
        "data: {\"choices\":[{}]}\r\rdata: [DONE]\r\r",
    ),
    // Azure: its first chunk has no choices either, and something to say.
    (
        "data: {\"choices\":[],\"prompt_filter_results\":[1],\"usage\":null}\n\ndata: {\"choices\":[], \"usage\": {\"n\":7}}\n\n",
        "data: {\"choices\":[],\"prompt_filter_results\":[1]}\n\n",
    ),
    // Comments, names, ids and retries stay, also those among the lines of what goes.
    (
        ": hi\n\nretry: 5\nid: 1\ndata: {\"choices\":[1], \"usage\": null, \"b\": 2}\nid: 2\n\n: a\nevent: x\ndata: {\"choices\":[],\"usage\":{\"n\":7}}\nid: 3\n\nevent: x\ndata: {\"choices\":[],\"usage\":{\"n\":7}}\n\nevent: y\ndata:{\"usage\":null}\n\n",
        ": hi\n\nretry: 5\nid: 1\ndata: {\"choices\":[1], \"b\": 2}\nid: 2\n\n: a\nid: 3\n\nevent: y\ndata:{}\n\n",
    ),
    // Data of several lines, and a last event without its blank line.
    (
        "\u{feff}data: {\r\ndata:   \"choices\": [\"é\"],\r\ndata:   \"usage\": null\r\ndata: }\r\n\r\ndata:\n\ndata: {\"choices\":\ndata: [],\"usage\":{\"n\":7}}",
        "\u{feff}data: {\r\ndata:   \"choices\": [\"é\"]\r\ndata: }\r\n\r\ndata:\n\n",
    ),
    // Names behind escapes; texts and inner members that only look like it; what is no JSON, or twice.
    (
        "data: {\"\\u0075sage\":null,\"t\":\"\\\"usage\\\":null\",\"x\":{\"usage\":1}}\n\ndata: {\"usage\":{\"n\":7},\"choices\":[1]}\n\ndata: usage {\n\ndata: {\"usage\":1,\"usage\":2}\n\ndata: [{\"usage\":null}]\n\n",
        "data: {\"t\":\"\\\"usage\\\":null\",\"x\":{\"usage\":1}}\n\ndata: {\"choices\":[1]}\n\ndata: usage {\n\ndata: {\"usage\":1,\"usage\":2}\n\ndata: [{\"usage\":null}]\n\n",
    ),
    // No usage comes at all, though it was asked for: every byte stays.
    (
        "\n\n: x\ndata: {\"choices\":[{}]}\n\n\n\r\r\ndelta: 1\nevent\ndata\n\nelse\n\ndata: {\"choices\":[]}\n\ndata: [DONE]",
        "\n\n: x\ndata: {\"choices\":[{}]}\n\n\n\r\r\ndelta: 1\nevent\ndata\n\nelse\n\ndata: {\"choices\":[]}\n\ndata: [DONE]",
    ),
];

fn tokens() -> Due {
    let mut tokens = quantity("n", integer("0", "200"), Vec::new());
    tokens.default = Some(number("100"));
    tokens.response = vec![said("/usage/n").into()];
    due(vec![tokens], vec![line(&["n"], fixed("1"))])
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

/// What a stream in these pieces costs.
fn cost<'a>(due: &Due, held: &Held, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let head = headers(&[("content-type", "text/event-stream")]);
    let mut watch = Watch::new(due, 200, &head);
    pieces.into_iter().for_each(|piece| watch.feed(piece));
    match watch.finish(End::Complete, due, held).charge {
        Charge::Settle { priced, .. } => priced.total.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_split_in_three_passes_the_same_and_costs_the_same() {
    let (due, mut cases) = (tokens(), 0_u32);
    let held = held(&due);
    for (asked, plain) in PAIRS {
        let all = asked.as_bytes();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(text(passed([all], true)), *plain);
        assert_eq!(text(passed(all.chunks(1), true)), *plain);
        // A stream for which nothing was asked passes as it is.
        assert_eq!(text(passed([plain.as_bytes()], true)), *plain);
        let costs = cost(&due, &held, [all]);
        assert_eq!(costs, if asked.contains(":7") { "7" } else { "100" }, "{asked}");
        for first in 0..=all.len() {
            for second in first..=all.len() {
                let pieces = [&all[..first], &all[first..second], &all[second..]];
                assert!(passed(pieces, true) == plain.as_bytes(), "{asked} at {first}, {second}");
                cases += 1;
            }
            let pieces = [&all[..first], &all[first..]];
            assert_eq!(cost(&due, &held, pieces), costs, "{asked} at {first}");
        }
    }
    println!("{cases} splits");
    assert!(cases > 60_000, "{cases}");
}

/// A stream of random events, as it comes and as it would have come.
fn stream(dice: &mut Dice) -> (Vec<u8>, Vec<u8>, Option<u64>) {
    let (mut asked, mut plain, mut usage) = (String::new(), String::new(), None);
    if dice.below(4) == 0 {
        asked.push('\u{feff}');
        plain.push('\u{feff}');
    }
    let both = |asked: &mut String, plain: &mut String, text: &str| {
        asked.push_str(text);
        plain.push_str(text);
    };
    // Asked for or not, as the service does it: with a `null` everywhere, or without.
    let (nulls, spaced) = (dice.below(2) == 0, if dice.below(2) == 0 { " " } else { "" });
    // One sort of line end: a LF behind a CR belongs to it, wherever that came from.
    let end = ["\n", "\r\n", "\r"][dice.pick(3)];
    for _ in 0..1 + dice.below(12) {
        let extra = [": comment", "id: 7", "retry: 10", "event: delta", "", "x"][dice.pick(6)];
        let lead = if extra.is_empty() { String::new() } else { format!("{extra}{end}") };
        let words = ["a", "\\\"usage\\\":null", "é\u{1f3b5}", "", "\\u00e9"][dice.pick(5)];
        match dice.below(8) {
            0 => both(&mut asked, &mut plain, &format!("{lead}{end}")),
            1 => both(&mut asked, &mut plain, &format!("{lead}data: {words}{end}{end}")),
            2 => {
                let total = dice.below(100);
                usage = usage.max(Some(total));
                let total = usage.unwrap();
                let data =
                    format!("{{\"choices\":{spaced}[],\"usage\":{spaced}{{\"n\":{total}}}}}");
                asked.push_str(&format!("data: {data}{end}{end}"));
            }
            _ => {
                let field =
                    if nulls { format!(",{spaced}\"usage\":{spaced}null") } else { String::new() };
                let head = format!("{lead}data:{spaced}{{\"choices\":[{{\"t\":\"{words}\"}}]");
                let tail = format!(",\"o\":1}}{end}{end}");
                asked.push_str(&format!("{head}{field}{tail}"));
                plain.push_str(&format!("{head}{tail}"));
            }
        }
    }
    (asked.into_bytes(), plain.into_bytes(), usage)
}

#[test]
fn any_stream_in_any_pieces() {
    const CASES: usize = 3_000;
    let mut dice = Dice(seed("any_stream_in_any_pieces"));
    let due = tokens();
    let held = held(&due);
    let mut with_usage = 0;
    for case in 0..CASES {
        let (asked, plain, usage) = stream(&mut dice);
        let mut pieces = Vec::new();
        let mut rest = asked.as_slice();
        let longest = 1 + dice.below(80);
        while !rest.is_empty() {
            let at = (1 + dice.pick(usize::try_from(longest).unwrap())).min(rest.len());
            let (piece, more) = rest.split_at(at);
            pieces.push(piece);
            rest = more;
        }
        let out = passed(pieces.iter().copied(), true);
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(shown(&out), shown(&plain), "case {case}: {:?}", shown(&asked));
        let expected = usage.map_or_else(|| "100".to_owned(), |usage| usage.to_string());
        assert_eq!(cost(&due, &held, pieces), expected, "case {case}: {:?}", shown(&asked));
        with_usage += usize::from(usage.is_some());
    }
    println!("{CASES} streams, {with_usage} with usage");
    assert!(with_usage > CASES / 4 && with_usage < CASES, "{with_usage}");
}

/// Bytes that nothing can change pass as they come; others wait for the end of their event alone.
#[test]
fn nothing_waits_longer_than_it_must() {
    let mut stream = TakingOut::new(rule());
    for (piece, passes) in [
        (": comm", ": comm"),
        ("ent\r", "ent\r"),
        ("\nid: 1", "\nid: 1"),
        ("\n\n", "\n\n"),
        ("d", ""),
        ("ata: ", ""),
        ("[DO", "data: [DO"),
        ("NE]\n", "NE]\n"),
        ("\n", "\n"),
        ("event: x\ndata: te", "event: x\ndata: te"),
        ("xt\ndata: {", "xt\ndata: {"),
        ("\n\ndata: {\"a\"", "\n\n"),
        (":1}", ""),
        ("\n", ""),
        ("\n", "data: {\"a\":1}\n\n"),
        ("event: ping\n", ""),
        ("\n", "event: ping\n\n"),
        ("data: {\"usage\":null}\r\n\r", "data: {}\r\n\r"),
        ("\n:", "\n:"),
    ] {
        let out = stream.feed(piece.as_bytes());
        assert_eq!(String::from_utf8_lossy(&out), passes, "{piece:?}");
    }
}

/// What is held is bounded: an event that is larger passes as it came.
#[test]
fn an_event_that_is_too_large_passes_as_it_came() {
    for size in [EVENT_MAX / 2, EVENT_MAX * 3] {
        let event = format!("data: {{\"t\":\"{}\",\"usage\":null}}\r\n\r\n", "x".repeat(size));
        let after = "data: {\"usage\":null}\n\n";
        let all = format!("{event}{after}");
        let kept = if size < EVENT_MAX { event.replace(",\"usage\":null", "") } else { event };
        for pieces in [1_000, 65_536, usize::MAX] {
            let out = passed(all.as_bytes().chunks(pieces), true);
            assert!(out == format!("{kept}data: {{}}\n\n").as_bytes(), "{size} in {pieces}");
        }
    }
}

/// A stream that breaks off has passed to its last byte, whatever that was.
#[test]
fn what_breaks_off_passes_as_far_as_it_came() {
    let (asked, _) = PAIRS[0];
    for at in 0..asked.len() {
        let whole = asked[..at].rfind("\n\n").map_or(0, |end| end + 2);
        let before = passed([&asked.as_bytes()[..whole]], true);
        let out = passed(asked.as_bytes()[..at].chunks(3), false);
        assert_eq!(out, [&before, &asked.as_bytes()[whole..at]].concat(), "at {at}");
    }
}
