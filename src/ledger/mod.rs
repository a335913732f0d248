//! Floor 1: what is remembered: money, and the directory of accounts and keys.
//!
//! One trait, one file per store. `model` is the rules as pure functions of an account's state; `embedded`
//! runs exactly those over one file. Every answer has three values, because a store whose reply was lost
//! has neither applied nor refused.
//!
//! Invariant: knows no HTTP, no routes and no plans; limits and periods come with each call.
//! Invariant: a refusal writes nothing. `granted = available + held + spent + expired + voided` in every
//! bucket after every verb. Each charge ends once.

mod audit;
mod directory;
pub mod embedded;
mod finding;
mod folder;
mod measured;
pub mod model;
mod packed;
pub mod redis;
pub mod replay;
mod setbacks;
mod stream;
mod teller;
mod verbs;
mod watch;

use std::fmt;

use futures_util::future::BoxFuture;

pub use audit::{AccountAudit, audit};
pub use directory::{
    AccountChange, AccountStatus, Adjustment, Alias, Document, FreeCredits, KeyChange, KeyRecord,
    KeyStatus, Limited, NewAccount, NewKey, Override, OverrideChange,
};
pub use finding::{FOR_TESTS, Finding, Level, UNREACHABLE};
pub use folder::{examine_file, examine_folder};
pub use measured::{Measured, Said, StoreTally, Verb, VerbTally};
pub use setbacks::{Setback, Setbacks};
pub use stream::{ExportSettings, StreamGauges};
pub use verbs::{
    ADJUSTS_MAX, Adjust, AdjustPart, Adjusted, AllowanceCheck, AllowanceState, Bonus, Books,
    Breach, CapCheck, CapCount, CapState, Carry, ChargeRecord, ChargeState, Doubt, Extend,
    Extended, FreeClaim, Freeze, Gates, Grant, Granted, HandOver, HandedOver, JOB_ID_MAX,
    JOB_KEPT_MS, JOB_RECORD_MAX, JOB_TTL_MAX_MS, Job, JobName, JobState, NOTE_MAX, NoteJob, Noted,
    OnUnknown, OpenRef, OverRun, Quoted, REFUNDS_MAX, RateCheck, Refund, RefundPart, Refunded,
    Release, Released, Reserve, Reserved, Scope, Settle, Settled, SlotCheck, SlotState, Told, View,
    WATCH_LEASE_MAX_MS, WATCHED_MAX, WatchedJob, Watching, Window, Withdraw, Withdrawal, Withdrawn,
};

use crate::credit::{AccountId, AliasId, Amount, Bucket, ChargeId, KeyId};
use crate::seam::Timestamp;

/// A call's answer, later. The call is handed to the store, in order, before the future is returned, so
/// two calls made one after the other are applied in that order.
pub type Reply<T> = BoxFuture<'static, Answer<T>>;

/// What a store says of a call.
#[must_use = "a refused or unknown answer decides about money"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// Done and durable.
    Applied(T),
    /// Not done; nothing was written.
    Refused(Refusal),
    /// Nobody knows whether it was done: ask again by the same id. The text is for the log.
    Unknown(String),
}

impl<T> Answer<T> {
    /// The same answer about something else.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Applied(value) => Answer::Applied(f(value)),
            Self::Refused(refusal) => Answer::Refused(refusal),
            Self::Unknown(why) => Answer::Unknown(why),
        }
    }
}

