//! The way from a file to settings.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::environment::{Environment, System};
use super::findings::Findings;
use super::mirror::File;
use super::problem::{Place, Problem, Report};
use super::settings::Settings;
use super::source::Source;
use super::{preset, read, resolve, revision, schema, tree, walk};

/// The largest configuration file, in bytes.
const FILE_MAX: u64 = 4 << 20;

/// Reads a configuration file with the process's environment.
///
/// # Errors
/// A report of everything that is wrong with it. The settings come with their warnings.
pub fn load(path: &Path) -> Result<(Settings, Vec<Problem>), Report> {
    load_with(path, &System)
}

/// Reads a configuration file with another environment.
///
/// # Errors
/// As `load`.
pub fn load_with(
    path: &Path,
    environment: &dyn Environment,
) -> Result<(Settings, Vec<Problem>), Report> {
    let name = path.display().to_string();
    let text = text(path).map_err(|say| Report {
        problems: vec![Problem::of_file(
            &name,
            "unreadable",
            format!("the file cannot be read: {say}"),
        )],
    })?;
    load_text(&name, &text, environment)
}

/// Reads a configuration from a text; `name` is its path, for reports and as the start of relative paths.
///
/// # Errors
/// As `load`.
pub fn load_text(
    name: &str,
    text: &str,
    environment: &dyn Environment,
) -> Result<(Settings, Vec<Problem>), Report> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(name, text);
    let mut findings = Findings::new(&source);
    let base = Path::new(name).parent().unwrap_or(Path::new(""));
    let settings = settings(text, base, environment, &mut findings);
    let refused = findings.refused();
    let problems = findings.finish();
    match settings {
        Some(settings) if !refused => Ok((settings, problems)),
        _ => Err(Report { problems }),
    }
}

fn settings(
    text: &str,
    base: &Path,
    environment: &dyn Environment,
    findings: &mut Findings<'_>,
) -> Option<Settings> {
    let root = tree::parse(text, 0, findings);
    if findings.refused() {
        findings.veil_suspects();
        return None;
    }
    let mut root = root?;
    walk::walk(schema::of_file(), &root, findings);
    if findings.refused() {
        return None;
    }
    preset::apply(&mut root, base, findings);
    if findings.refused() {
        return None;
    }
    match File::deserialize(&root) {
        Ok(file) => resolve::resolve(&file, revision::revision(&root), base, environment, findings),
        Err(read::ReadError(say)) => {
            let start = Place { line: 1, column: 1, width: 1, ..Place::default() };
            findings.error(
                "unread",
                start,
                format!("the file fits the schema and yet cannot be read: {say}"),
            );
            None
        }
    }
}

/// A file's text; the error says why it cannot be read.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_MAX) {
        return Err("it is larger than 4 MiB".to_owned());
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
}
