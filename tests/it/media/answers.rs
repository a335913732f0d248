//! Answers that are sounds or films, and what they cost by how long they last.

use http::HeaderMap;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use tollgate::meter::{
    Asked, Charge, ChargeRule, Class, Due, End, Held, Missing, Quantity, RequestSource,
    ResponseSource, Source, ValueType, Watch, price_request,
};

use super::bytes::{PLAIN, chunk, mp3, mp3_index, mp4, mp4_box, mp4_track, noise, wav, words};
use super::generated::{MADE, made};
use super::{hostile, read};
use crate::sample::{
    decimal, due, fixed, headers, integer, line, name, number, quantity, rule, said, seconds,
};
use crate::streams::CODINGS;

const SOUND: (&str, &str) = ("content-type", "audio/mpeg");
const JSON: (&str, &str) = ("content-type", "application/json");
const MISSING: &str = "600 missing_quantity:used";

/// One credit for each; 600 are held, or what the header `x-asked` says.
fn of(value: ValueType, response: &[ResponseSource]) -> Due {
    let asked = vec![RequestSource::Header("x-asked".parse().unwrap())];
    let response = response.iter().cloned().map(Into::into).collect();
    let default = Some(number("600"));
    let used = Quantity { default, response, ..quantity("used", value, asked) };
    due(vec![used], vec![line(&["used"], fixed("1"))])
}

fn by_length() -> Due {
    of(seconds("0", "600"), &[ResponseSource::MediaSeconds])
}

fn held(due: &Due, head: &[(&str, &str)]) -> Held {
    let asked = Asked {
        method: &http::Method::POST,
        captures: &[],
        query: "",
        headers: &headers(head),
        body: None,
        plan: &name("pro"),
    };
    price_request(due, asked).unwrap()
}

/// A response: its head, how it ends.
#[derive(Clone, Copy)]
struct Told<'a> {
    status: u16,
    head: &'a [(&'a str, &'a str)],
    end: End,
}

const WHOLE: Told<'_> = Told { status: 200, head: &[SOUND], end: End::Complete };

/// What it costs if it comes in these pieces, with its flags.
fn cost<'a>(due: &Due, told: Told<'_>, pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let held = held(due, &[]);
    let mut watch = Watch::new(due, told.status, &headers(told.head));
    pieces.for_each(|piece| watch.feed(piece));
    let verdict = watch.finish(told.end, due, &held);
    let cost = match &verdict.charge {
        Charge::Settle { priced, .. } => priced.total.to_string(),
        other => format!("{other:?}"),
    };
    verdict.flags.iter().fold(cost, |cost, flag| format!("{cost} {flag}"))
}

fn charged(due: &Due, told: Told<'_>, body: &[u8]) -> String {
    let whole = cost(due, told, body.chunks(usize::MAX));
    for size in [13, 1_000, 65_536] {
        assert_eq!(cost(due, told, body.chunks(size)), whole, "in pieces of {size}");
    }
    whole
}

/// A number of milliseconds as an amount of seconds.
fn amount(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A WAV of so many milliseconds; its header does not say how many.
fn sound(ms: usize) -> Vec<u8> {
    wav(PLAIN, &[chunk("data", 0, &vec![0; ms * 8])])
}

#[test]
fn an_answer_costs_what_it_lasts() {
    let due = by_length();
    for made in MADE.iter().filter(|made| made.ms <= 60_000) {
        let file = made.bytes();
        let ms = read(&file, usize::MAX).unwrap();
        assert_eq!(charged(&due, WHOLE, &file), amount(ms), "{}", made.name());
        assert!(ms.abs_diff(made.ms) <= 100, "{}", made.name());
    }
    // A minute of MP3 is a minute.
    assert_eq!(charged(&due, WHOLE, &made("cbr128.mp3")), "60");
}

#[test]
fn no_split_changes_what_an_answer_costs() {
    let due = by_length();
    let names = ["bare.mp3", "|piped.wav", "|fragments.m4a", "opus64.opus", "|piped.flac"];
    let files = names.map(made);
    let cases = (any::<Index>(), any::<Index>(), any::<bool>(), vec(1_usize..5_000, 1..20));
    let mut runner =
        TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    let result = runner.run(&cases, |(which, end, cut, sizes)| {
        let whole = which.get(&files);
        let file = if cut { &whole[..end.index(whole.len())] } else { whole };
        let mut pieces = Vec::new();
        let (mut rest, mut turn) = (file, sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(*turn.next().unwrap()));
            pieces.push(piece);
            rest = behind;
        }
        let expected = read(file, usize::MAX).map_or_else(|| MISSING.to_owned(), amount);
        prop_assert_eq!(cost(&due, WHOLE, pieces.into_iter()), expected);
        Ok(())
    });
    result.unwrap();
}

