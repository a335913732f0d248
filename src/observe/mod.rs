//! Floor 1: bytes in, facts out. Nothing here changes what passes.
//!
//! Invariant: knows no ledger and starts no task; every buffer has a bound.
//! Invariant: a number is read from its digits, never through a float.

mod pointer;

pub use pointer::{Pointer, PointerError, Step};
