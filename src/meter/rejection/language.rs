//! The languages of refusals, and which one a client gets (RFC 9110 §12.5.4, lookup of RFC 4647 §3.4).
//!
//! Invariant: whatever `Accept-Language` says, there is a language, and reading it allocates nothing.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// The most language ranges that are read; what stands behind them does not count.
const RANGES_MAX: usize = 32;
/// A weight of 1, in thousandths, which is as fine as weights are (RFC 9110 §12.4.2).
const WHOLE: u16 = 1_000;

/// A language that refusals are told in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, and what holds where nothing else is asked for.
    #[default]
    English,
    /// Portuguese as it is written in Brazil; also for who asks for any other Portuguese.
    Portuguese,
    /// French.
    French,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::English, Self::Portuguese, Self::French];

    /// Its tag (BCP 47), as `Content-Language` says it.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Portuguese => "pt-BR",
            Self::French => "fr",
        }
    }

    /// What a client with these headers likes best. Ranges that cannot be read are passed over; of equal
    /// weights the first wins.
    #[must_use]
    pub fn of(request: &HeaderMap) -> Self {
        let values = || request.get_all(ACCEPT_LANGUAGE).iter().filter_map(|v| v.to_str().ok());
        let ranges = || values().flat_map(|value| value.split(',')).take(RANGES_MAX);
        let weighed = || ranges().filter_map(weighed);
        let refused = |language| weighed().any(|one| one == (Some(language), 0));
        let mut best = (Self::default(), 0);
        for (language, weight) in weighed() {
            match language {
                Some(language) if weight > best.1 && !refused(language) => {
                    best = (language, weight);
                }
                _ => {}
            }
        }
        best.0
    }

    /// Lookup: the range loses its last subtag until it is one of ours. `*` says nothing and finds nothing.
    fn looked_up(range: &str) -> Option<Self> {
        let primary = range.split('-').next().unwrap_or(range);
        let ours = [("en", Self::English), ("pt", Self::Portuguese), ("fr", Self::French)];
        ours.into_iter().find(|(tag, _)| tag.eq_ignore_ascii_case(primary)).map(|(_, ours)| ours)
    }
}

/// A range with its weight in thousandths: `fr-CA;q=0.8`. `None`: it cannot be read.
fn weighed(text: &str) -> Option<(Option<Language>, u16)> {
    let (range, weight) = text.split_once(';').unwrap_or((text, "q=1"));
    let (name, value) = weight.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    Some((Language::looked_up(range.trim()), thousandths(value.trim())?))
}

/// `qvalue` of RFC 9110 §12.4.2: `0` or `1`, with up to three digits behind the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits = part.bytes().chain([b'0'; 3]).take(3);
    let part = digits.fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(WHOLE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(values: &[&str]) -> &'static str {
        let pair =
            |value: &&str| (ACCEPT_LANGUAGE, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        let mut headers = HeaderMap::new();
        headers.extend(values.iter().map(pair));
        Language::of(&headers).tag()
    }

    #[test]
    fn the_best_liked_language_that_there_is() {
        for (value, tag) in [
            ("", "en"),
            ("*", "en"),
            ("de", "en"),
            ("fr", "fr"),
            ("FR", "fr"),
            ("fr-CA", "fr"),
            ("fr-Latn-CA", "fr"),
            ("pt-BR", "pt-BR"),
            ("pt-br", "pt-BR"),
            ("pt", "pt-BR"),
            ("pt-PT", "pt-BR"),
            ("en-GB, fr", "en"),
            ("de, fr", "fr"),
            ("*, fr;q=0.1", "fr"),
            ("fr;q=0.5, *", "fr"),
            ("en;q=0.5, fr;q=0.6", "fr"),
            ("en;q=0.8,pt;q=0.8", "en"),
            ("pt;q=0.8,en;q=0.8", "pt-BR"),
            ("en;q=0.001, fr;q=0.002", "fr"),
            ("da, en-gb;q=0.8, en;q=0.7", "en"),
            (" fr ; q=0.5 , en ; Q=0.4 ", "fr"),
            ("fr;q=0", "en"),
            ("fr-CH, fr;q=0, pt;q=0.1", "pt-BR"),
            ("en;q=0, pt;q=0.001", "pt-BR"),
            ("en;q=0", "en"),
            ("fr;q=1.000", "fr"),
            // What cannot be read is passed over.
            ("fr;q=1.001", "en"),
            ("fr;q=2", "en"),
            ("fr;q=0.1234", "en"),
            ("fr;q=", "en"),
            ("fr;q=-1", "en"),
            ("fr;q=+0.5", "en"),
            ("fr;level=1", "en"),
            ("fr;q=x, pt;q=0.1", "pt-BR"),
            (",,;,fr", "fr"),
            ("french", "en"),
            ("f\u{e9}, pt", "en"),
        ] {
            assert_eq!(of(&[value]), tag, "{value:?}");
        }
        assert_eq!(of(&["en;q=0.1", "fr"]), "fr");
        let long = format!("{}fr", "de,".repeat(RANGES_MAX));
        assert_eq!(of(&[&long]), "en");
    }
}
