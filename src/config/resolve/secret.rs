//! Secrets: only referred to in the file, read here, never quoted.

use std::path::PathBuf;

use super::Resolver;
use crate::config::mirror::Secret;
use crate::config::placed::At;
use crate::config::problem::Place;

impl Resolver<'_, '_> {
    /// The text of a secret and the place of its reference.
    pub(super) fn secret(&mut self, secret: &Secret) -> Option<(String, Place)> {
        let (text, place) = match secret {
            Secret::Env(name) => (self.variable(name)?, name.place),
            Secret::File(path) => (self.secret_file(path)?, path.place),
        };
        if text.is_empty() {
            self.findings.error("empty_secret", place, "the secret is empty");
            return None;
        }
        Some((text, place))
    }

    fn variable(&mut self, name: &At<String>) -> Option<String> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.value.starts_with(|c: char| c.is_ascii_digit()) || !name.value.bytes().all(good) {
            // Perhaps the secret itself was written here.
            self.findings.veil(name.place);
            let message = "`env` is the name of an environment variable: letters, digits or `_`";
            self.findings
                .error("malformed", name.place, message)
                .help("write the name, never the secret itself");
            return None;
        }
        let value = self.environment.variable(&name.value);
        if value.is_none() {
            let message = format!("the environment variable `{}` is not set", name.value);
            self.findings.error("missing_secret", name.place, message);
        }
        value
    }

    fn secret_file(&mut self, path: &At<String>) -> Option<String> {
        let text = String::from_utf8(self.read_file(path)?);
        let text = text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        if text.is_err() {
            self.findings.error(
                "unreadable_file",
                path.place,
                format!("`{}` is not text", path.value),
            );
        }
        text.ok()
    }

    /// The contents of a file that the configuration names.
    pub(super) fn read_file(&mut self, path: &At<String>) -> Option<Vec<u8>> {
        match self.environment.file(&self.path(path)) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", path.value);
                self.findings.error("unreadable_file", path.place, message);
                None
            }
        }
    }

    /// A path; a relative one begins at the folder of the configuration.
    pub(super) fn path(&self, path: &At<String>) -> PathBuf {
        self.base.join(&path.value)
    }
}
