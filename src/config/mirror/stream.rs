//! Streams: where they end, and what is asked for on the client's behalf.

use schemars::JsonSchema;
use serde::Deserialize;

use super::BodyTest;
use crate::config::format::Scalar;
use crate::config::placed::At;
use crate::observe::{Pointer, Streamed};

/// How a stream is read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Stream {
    /// The data of the event that ends it, such as `[DONE]`. Default: it ends with its body.
    pub(in crate::config) end: Option<At<String>>,
    /// The name of the event that ends it, such as `message_stop`: its `event` field or, where it has none, the
    /// text at `/type` in its data. Default: none does by its name.
    pub(in crate::config) end_event: Option<At<String>>,
    /// A place in the data of the event that ends it, and a test. Default: none does by its data.
    pub(in crate::config) end_when: Option<BodyTest>,
    /// How a 2xx answer is read whose content type is neither `text/event-stream` nor one of NDJSON
    /// (`application/x-ndjson`, `application/jsonl`, `application/stream+json`). Default: as its content type
    /// says.
    pub(in crate::config) format: Option<At<Streamed>>,
    /// What is asked of the upstream on the client's behalf. Default: nothing.
    pub(in crate::config) ask: Option<Ask>,
}

/// What is asked of the upstream on the client's behalf, where its JSON says that it wants a stream. Where the
/// client says something of it itself, its own words hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Ask {
    /// The place in the request that is `true` where it wants a stream, such as `/stream`.
    pub(in crate::config) when: At<Pointer>,
    /// Where the value is put, such as `/stream_options/include_usage`.
    pub(in crate::config) at: At<Pointer>,
    /// The value. Default: true.
    pub(in crate::config) value: Option<At<Scalar>>,
    /// The member that events have for it, such as `/usage`, and that is taken out of them again: the client
    /// sees byte for byte what it would have seen. Default: nothing is taken out.
    pub(in crate::config) take_out: Option<At<Pointer>>,
    /// A list, such as `/choices`: where it is empty, an event that has the member was sent for it alone, and all
    /// of it is taken out. Default: no event is.
    pub(in crate::config) alone: Option<At<Pointer>>,
}