/// Why a call was refused: which rule, what is left, when it reopens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The store cannot be reached and surely did not apply the call. The text is for the log.
    Unavailable(String),
    /// A record contradicts itself or cannot be read: its account is left alone until a person has looked.
    /// Asking again does not help. The text is for the log.
    Broken(String),
    /// The wall clock has jumped ahead; nothing is decided until it is back.
    ClockJump,
    /// The caller's view is old: the account's document has another version, or no period fits.
    Stale {
        /// The document as it is now.
        document: Box<Document>,
        /// The store's time.
        now: Timestamp,
    },
    /// Too much work is due on this account: call `tick`, then ask again.
    Tick,
    /// No such account.
    UnknownAccount,
    /// No such key, or a revoked one.
    InvalidKey,
    /// No such alias.
    UnknownAlias,
    /// No such charge.
    UnknownCharge,
    /// No such job of this account.
    UnknownJob,
    /// No such bucket.
    UnknownBucket,
    /// What is known of the charge was archived: it ended too long ago to be refunded.
    ChargeArchived,
    /// The refund would give back more than the charge took.
    RefundTooLarge {
        /// What may still be refunded.
        left: Amount,
    },
    /// The account is suspended or closed.
    AccountStatus(AccountStatus),
    /// The account may not spend until then.
    AccountRestricted {
        /// The first moment at which it may.
        until: Timestamp,
    },
    /// The id is known with another content.
    Conflict,
    /// The id was made more than ten minutes ago and is not known.
    TooOld {
        /// The store's time: the caller's clock may be behind.
        now: Timestamp,
    },
    /// The charge has already ended.
    Ended(ChargeState),
    /// Requests come too fast.
    RateLimited {
        /// Which limit.
        name: String,
        /// Over what.
        scope: Scope,
        /// When the next one would pass.
        retry_at: Timestamp,
    },
    /// Too many generations run at once.
    SlotsFull {
        /// Which limit.
        name: String,
        /// Over what.
        scope: Scope,
        /// How many may run.
        limit: u32,
    },
    /// A cap would be passed.
    CapExceeded {
        /// The cap as it stands.
        cap: CapState,
        /// What the request would have added, in the cap's measure.
        required: u64,
    },
    /// Not enough credits.
    Insufficient {
        /// What the request needs.
        required: Amount,
        /// What it could have drawn.
        available: Amount,
        /// What open charges of the kind hold.
        held: Amount,
        /// When holds that end within a minute will have freed enough, if they will.
        freed_at: Option<Timestamp>,
        /// When the next allowance that may pay for the request comes, if one does: when what runs of it is over.
        refill_at: Option<Timestamp>,
    },
    /// An account, key or alias of this id is there already and is another one.
    Exists,
    /// A bound is reached. The text says which and what to do.
    TooMany(String),
    /// The call makes no sense: zero grant, past expiry, unknown zone. The text says what to do.
    Invalid(String),
}

/// The store's truth. Every verb is one atomic step, idempotent by its id.
pub trait Ledger: Send + Sync + fmt::Debug {
    /// Holds credits and a slot for a charge, if every gate lets it pass. All or nothing.
    ///
    /// A charge's id names its account: one that was made for another is refused.
    fn reserve(&self, call: Reserve) -> Reply<Reserved>;

    /// What `reserve` would answer; writes nothing.
    fn quote(&self, call: Reserve) -> Reply<Quoted>;

    /// Ends a charge by taking what was due and giving back the rest. A charge whose outcome was unknown or
    /// that was ended by its deadline is corrected once (late success).
    fn settle(&self, call: Settle) -> Reply<Settled>;

    /// Ends a charge by giving everything back. An id never seen is closed too: it can never be reserved.
    fn release(&self, call: Release) -> Reply<Released>;

    /// The exchange has ended and nobody knows how: frees the slot, keeps the credits until the charge's
    /// `reconcile` time is over.
    fn doubt(&self, call: Doubt) -> Reply<()>;

    /// Renews the leases of running exchanges; an ended charge is never revived.
    fn extend(&self, call: Extend) -> Reply<Vec<Extended>>;

    /// Does an account's due work, a bounded part at a time; the answer is how much was done.
    fn tick(&self, account: AccountId) -> Reply<u32>;

    /// Accounts with due work, at most `limit`.
    fn due(&self, limit: usize) -> Reply<Vec<AccountId>>;

    /// The exchange that began a job is over: the charge and its slot live on until the job ends. The charge's
    /// lease becomes `until`, which no renewal moves, and belongs to no instance any more; when it lapses the
    /// outcome is unknown, as ever. The job's record is kept beside it. The same call again changes nothing; the
    /// same job with another charge is refused with `Exists`, a charge that has ended with `Ended`. One whose
    /// outcome is unknown already is not revived: its slot stays free, its credits stay held until `until` and its
    /// `reconcile` time are over.
    fn hand_over(&self, call: HandOver) -> Reply<HandedOver>;

