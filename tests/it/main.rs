//! Behaviour, through the public interface: one binary, a module for each area.

mod config;
