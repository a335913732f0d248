//! placeholder
pub mod config;
pub mod credit;
pub mod ledger;
pub mod meter;
pub mod observe;
pub mod proxy;
pub mod seam;
