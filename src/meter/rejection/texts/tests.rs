//! That every message is told in every language with the same facts.

use std::collections::HashSet;
use std::mem::discriminant;

use super::*;
use crate::credit::{Amount, DecimalError, Measure, PriceError};
use crate::ledger::OnUnknown;
use crate::meter::members::Fault;
use crate::meter::path::PathProblem;
use crate::meter::query::QueryProblem;
use crate::meter::why::{Flaw, Sort};
use crate::observe::{FormProblem, JsonProblem};

/// How many variants an enum has in its source: whoever adds one gives an example of it below.
fn variants(source: &str, name: &str) -> usize {
    let body = source.split(&format!("pub enum {name} {{\n")).nth(1).unwrap();
    let lines = body.split("\n}\n").next().unwrap().lines();
    let begins = |line: &&str| {
        line.strip_prefix("    ").is_some_and(|rest| rest.starts_with(char::is_uppercase))
    };
    lines.filter(begins).count()
}

fn kinds<'a, T: 'a>(examples: impl Iterator<Item = &'a T>) -> usize {
    examples.map(discriminant).collect::<HashSet<_>>().len()
}

/// A detail, and the facts that every text of it must say.
type Example = (Detail, &'static [&'static str]);

fn text(text: &str) -> String {
    text.to_owned()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn examples() -> Vec<Example> {
    let (required, available, held) = (amount("7.25"), amount("3.5"), amount("2.125"));
    let (name, plan) = (text("pace"), text("studio"));
    let cap = |measure, limit| Detail::Cap {
        name: text("daily"),
        measure,
        limit,
        used: 41_000_000,
        required: 3_000_000,
        resets_at: text("2026-11-23T00:00:00-03:00"),
    };
    let unsettled = |then| Detail::Unsettled {
        first: Box::new(Detail::TimedOut),
        held,
        until: text("2026-11-22T12:00:00Z"),
        then,
    };
    vec![
        (Detail::Connect, &["CONNECT"]),
        (Detail::OneHost, &["Host"]),
        (Detail::OtherHost, &["Host"]),
        (Detail::OneCoding, &["Transfer-Encoding", "chunked"]),
        (Detail::Path(PathProblem::DotSegment), &[]),
        (Detail::Unforwardable, &[]),
        (Detail::BrokenBody, &[]),
        (Detail::Unclear { why: "it has two lengths" }, &["it has two lengths"]),
        (Detail::Version, &["HTTP/1.1", "HTTP/1.0"]),
        (Detail::UserInTarget, &[]),
        (Detail::TwoIdentities, &[]),
        (Detail::Loop { name: text("edge") }, &["edge", "`via`"]),
        (Detail::Expectation, &["100-continue", "Expect"]),
        (Detail::LongHead { limit: 65_536 }, &["65536"]),
        (Detail::LongTarget { limit: 8_192 }, &["8192"]),
        (Detail::ManyHeaders { limit: 100 }, &["100"]),
        (Detail::SlowHead, &[]),
        (Detail::Query, &[]),
        (Detail::CreditsMax, &["Credits-Max", "12.5"]),
        (Detail::CreditsMaxTwice, &["Credits-Max"]),
        (Detail::Prefer, &["Prefer", "ASCII"]),
        (Detail::Metering { word: text("free") }, &["Prefer: metering=free", "quote"]),
        (Detail::Misread(Misread::of("limit", Fault::Range(1, 100))), &["limit", "1", "100"]),
        (Detail::LargeBody { limit: 65_536, plan: None }, &["65536"]),
        (Detail::LargeBody { limit: 65_536, plan: Some(plan.clone()) }, &["65536", "studio"]),
        (Detail::SlowBody, &[]),
        (Detail::Key, &["\"Authorization: Bearer tk_…\""]),
        (Detail::Charge { id: text("chg_1") }, &["chg_1"]),
        (Detail::Job, &["id"]),
        (Detail::Route { method: text("GET"), path: text("/v1/x") }, &["GET /v1/x"]),
        (Detail::Method { method: text("PUT") }, &["PUT"]),
        (Detail::NotInPlan { route: text("video"), plan: plan.clone() }, &["video", "studio"]),
        (Detail::PlanUnknown { plan: plan.clone() }, &["studio"]),
        (Detail::Restricted { until: text("2027-01-01") }, &["2027-01-01"]),
        (Detail::NotForKey { route: text("video") }, &["video"]),
        (
            Detail::OptionNotInPlan {
                quantity: text("size"),
                value: text("4k"),
                plan: plan.clone(),
            },
            &["size", "4k", "studio"],
        ),
        (Detail::Suspended, &[]),
        (Detail::Closed, &[]),
        (Detail::Unpriceable { pointer: text(""), why: Why::NoObject }, &[]),
        (
            Detail::Unpriceable {
                pointer: text("/n"),
                why: Why::Media { json: true, form: false },
            },
            &["/n", "application/json"],
        ),
        (Detail::AboveMax { hold: required, limit: available }, &["7.25", "Credits-Max", "3.5"]),
        (Detail::Flood, &[]),
        (Detail::Rate { name: name.clone() }, &["pace"]),
        (Detail::Slots { name: name.clone(), limit: 1 }, &["pace"]),
        (Detail::Slots { name, limit: 12 }, &["pace", "12"]),
        (cap(Measure::Requests, 1), &["daily", "1", "41000000", "2026-11-23T00:00:00-03:00"]),
        (cap(Measure::Requests, 20), &["daily", "20", "3000000", "2026-11-23T00:00:00-03:00"]),
        (cap(Measure::Credits, 500_000), &["daily", "0.5", "41", "2026-11-23T00:00:00-03:00"]),
        (cap(Measure::Credits, 50_000_000), &["daily", "50", "41", "2026-11-23T00:00:00-03:00"]),
        (Detail::OnHold { required, available, held }, &["7.25", "3.5", "2.125"]),
        (Detail::Insufficient { required, available, held }, &["7.25", "3.5", "2.125"]),
        (Detail::Unavailable, &[]),
        (Detail::Draining, &[]),
        (Detail::Websocket, &["WebSocket"]),
        (Detail::Unreached, &[]),
        (Detail::Undialled, &[]),
        (Detail::BrokeOff, &[]),
        (Detail::TimedOut, &[]),
        (Detail::CutOff, &[]),
        (unsettled(OnUnknown::Release), &["2.125", "2026-11-22T12:00:00Z"]),
        (unsettled(OnUnknown::Charge), &["2.125", "2026-11-22T12:00:00Z"]),
        (unsettled(OnUnknown::Hold), &["2.125", "2026-11-22T12:00:00Z"]),
    ]
}

fn whys() -> Vec<(Why, &'static [&'static str])> {
    let of = |flaw| Why::Quantity { name: "n".parse().unwrap(), flaw };
    let number = |text: &str| text.parse().unwrap();
    let name = || "size".parse().unwrap();
    vec![
        (of(Flaw::Required), &["n "]),
        (of(Flaw::Sort { wanted: Sort::Integer, found: Some(Sort::Text) }), &["n "]),
        (of(Flaw::Sort { wanted: Sort::Flag, found: None }), &["true", "false"]),
        (of(Flaw::Range { first: number("1"), last: number("10") }), &["1", "10"]),
        (of(Flaw::Words(vec![text("low"), text("high")])), &["low, high"]),
        (of(Flaw::LongWord(256)), &["256"]),
        (of(Flaw::TooLarge), &[]),
        (of(Flaw::BelowZero), &[]),
        (of(Flaw::NoValue), &[]),
        (of(Flaw::Differs), &[]),
        (of(Flaw::Digits), &[]),
        (of(Flaw::Number(DecimalError::Malformed)), &[]),
        (of(Flaw::Number(DecimalError::Negative)), &[]),
        (of(Flaw::Number(DecimalError::OutOfRange)), &[]),
        (of(Flaw::Unread), &[]),
        (of(Flaw::Uneven), &[]),
        (of(Flaw::Query(QueryProblem::Twice)), &[]),
        (of(Flaw::Query(QueryProblem::Escape)), &["UTF-8"]),
        (of(Flaw::Spelling), &[]),
        (of(Flaw::HeaderTwice), &[]),
        (of(Flaw::NotText), &[]),
        (of(Flaw::NotUtf8), &["UTF-8"]),
        (Why::InQuery { name: text("n") }, &["n "]),
        (Why::Query(QueryProblem::Semicolon), &[]),
        (Why::Json(JsonProblem::NotUtf8), &["UTF-8"]),
        (Why::Json(JsonProblem::ByteOrderMark), &[]),
        (Why::Json(JsonProblem::Syntax(text("EOF at line 3"))), &["JSON", "EOF at line 3"]),
        (Why::Json(JsonProblem::Duplicate), &[]),
        (Why::Json(JsonProblem::OtherCase(text("N"))), &["\"N\""]),
        (Why::Json(JsonProblem::TooDeep), &["64"]),
        (Why::Json(JsonProblem::TooMany), &[]),
        (Why::NoObject, &[]),
        (Why::Encoded, &["Content-Encoding"]),
        (Why::Media { json: true, form: false }, &["application/json", "UTF-8"]),
        (Why::Form(FormProblem::Twice(text("n"))), &["\"n\""]),
        (Why::Price(PriceError::Missing(name())), &["size"]),
        (Why::Price(PriceError::NotANumber(name())), &["size"]),
        (Why::Price(PriceError::NoRate(text("size 9"))), &["size 9"]),
        (Why::Price(PriceError::OutOfRange), &[]),
    ]
}

