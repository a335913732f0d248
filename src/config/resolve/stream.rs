//! Streams: where they end, and what is asked for on the client's behalf.

use super::Resolver;
use super::told::has_star;
use crate::config::format::Scalar;
use crate::config::mirror;
use crate::config::placed::At;
use crate::config::problem::Place;
use crate::meter::{Ask, StreamRules, TakeOut, Test};
use crate::observe::Pointer;

impl Resolver<'_, '_> {
    /// `None`: there is an error.
    pub(super) fn stream(&mut self, stream: &mirror::Stream) -> Option<StreamRules> {
        let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
        let end_when = stream.end_when.as_ref().map(|test| self.end_when(test));
        let ask = stream.ask.as_ref().map(|ask| self.ask(ask));
        Some(StreamRules {
            end: text(&stream.end),
            end_event: text(&stream.end_event),
            end_when: match end_when {
                Some(end_when) => Some(end_when?),
                None => None,
            },
            format: stream.format.as_ref().map(|at| at.value),
            ask,
        })
    }

    fn end_when(&mut self, test: &mirror::BodyTest) -> Option<(Pointer, Test)> {
        Some((test.at.value.clone(), self.test(test.at.place, test.tests())?))
    }

    fn ask(&mut self, ask: &mirror::Ask) -> Ask {
        let places = [Some(&ask.when), Some(&ask.at), ask.take_out.as_ref(), ask.alone.as_ref()];
        for at in places.into_iter().flatten() {
            if has_star(&at.value) || at.value.steps().is_empty() {
                let message = "one member of an object is wanted here";
                self.findings
                    .error("not_one_place", at.place, message)
                    .help("as in /stream_options/include_usage: names without `*`");
            }
        }
        if let (None, Some(alone)) = (&ask.take_out, &ask.alone) {
            let message =
                "`alone` says which events were sent for what is taken out, and nothing is";
            self.findings
                .error("misplaced", alone.place, message)
                .help("write `take_out`, or remove `alone`");
        }
        Ask {
            when: ask.when.value.clone(),
            at: ask.at.value.clone(),
            value: ask.value.as_ref().map_or_else(|| "true".to_owned(), written),
            take_out: ask.take_out.as_ref().map(|member| TakeOut {
                member: member.value.clone(),
                alone: ask.alone.as_ref().map(|at| at.value.clone()),
            }),
        }
    }
}

impl mirror::Stream {
    /// Where the first thing that it says stands; `None`: it says nothing.
    pub(super) fn place(&self) -> Option<Place> {
        let text = self.end.as_ref().or(self.end_event.as_ref()).map(|at| at.place);
        let test = self.end_when.as_ref().map(|test| test.at.place);
        let format = self.format.as_ref().map(|at| at.place);
        text.or(test).or(format).or(self.ask.as_ref().map(|ask| ask.when.place))
    }
}

/// What was written as JSON: a number, yes and no as they stand there, all else as a text.
fn written(at: &At<Scalar>) -> String {
    let text = &at.value.0;
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Bool(_) | serde_json::Value::Number(_)) => text.clone(),
        _ => serde_json::Value::from(text.as_str()).to_string(),
    }
}
