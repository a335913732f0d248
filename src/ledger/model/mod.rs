//! The rules as pure functions of an account's state.
//!
//! Each verb takes a draft of an account, the call and a context (the time is an argument), checks
//! everything and changes the draft; whoever runs it writes the draft or throws it away. `desk` brings
//! verbs and records together over the trait `Records`, so every store runs exactly this code; `memory`
//! is the store without a disk, for tests and as the judge of the others.
//!
//! Invariant: no I/O and no clock in here, no float, no unchecked arithmetic on money.

#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic)]

mod adjust;
mod archive;
mod books;
mod caps;
mod debt;
pub(crate) mod desk;
mod directory;
mod draft;
mod draw;
mod due;
mod grant;
mod invariants;
mod jobs;
mod lease;
mod memory;
mod posting;
mod rate;
mod records;
mod refund;
mod reserve;
mod settle;
mod shortage;
mod slots;
mod state;
mod stop;
mod told;
mod view;
mod withdraw;

pub use invariants::{ended_invariants, invariants};
pub use memory::ModelLedger;
pub use posting::{Column, Posting};
pub use state::{
    Account, Adjustment, Context, Counted, Counter, Ended, Kept, Money, Open, Pace, Purse, Span,
};

pub(crate) use archive::leaves_at;
pub(crate) use books::books;
pub(crate) use desk::{own, placed};
pub(crate) use directory::{change_account, change_key, create_account, create_key};
pub(crate) use due::{allowance_bucket, next as next_due, wakes_at};
pub(crate) use grant::sound as sound_grant;
pub(crate) use jobs::{JobRecord, sound as sound_job};
pub(crate) use rate::LONGEST_US;
pub(crate) use records::{Given, KEPT_MS, Records, ended_purge};
pub(crate) use stop::Stop;
pub(crate) use told::{Change, Finished, Said, Told};
pub(crate) use view::{of_ended, of_open};

/// What a reader sees of an account: its money and counters after all due work.
pub(crate) fn view(
    account: Account,
    gates: &crate::ledger::Gates,
    context: &Context,
) -> Result<crate::ledger::View, Stop> {
    view::view(&mut draft::Draft::of(account), gates, context)
}
