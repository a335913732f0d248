//! placeholder
pub mod seam;
pub mod credit;
pub mod ledger;
pub mod observe;
pub mod meter;
pub mod proxy;
pub mod config;
pub mod cli;
