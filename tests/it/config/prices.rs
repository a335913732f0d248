//! Prices: the numbers, computed from the examples.

use std::collections::BTreeMap;

use tollgate::config::{Assumed, Settings, load_text};
use tollgate::credit::{Decimal, Facts, Price, Value};
use tollgate::meter::{Due, Work};

use super::{accepted, at, read};

fn due<'a>(settings: &'a Settings, route: &str) -> &'a Due {
    let route = settings.rules.routes.iter().find(|one| one.name.as_str() == route).unwrap();
    match &route.work {
        Work::Paid(due) => due,
        Work::Free => panic!("{} is free", route.name),
    }
}

/// The price of what a request says: numbers, `true`, `false` and words.
fn cost(price: &Price, facts: &[(&str, &str)]) -> String {
    let value = |text: &str| match (text, Decimal::exact(text)) {
        (_, Ok(number)) => Value::Number(number),
        ("true" | "false", _) => Value::Flag(text == "true"),
        _ => Value::Text(text.to_owned()),
    };
    let facts: BTreeMap<_, _> =
        facts.iter().map(|(name, text)| (name.parse().unwrap(), value(text))).collect();
    price
        .of(&Facts(facts))
        .map_or_else(|error| error.to_string(), |priced| priced.total.to_string())
}

#[test]
fn dubbing_by_the_started_minute() {
    let settings = accepted("config/examples/dubbing.yaml");
    let dubbing = due(&settings, "dubbing");
    for (seconds, credits) in
        [("0", "10"), ("30", "10"), ("60", "10"), ("60.001", "20"), ("180", "30"), ("600", "100")]
    {
        assert_eq!(cost(&dubbing.price, &[("seconds", seconds)]), credits, "{seconds} s");
    }
    let hold = dubbing.quantities[0].default.as_ref().unwrap().to_string();
    assert_eq!(cost(&dubbing.price, &[("seconds", &hold)]), "100");
    let long = due(&settings, "long-dubbing");
    assert_eq!(cost(&long.price, &[("max_minutes", "12")]), "120");
}

#[test]
fn a_table_by_type_and_class() {
    let settings = accepted("config/examples/price-table.yaml");
    let price = &due(&settings, "generation").price;
    let rows = [
        ("image", ["5", "10", "20"]),
        ("audio", ["15", "30", "50"]),
        ("video", ["25", "50", "100"]),
    ];
    for (kind, credits) in rows {
        for (class, credits) in ["simple", "moderate", "complex"].into_iter().zip(credits) {
            assert_eq!(cost(price, &[("type", kind), ("class", class)]), credits, "{kind} {class}");
        }
    }
    assert_eq!(
        cost(price, &[("type", "image"), ("class", "huge")]),
        "there is no rate for type image, class huge"
    );
}

#[test]
fn images_by_number_size_and_quality() {
    let settings = accepted("config/examples/images.yaml");
    let price = &due(&settings, "image").price;
    for (n, size, quality, credits) in [
        ("1", "1024x1024", "high", "16"),
        ("3", "1024x1024", "high", "48"),
        ("1", "1536x1024", "high", "24"),
        ("2", "1536x1024", "low", "8"),
        ("1", "1024x1024", "medium", "8"),
        ("0", "1024x1024", "high", "0"),
    ] {
        let facts = [("n", n), ("size", size), ("quality", quality)];
        assert_eq!(cost(price, &facts), credits, "{facts:?}");
    }
}

#[test]
fn chat_by_token() {
    let settings = accepted("config/examples/chat.yaml");
    let chat = due(&settings, "chat");
    let facts = [("input_tokens", "1000"), ("output_tokens", "500")];
    assert_eq!(cost(&chat.price, &facts), "0.0075");
    // A single token: 2.5 micro-credits, rounded up.
    let facts = [("input_tokens", "1"), ("output_tokens", "0")];
    assert_eq!(cost(&chat.price, &facts), "0.000003");
    assert_eq!(chat.stream.end.as_deref(), Some("[DONE]"));
}

#[test]
fn messages_by_token_and_cache() {
    let settings = accepted("config/examples/anthropic.yaml");
    let messages = due(&settings, "messages");
    for (input, written, read, output, credits) in [
        ("1000", "0", "0", "500", "0.0105"),
        ("0", "1000", "0", "0", "0.00375"),
        ("0", "0", "1000", "0", "0.0003"),
        ("1000", "1000", "1000", "1000", "0.02205"),
    ] {
        let facts = [
            ("input_tokens", input),
            ("cache_write_tokens", written),
            ("cache_read_tokens", read),
            ("output_tokens", output),
        ];
        assert_eq!(cost(&messages.price, &facts), credits, "{facts:?}");
    }
    assert_eq!(messages.stream.end_event.as_deref(), Some("message_stop"));
}

#[test]
fn a_price_per_plan_and_zero_for_a_value() {
    let settings = accepted("config/examples/per-plan.yaml");
    let price = &due(&settings, "image").price;
    for (plan, preview, credits) in [
        ("starter", "false", "10"),
        ("pro", "false", "6"),
        ("pro", "true", "0"),
        ("starter", "true", "0"),
    ] {
        let facts = [("plan", plan), ("preview", preview), ("n", "2")];
        assert_eq!(cost(price, &facts), credits, "{facts:?}");
    }
}

#[test]
fn rates_are_never_floats() {
    let text = read(&at("config/quickstart.yaml"));
    for (written, micro) in
        [("0.000001", 1), ("9007199254.740991", (1 << 53) - 1), ("0.1", 100_000)]
    {
        let (settings, _) =
            load_text("a.yaml", &text.replace("rate: 5", &format!("rate: {written}")), &Assumed)
                .unwrap();
        let total = due(&settings, "image").price.of(&Facts::default()).unwrap().total;
        assert_eq!(total.micro(), micro, "{written}");
    }
}
