//! What a request asks the sample upstream to do wrong: header `x-sample`, words separated by `;`.
//!
//! Invariant: an unknown word is refused, so that a slip of the pen in a test cannot pass as a success.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

/// What to do wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Switches {
    /// `fail`, `fail=503`: answer with this status and a JSON error.
    pub(super) fail: Option<StatusCode>,
    /// `block`: refuse the content.
    pub(super) block: bool,
    /// `hang=SECONDS`: wait so long before the head.
    pub(super) hang: Duration,
    /// `cut`: close the connection in the middle of the body.
    pub(super) cut: bool,
    /// `slow=MS`: wait so long before each part of the body.
    pub(super) slow: Option<Duration>,
    /// `no-usage`: leave the usage out of a chat answer.
    pub(super) no_usage: bool,
    /// `usage=PROMPT,COMPLETION`: say these tokens.
    pub(super) usage: Option<(u64, u64)>,
    /// `error-event`: an error inside a stream that began well.
    pub(super) error_event: bool,
    /// `lie-length`: announce more bytes than come.
    pub(super) lie_length: bool,
    /// `seconds=N`: the seconds that dubbing answers, whatever was asked.
    pub(super) seconds: Option<f64>,
}

impl Switches {
    /// Reads them; the error is the word that was not understood.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, String> {
        let mut switches = Self::default();
        for value in headers.get_all("x-sample") {
            let text = value.to_str().map_err(|_| "x-sample is not ASCII".to_owned())?;
            for word in text.split(';').map(str::trim).filter(|word| !word.is_empty()) {
                switches.set(word).ok_or_else(|| format!("x-sample: {word:?} is not a switch"))?;
            }
        }
        Ok(switches)
    }

    fn set(&mut self, word: &str) -> Option<()> {
        let (name, value) = word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
        match (name, value) {
            ("fail", None) => self.fail = Some(StatusCode::INTERNAL_SERVER_ERROR),
            ("fail", Some(status)) => self.fail = Some(status.parse().ok()?),
            ("block", None) => self.block = true,
            ("hang", Some(seconds)) => {
                self.hang = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?
            }
            ("cut", None) => self.cut = true,
            ("slow", Some(ms)) => self.slow = Some(Duration::from_millis(ms.parse().ok()?)),
            ("no-usage", None) => self.no_usage = true,
            ("usage", Some(pair)) => {
                let (prompt, completion) = pair.split_once(',')?;
                self.usage = Some((prompt.parse().ok()?, completion.parse().ok()?));
            }
            ("error-event", None) => self.error_event = true,
            ("lie-length", None) => self.lie_length = true,
            ("seconds", Some(seconds)) => self.seconds = Some(seconds.parse().ok()?),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Switches, String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-sample", text.parse().unwrap());
        Switches::read(&headers)
    }

    #[test]
    fn words_together() {
        let switches = read("slow=50; cut;usage=3,4").unwrap();
        assert!(switches.cut);
        assert_eq!(switches.slow, Some(Duration::from_millis(50)));
        assert_eq!(switches.usage, Some((3, 4)));
        assert_eq!(read("fail=503").unwrap().fail, Some(StatusCode::SERVICE_UNAVAILABLE));
    }

    #[test]
    fn slips_are_refused() {
        for text in ["fale", "hang", "fail=x", "usage=3", "cut=1", "hang=-1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
