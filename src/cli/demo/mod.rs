//! The demo.

pub mod upstream;
