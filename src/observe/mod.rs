//! Floor 1: bytes in, facts out. Nothing here changes what passes.
//!
//! Invariant: knows no ledger and starts no task; every buffer has a bound.
//! Invariant: a number is read from its digits, never through a float.

mod body;
mod coding;
mod form;
mod json;
mod media;
mod node;
mod pointer;
mod span;
mod spans;
mod squeezed;
mod sse;
mod token;
mod values;
mod walk;

pub use body::{
    BODY_MAX, Manner, Observer, Seen, Sight, Streamed, Unread, encoded, is_json, is_lines,
    media_type,
};
pub use coding::{DECODED_MAX, RATIO_FREE, RATIO_MAX};
pub use form::{
    FIELDS_MAX, Form, FormProblem, FormReader, Listener, NAME_MAX, PartHead, Sought, TEXT_MAX,
};
pub use json::{
    DEPTH_MAX, Fact, JsonError, JsonProblem, KEPT_MAX, MEMBERS_MAX, Picked, response, strict,
};
pub use media::MediaReader;
pub use pointer::{Pointer, PointerError, Step};
pub use span::{Span, Spot, spot};
pub use spans::{string_at, strings};
pub use squeezed::CUT;
pub use sse::{EVENT_MAX, Event, EventReader};
pub use token::is_token;
