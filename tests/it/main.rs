//! Behaviour, through the public interface: one binary, a module for each area.
//!
//! The modules say `cfg(test)` although all of this is a test: clippy lets them unwrap then.

#![expect(clippy::print_stdout, reason = "seeds and counts of cases are printed")]

#[cfg(test)]
mod admin;
#[cfg(test)]
mod admin_accounts;
#[cfg(test)]
mod admin_grants;
#[cfg(test)]
mod admin_keys;
#[cfg(test)]
mod admin_money;
#[cfg(test)]
mod admin_overrides;
#[cfg(test)]
mod admin_people;
#[cfg(test)]
mod admin_refunds;
#[cfg(test)]
mod admin_roles;
#[cfg(test)]
mod admission;
#[cfg(test)]
mod apis;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod audit_rebuild;
#[cfg(test)]
mod calendar;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cli_examples;
#[cfg(test)]
mod config;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod crash_points;
#[cfg(test)]
mod crash_storm;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod dialects;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod downtime;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod exposition;
#[cfg(test)]
mod first_hour;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod fleet_causes;
#[cfg(test)]
mod fleet_crash;
#[cfg(test)]
mod fleet_crowd;
#[cfg(test)]
mod fleet_lost;
#[cfg(test)]
mod fleet_outage;
#[cfg(test)]
mod fleet_rig;
#[cfg(test)]
mod fleet_storm;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod journeys;
#[cfg(test)]
mod languages;
#[cfg(test)]
mod leavers;
#[cfg(test)]
mod ledger_amend;
#[cfg(test)]
mod ledger_audit;
#[cfg(test)]
mod ledger_broken;
#[cfg(test)]
mod ledger_cluster;
#[cfg(test)]
mod ledger_crowd;
#[cfg(test)]
mod ledger_directory;
#[cfg(test)]
mod ledger_disk;
#[cfg(test)]
mod ledger_equivalences;
#[cfg(test)]
mod ledger_failover;
#[cfg(test)]
mod ledger_faults;
#[cfg(test)]
mod ledger_jobs;
#[cfg(test)]
mod ledger_numbers;
#[cfg(test)]
mod ledger_orders;
#[cfg(test)]
mod ledger_plans;
#[cfg(test)]
mod ledger_properties;
#[cfg(test)]
mod ledger_redis;
#[cfg(test)]
mod ledger_redis_clock;
#[cfg(test)]
mod ledger_redis_crowd;
#[cfg(test)]
mod ledger_redis_faults;
#[cfg(test)]
mod ledger_redis_tidy;
#[cfg(test)]
mod ledger_redis_versions;
#[cfg(test)]
mod ledger_stream;
#[cfg(test)]
mod ledger_tables;
#[cfg(test)]
mod ledger_tables_allowances;
#[cfg(test)]
mod ledger_tables_rules;
#[cfg(test)]
mod ledger_usual;
#[cfg(test)]
mod ledger_world;
#[cfg(test)]
mod log;
#[cfg(test)]
mod lua_lint;
#[cfg(test)]
mod media;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod observe;
#[cfg(test)]
mod odd_upstreams;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod panes;
#[cfg(test)]
mod places;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod portal;
#[cfg(test)]
mod price_overrides;
#[cfg(test)]
mod pricing;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod redis_server;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod sdk;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod stubborn;
#[cfg(test)]
mod test_clock;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod transport;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod verdict;
#[cfg(test)]
mod websocket;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod world;
