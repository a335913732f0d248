//! Bodies as clients write them, and as nobody should.

use crate::world::Dice;

/// A body and what its head says that it is.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) kind: String,
    pub(super) bytes: Vec<u8>,
    /// Whether a client could have written it so, with values that the route accepts.
    pub(super) plain: bool,
}

/// A field: its name, its text, and whether it is a file.
type Field = (String, String, bool);

const JSON: &str = "application/json";
const URLENCODED: &str = "application/x-www-form-urlencoded";
const PROMPTS: [&str; 8] =
    ["a cat", "", "hé🎵", "two\r\nlines", "a&b=c;d+e%20f", "100%", "👨‍👩‍👧‍👦", "\"quoted\\\" -- text"];
/// What is put somewhere into a body.
const SNIPPETS: [&str; 30] = [
    "\r\n",
    "\n",
    "\r",
    "--B",
    "\r\n--B",
    "\r\n--B--",
    "\r\n--B--\r\n",
    "\n--B\n",
    "\n--B--\n",
    "--B\r\n",
    "&n=9",
    ";n=9",
    "n=9&",
    "&N=9",
    "&n[]=9",
    "&%6e=9",
    "&n%00=9",
    "?n=9&",
    "Content-Disposition: form-data; name=\"n\"",
    "; name=\"n\"",
    "; filename=\"n\"",
    "\"",
    "\\\"",
    "\u{0}",
    "%",
    "\u{feff}",
    ",\"n\":9",
    "\r\nContent-Type: text/plain; charset=utf-16",
    "\r\n\r\n9\r\n--B\r\n",
    "é",
];

/// Some body.
pub(super) fn some(dice: &mut Dice) -> Body {
    let hostile = dice.below(2) == 0;
    let mut fields = fields(dice);
    let named = hostile && dice.below(2) == 0;
    if named {
        let odd = odd_field(dice);
        let at = dice.pick(fields.len() + 1);
        fields.insert(at, odd);
    }
    let mut body = match dice.below(3) {
        0 => json(dice, &fields),
        1 => urlencoded(dice, &fields),
        _ => multipart(dice, &fields),
    };
    if hostile && !named {
        for _ in 0..=dice.below(3) {
            spoil(dice, &mut body);
        }
    }
    body.plain = !hostile;
    body
}

/// Fields as a client sends them, in any order, each at most once but for the images.
fn fields(dice: &mut Dice) -> Vec<Field> {
    let own = |name: &str, text: &str| (name.to_owned(), text.to_owned(), false);
    let mut fields = Vec::new();
    if dice.below(4) > 0 {
        fields.push(own("n", &(1 + dice.below(10)).to_string()));
    }
    if dice.below(2) == 0 {
        fields.push(own(
            "size",
            ["1024x1024", "512x512", "256x1024", "65536", "1024*1536"][dice.pick(5)],
        ));
    }
    if dice.below(2) == 0 {
        fields.push(own("prompt", PROMPTS[dice.pick(PROMPTS.len())]));
    }
    let name = ["image", "image[]"][dice.pick(2)];
    for number in 0..dice.below(4) {
        fields.push((name.to_owned(), format!("\u{89}PNG\r\n{number}\u{0}--\r\n-"), true));
    }
    for name in ["model", "user", "nn", "n_", "response_format", "sizes"] {
        if dice.below(4) == 0 {
            fields.push(own(name, ["9", "gpt-image-1", "n=9", ""][dice.pick(4)]));
        }
    }
    for at in (1..fields.len()).rev() {
        fields.swap(at, dice.pick(at + 1));
    }
    fields
}

/// A field that some server takes for a priced one.
fn odd_field(dice: &mut Dice) -> Field {
    let names = [
        "n",
        "n",
        "N",
        "n[]",
        "n[0]",
        "[n]",
        " n",
        "n ",
        "n\u{0}",
        "%6e",
        "%6E%00",
        "size",
        "Size",
        "SIZE[]",
        "prompt",
        "Prompt",
        "image",
        "image[]",
        "Image",
        "image[0]",
        "_charset_",
        "_method",
        "n.",
        "N[",
        "n]",
    ];
    let text = ["9", "10", "1", "2048x2048", "a much longer prompt than before", "utf-16", "PUT"]
        [dice.pick(7)];
    (names[dice.pick(names.len())].to_owned(), text.to_owned(), dice.below(6) == 0)
}

