//! The scripts keep to a strict dialect, in which the usual accidents of Lua in Redis cannot be written:
//! numbers that lose digits as text, the server's locale, names that turn out to be global.
//!
//! Numbers other than 0, 1 and 2 stand in lines that name them (`local MAX = …`) or say which of KEYS, ARGV
//! or `stored` is meant. That no name is global is seen in the compiled scripts, beside `scripts.rs`.

use std::path::Path;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    Number(String),
    Text(String),
    Sign(String),
}

use Token::{Name, Number, Sign, Text};

/// Verbs, each with a contract; the other files are parts that verbs share.
const VERBS: [&str; 22] = [
    "alias",
    "charge",
    "claim",
    "claim_free",
    "commit",
    "document",
    "doubt",
    "exported",
    "extend",
    "grant",
    "hand_over",
    "lease",
    "look",
    "look_due",
    "note_job",
    "release",
    "reserve",
    "returned",
    "settle",
    "tick",
    "watch_job",
    "whole",
];
const PARTS: [&str; 10] = [
    "charges",
    "due",
    "ending",
    "ends",
    "jobs",
    "money",
    "prelude",
    "usual_reserve",
    "usual_settle",
    "write",
];

/// What may not be said at all.
const FORBIDDEN: [&str; 16] = [
    "cjson",
    "cmsgpack",
    "tostring",
    "loadstring",
    "load",
    "dofile",
    "require",
    "random",
    "randomseed",
    "os",
    "io",
    "debug",
    "_G",
    "getfenv",
    "setfenv",
    "pcall",
];

/// Names that hold text wherever they are used: `<` would compare them by the server's locale.
const TEXTS: [&str; 13] = [
    "id",
    "kind",
    "key",
    "charge",
    "bucket",
    "period",
    "scope",
    "name",
    "account_id",
    "fingerprint",
    "route",
    "feature",
    "bytes",
];

/// Functions whose answers may be given to Redis.
const PACKERS: [&str; 8] =
    ["digits", "pack", "write_open", "write_job", "late_name", "id_at", "call", "spread"];

