//! Behaviour, through the public interface: one binary, a module for each area.

mod ledger_disk;
mod ledger_faults;
mod ledger_properties;
mod ledger_tables;
mod ledger_world;
