//! Bytes in, facts out.

mod form;
mod json;
mod python;
mod sse;
