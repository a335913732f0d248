//! Bytes in, facts out.

mod json;
mod python;
mod sse;
