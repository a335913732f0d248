//! Small routes to try things on.

use std::num::NonZeroU64;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate::credit::{Amount, Decimal, Line, Name, Price, Rate, Rounding, Row, Table, Value};
use tollgate::ledger::{OnUnknown, OverRun};
use tollgate::meter::{
    ChargeRule, Class, Due, Merge, Missing, OnDisconnect, OutcomeRule, Quantity, RequestSource,
    ResponseSource, StatusSet, StreamRules, Test, ValueType,
};

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn number(text: &str) -> Value {
    Value::Number(decimal(text))
}

pub(crate) fn credits(text: &str) -> Amount {
    text.parse().unwrap()
}

pub(crate) fn integer(first: &str, last: &str) -> ValueType {
    ValueType::Integer(decimal(first)..=decimal(last))
}

pub(crate) fn seconds(first: &str, last: &str) -> ValueType {
    ValueType::Seconds(decimal(first)..=decimal(last))
}

pub(crate) fn json(pointer: &str) -> RequestSource {
    RequestSource::Json(pointer.parse().unwrap())
}

pub(crate) fn said(pointer: &str) -> ResponseSource {
    ResponseSource::Json(pointer.parse().unwrap())
}

pub(crate) fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

pub(crate) fn quantity(text: &str, value: ValueType, request: Vec<RequestSource>) -> Quantity {
    Quantity {
        name: name(text),
        value,
        request: request.into_iter().map(Into::into).collect(),
        default: None,
        response: Vec::new(),
        merge: Merge::Last,
        missing: Missing::Hold,
    }
}

pub(crate) fn line(quantities: &[&str], rate: Rate) -> Line {
    Line {
        label: "work".to_owned(),
        quantities: quantities.iter().map(|text| name(text)).collect(),
        per: NonZeroU64::MIN,
        rounding: Rounding::Exact,
        rate,
    }
}

pub(crate) fn fixed(rate: &str) -> Rate {
    Rate::Fixed(credits(rate))
}

/// A table by one quantity.
pub(crate) fn table(by: &str, rows: &[(&str, &str)]) -> Rate {
    let row = |&(when, rate): &(&str, &str)| Row {
        when: vec![Some(when.to_owned())],
        rate: credits(rate),
    };
    Rate::Table(Table { by: vec![name(by)], rows: rows.iter().map(row).collect(), otherwise: None })
}

pub(crate) fn due(quantities: Vec<Quantity>, lines: Vec<Line>) -> Due {
    Due {
        price: Arc::new(Price {
            name: name("price"),
            kind: "credits".parse().unwrap(),
            lines,
            minimum: Amount::ZERO,
            maximum: None,
        }),
        quantities,
        outcomes: Vec::new(),
        stream: StreamRules::default(),
        decode: true,
        on_disconnect: OnDisconnect::Finish,
        on_unknown: OnUnknown::Release,
        reconcile_ms: 60_000,
        over_run: OverRun::Absorb,
        job: None,
    }
}

pub(crate) fn rule(
    status: &[(u16, u16)],
    body: Option<(&str, Test)>,
    class: Class,
    charge: ChargeRule,
) -> OutcomeRule {
    OutcomeRule {
        status: status.iter().map(|&(first, last)| StatusSet { first, last }).collect(),
        header: None,
        body: body.into_iter().map(|(pointer, test)| (pointer.parse().unwrap(), test)).collect(),
        class,
        charge,
    }
}

pub(crate) fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in list {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}