/// The tokens of each line.
fn tokens(text: &str) -> Vec<(usize, Token)> {
    let bytes = text.as_bytes();
    let (mut at, mut line, mut found) = (0, 1, Vec::new());
    let run = |from: usize, test: &dyn Fn(u8) -> bool| {
        bytes[from..].iter().position(|byte| !test(*byte)).map_or(bytes.len(), |n| from + n)
    };
    while at < bytes.len() {
        let end = match bytes[at] {
            b'\n' => {
                line += 1;
                at + 1
            }
            byte if byte.is_ascii_whitespace() => at + 1,
            b'-' if bytes[at..].starts_with(b"--") => run(at, &|byte| byte != b'\n'),
            quote @ (b'\'' | b'"') => {
                let end = run(at + 1, &|byte| byte != quote && byte != b'\n') + 1;
                found.push((line, Text(text[at + 1..end - 1].to_owned())));
                end
            }
            byte if byte.is_ascii_digit() => {
                let end = run(at, &|byte| byte.is_ascii_alphanumeric() || byte == b'.');
                found.push((line, Number(text[at..end].to_owned())));
                end
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let end = run(at, &|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                found.push((line, Name(text[at..end].to_owned())));
                end
            }
            _ => {
                let long = ["..", "==", "~=", "<=", ">="];
                let sign = long.iter().find(|sign| text[at..].starts_with(**sign));
                let sign = sign.copied().unwrap_or(&text[at..=at]);
                found.push((line, Sign(sign.to_owned())));
                at + sign.len()
            }
        };
        at = end;
    }
    found
}

fn is(token: Option<&(usize, Token)>, sign: &str) -> bool {
    token.is_some_and(|(_, token)| *token == Sign(sign.to_owned()))
}

fn named(token: Option<&(usize, Token)>, names: &[&str]) -> bool {
    matches!(token, Some((_, Name(name))) if names.contains(&name.as_str()))
}

/// Whether a line only names constants: `local A, B = 1, 2`.
fn names_constants(line: &str) -> bool {
    let Some((names, _)) =
        line.trim_start().strip_prefix("local ").and_then(|l| l.split_once(" = "))
    else {
        return false;
    };
    let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    names.split(", ").all(|name| name.chars().all(upper) && !name.is_empty())
}

/// What is wrong with a script's words.
fn lint(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let all = tokens(text);
    let mut wrong = Vec::new();
    for (place, (line, token)) in all.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|n| all.get(n));
        let after = all.get(place + 1);
        let mut say = |what: &str| wrong.push(format!("{line}: {what}"));
        match token {
            Name(name) if FORBIDDEN.contains(&name.as_str()) => say(&format!("`{name}`")),
            Name(name) if name == "KEYS" || name == "ARGV" => {
                let literal = is(after, "[") && matches!(all.get(place + 2), Some((_, Number(_))));
                if is(before, "#") || !literal {
                    say("KEYS and ARGV are taken by a number that stands there");
                }
            }
            Name(name) if name == "call" && is(after, "(") && !is(before, ".") => {
                wrong.extend(lint_call(&all[place + 1..]).map(|what| format!("{line}: {what}")));
            }
            Number(number) if !["0", "1", "2"].contains(&number.as_str()) => {
                let of = place.checked_sub(2).and_then(|n| all.get(n));
                let place_of = is(before, "[") && named(of, &["KEYS", "ARGV", "stored"]);
                if !place_of && !names_constants(lines[line - 1]) {
                    say(&format!("the number {number} has no name"));
                }
            }
            Sign(sign) if sign == ".." => {
                let number = |t: Option<&(usize, Token)>| matches!(t, Some((_, Number(_))));
                if number(before) || number(after) || is(after, "#") {
                    say("a number becomes text by `..`");
                }
            }
            Sign(sign) if ["<", ">", "<=", ">="].contains(&sign.as_str()) => {
                let text = |t: Option<&(usize, Token)>| {
                    matches!(t, Some((_, Text(_)))) || named(t, &TEXTS)
                };
                // `#id > 0` is about a length.
                let start = all[..place].iter().rposition(|(_, t)| !path(t)).map_or(0, |n| n + 1);
                let length = start > 0 && is(all.get(start - 1), "#");
                let end = all[place + 1..].iter().position(|(_, t)| !path(t)).unwrap_or(0) + place;
                if (text(before) && !length) || text(all.get(end)) || text(after) {
                    say("text is compared by the server's locale");
                }
            }
            _ => {}
        }
    }
    wrong
}

/// Whether a token is part of a path such as `open.charge`.
fn path(token: &Token) -> bool {
    match token {
        Name(name) => {
            !["if", "and", "or", "not", "return", "then", "while", "do"].contains(&name.as_str())
        }
        Sign(sign) => sign == ".",
        _ => false,
    }
}

/// What is wrong with the arguments of a call of Redis; `all` begins at its parenthesis.
fn lint_call(all: &[(usize, Token)]) -> Option<String> {
    if !matches!(all.get(1), Some((_, Text(_)))) {
        return Some("the command's name is not there to be read".to_owned());
    }
    let (mut depth, mut inside, mut packed) = (0_usize, 0_usize, None);
    for (place, (_, token)) in all.iter().enumerate() {
        match token {
            Sign(sign) if sign == "(" => {
                depth += 1;
                let by = place.checked_sub(1).and_then(|n| all.get(n));
                if place > 0 && packed.is_none() {
                    if !named(by, &PACKERS) {
                        return Some("an argument is computed there".to_owned());
                    }
                    packed = Some(depth);
                }
            }
            Sign(sign) if sign == ")" => {
                if packed == Some(depth) {
                    packed = None;
                }
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return None;
                }
            }
            Sign(sign) if sign == "[" => inside += 1,
            Sign(sign) if sign == "]" => inside = inside.saturating_sub(1),
            _ if packed.is_some() || inside > 0 => {}
            Number(number) => return Some(format!("Redis is given the bare number {number}")),
            Sign(sign) if ["+", "-", "*", "/", "%", "^", "#"].contains(&sign.as_str()) => {
                return Some("Redis is given the result of arithmetic".to_owned());
            }
            _ => {}
        }
    }
    Some("a call does not end".to_owned())
}

