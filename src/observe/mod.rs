//! Floor 1: bytes in, facts out. Nothing here changes what passes.
//!
//! Invariant: knows no ledger and starts no task; every buffer has a bound.
//! Invariant: a number is read from its digits, never through a float.

mod body;
mod form;
mod json;
mod node;
mod pointer;
mod spans;
mod sse;
mod walk;

pub use body::{BODY_MAX, Observer, Seen, Sight, Unread, encoded, is_json, media_type};
pub use form::{
    FIELDS_MAX, Form, FormProblem, FormReader, Listener, NAME_MAX, PartHead, Sought, TEXT_MAX,
};
pub use json::{
    DEPTH_MAX, Fact, JsonError, JsonProblem, KEPT_MAX, MEMBERS_MAX, Picked, response, strict,
};
pub use pointer::{Pointer, PointerError, Step};
pub use spans::{string_at, strings};
pub use sse::{EVENT_MAX, Event, EventReader};
