//! The house rules that a program can hold: floors, names, sizes, and that what documents name exists.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors of `src/lib.rs`. A module uses its own floor and those below.
const FLOORS: [(&str, u8); 16] = [
    ("seam", 0),
    ("count", 0),
    ("credit", 0),
    ("ledger", 1),
    ("observe", 1),
    ("tls", 1),
    ("meter", 2),
    ("proxy", 3),
    ("admin", 4),
    ("portal", 4),
    ("telemetry", 4),
    ("config", 5),
    ("serve", 6),
    ("cli", 6),
    ("main", 6),
    ("lib", 6),
];

/// What a module must not know although its floor would allow it: our modules, and other people's crates.
const UNKNOWN: [(&str, &[&str], &[&str]); 11] = [
    ("count", &["credit"], &["tokio", "http", "hyper", "serde_json", "redb"]),
    ("seam", &["credit", "count"], &["http", "hyper", "serde_json", "redb"]),
    ("credit", &["count"], &["tokio", "http", "hyper", "redis", "redb", "axum"]),
    ("ledger", &["observe"], &["http", "hyper", "tower", "axum"]),
    ("observe", &["ledger"], &["tokio", "hyper", "tower", "redb", "axum"]),
    ("tls", &["ledger", "observe"], &["tokio", "http", "hyper", "tower", "axum", "redb"]),
    ("meter", &[], &["hyper", "hyper_util", "tower", "socket2", "axum", "redb"]),
    ("proxy", &[], &["redb", "axum", "clap"]),
    ("admin", &["proxy", "portal", "telemetry"], &["hyper", "redb"]),
    ("portal", &["proxy", "admin", "telemetry"], &["hyper", "redb"]),
    ("telemetry", &["proxy", "admin", "portal", "meter", "ledger", "credit"], &["hyper", "redb"]),
];

/// The longest file, tests within it included.
const LINES_MAX: usize = 450;
/// Names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "common", "manager", "handler"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder and of those in it with this ending.
pub(crate) fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|it| it == ending) {
            found.push(path);
        }
    }
    found.sort();
}

fn sources() -> Vec<(PathBuf, String, String)> {
    let mut found = Vec::new();
    files(&root().join("src"), "rs", &mut found);
    assert!(found.len() > 100, "only {} sources were found", found.len());
    let read = |path: PathBuf| {
        let below = path.strip_prefix(root().join("src")).unwrap();
        let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).unwrap();
        (below.to_owned(), module, text)
    };
    found.into_iter().map(read).collect()
}

fn floor(module: &str) -> u8 {
    let found = FLOORS.iter().find(|(name, _)| *name == module);
    found.unwrap_or_else(|| panic!("{module} has no floor: give it one here and in src/lib.rs")).1
}

/// The modules of this crate that a line of code names.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices("crate::").filter_map(move |(at, found)| {
        let before = code[..at].chars().next_back();
        let rest = &code[at + found.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let own = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '$');
        (own && end > 0).then_some(&rest[..end])
    })
}

fn mentions(line: &str, krate: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default().trim_start();
    let path = format!("{krate}::");
    code.match_indices(&path).any(|(at, _)| {
        code[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
    })
}

#[test]
fn nobody_imports_from_a_floor_above() {
    let mut wrong = Vec::new();
    let mut edges = 0;
    for (path, module, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for target in named(line) {
                // Macros and re-exports of the crate's root are no modules.
                if !FLOORS.iter().any(|(name, _)| *name == target) {
                    continue;
                }
                edges += 1;
                let unknown = UNKNOWN.iter().find(|(name, ..)| *name == module);
                let forbidden = unknown.is_some_and(|(_, modules, _)| modules.contains(&target));
                if floor(target) > floor(&module) || forbidden {
                    let place = format!("{}:{}", path.display(), number + 1);
                    wrong.push(format!("{place}: {module} must not know {target}"));
                }
            }
        }
    }
    assert!(edges > 300, "only {edges} imports were read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nobody_knows_the_crates_of_other_floors() {
    let mut wrong = Vec::new();
    for (path, module, text) in sources() {
        let Some((_, _, crates)) = UNKNOWN.iter().find(|(name, ..)| *name == module) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for krate in crates.iter().filter(|krate| mentions(line, krate)) {
                wrong.push(format!("{}:{}: {krate}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_check_itself_sees() {
    assert_eq!(named("use crate::proxy::{Body, Core};").collect::<Vec<_>>(), ["proxy"]);
    assert_eq!(named("fn f() -> crate::meter::Held {").collect::<Vec<_>>(), ["meter"]);
    assert_eq!(named("// use crate::proxy;").count(), 0);
    assert!(mentions("use tokio::sync::mpsc;", "tokio"));
    assert!(mentions("    let x = http::HeaderMap::new();", "http"));
    assert!(!mentions("use crate::http::x;", "http") && !mentions("// tokio::spawn", "tokio"));
}

#[test]
fn names_and_sizes() {
    let mut wrong = Vec::new();
    for (path, _, text) in sources() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if EMPTY_NAMES.contains(&name) {
            wrong.push(format!("{}: the name says nothing", path.display()));
        }
        if text.lines().count() > LINES_MAX {
            wrong.push(format!("{}: more than {LINES_MAX} lines", path.display()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{}: no word at its head", path.display()));
        }
        for mark in ["TODO", "FIXME", "XXX"] {
            if text.contains(mark) {
                wrong.push(format!("{}: {mark}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_top_level_is_what_it_should_be() {
    let expected = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "Dockerfile",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "bench",
        "config",
        "src",
        "target",
        "tests",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || expected.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn what_the_dockerfile_copies_exists() {
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let mut copied = 0;
    for line in text.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from")) {
        let mut words: Vec<_> = line.split_whitespace().skip(1).collect();
        words.pop();
        for path in words {
            copied += 1;
            assert!(root().join(path).exists(), "{line}");
        }
    }
    assert!(copied > 3);
}

#[test]
fn every_file_that_the_readme_names_exists() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let mut named = 0;
    for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if !link.contains("://") && !link.starts_with('#') {
            named += 1;
            assert!(root().join(link).exists(), "{link}");
        }
    }
    assert!(named > 5);
}