fn faults() -> Vec<Fault> {
    vec![
        Fault::Query,
        Fault::NotAnObject(text("EOF")),
        Fault::Malformed(text("EOF")),
        Fault::Example("POST"),
        Fault::Missing,
        Fault::NoMember,
        Fault::NoParameter,
        Fault::Twice,
        Fault::Range(1, 100),
        Fault::Cursor,
        Fault::Period,
        Fault::HeaderName,
        Fault::HeaderValue,
        Fault::OtherKey,
    ]
}

/// Every sentence in three languages: other words, the same facts, and written as the language is.
#[track_caller]
fn told(told: &[String; 3], facts: &[&str]) {
    let [english, portuguese, french] = told;
    for (at, text) in told.iter().enumerate() {
        assert!(facts.iter().all(|fact| text.contains(fact)), "{facts:?} in {text}");
        let odd = ["  ", "{", "}", "\n", " ,", " ."].iter().find(|odd| text.contains(**odd));
        assert!(odd.is_none(), "{odd:?} in {text}");
        // A plain space before a colon breaks a French line; the others have none there.
        let plain = [" :", " ;", " ?"].iter().any(|mark| text.contains(mark));
        assert!(!plain && (at == 2 || !text.contains('\u{a0}')), "{text:?}");
    }
    assert!(english != portuguese && english != french && portuguese != french, "{told:?}");
    assert!(!french.contains('\''), "{french}");
    assert!(english.is_ascii() || english.contains('…'), "{english}");
}

