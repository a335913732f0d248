//! Counting the Unicode characters of a text that comes in pieces.
//!
//! Invariant: keeps at most the beginning of one character.

/// Counts Unicode scalar values of UTF-8.
#[derive(Clone, Debug, Default)]
pub(super) struct Characters {
    count: u64,
    /// The beginning of a character whose end has not come.
    begun: Vec<u8>,
}

/// The text is not UTF-8 (RFC 3629).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotUtf8;

impl Characters {
    /// Takes the next piece.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), NotUtf8> {
        let mut rest = bytes;
        while let ([first, more @ ..], false) = (rest, self.begun.is_empty()) {
            self.begun.push(*first);
            rest = more;
            match std::str::from_utf8(&self.begun) {
                Ok(_) => {
                    self.count = self.count.saturating_add(1);
                    self.begun.clear();
                }
                Err(error) if error.error_len().is_some() => return Err(NotUtf8),
                Err(_) => {}
            }
        }
        let (whole, begun) = match std::str::from_utf8(rest) {
            Ok(text) => (text, &[][..]),
            Err(error) if error.error_len().is_some() => return Err(NotUtf8),
            Err(error) => {
                let (whole, begun) = rest.split_at(error.valid_up_to());
                (std::str::from_utf8(whole).map_err(|_| NotUtf8)?, begun)
            }
        };
        let counted = u64::try_from(whole.chars().count()).unwrap_or(u64::MAX);
        self.count = self.count.saturating_add(counted);
        self.begun.extend_from_slice(begun);
        Ok(())
    }

    /// How many there were, once the text is over.
    pub(super) fn finish(&self) -> Result<u64, NotUtf8> {
        if self.begun.is_empty() { Ok(self.count) } else { Err(NotUtf8) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_split_counts_the_same() {
        for (text, expected) in [
            (&b""[..], Ok(0)),
            (b"abc", Ok(3)),
            ("hé🎵".as_bytes(), Ok(3)),
            ("👨‍👩‍👧‍👦".as_bytes(), Ok(7)),
            (b"\xff", Err(NotUtf8)),
            (b"a\xc3", Err(NotUtf8)),
            (b"\xed\xa0\x80", Err(NotUtf8)),
            (b"\xc3(", Err(NotUtf8)),
            (b"\xf0\x9f\x8e", Err(NotUtf8)),
        ] {
            for size in 1..=text.len().max(1) {
                let mut count = Characters::default();
                let fed = text.chunks(size).try_for_each(|piece| count.feed(piece));
                assert_eq!(fed.and_then(|()| count.finish()), expected, "{text:?} by {size}");
            }
        }
    }
}
