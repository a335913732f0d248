//! Where a request and a response say a quantity.

use super::{Resolver, help};
use crate::config::format::{Match, Segment, segments};
use crate::config::mirror::{self, QuantityType, RequestFrom, ResponseFrom};
use crate::config::placed::At;
use crate::credit::Decimal;
use crate::meter::{RequestSource, ResponseSource, Source};

impl Resolver<'_, '_> {
    /// Checks that a quantity comes from somewhere and that its hold is known.
    pub(super) fn source_of(&mut self, name: &At<String>, written: &mirror::Quantity) {
        let title = &name.value;
        match (written.request.is_empty(), &written.hold, &written.default) {
            (true, None, None) => {
                let message = format!("nothing says how much of `{title}` to hold");
                self.findings
                    .error("no_hold", name.place, message)
                    .help("write `request` (where the request says it) or `hold` (its bound)");
            }
            (true, _, Some(at)) => {
                let message =
                    "`default` needs `request`: it is what holds where the request says nothing";
                self.findings
                    .error("misplaced", at.place, message)
                    .help("without `request`, the bound is called `hold`");
            }
            (false, Some(at), _) => {
                let message = format!(
                    "`{title}` is held as the request says it: `hold` needs a quantity without `request`"
                );
                self.findings
                    .error("misplaced", at.place, message)
                    .help("what holds where the request says nothing is called `default`");
            }
            _ => {}
        }
        self.small_hold(written);
        if written.request.is_empty() && written.response.is_empty() && written.hold.is_some() {
            let message = format!(
                "nothing extracts `{title}`: neither `request` nor `response` says where it is"
            );
            self.findings
                .error("nothing_extracted", name.place, message)
                .help("a fee that never changes is a line without quantities");
        }
    }

    /// Warns of a hold below what may be charged.
    fn small_hold(&mut self, written: &mirror::Quantity) {
        let (Some(hold), Some(maximum)) = (&written.hold, &written.maximum) else { return };
        let held = Decimal::exact(hold.value.0.trim_end_matches('s'));
        let told_later = written.request.is_empty() && !written.response.is_empty();
        if told_later && held.is_ok_and(|held| held < maximum.value) {
            let message =
                format!("{} is held and up to {} is charged", hold.value.0, maximum.value);
            let help = "hold the maximum, or be ready for over-runs";
            self.findings.warning("small_hold", hold.place, message).help(help);
        }
    }

    pub(super) fn request(
        &mut self,
        source: &RequestFrom,
        written: &mirror::Quantity,
        route: &Match,
    ) -> Option<Source<RequestSource>> {
        let mut parts = |parts: &[RequestFrom]| -> Option<Vec<_>> {
            self.not_a_word(written, "what is added up");
            parts.iter().map(|part| self.request(part, written, route)).collect()
        };
        Some(match source {
            RequestFrom::SumOf(of) => Source::SumOf(parts(of)?),
            RequestFrom::Minus(of) => Source::Minus(parts(of)?),
            place => Source::One(self.place(place, written, route)?),
        })
    }

    /// Words and flags are neither counted nor added up.
    fn not_a_word(&mut self, written: &mirror::Quantity, what: &str) {
        if matches!(written.kind.value, QuantityType::Text | QuantityType::Flag) {
            let message = format!("{what} is a number");
            self.findings.error("not_a_number", written.kind.place, message);
        }
    }

    fn place(
        &mut self,
        source: &RequestFrom,
        written: &mirror::Quantity,
        route: &Match,
    ) -> Option<RequestSource> {
        let counts = matches!(
            source,
            RequestFrom::Items(_)
                | RequestFrom::Characters(_)
                | RequestFrom::BodyBytes
                | RequestFrom::FormCharacters(_)
                | RequestFrom::FormItems(_)
        );
        if counts {
            self.not_a_word(written, "what is counted in the request");
        }
        Some(match source {
            // Arithmetic is no place.
            RequestFrom::SumOf(_) | RequestFrom::Minus(_) => return None,
            RequestFrom::Json(at) => RequestSource::Json(at.value.clone()),
            RequestFrom::Items(at) => RequestSource::Items(at.value.clone()),
            RequestFrom::Characters(at) => RequestSource::Characters(at.value.clone()),
            RequestFrom::Header(at) => RequestSource::Header(at.value.clone()),
            RequestFrom::Query(at) => RequestSource::Query(at.value.clone()),
            RequestFrom::Path(at) => self.capture(at, route)?,
            RequestFrom::BodyBytes => RequestSource::BodyBytes,
            RequestFrom::Form(at) => RequestSource::Form(at.value.0.clone()),
            RequestFrom::FormCharacters(at) => RequestSource::FormCharacters(at.value.0.clone()),
            RequestFrom::FormItems(at) => RequestSource::FormItems(at.value.0.clone()),
        })
    }

    fn capture(&mut self, at: &At<String>, route: &Match) -> Option<RequestSource> {
        let names: Vec<&str> = segments(&route.path).filter_map(Segment::capture).collect();
        if names.contains(&at.value.as_str()) {
            return Some(RequestSource::Path(at.value.clone()));
        }
        let message = format!("the path `{}` has no capture `{{{}}}`", route.path, at.value);
        let help = help(&at.value, names.into_iter(), "capture");
        self.findings.error("unknown_capture", at.place, message).help(help);
        None
    }

    pub(super) fn response(
        &mut self,
        source: &ResponseFrom,
        written: &mirror::Quantity,
    ) -> Source<ResponseSource> {
        let mut parts = |parts: &[ResponseFrom]| -> Vec<_> {
            self.not_a_word(written, "what is added up");
            parts.iter().map(|part| self.response(part, written)).collect()
        };
        Source::One(match source {
            ResponseFrom::SumOf(of) => return Source::SumOf(parts(of)),
            ResponseFrom::Minus(of) => return Source::Minus(parts(of)),
            ResponseFrom::Json(at) => ResponseSource::Json(at.value.clone()),
            ResponseFrom::Items(at) => ResponseSource::Items(at.value.clone()),
            ResponseFrom::Header(at) => ResponseSource::Header(at.value.clone()),
            ResponseFrom::Job(at) => ResponseSource::Job(at.value.clone()),
            ResponseFrom::JobItems(at) => ResponseSource::JobItems(at.value.clone()),
            ResponseFrom::JobHeader(at) => ResponseSource::JobHeader(at.value.clone()),
            ResponseFrom::Created(at) => ResponseSource::Created(at.value.clone()),
        })
    }
}