fn in_all(say: impl Fn(Language) -> String) -> [String; 3] {
    Language::ALL.map(say)
}

#[test]
fn every_detail_is_told_in_every_language() {
    let examples = examples();
    let source = include_str!("../message.rs");
    assert_eq!(kinds(examples.iter().map(|(one, _)| one)), variants(source, "Detail"));
    for (one, facts) in &examples {
        let all = in_all(|language| detail(language, one));
        let call = matches!(one, Detail::Misread(_));
        assert!(all.iter().all(|text| call || text.ends_with(['.', '?'])), "{all:?}");
        told(&all, facts);
    }
}

#[test]
fn every_title_is_told_in_every_language() {
    for cause in Cause::ALL {
        let all = in_all(|language| title(language, *cause).to_owned());
        assert!(all.iter().all(|text| text.chars().next().is_some_and(char::is_uppercase)));
        told(&all, &[]);
    }
}

/// Every problem of a form, and a fact of each.
fn form_problems() -> Vec<(FormProblem, &'static str)> {
    vec![
        (FormProblem::Boundary, "boundary"),
        (FormProblem::Charset, "UTF-8"),
        (FormProblem::Start, "boundary"),
        (FormProblem::Stray, "boundary"),
        (FormProblem::Tail, ""),
        (FormProblem::Unclosed, "boundary"),
        (FormProblem::PartHead, ""),
        (FormProblem::PartName, "Content-Disposition: form-data"),
        (FormProblem::Encoding, "Content-Transfer-Encoding"),
        (FormProblem::Nested, ""),
        (FormProblem::Name, "UTF-8"),
        (FormProblem::Semicolon, ""),
        (FormProblem::Method, "_method"),
        (FormProblem::TooMany, "1000"),
        (FormProblem::Spelling(text("size")), "size"),
        (FormProblem::Twice(text("size")), "size"),
        (FormProblem::NotText(text("size")), "size"),
        (FormProblem::NotUtf8(text("size")), "UTF-8"),
        (FormProblem::Escape(text("size")), "UTF-8"),
        (FormProblem::TooLong(text("size")), "1024"),
    ]
}

