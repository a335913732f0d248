//! What the names of fields have in common to the most forgiving of servers.
//!
//! Invariant: whatever some server reads as a name has the same fold as that name.

/// A name as the most forgiving server would compare it: without case; without escapes; without what stands in
/// brackets (PHP, Rails, `qs`: `n[]`, `n[0]`, `[n]`); without white space and control characters at its ends, and
/// not beyond a control character within it (C); with `_` for a dot or a space (PHP).
pub(super) fn fold(name: &str) -> String {
    let plain = unescaped(name);
    let before = |c: char| c.is_whitespace() || c.is_control() || "?[\u{feff}".contains(c);
    let begun = plain.trim_start_matches(before);
    let end = begun.find(|c: char| matches!(c, '[' | ']') || c.is_control()).unwrap_or(begun.len());
    let base = begun.get(..end).unwrap_or(begun).trim_end();
    base.chars().flat_map(folded).collect()
}

/// Case as Go folds it (two letters more than ASCII), and as others do (all of Unicode).
fn folded(c: char) -> impl Iterator<Item = char> {
    let c = match c {
        '.' | ' ' => '_',
        '\u{17f}' => 's',
        c => c,
    };
    c.to_lowercase()
}

fn unescaped(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped =
            bytes.get(at..at.saturating_add(3)).filter(|_| *byte == b'%').and_then(escape);
        plain.push(escaped.unwrap_or(*byte));
        at = at.saturating_add(if escaped.is_some() { 3 } else { 1 });
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The byte that `%XX` means.
pub(super) fn escape(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    match text {
        [b'%', high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name() {
        for name in [
            "n",
            "N",
            " n",
            "n ",
            "\tn",
            "n[]",
            "n[0]",
            "n[a][b]",
            "n[",
            "n]",
            "[n]",
            "?n",
            "%6e",
            "n%5b%5d",
            "n\u{0}x",
            "n\nx",
            "\u{feff}n",
        ] {
            assert_eq!(fold(name), "n", "{name:?}");
        }
        for name in
            ["max_minutes", "max.minutes", "max minutes", "MAX_Minutes", "max_minute\u{17f}"]
        {
            assert_eq!(fold(name), "max_minutes", "{name:?}");
        }
        assert_eq!(fold("\u{212a}ey"), "key");
        for other in ["m", "nn", "n_", "x.n", "n-", "%6", "%zz", ""] {
            assert_ne!(fold(other), "n", "{other:?}");
        }
    }
}
