//! Configuration: what is committed is accepted, what is wrong is reported, what is priced is exact.

mod commands;
mod credits;
mod presets;
mod prices;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use tollgate::config::{
    Assumed, Environment, Report, Settings, StoreSettings, load_text, load_with, schema,
};

/// The environment of the bad files: a good token, and every sort of bad one.
struct Fake;

/// A certificate and its key.
static PAIR: LazyLock<(String, String)> = LazyLock::new(pair);

fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

impl Environment for Fake {
    fn variable(&self, name: &str) -> Option<String> {
        let value = match name {
            "TOKEN" => "0123456789abcdef",
            "SHORT" => "hunter2",
            "SPACES" => "correct horse battery staple",
            "BROKEN" => "hunter2\nx-evil: 1",
            "EMPTY" => "",
            "REDIS" => "rediss://tollgate:hunter2@redis.internal:6380/2",
            "BROKEN_REDIS" => "redis://tollgate:hunter2@redis.internal:port",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("binary.txt") => Ok(vec![0xff, 0xfe]),
            Some("garbage.pem") => Ok(b"hunter2".to_vec()),
            Some("certificate.pem") => Ok(PAIR.0.clone().into_bytes()),
            Some("key.pem") => Ok(PAIR.1.clone().into_bytes()),
            Some("other-key.pem") => Ok(pair().1.into_bytes()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }

    fn cores(&self) -> usize {
        2
    }
}

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a folder with this ending, and of the folders in it.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Compares a committed file with what it should be; `TOLLGATE_BLESS=1` writes it.
fn committed(path: &Path, wanted: &str) {
    if std::env::var_os("TOLLGATE_BLESS").is_some() {
        std::fs::write(path, wanted).unwrap();
    }
    assert_eq!(
        read(path),
        wanted,
        "{}: run with TOLLGATE_BLESS=1 and read the change",
        path.display()
    );
}

fn accepted(path: &str) -> Settings {
    let (settings, warnings) =
        load_with(&at(path), &Assumed).unwrap_or_else(|report| panic!("{report}"));
    assert!(warnings.is_empty(), "{path}: {}", warnings[0]);
    settings
}

#[test]
fn the_committed_schema_is_the_code() {
    committed(&at("config/tollgate.schema.json"), &schema());
}

#[test]
fn every_runnable_file_is_accepted_without_warnings() {
    let apis = at("config/apis");
    let found = files(&at("config"), "yaml").into_iter().filter(|path| !path.starts_with(&apis));
    let found: Vec<_> = found.collect();
    assert_eq!(found.len(), 15, "{found:?}");
    for path in found {
        let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap();
        let above = if path.starts_with("config/examples/") { ".." } else { "." };
        let first = format!("# yaml-language-server: $schema={above}/tollgate.schema.json\n");
        assert!(read(&at(path)).starts_with(&first), "{path} does not name its schema");
        accepted(path);
    }
}

#[test]
fn every_bad_file_has_its_report() {
    let cases = files(&at("tests/cases/config"), "yaml");
    assert_eq!(cases.len(), 105);
    for path in cases {
        let name = path.file_name().unwrap().to_str().unwrap();
        let report = match load_text(name, &read(&path), &Fake) {
            Err(report) => report.to_string(),
            Ok((_, warnings)) => {
                assert!(!warnings.is_empty(), "{name} is accepted");
                warnings.iter().fold(String::new(), |mut all, warning| {
                    let _ = writeln!(all, "{warning}");
                    all
                })
            }
        };
        committed(&path.with_extension("report"), &format!("{}\n", report.trim_end()));
    }
}

#[test]
fn every_code_has_a_case() {
    let reports: String =
        files(&at("tests/cases/config"), "report").iter().map(|path| read(path)).collect();
    let sources: String = files(&at("src/config"), "rs").iter().map(|path| read(path)).collect();
    let squeezed: String = sources.split_whitespace().collect();
    let mut codes: Vec<&str> = [".error(\"", ".warning(\"", "Err((\"", "unknown(\""]
        .iter()
        .flat_map(|call| squeezed.split(call).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    assert!(codes.len() > 40, "{codes:?}");
    let missing: Vec<_> =
        codes.iter().filter(|code| !reports.contains(&format!("[{code}]"))).collect();
    // `unread` cannot happen as long as the walk is right.
    assert_eq!(missing, [&"unread"]);
}

#[test]
fn no_report_has_a_secret() {
    for path in files(&at("tests/cases/config"), "report") {
        for secret in ["hunter2", "sk-live", "correct-horse", "correct horse"] {
            assert!(!read(&path).contains(secret), "{}: {secret}", path.display());
        }
    }
}

/// Everything but the revision, which is the file's own.
fn shown(settings: &Settings) -> String {
    let text = format!("{settings:#?}");
    text.lines().filter(|line| !line.contains("revision: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn defaults_are_what_the_reference_says() {
    let reference = read(&at("config/reference.yaml"));
    let redis = other_store(&reference);
    assert!(matches!(defaults(&reference).store, StoreSettings::Embedded { .. }));
    assert!(matches!(defaults(&redis).store, StoreSettings::Redis { .. }));
}

/// The reference with the store that is a comment in it: lines whose `#` stands directly before a name.
fn other_store(reference: &str) -> String {
    let (mut other, mut embedded) = (String::new(), false);
    for line in reference.lines() {
        embedded = line == "  embedded:" || (embedded && line.starts_with("    "));
        match line.strip_prefix("  #").filter(|rest| !rest.trim_start().starts_with('#')) {
            Some(rest) => writeln!(other, "  {rest}").unwrap(),
            None if embedded => {}
            None => writeln!(other, "{line}").unwrap(),
        }
    }
    other
}

/// The settings that a reference gives, and those that are left without what it calls a default.
fn defaults(reference: &str) -> Settings {
    let default = |line: &&str| line.split_once("# default").is_some();
    let necessary: String = reference
        .lines()
        .filter(|line| !default(line))
        .fold(String::new(), |all, line| all + line + "\n");
    assert!(reference.lines().filter(default).count() > 50);
    let load = |text: &str| {
        load_text("config/reference.yaml", text, &Assumed)
            .unwrap_or_else(|report| panic!("{report}"))
            .0
    };
    assert_eq!(shown(&load(reference)), shown(&load(&necessary)));
    load(reference)
}

#[test]
fn the_reference_has_every_name() {
    let reference = read(&at("config/reference.yaml"));
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let mut names = Vec::new();
    collect(&schema, &mut names);
    assert!(names.len() > 60);
    // A name stands before a colon, and so do those that are only in comments.
    let missing: Vec<_> =
        names.iter().filter(|name| !reference.contains(&format!("{name}:"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn collect(schema: &serde_json::Value, names: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(|properties| properties.as_object())
    {
        names.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(object) => {
            object.values().for_each(|value| collect(value, names))
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}

#[test]
fn the_revision_is_of_what_is_said() {
    let revision =
        |text: &str| load_text("a.yaml", text, &Assumed).unwrap().0.rules.revision.clone();
    let text = read(&at("config/quickstart.yaml"));
    let first = revision(&text);
    assert!(first.starts_with("rev_") && first.len() == 20, "{first}");
    assert_eq!(
        revision(&format!("# a comment\n{}", text.replace("rate: 5", "rate:   \"5\""))),
        first
    );
    assert_ne!(revision(&text.replace("rate: 5", "rate: 6")), first);
}

#[test]
fn only_the_reference_of_a_secret_is_shown() {
    let settings = accepted("config/examples/dubbing.yaml");
    assert!(!format!("{settings:?}").contains("assumed"), "{settings:?}");
}

#[test]
fn what_cannot_be_read_is_a_report() {
    let report = |path: &Path| -> Report { load_with(path, &Assumed).unwrap_err() };
    assert!(report(&at("config/none.yaml")).to_string().contains("[unreadable]"));
    assert!(report(&at("config")).to_string().contains("[unreadable]"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    std::fs::write(&path, b"listen: \xff").unwrap();
    assert!(report(&path).to_string().contains("not UTF-8 at byte 8"));
    std::fs::write(&path, vec![b'#'; (4 << 20) + 1]).unwrap();
    assert!(report(&path).to_string().contains("larger than 4 MiB"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is cut out of a good file or put into it: an answer, never a panic, and a report that can be printed.
    #[test]
    fn broken_files_are_answered(from in 0_usize..6_000, length in 0_usize..40, put in "[-:{}\\[\\]&*!|>'\"%@`#, \n\ta-z0-9\u{7f}-\u{ff}]{0,12}") {
        let text = read(&at("config/reference.yaml"));
        let chars: Vec<char> = text.chars().collect();
        let from = from.min(chars.len());
        let until = (from + length).min(chars.len());
        let broken: String = chars[..from].iter().copied().chain(put.chars()).chain(chars[until..].iter().copied()).collect();
        if let Err(report) = load_text("a.yaml", &broken, &Assumed) {
            let shown = report.to_string();
            prop_assert!(!report.problems.is_empty());
            // What passes the walk can be read.
            prop_assert!(!shown.contains("[unread]"), "{shown}");
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        }
    }
}
