//! What callers say to a ledger and what it answers, store by store the same.

mod audit;
mod charges;
mod gates;
mod grants;
mod jobs;
mod views;

pub use audit::{Books, Breach, CapCount, Told};
pub use charges::{
    Adjust, AdjustPart, Adjusted, Doubt, Extend, Extended, OnUnknown, OverRun, Quoted, Refund,
    RefundPart, Refunded, Release, Released, Reserve, Reserved, Settle, Settled,
};
pub use gates::{AllowanceCheck, CapCheck, Carry, Gates, RateCheck, Scope, SlotCheck, Window};
pub use grants::{Bonus, FreeClaim, Freeze, Grant, Granted, Withdraw, Withdrawal, Withdrawn};
pub(crate) use jobs::JobKey;
pub use jobs::{
    HandOver, HandedOver, JOB_ID_MAX, JOB_KEPT_MS, JOB_RECORD_MAX, JOB_TTL_MAX_MS, Job, JobName,
    JobState, NoteJob, Noted, WATCH_LEASE_MAX_MS, WATCHED_MAX, WatchedJob, Watching,
};
pub use views::{
    ADJUSTS_MAX, AllowanceState, CapState, ChargeRecord, ChargeState, NOTE_MAX, OpenRef,
    REFUNDS_MAX, SlotState, View,
};
