//! What a form says in the fields that are sought.
//!
//! Invariant: a text that is priced stands there once, under one spelling, as UTF-8.

use super::TEXT_MAX;
use super::characters::Characters;
use super::kind::is_utf8;
use super::names::fold;
use super::part::{Charset, PartHead};
use super::problem::FormProblem;

/// By which field browsers and some servers agree on an encoding (HTML §4.10.21.4).
const CHARSET: &str = "_charset_";
/// By which field some servers take POST for another method.
const METHOD: &str = "_method";

/// A field that is sought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// Its text.
    Text(String),
    /// How many Unicode characters its text has.
    Characters(String),
    /// How often its name, or its name and `[]`, stands there; texts and files alike.
    Items(String),
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Form {
    slots: Vec<Slot>,
}

impl Form {
    /// The text of a field that was sought as a text; `None`: it is not there.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let slot = self.slots.iter().find(|slot| slot.is(name, What::Text))?;
        std::str::from_utf8(&slot.text).ok().filter(|_| slot.seen > 0)
    }

    /// How many characters the text of a field has whose characters were sought; `None`: it is not there.
    #[must_use]
    pub fn characters(&self, name: &str) -> Option<u64> {
        let slot = self.slots.iter().find(|slot| slot.is(name, What::Characters))?;
        slot.characters.finish().ok().filter(|_| slot.seen > 0)
    }

    /// How often a name stands there whose items were sought; `None`: not at all.
    #[must_use]
    pub fn items(&self, name: &str) -> Option<u64> {
        let slot = self.slots.iter().find(|slot| slot.is(name, What::Items))?;
        Some(slot.seen).filter(|seen| *seen > 0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Text,
    Characters,
    Items,
}

/// One field that is sought, and what it said so far.
#[derive(Clone, Debug)]
struct Slot {
    name: String,
    fold: String,
    what: What,
    seen: u64,
    /// Under which name it, or another with the same fold, stood there.
    spelled: Option<String>,
    text: Vec<u8>,
    characters: Characters,
}

impl Slot {
    fn new(sought: Sought) -> Self {
        let (name, what) = match sought {
            Sought::Text(name) => (name, What::Text),
            Sought::Characters(name) => (name, What::Characters),
            Sought::Items(name) => (name, What::Items),
        };
        let (text, characters) = (Vec::new(), Characters::default());
        Self { fold: fold(&name), name, what, seen: 0, spelled: None, text, characters }
    }

    fn is(&self, name: &str, what: What) -> bool {
        self.name == name && self.what == what
    }

    fn answers_to(&self, name: &str) -> bool {
        let list = || name.strip_suffix("[]") == Some(self.name.as_str());
        self.name == name || (self.what == What::Items && list())
    }

    fn begin(&mut self, part: &PartHead) -> Result<(), FormProblem> {
        if self.what != What::Items {
            if self.seen > 0 {
                return Err(FormProblem::Twice(self.name.clone()));
            }
            if !part.is_text() {
                return Err(FormProblem::NotText(self.name.clone()));
            }
        }
        self.seen = self.seen.saturating_add(1);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8], charset: Charset) -> Result<(), FormProblem> {
        // What is wrong first is told, however the text is cut.
        let kept = match self.what {
            What::Items => return Ok(()),
            What::Characters => bytes,
            What::Text => bytes.get(..TEXT_MAX.saturating_sub(self.text.len())).unwrap_or(bytes),
        };
        if charset == Charset::Ascii && !kept.is_ascii() {
            return Err(FormProblem::Charset);
        }
        let fed = self.characters.feed(kept);
        fed.map_err(|_| FormProblem::NotUtf8(self.name.clone()))?;
        if kept.len() < bytes.len() {
            return Err(FormProblem::TooLong(self.name.clone()));
        }
        if self.what == What::Text {
            self.text.extend_from_slice(kept);
        }
        Ok(())
    }

    fn end(&self) -> Result<(), FormProblem> {
        let ended = self.characters.finish().map(drop);
        ended.map_err(|_| FormProblem::NotUtf8(self.name.clone()))
    }
}

/// Gathers what a form says.
#[derive(Debug)]
pub(super) struct Fields {
    slots: Vec<Slot>,
    /// The encoding that the form itself names.
    charset: Slot,
    /// The slots that the field which is being read belongs to.
    open: Vec<usize>,
    in_charset: bool,
    part_charset: Charset,
}

impl Fields {
    pub(super) fn new(mut sought: Vec<Sought>) -> Self {
        let mut seen: Vec<Sought> = Vec::new();
        sought.retain(|one| {
            let first = !seen.contains(one);
            seen.push(one.clone());
            first
        });
        Self {
            slots: sought.into_iter().map(Slot::new).collect(),
            charset: Slot::new(Sought::Text(CHARSET.to_owned())),
            open: Vec::new(),
            in_charset: false,
            part_charset: Charset::Utf8,
        }
    }

    /// A field begins; whether anybody seeks it.
    pub(super) fn begin(&mut self, part: &PartHead) -> Result<bool, FormProblem> {
        let fold = fold(&part.name);
        if fold == METHOD {
            return Err(FormProblem::Method);
        }
        self.open.clear();
        self.part_charset = part.charset;
        self.in_charset = fold == CHARSET;
        if self.in_charset {
            self.charset.begin(part)?;
        }
        self.one_spelling(&part.name, &fold)?;
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.answers_to(&part.name) {
                slot.begin(part)?;
                self.open.push(number);
            }
        }
        Ok(self.in_charset || !self.open.is_empty())
    }

    /// Of names that some server takes for one, only one may be there, and it must be one that is sought.
    fn one_spelling(&mut self, name: &str, fold: &str) -> Result<(), FormProblem> {
        let known = self.slots.iter().any(|slot| slot.answers_to(name));
        for slot in self.slots.iter_mut().filter(|slot| slot.fold == fold) {
            let spelled = slot.spelled.get_or_insert_with(|| name.to_owned());
            if !known || spelled != name {
                return Err(FormProblem::Spelling(slot.name.clone()));
            }
        }
        Ok(())
    }

    /// The next bytes of the field, without any encoding of the form.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), FormProblem> {
        if self.in_charset {
            self.charset.bytes(bytes, Charset::Utf8)?;
        }
        for number in &self.open {
            if let Some(slot) = self.slots.get_mut(*number) {
                slot.bytes(bytes, self.part_charset)?;
            }
        }
        Ok(())
    }

    /// The field has ended.
    pub(super) fn end(&mut self) -> Result<(), FormProblem> {
        for slot in self.open.drain(..).filter_map(|number| self.slots.get(number)) {
            slot.end()?;
        }
        Ok(())
    }

    /// The field that is being read is not percent-encoded UTF-8.
    pub(super) fn badly_escaped(&self) -> FormProblem {
        let slot = self.open.first().and_then(|number| self.slots.get(*number));
        FormProblem::Escape(slot.unwrap_or(&self.charset).name.clone())
    }

    /// The form has ended.
    pub(super) fn finish(self) -> Result<Form, FormProblem> {
        if self.charset.seen > 0 && !is_utf8(&self.charset.text) {
            return Err(FormProblem::Charset);
        }
        Ok(Form { slots: self.slots })
    }
}
