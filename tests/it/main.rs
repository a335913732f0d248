//! Behaviour, through the public interface: one binary, a module for each area.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cli;
mod upstream;
