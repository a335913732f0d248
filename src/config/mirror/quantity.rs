//! Quantities: where a price's numbers and words come from.

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::format::{FieldName, Scalar, Unit};
use crate::config::placed::At;
use crate::credit::Decimal;
use crate::meter::Merge;
use crate::observe::Pointer;

/// A number, word or flag that a price names.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Quantity {
    /// What it must be.
    #[serde(rename = "type")]
    pub(in crate::config) kind: At<QuantityType>,
    /// For numbers: what a text may have behind its digits, as in "720p"; it is taken off before the text is
    /// read. Default: nothing.
    pub(in crate::config) unit: Option<At<Unit>>,
    /// Where the request says it; the first that is there counts. Default: nowhere, which needs `hold`.
    #[serde(default)]
    pub(in crate::config) request: Vec<RequestFrom>,
    /// Without `request`: the bound that is held until the response says it.
    pub(in crate::config) hold: Option<At<Scalar>>,
    /// With `request`: its value where the request does not say it. Default: the request is refused.
    pub(in crate::config) default: Option<At<Scalar>>,
    /// The least it may be. Default: 0.
    pub(in crate::config) minimum: Option<At<Decimal>>,
    /// The most it may be. Every number says it.
    pub(in crate::config) maximum: Option<At<Decimal>>,
    /// The words that it may be. Default: any.
    #[schemars(length(min = 1))]
    pub(in crate::config) one_of: Option<Vec<At<Scalar>>>,
    /// Where the response says it; the first that is there counts. Default: the request's value is charged.
    #[serde(default)]
    pub(in crate::config) response: Vec<ResponseFrom>,
    /// How what several events of a stream say of it comes together: last, max or sum. Default: last.
    pub(in crate::config) merge: Option<At<Merge>>,
    /// What is charged when the response should say it and does not. Default: hold.
    pub(in crate::config) missing: Option<Missing>,
}

/// The type of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum QuantityType {
    Integer,
    Decimal,
    Seconds,
    Pixels,
    Text,
    Flag,
}

/// Where a request says a quantity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RequestFrom {
    /// In the JSON body, at this pointer.
    Json(At<Pointer>),
    /// How many items the array at this pointer has.
    Items(At<Pointer>),
    /// How many Unicode characters the string at this pointer has; with `*`, all of them together.
    Characters(At<Pointer>),
    /// In this header.
    Header(At<HeaderName>),
    /// In the query string, by this name.
    Query(At<String>),
    /// In the path, by the name of a capture.
    Path(At<String>),
    /// How many bytes the body has.
    BodyBytes,
    /// In the text field of this name of a form: `multipart/form-data` or `application/x-www-form-urlencoded`.
    /// The field stands there once.
    Form(At<FieldName>),
    /// How many Unicode characters that field has.
    FormCharacters(At<FieldName>),
    /// How many parts or fields of the form have this name, or this name and `[]`.
    FormItems(At<FieldName>),
    /// How many seconds an uploaded audio or video file lasts: WAV, MP3, FLAC, OGG, M4A, MP4 or WebM. Of one
    /// whose length cannot be told the maximum is held.
    MediaSeconds(UploadedAs),
    /// Those that are there, added; not there if none of them is.
    SumOf(#[schemars(length(min = 1))] Vec<Self>),
    /// The first less the others, of which one that is not there is 0; below zero is refused.
    Minus(#[schemars(length(min = 2))] Vec<Self>),
}

impl RequestFrom {
    /// Whether it is a place in a JSON body.
    pub(in crate::config) const fn is_json(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Items(_) | Self::Characters(_))
    }

    /// Whether it is a field of a form.
    pub(in crate::config) const fn is_form(&self) -> bool {
        matches!(self, Self::Form(_) | Self::FormCharacters(_) | Self::FormItems(_))
    }

    /// The places, those within arithmetic among them.
    pub(in crate::config) fn places(&self) -> Vec<&Self> {
        match self {
            Self::SumOf(parts) | Self::Minus(parts) => {
                parts.iter().flat_map(Self::places).collect()
            }
            place => vec![place],
        }
    }
}

/// Where an uploaded file is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum UploadedAs {
    /// It is the whole body.
    Body,
    /// It is the one part of this name of a form, `multipart/form-data`.
    Form(At<FieldName>),
}

/// Where a response says a quantity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum ResponseFrom {
    /// In the JSON body, or in the events of a stream, at this pointer.
    Json(At<Pointer>),
    /// How many items the array at this pointer has.
    Items(At<Pointer>),
    /// How many values stand at this pointer, which has a `*`, or in a stream with `merge: sum` how many events
    /// have one there; `null` is none.
    Count(At<Pointer>),
    /// How many Unicode characters the texts at this pointer have; in a stream those of all events together.
    Characters(At<Pointer>),
    /// In this header, or in a trailer of this name.
    Header(At<HeaderName>),
    /// How many messages the client has sent by WebSocket.
    SentMessages,
    /// How many bytes these have.
    SentBytes,
    /// How many Unicode characters stand at this pointer of them. One that cannot be read counts whole.
    SentCharacters(At<Pointer>),
    /// How many messages the upstream has sent by WebSocket.
    ReceivedMessages,
    /// How many bytes these have.
    ReceivedBytes,
    /// How long the WebSocket was open.
    ConnectedSeconds,
    /// Those that are there, added; not there if none of them is.
    SumOf(#[schemars(length(min = 1))] Vec<Self>),
    /// The first less the others, of which one that is not there is 0; below zero is 0, and flagged.
    Minus(#[schemars(length(min = 2))] Vec<Self>),
    /// In whichever JSON body tells that the route's job has ended, at this pointer.
    Job(At<Pointer>),
    /// How many items the array at this pointer has there.
    JobItems(At<Pointer>),
    /// In this header of whichever answer about the route's job has it.
    JobHeader(At<HeaderName>),
    /// In the JSON body that begins the route's job, at this pointer: what is held follows it at once.
    Created(At<Pointer>),
    /// In the events of one name alone.
    Event(EventPlace),
    /// How many bytes the body has, as the upstream sent it.
    BodyBytes,
    /// How many seconds the body lasts that is a sound or a film: WAV, MP3, FLAC, OGG, M4A, MP4 or WebM. Not there if
    /// that cannot be told, or the body did not come to its end.
    MediaSeconds,
    /// How many milliseconds it lasts.
    MediaMilliseconds,
    /// What the request said. Not there where its `default` was held.
    Asked,
}

impl ResponseFrom {
    /// The places, those within arithmetic among them.
    pub(in crate::config) fn places(&self) -> Vec<&Self> {
        match self {
            Self::SumOf(parts) | Self::Minus(parts) => {
                parts.iter().flat_map(Self::places).collect()
            }
            place => vec![place],
        }
    }
}

/// A place in the events of one name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct EventPlace {
    /// The name: the event's `event` field or, where it has none, the text at `/type` in its data.
    pub(in crate::config) name: At<String>,
    /// Where in its data.
    pub(in crate::config) at: At<Pointer>,
}

/// What is charged when the response should say a quantity and does not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Missing {
    /// What was held for it.
    Hold,
    /// This value.
    Value(At<Scalar>),
}
