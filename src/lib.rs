//! placeholder
pub mod seam;
pub mod credit;
pub mod ledger;
