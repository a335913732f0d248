//! A request's body as its price sees it: the whole of it, or what was seen of it while it passed.
//!
//! Invariant: a form is read as it passes and is never whole in memory, however large its files are.
//! Invariant: what cannot be read is kept as that; whoever prices the request refuses it.

use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::settings::{Due, Quantity, RequestSource};
use crate::observe::{Form, FormProblem, FormReader, Sought};

/// A body that was read before its request is priced.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// What was seen of it as it passed.
    Passed(&'a Passed),
}

/// What was seen of a body as it passed.
#[derive(Debug)]
pub struct Passed {
    /// Its bytes.
    pub(super) size: u64,
    /// Its SHA-256.
    pub(super) digest: [u8; 32],
    /// What it says, if its head says that it is a form.
    pub(super) form: Option<Result<Form, FormProblem>>,
}

/// Looks at a body that passes.
#[derive(Debug, Default)]
pub struct Passing {
    size: u64,
    hash: Sha256,
    form: Option<FormReader>,
}

/// What must be known of a body before its request is priced.
#[derive(Debug)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// All of it at once.
    Whole,
    /// What can be seen while it passes.
    Passing(Box<Passing>),
}

impl Due {
    /// What must be known of a body with this head.
    #[must_use]
    pub fn need(&self, head: &HeaderMap) -> Need {
        let places = || self.quantities.iter().flat_map(Quantity::asked_places);
        if !places().any(RequestSource::needs_body) {
            return Need::Nothing;
        }
        match form_reader(&self.quantities, head) {
            None if places().any(|place| place.needs_json() || place.needs_form()) => Need::Whole,
            form => Need::Passing(Box::new(Passing { form, ..Passing::default() })),
        }
    }
}

impl Passing {
    /// Takes the next piece; `false`: the form cannot be read, whatever follows.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        self.size = self.size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.hash.update(bytes);
        self.form.as_mut().is_none_or(|form| form.feed(bytes, &mut ()))
    }

    /// The body is over.
    #[must_use]
    pub fn finish(self) -> Passed {
        Passed {
            size: self.size,
            digest: self.hash.finalize().into(),
            form: self.form.map(FormReader::finish),
        }
    }
}

impl<'a> Content<'a> {
    /// How many bytes it has.
    pub(super) fn size(self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => u64::try_from(bytes.len()).ok(),
            Self::Passed(passed) => Some(passed.size),
        }
    }

    /// What stands for its bytes in a fingerprint.
    pub(super) fn fingerprint(self) -> &'a [u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Passed(passed) => &passed.digest,
        }
    }

    /// All its bytes; `None`: it has passed.
    pub(super) const fn whole(self) -> Option<&'a [u8]> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Passed(_) => None,
        }
    }

    /// What it says as a form; `None`: its head does not say that it is one, or nobody asks.
    pub(super) fn form(
        self,
        quantities: &[Quantity],
        head: &HeaderMap,
    ) -> Option<Result<Form, FormProblem>> {
        match self {
            Self::Passed(passed) => passed.form.clone(),
            Self::Whole(bytes) => form_reader(quantities, head).map(|mut reader| {
                reader.feed(bytes, &mut ());
                reader.finish()
            }),
        }
    }
}

/// A reader of the fields that quantities ask for; `None`: they ask for none, or the body is no form.
fn form_reader(quantities: &[Quantity], head: &HeaderMap) -> Option<FormReader> {
    let places = quantities.iter().flat_map(Quantity::asked_places);
    let sought: Vec<Sought> = places
        .filter_map(|place| match place {
            RequestSource::Form(name) => Some(Sought::Text(name.clone())),
            RequestSource::FormCharacters(name) => Some(Sought::Characters(name.clone())),
            RequestSource::FormItems(name) => Some(Sought::Items(name.clone())),
            _ => None,
        })
        .collect();
    if sought.is_empty() { None } else { FormReader::of(head, sought) }
}
