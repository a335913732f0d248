//! Our price of a body against the price of what the readers of real servers make of the same bytes: Starlette's
//! (FastAPI), Werkzeug's (Flask) and the standard library's in Python; `busboy`'s, `undici`'s, `URLSearchParams` and
//! `querystring` in Node; and both languages' JSON.
//!
//! Invariant: whoever reads a body that we accept reads what we price, once.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value as Json;
use tollgate::credit::{Amount, Facts, Rate, Value};
use tollgate::meter::{Asked, Content, Due, Need, RequestSource, ValueType, price_request};

use super::bodies::{Body, some};
use super::rig::Readers;
use crate::sample::{decimal, due, fixed, integer, json, line, name, number, quantity};
use crate::world::{Dice, seed};

const BODIES: usize = 20_000;
/// How many are given to the readers at once.
const BATCH: usize = 1_000;

/// `n` pictures of a size, for each mega-pixel; each character of a prompt; each picture that is shown.
fn route() -> Due {
    let form = |name: &str| RequestSource::Form(name.to_owned());
    let pixels = ValueType::Pixels(decimal("1")..=decimal("4194304"));
    let place = |text: &str| text.parse().unwrap();
    let mut quantities = vec![
        quantity("n", integer("1", "10"), vec![json("/n"), form("n")]),
        quantity("size", pixels, vec![json("/size"), form("size")]),
        quantity(
            "prompt",
            integer("0", "100000"),
            vec![
                RequestSource::Characters(place("/prompt")),
                RequestSource::FormCharacters("prompt".to_owned()),
            ],
        ),
        quantity(
            "images",
            integer("0", "100"),
            vec![
                RequestSource::Items(place("/image")),
                RequestSource::FormItems("image".to_owned()),
            ],
        ),
    ];
    for (quantity, default) in quantities.iter_mut().zip(["1", "1048576", "0", "0"]) {
        quantity.default = Some(number(default));
    }
    let mut sized = line(&["n", "size"], fixed("1"));
    sized.per = 1_024.try_into().unwrap();
    let rate = |text: &str| -> Rate { fixed(text) };
    due(quantities, vec![sized, line(&["prompt"], rate("0.01")), line(&["images"], rate("3"))])
}

/// The price, or why there is none: of the whole body, and the same of the body as it passes in pieces.
fn price(due: &Due, body: &Body, dice: &mut Dice) -> Result<Amount, String> {
    let mut headers = HeaderMap::new();
    headers
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_bytes(body.kind.as_bytes()).unwrap());
    let priced = |content| {
        let plan = &name("pro");
        let asked = Asked {
            method: &Method::POST,
            captures: &[],
            query: "",
            headers: &headers,
            body: Some(content),
            plan,
        };
        price_request(due, asked)
            .map(|held| held.priced.total)
            .map_err(|refused| refused.to_string())
    };
    let whole = priced(Content::Whole(&body.bytes));
    if let Need::Passing(mut passing) = due.need(&headers) {
        let mut rest = body.bytes.as_slice();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at((1 + dice.pick(300)).min(rest.len()));
            rest = more;
            if !passing.feed(piece) {
                break;
            }
        }
        assert_eq!(priced(Content::Passed(&passing.finish())), whole, "{}", shown(body));
    }
    whole
}

fn shown(body: &Body) -> String {
    format!("{}: {}", body.kind, body.bytes.escape_ascii())
}

/// What a reading costs; `Err`: it has a field twice, or in a form that no price reads.
fn price_of(due: &Due, reading: &Json) -> Result<Amount, String> {
    let text = |field: &str| -> Result<Option<String>, String> {
        match reading["texts"][field].as_array().unwrap().as_slice() {
            [] => Ok(None),
            [one] => {
                one.as_str().map(|text| Some(text.to_owned())).ok_or(format!("{field} is a file"))
            }
            several => Err(format!("{field} stands there {} times", several.len())),
        }
    };
    let digits = |text: String| text.parse::<u64>().map_err(|_| format!("{text:?} is no number"));
    let n = text("n")?.map_or(Ok(1), digits)?;
    let size = match text("size")? {
        None => 1_048_576,
        Some(size) => match size.split_once(['x', '*']) {
            Some((width, height)) => digits(width.to_owned())? * digits(height.to_owned())?,
            None => digits(size)?,
        },
    };
    let prompt = text("prompt")?.unwrap_or_default().chars().count();
    let images = reading["items"].as_u64().unwrap();
    let facts = [("n", n), ("size", size), ("prompt", prompt as u64), ("images", images)];
    let facts =
        facts.map(|(quantity, count)| (name(quantity), Value::Number(decimal(&count.to_string()))));
    Ok(due.price.of(&Facts(facts.into_iter().collect())).unwrap().total)
}

#[test]
fn our_price_is_the_price_of_what_servers_read() {
    let mut dice = Dice(seed("bodies"));
    let due = route();
    let mut languages = [Readers::start("form_readings.py"), Readers::start("form_readings.cjs")];
    let (mut accepted, mut refused, mut done) = (0, 0, 0);
    let mut compared: BTreeMap<String, usize> = BTreeMap::new();
    while done < BODIES {
        let bodies: Vec<Body> = (0..BATCH).map(|_| some(&mut dice)).collect();
        let prices: Vec<_> = bodies.iter().map(|body| price(&due, body, &mut dice)).collect();
        for (body, price) in bodies.iter().zip(&prices) {
            assert!(!body.plain || price.is_ok(), "{price:?} {}", shown(body));
        }
        let (taken, prices): (Vec<_>, Vec<_>) =
            bodies.iter().zip(prices).filter_map(|(body, price)| Some((body, price.ok()?))).unzip();
        accepted += taken.len();
        refused += bodies.len() - taken.len();
        done += bodies.len();
        let asked: Vec<_> =
            taken.iter().map(|body| (body.kind.clone(), body.bytes.clone())).collect();
        for readers in &mut languages {
            for ((body, price), readings) in taken.iter().zip(&prices).zip(readers.read(&asked)) {
                for one in readings.as_array().unwrap() {
                    let (reader, reading) = (one[0].as_str().unwrap(), &one[1]);
                    if reading.is_null() {
                        continue;
                    }
                    *compared.entry(reader.to_owned()).or_default() += 1;
                    let theirs = price_of(&due, reading);
                    assert_eq!(
                        theirs.as_ref(),
                        Ok(price),
                        "{reader} reads {reading}: {}",
                        shown(body)
                    );
                }
            }
        }
    }
    println!("{done} bodies: {accepted} accepted, {refused} refused; compared with {compared:?}");
    assert_eq!(done, BODIES);
    assert_eq!(accepted + refused, BODIES);
    // All plain ones, and some that were only made odd in places that nobody prices.
    assert!(accepted > BODIES / 2 && refused > BODIES / 5, "{accepted} {refused}");
    for (reader, least) in [
        ("starlette", BODIES / 4),
        ("werkzeug", BODIES / 4),
        ("stdlib", BODIES / 4),
        ("json_of", BODIES / 8),
        ("busboy", BODIES / 4),
        ("undici", BODIES / 4),
        ("searchParams", BODIES / 8),
        ("querystring", BODIES / 8),
        ("JSON.parse", BODIES / 8),
    ] {
        assert!(compared.get(reader).is_some_and(|count| *count > least), "{reader}: {compared:?}");
    }
}
