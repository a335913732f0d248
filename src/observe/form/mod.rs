//! Forms, read so that every upstream must read the same: `multipart/form-data` (RFC 7578, RFC 2046 §5.1) and
//! `application/x-www-form-urlencoded` (WHATWG URL §5), piece by piece and in any order of fields.
//!
//! Servers differ in what they forgive: line ends of LF alone, text before the first boundary, folded or doubled
//! headers of parts, `name*`, `n[]` for `n`, `;` for `&`, encodings other than UTF-8. Libraries for Rust forgive
//! some of these too, each in its own way. Here all of them are refused, since what one server forgives another
//! reads as something else; what browsers and HTTP clients write is none of them.
//!
//! Invariant: whatever the body is and however it is split, what is kept is bounded by the names that are sought.
//! Invariant: of two names that some server takes for one, at most one is in a form that is read.

mod characters;
mod fields;
mod kind;
mod multipart;
mod names;
mod parameters;
mod part;
mod problem;
mod urlencoded;

use http::HeaderMap;

pub use fields::{Form, Sought};
pub use part::PartHead;
pub use problem::FormProblem;

use fields::Fields;
use kind::Kind;
use multipart::Multipart;
use urlencoded::Urlencoded;

/// The most parts or fields of a form: many servers read no more of them.
pub const FIELDS_MAX: usize = 1_000;
/// The longest text that is kept of a field, in bytes.
pub const TEXT_MAX: usize = 1_024;
/// The longest name of a field, in bytes.
pub const NAME_MAX: usize = 1_024;

/// Is shown the parts of a `multipart/form-data` body as they pass.
pub trait Listener {
    /// A part begins; its bytes follow.
    fn begins(&mut self, part: &PartHead);

    /// The next bytes of that part, in pieces of any size.
    fn bytes(&mut self, bytes: &[u8]);

    /// That part has ended, as its boundary says.
    fn ends(&mut self);
}

/// Listens to nothing.
impl Listener for () {
    fn begins(&mut self, _: &PartHead) {}
    fn bytes(&mut self, _: &[u8]) {}
    fn ends(&mut self) {}
}

/// Reads a form from pieces of any size.
#[derive(Debug)]
pub struct FormReader {
    body: Body,
    fields: Fields,
    problem: Option<FormProblem>,
}

#[derive(Debug)]
enum Body {
    Multipart(Box<Multipart>),
    Urlencoded(Urlencoded),
    /// The head itself is at fault.
    Nothing,
}

impl FormReader {
    /// A reader for a body with this head, which looks for the fields in `sought`. `None`: the head does not say,
    /// once and clearly, that the body is a form.
    #[must_use]
    pub fn of(head: &HeaderMap, sought: Vec<Sought>) -> Option<Self> {
        let (body, problem) = match kind::of(head)? {
            Ok(Kind::Multipart(boundary)) => {
                (Body::Multipart(Box::new(Multipart::new(&boundary))), None)
            }
            Ok(Kind::Urlencoded) => (Body::Urlencoded(Urlencoded::default()), None),
            Err(problem) => (Body::Nothing, Some(problem)),
        };
        Some(Self { body, fields: Fields::new(sought), problem })
    }

    /// Takes the next piece and shows `listener` what it holds of parts; `false`: the form cannot be read any
    /// more, whatever follows.
    pub fn feed(&mut self, bytes: &[u8], listener: &mut dyn Listener) -> bool {
        if self.problem.is_none() {
            let fields = &mut self.fields;
            let fed = match &mut self.body {
                Body::Multipart(body) => body.feed(bytes, fields, listener),
                Body::Urlencoded(body) => body.feed(bytes, fields),
                Body::Nothing => Ok(()),
            };
            self.problem = fed.err();
        }
        self.problem.is_none()
    }

    /// The body is over.
    ///
    /// # Errors
    /// When any part of it could be read in two ways, or it has not come to its end.
    pub fn finish(mut self) -> Result<Form, FormProblem> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        match self.body {
            Body::Multipart(body) => body.finish()?,
            Body::Urlencoded(body) => body.finish(&mut self.fields)?,
            Body::Nothing => {}
        }
        self.fields.finish()
    }
}
