//! Where a request and a response say a quantity.

use super::{Resolver, help};
use crate::config::format::{Match, Segment, segments};
use crate::config::mirror::{self, QuantityType, RequestFrom, ResponseFrom, UploadedAs};
use crate::config::placed::At;
use crate::credit::Decimal;
use crate::ledger::OverRun;
use crate::meter::{RequestSource, ResponseSource, SessionSource, Source, Uploaded};

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
        if written.request.is_empty() && written.response.is_empty() && written.hold.is_some() {
            let message = format!(
                "nothing extracts `{title}`: neither `request` nor `response` says where it is"
            );
            self.findings
                .error("nothing_extracted", name.place, message)
                .help("a fee that never changes is a line without quantities");
        }
    }

    /// Warns of holds below what may be charged, where the route lets go of what is above them.
    pub(super) fn small_holds(&mut self, route: &mirror::Route) {
        if route.over_run.as_ref().is_some_and(|at| at.value == OverRun::Debt) {
            return;
        }
        for (_, written) in &route.quantities.0 {
            self.small_hold(written);
        }
    }

    fn small_hold(&mut self, written: &mirror::Quantity) {
        let (Some(hold), Some(maximum)) = (&written.hold, &written.maximum) else { return };
        let held = Decimal::exact(hold.value.0.trim_end_matches('s'));
        let told_later = written.request.is_empty() && !written.response.is_empty();
        if told_later && held.is_ok_and(|held| held < maximum.value) {
            let message =
                format!("{} is held and up to {} is charged", hold.value.0, maximum.value);
            let help = "hold the maximum, or say `over_run: debt`";
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
            self.no_file_among(parts, written);
            self.not_a_word(written, "what is added up");
            parts.iter().map(|part| self.request(part, written, route)).collect()
        };
        Some(match source {
            RequestFrom::SumOf(of) => Source::SumOf(parts(of)?),
            RequestFrom::Minus(of) => Source::Minus(parts(of)?),
            place => Source::One(self.place(place, written, route)?),
        })
    }

    /// Of a file whose length cannot be told the quantity's maximum is held: it is no part of a sum.
    fn no_file_among(&mut self, parts: &[RequestFrom], written: &mirror::Quantity) {
        for part in parts {
            if matches!(part, RequestFrom::MediaSeconds(_)) {
                let message = "`media_seconds` stands alone, not in a sum or difference";
                self.findings
                    .error("misplaced", written.kind.place, message)
                    .help("make it a quantity of its own");
            }
        }
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
            RequestFrom::MediaSeconds(of) => self.media_seconds(of, written),
        })
    }

    /// A file may lie, and what cannot be told is held at its most: only the upstream knows.
    fn media_seconds(&mut self, of: &UploadedAs, written: &mirror::Quantity) -> RequestSource {
        if !matches!(
            written.kind.value,
            QuantityType::Seconds | QuantityType::Decimal | QuantityType::Integer
        ) {
            let message = "the length of a file is a number of seconds";
            self.findings
                .error("not_a_number", written.kind.place, message)
                .help("write `type: seconds`");
        }
        if written.response.is_empty() {
            let message = "a file may lie about its length, and nothing corrects it";
            self.findings
                .warning("no_response", written.kind.place, message)
                .help("write `response`: where the upstream says how long the file was");
        }
        RequestSource::MediaSeconds(match of {
            UploadedAs::Body => Uploaded::Body,
            UploadedAs::Form(at) => Uploaded::Form(at.value.0.clone()),
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
            ResponseFrom::Count(at) => ResponseSource::Count(at.value.clone()),
            ResponseFrom::Characters(at) => ResponseSource::Characters(at.value.clone()),
            ResponseFrom::Event(event) => {
                ResponseSource::Event { name: event.name.value.clone(), at: event.at.value.clone() }
            }
            ResponseFrom::BodyBytes => ResponseSource::BodyBytes,
            ResponseFrom::MediaSeconds => ResponseSource::MediaSeconds,
            ResponseFrom::MediaMilliseconds => ResponseSource::MediaMilliseconds,
            ResponseFrom::Asked => ResponseSource::Asked,
            ResponseFrom::Header(at) => ResponseSource::Header(at.value.clone()),
            ResponseFrom::SentMessages => ResponseSource::Session(SessionSource::SentMessages),
            ResponseFrom::SentBytes => ResponseSource::Session(SessionSource::SentBytes),
            ResponseFrom::SentCharacters(at) => {
                ResponseSource::Session(SessionSource::SentCharacters(at.value.clone()))
            }
            ResponseFrom::ReceivedMessages => {
                ResponseSource::Session(SessionSource::ReceivedMessages)
            }
            ResponseFrom::ReceivedBytes => ResponseSource::Session(SessionSource::ReceivedBytes),
            ResponseFrom::ConnectedSeconds => {
                ResponseSource::Session(SessionSource::ConnectedSeconds)
            }
            ResponseFrom::Job(at) => ResponseSource::Job(at.value.clone()),
            ResponseFrom::JobItems(at) => ResponseSource::JobItems(at.value.clone()),
            ResponseFrom::JobHeader(at) => ResponseSource::JobHeader(at.value.clone()),
            ResponseFrom::Created(at) => ResponseSource::Created(at.value.clone()),
        })
    }
}
