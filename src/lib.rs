//! Tollgate: a metering reverse proxy for AI generation APIs.
//!
//! # A request's journey
//!
//! 1. Refuse early what can be read in two ways, and floods. [`proxy`]
//! 2. Route: the most specific match; no match is never forwarded. [`meter`]
//! 3. Identify: a key speaks for an account. [`meter`]
//! 4. Read and price, strictly; the priced bytes are the forwarded bytes. [`observe`], [`credit`]
//! 5. Reserve: status, rate, slot, caps and credits in one atomic step. [`ledger`]
//! 6. Forward, in a task that belongs to the charge and not to the client. [`proxy`]
//! 7. Observe: frames pass untouched, a bounded observer reads what the work was. [`observe`]
//! 8. Judge: what the upstream did decides who pays. [`meter`]
//! 9. Settle, off the response path, exactly once, until the ledger has it. [`meter`]
//! 10. Tell: headers, receipt, log line, metrics. [`portal`], [`admin`], [`telemetry`]
//!
//! # The floors
//!
//! A module uses its own floor and those below, never one above; a test reads the `use crate::…` lines.
//!
//! | floor | modules |
//! |---|---|
//! | 0 | [`seam`]: time, randomness, disk, tasks · [`credit`]: what is owed · [`count`]: what is counted |
//! | 1 | [`ledger`]: what is remembered · [`observe`]: bytes in, facts out · [`tls`]: who we are, and whom we trust |
//! | 2 | [`meter`]: the rules between a request and the ledger |
//! | 3 | [`proxy`]: the path of a request |
//! | 4 | [`admin`]: the operators' API · [`portal`]: the clients' · [`telemetry`]: logs, the text of metrics |
//! | 5 | [`config`]: a file becomes settings |
//! | 6 | [`serve`]: listeners, cores, drain · [`cli`]: one file for each command |
//!
//! # Invariants
//!
//! - `granted = available + held + spent + expired + voided`, in every bucket, after every verb.
//! - Nothing is forwarded that was not priced and reserved, but on routes that say `free: true`.
//! - A refusal has no side effect. A store whose answer was lost has neither applied nor refused.
//! - Every charge has one ticket, and every ticket says one word: settle, release, or nobody knows.
//! - Money is an integer number of micro-credits; it never passes through a float.
//! - Everything that can grow has a bound, which is a named constant or a setting.

pub mod count;
pub mod credit;
pub mod seam;

pub mod ledger;
pub mod observe;
pub mod tls;

pub mod meter;

pub mod proxy;

pub mod admin;
pub mod portal;
pub mod telemetry;

pub mod config;

pub mod cli;
pub mod serve;