#[test]
fn an_answer_that_lies_costs_what_its_frames_last() {
    let due = by_length();
    // An index that states one frame before two thousand.
    let frames = mp3(2_000);
    let liar = [mp3_index(1, [0; 3]), frames.clone()].concat();
    let honest = read(&frames, usize::MAX).unwrap();
    assert!(honest > 52_000);
    assert_eq!(charged(&due, WHOLE, &liar), amount(honest));
    let samples = wav(PLAIN, &[chunk("data", 16_000, &[0; 96_000])]);
    assert_eq!(charged(&due, WHOLE, &samples), "12");
    // Eleven minutes are believed, eight days of a quantity of ten minutes are not.
    let film = |length| {
        let times = mp4_box("stts", &words(&[0, 1, 1, length]));
        mp4(1, length, &mp4_track(1, length, &times))
    };
    assert_eq!(charged(&due, WHOLE, &film(660)), "660 over_maximum:used");
    assert_eq!(charged(&due, WHOLE, &film(700_000)), "600 absurd_quantity:used");
    for hostile::Case { name, file, .. } in hostile::cases() {
        let found = charged(&due, WHOLE, &file);
        match read(&file, usize::MAX) {
            None => assert_eq!(found, MISSING, "{name}"),
            Some(ms) if ms <= 600_000 => assert_eq!(found, amount(ms), "{name}"),
            Some(ms) => assert!(
                found == format!("{} over_maximum:used", amount(ms))
                    || found == "600 absurd_quantity:used",
                "{name}: {found}"
            ),
        }
    }
}

#[test]
fn what_cannot_be_told_costs_what_was_held() {
    let due = by_length();
    let wave = sound(1_500);
    for (head, body, expected) in [
        // Samples and nothing else.
        (&[SOUND][..], noise(4, 50_000), MISSING),
        (&[("content-type", "audio/pcm")], noise(5, 50_000), MISSING),
        (&[SOUND], Vec::new(), MISSING),
        (&[], noise(6, 99), "600 missing_quantity:used unreadable_body"),
        (&[JSON], b"{\"url\":\"https://example.com/a.wav\"}".to_vec(), MISSING),
        (&[("content-type", "text/event-stream")], wave.clone(), MISSING),
        // The bytes tell, whatever the head says of them.
        (&[], wave.clone(), "1.5"),
        (&[("content-type", "application/octet-stream")], wave.clone(), "1.5"),
        (&[("content-type", "text/plain")], wave.clone(), "1.5"),
        (&[("content-type", "video/mp4")], wave.clone(), "1.5"),
    ] {
        assert_eq!(charged(&due, Told { head, ..WHOLE }, &body), expected, "{head:?}");
    }
    // No content, and an answer to HEAD.
    for status in [200, 204] {
        let told = Told { status, head: &[SOUND, ("content-length", "4000")], ..WHOLE };
        assert_eq!(charged(&due, told, b""), MISSING, "{status}");
    }
    // A part of a file that somebody asked for is not as long as the file.
    assert_eq!(charged(&due, Told { status: 206, ..WHOLE }, &wave), MISSING);
    let mut declared = by_length();
    declared.quantities[0].missing = Missing::Value(number("30"));
    assert_eq!(charged(&declared, WHOLE, &noise(7, 999)), "30 missing_quantity:used");
}

