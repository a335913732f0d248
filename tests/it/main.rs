//! Behaviour, through the public interface: one binary, a module for each area.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test says what went wrong by failing; seeds and counts belong into its output"
)]

mod observe;
mod pricing;
mod routes;
mod sample;
mod verdict;