#[test]
fn every_why_and_fault_is_told_in_every_language() {
    let (whys, faults) = (whys(), faults());
    let flaws = whys.iter().filter_map(|(why, _)| match why {
        Why::Quantity { flaw, .. } => Some(flaw),
        _ => None,
    });
    let source = include_str!("../../why.rs");
    assert_eq!(kinds(flaws), variants(source, "Flaw"));
    assert_eq!(kinds(whys.iter().map(|(why, _)| why)), variants(source, "Why"));
    assert_eq!(kinds(faults.iter()), variants(include_str!("../../members.rs"), "Fault"));
    for (why, facts) in whys {
        let detail = Detail::Unpriceable { pointer: text("/n"), why };
        told(&in_all(|language| super::detail(language, &detail)), facts);
    }
    for fault in faults {
        let detail = Detail::Misread(Misread::of("path", fault));
        told(&in_all(|language| super::detail(language, &detail)), &["path"]);
    }
    for (json, form, facts) in [
        (false, true, &["multipart/form-data", "application/x-www-form-urlencoded"]),
        (true, true, &["application/json", "UTF-8"]),
    ] {
        let why = Why::Media { json, form };
        let detail = Detail::Unpriceable { pointer: text(""), why };
        told(&in_all(|language| super::detail(language, &detail)), facts);
    }
    let problems = form_problems();
    let source = include_str!("../../../observe/form/problem.rs");
    assert_eq!(kinds(problems.iter().map(|(problem, _)| problem)), variants(source, "FormProblem"));
    for (problem, fact) in problems {
        let detail = Detail::Unpriceable { pointer: text(""), why: Why::Form(problem) };
        told(&in_all(|language| super::detail(language, &detail)), &[fact]);
    }
    for problem in [
        PathProblem::NotAbsolute,
        PathProblem::EmptySegment,
        PathProblem::DotSegment,
        PathProblem::Semicolon,
        PathProblem::Slash,
        PathProblem::Control,
        PathProblem::Unencoded,
        PathProblem::Escape,
        PathProblem::NeedlessEscape,
        PathProblem::NotUtf8,
    ] {
        told(&in_all(|language| super::detail(language, &Detail::Path(problem))), &[]);
    }
}

#[test]
fn one_is_not_many() {
    let needs = |text: &str| {
        let required = amount(text);
        let detail = Detail::AboveMax { hold: required, limit: amount("0") };
        in_all(|language| super::detail(language, &detail))
    };
    for (credits, words) in [
        ("1", ["1 credit;", "1 crédito;", "1 crédit\u{a0};"]),
        ("1.5", ["1.5 credits;", "1.5 crédito;", "1.5 crédit\u{a0};"]),
        ("2", ["2 credits;", "2 créditos;", "2 crédits\u{a0};"]),
    ] {
        for (text, words) in needs(credits).iter().zip(words) {
            assert!(text.contains(words), "{text}");
        }
    }
}
