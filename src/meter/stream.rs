//! How a stream is read: where it ends, what carries usage, and what is asked for on the client's behalf.

use super::outcome::passes;
use super::settings::Test;
use crate::observe::{Event, Fact, Pointer, Streamed};

/// How a stream is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamRules {
    /// The data of the event that ends it, such as `[DONE]`.
    pub end: Option<String>,
    /// The name of the event that ends it, such as `message_stop`.
    pub end_event: Option<String>,
    /// A place in the data of the event that ends it, such as `/done`, and its test. With none of the three, a
    /// stream ends with its body; with several, with any.
    pub end_when: Option<(Pointer, Test)>,
    /// How a 2xx answer is read whose content type names no stream; `None`: as its content type says.
    pub format: Option<Streamed>,
    /// What is asked of the upstream on the client's behalf.
    pub ask: Option<Ask>,
}

/// What is asked of the upstream on the client's behalf, where its request says that it wants a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The place in the request that is `true` where it wants a stream.
    pub when: Pointer,
    /// Where the value is put, unless something stands there.
    pub at: Pointer,
    /// The value, as JSON.
    pub value: String,
    /// The member that events have for it alone, and that is taken out again; `None`: none is.
    pub take_out: Option<TakeOut>,
}

/// What is taken out of the events again, so that the client sees what it would have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeOut {
    /// The member.
    pub member: Pointer,
    /// An event that has the member, and an empty list here, was sent for it alone: all of it is taken out.
    pub alone: Option<Pointer>,
}

impl StreamRules {
    /// Whether a stream says itself where it ends.
    #[must_use]
    pub const fn has_end(&self) -> bool {
        self.end.is_some() || self.end_event.is_some() || self.end_when.is_some()
    }

    /// Whether it ends with this event, as far as that shows without a look into its data.
    #[must_use]
    pub fn ends_with(&self, event: &Event<'_>) -> bool {
        self.end.as_deref() == Some(event.data) || self.end_event.as_deref() == Some(event.name)
    }

    /// Whether what stands at the place of `end_when` ends it.
    pub(super) fn ends_at(&self, facts: &[Fact<'_>]) -> bool {
        match &self.end_when {
            Some((_, Test::Exists(false))) => facts.is_empty(),
            Some((_, test)) => facts.iter().any(|fact| passes(test, fact)),
            None => false,
        }
    }
}
