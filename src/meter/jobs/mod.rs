//! Jobs: work that outlives the request that began it. Its charge, and its slot, live until somebody who knows
//! says how it ended: the answer that began it, its owner's poll, the result, a cancel, a webhook, or our own
//! watcher. Whoever is first ends the charge; the rest is told the same and changes nothing.
//!
//! Invariant: a job has one end. What contradicts it later is recorded, and moves no money.
//! Invariant: a status that nobody has declared means that the job goes on; it never means that it is free.

mod ending;
mod files;
mod found;
mod handing;
mod job;
mod record;
mod rules;
mod seal;
mod sight;
mod telling;
mod verify;
mod watching;

pub use handing::Handing;
pub use job::{
    Deed, HookPlace, HookSecret, IdPlace, Job, NamedBy, Proof, Receiver, Rewrite, Touch, Verify,
    Watching, Webhook, WordCharges, Words,
};
pub use record::{By, Record};
pub use seal::{Sealed, open, seal};
pub use sight::{Beginning, Begun, JobSight, Report, is_id};
pub use telling::Kept;
pub use verify::{Unproven, fal_signed, proven, signed_id};
pub use watching::{Asked as JobAsked, Look, Question};
