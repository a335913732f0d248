//! JSON values that come one after the other: on lines of their own, or as the items of one array.
//!
//! Each is reported like an event without a name.
//!
//! Invariant: holds one value of bounded size; a larger one is skipped and counted.

use super::squeezed::Squeezed;
use super::sse::{EVENT_MAX, Event};

/// Reads NDJSON: one value on each line.
#[derive(Debug)]
pub(super) struct LineReader {
    line: Squeezed,
    skipped: u64,
}

impl Default for LineReader {
    fn default() -> Self {
        Self { line: Squeezed::new(EVENT_MAX), skipped: 0 }
    }
}

impl LineReader {
    pub(super) fn feed(&mut self, mut bytes: &[u8], report: &mut dyn FnMut(Event<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            self.line.push(line);
            self.end(report);
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.line.push(bytes);
    }

    /// The body is over. A last line without its end may have been cut off, unless the body is whole.
    pub(super) fn finish(&mut self, complete: bool, report: &mut dyn FnMut(Event<'_>)) {
        if complete {
            self.end(report);
        }
    }

    pub(super) const fn skipped(&self) -> u64 {
        self.skipped
    }

    fn end(&mut self, report: &mut dyn FnMut(Event<'_>)) {
        self.skipped = self.skipped.saturating_add(tell(&self.line, report));
        self.line.clear();
    }
}

/// Reads the items of one array, or several values in a row.
#[derive(Debug)]
pub(super) struct ItemReader {
    value: Squeezed,
    depth: usize,
    /// Whether the outermost array is the list of what is reported.
    listed: bool,
    begun: bool,
    skipped: u64,
}

impl Default for ItemReader {
    fn default() -> Self {
        let value = Squeezed::new(EVENT_MAX);
        Self { value, depth: 0, listed: false, begun: false, skipped: 0 }
    }
}

impl ItemReader {
    pub(super) fn feed(&mut self, mut bytes: &[u8], report: &mut dyn FnMut(Event<'_>)) {
        while let Some(first) = bytes.first() {
            let taken = if self.value.in_text() {
                self.value.take_text(bytes)
            } else {
                self.mark(*first, report);
                1
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// The body is over.
    pub(super) fn finish(&mut self, complete: bool, report: &mut dyn FnMut(Event<'_>)) {
        if complete {
            self.end(report);
        }
    }

    pub(super) const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// One byte outside of texts.
    fn mark(&mut self, byte: u8, report: &mut dyn FnMut(Event<'_>)) {
        match byte {
            b'[' if !self.begun => self.listed = true,
            b',' | b']' if self.depth == 0 => self.end(report),
            b'[' | b'{' => {
                self.depth = self.depth.saturating_add(1);
                self.value.push(&[byte]);
            }
            b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                self.value.push(&[byte]);
                if self.depth == 0 {
                    self.end(report);
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return,
            _ => self.value.push(&[byte]),
        }
        self.begun = true;
    }

    fn end(&mut self, report: &mut dyn FnMut(Event<'_>)) {
        self.skipped = self.skipped.saturating_add(tell(&self.value, report));
        self.value.clear();
    }
}

/// Reports a value, unless there is none; how many were too large for it.
fn tell(value: &Squeezed, report: &mut dyn FnMut(Event<'_>)) -> u64 {
    let data = value.kept().trim_ascii();
    if value.is_over() {
        return 1;
    }
    if !data.is_empty() {
        report(Event { name: "", data: &String::from_utf8_lossy(data) });
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], size: usize, complete: bool) -> (Vec<String>, u64) {
        let (mut reader, mut seen) = (LineReader::default(), Vec::new());
        let mut report = |event: Event<'_>| seen.push(event.data.to_owned());
        text.chunks(size).for_each(|part| reader.feed(part, &mut report));
        reader.finish(complete, &mut report);
        (seen, reader.skipped())
    }

    fn items(text: &[u8], size: usize, complete: bool) -> (Vec<String>, u64) {
        let (mut reader, mut seen) = (ItemReader::default(), Vec::new());
        let mut report = |event: Event<'_>| seen.push(event.data.to_owned());
        text.chunks(size).for_each(|part| reader.feed(part, &mut report));
        reader.finish(complete, &mut report);
        (seen, reader.skipped())
    }

    #[test]
    fn lines_however_they_are_split() {
        let text = b"{\"a\":1}\r\n\n  \n{\"b\":\"\xc3\xa9\"}\n{\"c\":3}";
        for size in 1..=text.len() {
            let (seen, skipped) = lines(text, size, true);
            assert_eq!(seen, ["{\"a\":1}", "{\"b\":\"\u{e9}\"}", "{\"c\":3}"]);
            assert_eq!(skipped, 0);
            assert_eq!(lines(text, size, false).0.len(), 2);
        }
        let long = format!("{}\n{{}}\n", "1".repeat(EVENT_MAX + 1));
        assert_eq!(lines(long.as_bytes(), 1000, true), (vec!["{}".to_owned()], 1));
    }

    #[test]
    fn items_however_they_are_split() {
        let text = br#"[{"a":[1,{"b":"],}\""}]}
, {"c" : 2},
3]"#;
        for size in 1..=text.len() {
            let (seen, skipped) = items(text, size, true);
            assert_eq!(seen, [r#"{"a":[1,{"b":"],}\""}]}"#, r#"{"c" : 2}"#, "3"]);
            assert_eq!(skipped, 0);
        }
        // What is no array is one value; one behind the other, several.
        assert_eq!(items(b" {\"a\":\n 1}\n{\"b\":2}\n", 3, true).0, ["{\"a\":\n 1}", "{\"b\":2}"]);
        // What was cut off is not a value.
        assert_eq!(items(b"[{\"a\":1},{\"b\"", 3, false).0, ["{\"a\":1}"]);
        let long = format!("[{{\"a\":[{}1]}},{{}}]", "1,".repeat(EVENT_MAX));
        assert_eq!(items(long.as_bytes(), 1000, true), (vec!["{}".to_owned()], 1));
    }
}