/// Half of a song was made whole, for all that anybody knows.
#[test]
fn what_was_cut_off_is_no_shorter() {
    let mut due = by_length();
    let (wave, song) = (sound(20_000), made("vbr-without-index.mp3"));
    for whole in [&wave, &song] {
        let half = &whole[..whole.len() / 2];
        let ended = |due: &Due, end| charged(due, Told { end, ..WHOLE }, half);
        assert_eq!(ended(&due, End::Broken), "Hold broken_body");
        assert_eq!(ended(&due, End::Cancelled), MISSING);
        // Its framing says that it is whole, and its head that it is not.
        let length = whole.len().to_string();
        let told = Told { head: &[SOUND, ("content-length", &length)], ..WHOLE };
        assert_eq!(charged(&due, told, half), "Hold broken_body");
        let partial = rule(&[(200, 299)], None, Class::Partial, ChargeRule::Settle);
        let parts = Due { outcomes: vec![partial], ..by_length() };
        assert_eq!(ended(&parts, End::Broken), "600 broken_body missing_quantity:used");
        assert_eq!(charged(&parts, told, half), "600 broken_body missing_quantity:used");
    }
    // What is declared for an answer that says nothing is not for one that nobody waited for.
    due.quantities[0].missing = Missing::Value(number("1"));
    assert_eq!(charged(&due, Told { end: End::Cancelled, ..WHOLE }, &wave[..9_000]), MISSING);
}

#[test]
fn failures_cost_nothing_however_long_they_last() {
    for status in [302, 400, 404, 500] {
        let told = Told { status, ..WHOLE };
        assert_eq!(charged(&by_length(), told, &sound(1_500)), "None", "{status}");
    }
}

#[test]
fn units_and_arithmetic() {
    use ResponseSource::{MediaMilliseconds, MediaSeconds};
    let free = || ValueType::Decimal(decimal("0")..=decimal("600"));
    let (whole, thousands) = (|| integer("0", "600"), || integer("0", "600000"));
    let header = || ResponseSource::Header("x-seconds".parse().unwrap());
    let wave = sound(1_501);
    for (due, expected) in [
        (of(free(), &[MediaSeconds]), "1.501"),
        (of(whole(), &[MediaSeconds]), "2 rounded_quantity:used"),
        (of(thousands(), &[MediaMilliseconds]), "1501"),
        (of(free(), &[said("/seconds"), MediaSeconds]), "1.501"),
        (of(free(), &[header(), MediaSeconds]), "4"),
        (of(free(), &[MediaSeconds, header()]), "1.501"),
    ] {
        let told = Told { head: &[SOUND, ("x-seconds", "4")], ..WHOLE };
        assert_eq!(charged(&due, told, &wave), expected, "{:?}", due.quantities[0]);
    }
    let sums = |source: fn(Vec<Source<ResponseSource>>) -> Source<ResponseSource>,
                first: ResponseSource| {
        let mut due = of(free(), &[]);
        let other = if first == header() { MediaSeconds } else { header() };
        due.quantities[0].response = vec![source(vec![first.into(), other.into()])];
        due
    };
    let told = Told { head: &[SOUND, ("x-seconds", "4")], ..WHOLE };
    for (due, expected, unknown) in [
        (sums(Source::SumOf, MediaSeconds), "5.501", "4"),
        (sums(Source::Minus, header()), "2.499", "4"),
        (sums(Source::Minus, MediaSeconds), "0 clamped_quantity:used", MISSING),
    ] {
        assert_eq!(charged(&due, told, &wave), expected);
        assert_eq!(charged(&due, told, &noise(9, 999)), unknown);
    }
}