/// The comment that a file begins with.
fn head(text: &str) -> Vec<&str> {
    text.lines().map_while(|line| line.strip_prefix("--")).map(str::trim_end).collect()
}

/// What is missing from a file's head.
fn lint_head(name: &str, text: &str) -> Vec<String> {
    let head = head(text);
    let first = head.first().copied().unwrap_or_default();
    if PARTS.contains(&name) {
        let enough = first.len() > 20 && first.starts_with(' ');
        return if enough { Vec::new() } else { vec!["1: no purpose is told".to_owned()] };
    }
    let mut wrong = Vec::new();
    if !first.starts_with(&format!(" {name}")) {
        wrong.push(format!("1: does not begin with `{name}`"));
    }
    for part in ["KEYS", "ARGV", "reply", "checks", "writes"] {
        if !head.iter().any(|line| line.starts_with(&format!(" {part} "))) {
            wrong.push(format!("1: the contract has no line `{part}`"));
        }
    }
    wrong
}

#[test]
fn the_scripts_keep_to_their_dialect() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger/redis/lua");
    let mut names: Vec<String> = Vec::new();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let found = lint_head(&name, &text).into_iter().chain(lint(&text));
        wrong.extend(found.map(|what| format!("{name}.lua:{what}")));
        names.push(name);
    }
    names.sort_unstable();
    let mut known = [VERBS.as_slice(), PARTS.as_slice()].concat();
    known.sort_unstable();
    assert_eq!(names, known, "a file is neither a verb nor a part");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_planted_is_found() {
    let table = [
        ("local x = cjson.encode(r)", "`cjson`"),
        ("local x = tostring(n)", "`tostring`"),
        ("local x = math.random()", "`random`"),
        ("local x = os.time()", "`os`"),
        ("for i = 1, #KEYS do end", "KEYS and ARGV"),
        ("local k = KEYS[i]", "KEYS and ARGV"),
        ("local late = now + 5000", "the number 5000"),
        ("local Max = 5000", "the number 5000"),
        ("local a, B = 3, 4", "the number 3"),
        ("local x = string.sub(bytes, 11)", "the number 11"),
        ("local x = list[3]", "the number 3"),
        ("call('SET', KEY, 5)", "bare number 5"),
        ("call('SET', KEY, now + lease_ms)", "arithmetic"),
        ("call('SET', KEY, #list)", "arithmetic"),
        ("call('SET', KEY, math.floor(n))", "is computed there"),
        ("call(name, KEY)", "not there to be read"),
        ("call('SET', KEY, total(n), digits(n))", "is computed there"),
        ("local x = 'a' .. 1", "becomes text"),
        ("local x = 2 .. 'a'", "becomes text"),
        ("local x = 'a' .. #list", "becomes text"),
        ("if p.id < q.id then return end", "locale"),
        ("if charge >= other then return end", "locale"),
        ("if n > o.charge then return end", "locale"),
        ("if n > 'a' then return end", "locale"),
    ];
    for (text, found) in table {
        let wrong = lint(text);
        assert!(wrong.iter().any(|what| what.contains(found)), "{text}: {wrong:?}");
        // Not in a comment.
        assert!(lint(&format!("-- {text}")).is_empty(), "{text}");
    }
    let sound = [
        "local LATE_MS = 3600000",
        "local A, B_2 = 3, 4",
        "local CHARGE, TEXTS = KEYS[10], KEYS[11]",
        "call('SET', KEY, pack('<B', n + 1) .. account_id, 'PX', digits(a + b))",
        "call('HDEL', lapsed and LAPSED or OPEN, r.charge)",
        "call('ZREMRANGEBYLEX', HISTORY, from, '[' .. names[#names])",
        "if #bytes > 2 and p.expires < now then return end",
        "local x = string.format('%015.0f', n)",
    ];
    for text in sound {
        assert_eq!(lint(text), Vec::<String>::new(), "{text}");
    }
    assert_eq!(lint_head("tick", "-- tick: works.\nlocal a").len(), 5);
    assert_eq!(lint_head("money", "local a").len(), 1);
}