    /// A job of this account, with where its charge stands; `UnknownJob` if it is another account's too.
    fn job(&self, account: AccountId, job: JobName, upstream_id: String) -> Reply<Job>;

    /// Replaces a job's record, if it is still the version that the change was made from: `Conflict` if it is not.
    /// The charge is ended by `settle` or `release`, as any other.
    fn note_job(&self, call: NoteJob) -> Reply<Noted>;

    /// Jobs that are to be asked about, those first that wait longest, at most `limit` and `WATCHED_MAX`. Each is
    /// given to one caller, and to nobody else for `lease_ms` milliseconds.
    fn watch_jobs(&self, limit: usize, lease_ms: u64) -> Reply<Vec<WatchedJob>>;

    /// Gives credits. The id is never forgotten; debt of the kind is repaid first.
    fn grant(&self, call: Grant) -> Reply<Granted>;

    /// Gives back what a settled charge took, or a part of it, from the tail of its legs.
    fn refund(&self, call: Refund) -> Reply<Refunded>;

    /// Changes what an open charge holds.
    fn adjust(&self, call: Adjust) -> Reply<Adjusted>;

    /// Takes a bucket back.
    fn withdraw(&self, call: Withdraw) -> Reply<Withdrawn>;

    /// Freezes a bucket or thaws it.
    fn freeze(&self, call: Freeze) -> Reply<Bucket>;

    /// Asks for a person's free credits for an account: `true` if it has them, now or since an earlier call.
    /// A claim is never taken back.
    fn claim_free(&self, call: FreeClaim) -> Reply<bool>;

    /// The accounts that have claimed a person's free credits, in the order of their ids; closed ones too.
    fn claims(&self, person: String) -> Reply<Vec<AccountId>>;

    /// An account's money and counters after all due work; writes nothing.
    fn view(&self, account: AccountId, gates: Gates) -> Reply<View>;

    /// An account's record as it lies there, before any due work, with what contradicts itself in it.
    fn books(&self, account: AccountId) -> Reply<Books>;

    /// One charge, open or ended.
    fn charge(&self, charge: ChargeId) -> Reply<ChargeRecord>;

    /// An account's charges, newest first, older than `before`, at most `limit`.
    fn charges(
        &self,
        account: AccountId,
        before: Option<ChargeId>,
        limit: usize,
    ) -> Reply<Vec<ChargeRecord>>;

    /// The open charges that the instance began and nobody has ended: what recovery goes through. Those that wait
    /// for a job are nobody's.
    fn open_of(&self, instance: String) -> Reply<Vec<OpenRef>>;

    /// A new account.
    fn create_account(&self, call: NewAccount) -> Reply<Document>;

    /// Changes an account's plan, zone or status.
    fn change_account(&self, call: AccountChange) -> Reply<Document>;

    /// A new key of an account.
    fn create_key(&self, call: NewKey) -> Reply<Document>;

    /// Changes a key's status, label or end.
    fn change_key(&self, call: KeyChange) -> Reply<Document>;

    /// An account's document.
    fn document(&self, account: AccountId) -> Reply<Document>;

    /// The document of the account that a key belongs to.
    fn document_of_key(&self, key: KeyId) -> Reply<Document>;

    /// Points another name at an account or key. The same call again changes nothing; one that points
    /// elsewhere is refused with `Exists`. Whether the account is there is the caller's to know.
    fn create_alias(&self, call: Alias) -> Reply<()>;

    /// Takes an alias back. One that is not there is no error; one that points elsewhere is `Exists`.
    fn remove_alias(&self, call: Alias) -> Reply<()>;

    /// Where an alias points.
    fn alias(&self, id: AliasId) -> Reply<Alias>;

    /// Accounts in the order of their ids, after `after`, at most `limit`.
    fn accounts(&self, after: Option<AccountId>, limit: usize) -> Reply<Vec<Document>>;
}