#[test]
fn what_was_asked_for_is_charged_and_what_was_not_is_measured() {
    use ResponseSource::{Asked, MediaSeconds};
    let due = of(seconds("3", "600"), &[Asked, MediaSeconds]);
    let cost = |head: &[(&str, &str)], body: &[u8], end| {
        let held = held(&due, head);
        let mut watch = Watch::new(&due, 200, &headers(&[SOUND]));
        let early = watch.known_at_head(&due, &held).is_some();
        body.chunks(999).for_each(|piece| watch.feed(piece));
        let verdict = watch.finish(end, &due, &held);
        let Charge::Settle { priced, .. } = &verdict.charge else { panic!("{verdict:?}") };
        let flags: Vec<_> = verdict.flags.iter().map(ToString::to_string).collect();
        (early, priced.total.to_string(), flags.join(" "))
    };
    let expect = |early, cost: &str, flags: &str| (early, cost.to_owned(), flags.to_owned());
    let (asked, wave) = ([("x-asked", "12")], sound(12_034));
    // A few frames more than asked for begin no second minute; the head does not know how many come.
    for (body, end) in [
        (&wave, End::Complete),
        (&sound(13_000), End::Complete),
        (&sound(5_000), End::Complete),
        (&noise(1, 99), End::Complete),
        (&wave[..999].to_vec(), End::Cancelled),
    ] {
        assert_eq!(cost(&asked, body, end), expect(false, "12", ""));
    }
    let over = expect(false, "13.001", "over_asked:used");
    assert_eq!(cost(&asked, &sound(13_001), End::Complete), over);
    assert_eq!(cost(&[], &wave, End::Complete), expect(false, "12.034", ""));
    let flags = "missing_quantity:used";
    assert_eq!(cost(&[], &noise(1, 99), End::Complete), expect(false, "600", flags));
    assert_eq!(cost(&[], &wave[..999], End::Cancelled), expect(false, "600", flags));
}

/// What was asked for in arithmetic, and beside a header that may still come as a trailer.
#[test]
fn what_was_asked_for_is_a_number_like_others() {
    use ResponseSource::Asked;
    let spared = ResponseSource::Header("x-spared".parse().unwrap());
    let mut due = of(seconds("0", "600"), &[]);
    let minus = Source::Minus(vec![Asked.into(), spared.clone().into()]);
    due.quantities[0].response = vec![minus, spared.into()];
    for (asked, head, trailer, expected, early) in [
        (Some("12"), Some("4"), None, "8", true),
        (Some("12"), None, Some("4"), "8", false),
        (Some("12"), None, None, "12", false),
        (None, Some("4"), None, "4", true),
        (None, None, None, "600 missing_quantity:used", false),
    ] {
        let asked: Vec<_> = asked.map(|text| ("x-asked", text)).into_iter().collect();
        let list = |text: Option<_>| -> HeaderMap {
            headers(&text.map(|text| ("x-spared", text)).into_iter().collect::<Vec<_>>())
        };
        let held = held(&due, &asked);
        let mut watch = Watch::new(&due, 200, &list(head));
        assert_eq!(watch.known_at_head(&due, &held).is_some(), early, "{expected}");
        watch.trailers(&list(trailer));
        let verdict = watch.finish(End::Complete, &due, &held);
        let Charge::Settle { priced, .. } = &verdict.charge else { panic!("{verdict:?}") };
        let flags: String = verdict.flags.iter().map(|flag| format!(" {flag}")).collect();
        assert_eq!(format!("{}{flags}", priced.total), expected);
    }
}

#[test]
fn a_compressed_answer_lasts_as_long() {
    let due = by_length();
    let file = made("bare.mp3");
    let expected = amount(read(&file, usize::MAX).unwrap());
    for (coding, encode) in CODINGS {
        let body = encode(&file);
        let head = [SOUND, ("content-encoding", coding)];
        let told = Told { head: &head, ..WHOLE };
        let found = charged(&due, told, &body);
        assert_eq!(found, expected, "{coding}");
        // What breaks off inside, though its framing says that it is whole.
        let cut = charged(&due, told, &body[..body.len() / 2]);
        assert_eq!(cut, format!("{MISSING} encoded_body"), "{coding}");
    }
    let head = [SOUND, ("content-encoding", "compress")];
    let unread = format!("{MISSING} encoded_body");
    assert_eq!(charged(&due, Told { head: &head, ..WHOLE }, &file), unread);
    let head = [SOUND, ("content-encoding", "gzip")];
    let plain = Due { decode: false, ..by_length() };
    assert_eq!(charged(&plain, Told { head: &head, ..WHOLE }, &CODINGS[0].1(&file)), unread);
    // Silence of an hour, in a few kilobytes.
    let bomb = CODINGS[0].1(&sound(3_600_000));
    let found = charged(&due, Told { head: &head, ..WHOLE }, &bomb);
    assert_eq!(found, format!("{MISSING} oversized_body"));
}
