//! What a length is as a quantity.

use http::Method;
use tollgate::meter::{
    Asked, Content, Flag, Held, RequestSource, Unpriceable, Uploaded, ValueType, price_request,
};

use super::bytes::{PLAIN, chunk, noise, wav};
use crate::sample::{due, fixed, headers, integer, line, name, number, quantity, seconds};

/// What is held for `file` by a quantity of this type, which a header says before the file does.
fn held(value: &ValueType, head: &[(&str, &str)], file: &[u8]) -> Result<Held, Unpriceable> {
    let sources = vec![
        RequestSource::Header("x-seconds".parse().unwrap()),
        RequestSource::MediaSeconds(Uploaded::Body),
    ];
    let due = due(vec![quantity("q", value.clone(), sources)], vec![line(&["q"], fixed("1"))]);
    let asked = Asked {
        method: &Method::POST,
        captures: &[],
        query: "",
        headers: &headers(head),
        body: Some(Content::Whole(file)),
        plan: &name("pro"),
    };
    price_request(&due, asked)
}

#[test]
fn a_length_is_a_number_of_seconds() {
    let file = wav(PLAIN, &[chunk("data", 98_000, &[0; 98_000])]);
    let of = |value: &ValueType, head: &[(&str, &str)], file: &[u8]| {
        held(value, head, file).map(|held| (held.facts.0[&name("q")].clone(), held.flags))
    };
    let free = ValueType::Decimal("0".parse().unwrap()..="60".parse().unwrap());
    let said = |text| Ok((number(text), Vec::new()));
    assert_eq!(of(&seconds("0", "60"), &[], &file), said("12.25"));
    assert_eq!(of(&free, &[], &file), said("12.25"));
    assert_eq!(of(&integer("0", "60"), &[], &file), said("13"));
    assert_eq!(of(&seconds("0", "12.25"), &[], &file), said("12.25"));
    assert!(of(&seconds("0", "12.2"), &[], &file).is_err());
    assert!(of(&seconds("13", "60"), &[], &file).is_err());
    // What cannot be told is the most, and says so; unless something before it was there.
    let unknown = Ok((number("60"), vec![Flag::UnknownLength(name("q"))]));
    for file in [&noise(8, 9_999)[..], b""] {
        assert_eq!(of(&seconds("0", "60"), &[], file), unknown);
        assert_eq!(of(&seconds("0", "60"), &[("x-seconds", "5s")], file), said("5"));
    }
    // A word has no length.
    assert!(of(&ValueType::Text(Vec::new()), &[], &noise(8, 99)).is_err());
}

#[test]
fn what_is_compressed_is_refused() {
    let refused = held(&seconds("0", "60"), &[("content-encoding", "gzip")], &noise(8, 99));
    assert_eq!(refused.unwrap_err().reason, tollgate::meter::Reason::Media);
}
