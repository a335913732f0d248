//! Behaviour, through the public interface: one binary, a module for each area.
//!
//! The modules say `cfg(test)` although all of this is a test: clippy lets them unwrap then.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod upstream;
