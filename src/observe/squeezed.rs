//! JSON that is kept without its long texts: images and sound come as base64 between the numbers that matter.
//!
//! A text of more than `TEXT_MAX` bytes is replaced by [`CUT`] as it passes, so that an answer of any size can
//! be read for its usage. What is not JSON is kept as it came, up to the same bounds.
//!
//! Invariant: never holds more than its bound, whatever passes.

/// The longest text, as it is written, that is kept.
pub(super) const TEXT_MAX: usize = 64 * 1024;

/// What stands in the place of a longer text. These code points are no characters (Unicode, ch. 23.7): nobody
/// writes them.
pub const CUT: &str = "\u{fdd0}cut\u{fdd1}";

/// See the module.
#[derive(Debug)]
pub(super) struct Squeezed {
    kept: Vec<u8>,
    max: usize,
    over: bool,
    /// Where the text that is being read begins, behind its quotation mark; `None`: outside of texts.
    text: Option<usize>,
    escaped: bool,
    cut: bool,
}

impl Squeezed {
    /// Keeps at most `max` bytes.
    pub(super) const fn new(max: usize) -> Self {
        Self { kept: Vec::new(), max, over: false, text: None, escaped: false, cut: false }
    }

    /// What was kept: the beginning, if there was more than may be kept.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Whether there was more than may be kept.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether nothing was kept.
    pub(super) const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether a text has begun and not ended.
    pub(super) const fn in_text(&self) -> bool {
        self.text.is_some()
    }

    /// Begins anew; the room is used again.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        (self.over, self.text, self.escaped, self.cut) = (false, None, false, false);
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = if self.in_text() { self.take_text(bytes) } else { self.take_rest(bytes) };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// Takes bytes outside of texts, up to and with the mark that begins one; how many.
    fn take_rest(&mut self, bytes: &[u8]) -> usize {
        let mark = memchr::memchr(b'"', bytes);
        let end = mark.map_or(bytes.len(), |mark| mark.saturating_add(1));
        self.keep(bytes.get(..end).unwrap_or(bytes));
        if mark.is_some() {
            (self.text, self.cut) = (Some(self.kept.len()), false);
        }
        end
    }

    /// Takes bytes of a text, up to and with the mark that ends it; how many.
    pub(super) fn take_text(&mut self, bytes: &[u8]) -> usize {
        if std::mem::take(&mut self.escaped) {
            let one = bytes.get(..1).unwrap_or(bytes);
            self.keep_text(one);
            return one.len();
        }
        let end = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        let (run, rest) = bytes.split_at(end);
        self.keep_text(run);
        match rest.first() {
            Some(b'"') => {
                self.keep(b"\"");
                self.text = None;
            }
            Some(mark) => {
                self.keep_text(&[*mark]);
                self.escaped = true;
            }
            None => return end,
        }
        end.saturating_add(1)
    }

    fn keep_text(&mut self, part: &[u8]) {
        let begin = self.text.unwrap_or_default();
        let long = self.kept.len().saturating_sub(begin).saturating_add(part.len()) > TEXT_MAX;
        if long && !self.cut {
            self.kept.truncate(begin);
            self.keep(CUT.as_bytes());
            self.cut = true;
        }
        if !self.cut {
            self.keep(part);
        }
    }

    fn keep(&mut self, part: &[u8]) {
        let room = self.max.saturating_sub(self.kept.len());
        self.over |= part.len() > room;
        self.kept.extend_from_slice(part.get(..room).unwrap_or(part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squeezed(text: &str, size: usize) -> String {
        let mut all = Squeezed::new(1 << 20);
        text.as_bytes().chunks(size).for_each(|part| all.push(part));
        assert!(!all.is_over() && !all.in_text());
        String::from_utf8(all.kept().to_vec()).unwrap()
    }

    #[test]
    fn only_long_texts_are_cut() {
        let long = "x".repeat(TEXT_MAX + 1);
        let escapes = r#"\\\"\u00e9"#.repeat(TEXT_MAX / 4);
        for size in [1, 7, 4096, 1 << 22] {
            for (before, after) in [
                (r#"{"a":"b\"c","n":[1,2]}"#.to_owned(), None),
                (format!(r#"{{"a":"{}"}}"#, "x".repeat(TEXT_MAX)), None),
                (format!(r#"{{"a":"{long}","n":1}}"#), Some(format!(r#"{{"a":"{CUT}","n":1}}"#))),
                (format!(r#"["{escapes}",""]"#), Some(format!(r#"["{CUT}",""]"#))),
                (format!(r#"["{long}","{long}"]"#), Some(format!(r#"["{CUT}","{CUT}"]"#))),
            ] {
                assert_eq!(squeezed(&before, size), after.unwrap_or(before));
            }
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut all = Squeezed::new(10);
        all.push(b"123456789");
        assert!(!all.is_over());
        all.push(b"abc");
        assert!(all.is_over());
        assert_eq!(all.kept(), b"123456789a");
        all.clear();
        assert!(all.is_empty() && !all.is_over());
    }
}