fn json(dice: &mut Dice, fields: &[Field]) -> Body {
    let text = |text: &str| serde_json::to_string(text).unwrap();
    let mut members: Vec<String> = fields
        .iter()
        .filter(|(name, ..)| !name.starts_with("image"))
        .map(|(name, value, _)| match value.parse::<u64>() {
            Ok(number) if name != "prompt" => format!("{}: {number}", text(name)),
            _ => format!("{}: {}", text(name), text(value)),
        })
        .collect();
    let images = fields.iter().filter(|(name, ..)| name.starts_with("image")).count();
    if images > 0 {
        members.push(format!("\"image\": [{}]", vec!["\"x\""; images].join(",")));
    }
    // Clients write `null` for what they leave to the server.
    for name in ["n", "size", "prompt", "image"] {
        let is_there = fields.iter().any(|(field, ..)| field.starts_with(name));
        if !is_there && dice.below(4) == 0 {
            members.push(format!("\"{name}\": null"));
        }
    }
    Body { kind: JSON.to_owned(), bytes: format!("{{{}}}", members.join(", ")).into(), plain: true }
}

fn urlencoded(dice: &mut Dice, fields: &[Field]) -> Body {
    let upper = dice.below(2) == 0;
    let escaped = |text: &str| -> String {
        let byte = |byte: &u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                char::from(*byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        };
        text.as_bytes().iter().map(byte).collect()
    };
    let pair = |(name, text, _): &Field| format!("{}={}", escaped(name), escaped(text));
    let pairs: Vec<_> = fields.iter().map(pair).collect();
    let kind = [URLENCODED, "application/x-www-form-urlencoded;charset=UTF-8"][dice.pick(2)];
    Body { kind: kind.to_owned(), bytes: pairs.join("&").into(), plain: true }
}

fn multipart(dice: &mut Dice, fields: &[Field]) -> Body {
    let boundary = ["B", "----WebKitFormBoundary7MA4YWxkTrZu0gW", "d74496d66958873e"][dice.pick(3)];
    let types = dice.below(3) == 0;
    let mut text = String::new();
    for (name, value, file) in fields {
        text += &format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"");
        if *file {
            text += "; filename=\"a.png\"\r\nContent-Type: image/png";
        } else if types {
            text += "\r\nContent-Type: text/plain; charset=utf-8";
        }
        text += &format!("\r\n\r\n{value}\r\n");
    }
    text += &format!("--{boundary}--\r\n");
    let kind = match dice.below(3) {
        0 => format!("multipart/form-data; boundary=\"{boundary}\""),
        _ => format!("multipart/form-data; boundary={boundary}"),
    };
    Body { kind, bytes: text.into(), plain: true }
}

/// Changes a body as somebody would who wants two servers to read it in two ways.
fn spoil(dice: &mut Dice, body: &mut Body) {
    let at = dice.pick(body.bytes.len() + 1);
    let replaced = |body: &Body, from: &str, to: &str| {
        let text = body.bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
        text.replacen(from, to, 1)
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
            .collect()
    };
    match dice.below(14) {
        0 => body.bytes.truncate(at),
        1 => drop(body.bytes.splice(0..0, SNIPPETS[dice.pick(12)].bytes())),
        2 => body.bytes.extend(SNIPPETS[dice.pick(SNIPPETS.len())].bytes()),
        3 => body.bytes = replaced(body, "\r\n", "\n"),
        4 => body.bytes = replaced(body, "; name=", "; NAME=\"x\"; name="),
        5 => body.bytes = replaced(body, "; name=\"n\"", ";\r\n name=\"n\""),
        6 => body.bytes = replaced(body, "form-data; name", "form-data; name*=utf-8''n; name"),
        7 => {
            body.bytes = replaced(body, "\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n")
        }
        8 => {
            let more = [
                "; boundary=C",
                "; charset=utf-16",
                "; Boundary=B",
                ", text/plain",
                "; boundary*=utf-8''C",
            ];
            body.kind += more[dice.pick(5)];
        }
        9 if at < body.bytes.len() => body.bytes[at] = byte(dice),
        10 if at < body.bytes.len() => drop(body.bytes.remove(at)),
        11 => body.bytes.insert(at, byte(dice)),
        _ => {
            let snippet = SNIPPETS[dice.pick(SNIPPETS.len())];
            body.bytes.splice(at..at, snippet.bytes());
        }
    }
}

/// Any byte, or rather one that means something to a reader of bodies.
fn byte(dice: &mut Dice) -> u8 {
    const MEANT: &[u8] = b"*%='\"\\;:,./[]{}()&?+-_xXeE0 \t\r\n\0\x0b\x7f\xef";
    match dice.below(3) {
        0 => u8::try_from(dice.below(256)).unwrap(),
        _ => MEANT[dice.pick(MEANT.len())],
    }
}
