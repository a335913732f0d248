//! What a refusal says to a person, before it is said in a language.
//!
//! Invariant: a message carries facts, never words; amounts and instants are inserted as they are. Each
//! language has a text for each of them, which the compiler sees to.

use crate::credit::{Amount, Measure};
use crate::ledger::OnUnknown;
use crate::meter::members::Misread;
use crate::meter::path::PathProblem;
use crate::meter::why::Why;

/// What happened and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The method is CONNECT.
    Connect,
    /// Not exactly one `Host`.
    OneHost,
    /// The target names another host than `Host`.
    OtherHost,
    /// Another transfer coding than `chunked`.
    OneCoding,
    /// The path has another spelling.
    Path(PathProblem),
    /// No upstream could have this path.
    Unforwardable,
    /// The body ended before its end, or its framing is wrong.
    BrokenBody,
    /// The head can be read in two ways, or in none.
    Unclear {
        /// Why, in HTTP's own words; ends a sentence.
        why: &'static str,
    },
    /// Another version of HTTP.
    Version,
    /// The target names a user beside the host.
    UserInTarget,
    /// The account is named by a header, and a key is shown beside it.
    TwoIdentities,
    /// The request has been here before.
    Loop {
        /// Our name in `Via`.
        name: String,
    },
    /// Another expectation than 100-continue.
    Expectation,
    /// The head is too long.
    LongHead {
        /// How many bytes it may have.
        limit: usize,
    },
    /// The target is too long.
    LongTarget {
        /// How many bytes it may have.
        limit: usize,
    },
    /// There are too many headers.
    ManyHeaders {
        /// How many there may be.
        limit: usize,
    },
    /// The head did not come in time.
    SlowHead,
    /// The query is no form.
    Query,
    /// `Credits-Max` is no amount.
    CreditsMax,
    /// `Credits-Max` came twice.
    CreditsMaxTwice,
    /// `Prefer` is not ASCII.
    Prefer,
    /// `Prefer: metering=` with another word.
    Metering {
        /// The word.
        word: String,
    },
    /// A call of the client plane says something that cannot be.
    Misread(Misread),
    /// The body is larger than the plan or the route allows.
    LargeBody {
        /// How many bytes are allowed.
        limit: u64,
        /// The plan that says so; `None`: the route does.
        plan: Option<String>,
    },
    /// The body did not come in time.
    SlowBody,
    /// No valid key.
    Key,
    /// No such charge of this account.
    Charge {
        /// The id that was asked for.
        id: String,
    },
    /// No such job of this account.
    Job,
    /// No such route.
    Route {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// The client plane has this path, and not this method for it.
    Method {
        /// The method.
        method: String,
    },
    /// The plan does not include the route.
    NotInPlan {
        /// The route.
        route: String,
        /// The plan.
        plan: String,
    },
    /// The account's plan is not known here.
    PlanUnknown {
        /// The plan.
        plan: String,
    },
    /// The account is suspended.
    Suspended,
    /// The account is closed.
    Closed,
    /// The account may not spend for a time.
    Restricted {
        /// Until when, in the account's zone.
        until: String,
    },
    /// The key is not for this route.
    NotForKey {
        /// The route.
        route: String,
    },
    /// The plan does not include a value of a quantity.
    OptionNotInPlan {
        /// The quantity.
        quantity: String,
        /// Its value, as the request has it.
        value: String,
        /// The plan.
        plan: String,
    },
    /// A request has no certain price.
    Unpriceable {
        /// Where in the request; empty: the body as a whole.
        pointer: String,
        /// Why.
        why: Why,
    },
    /// More would be held than the caller allows.
    AboveMax {
        /// What would be held.
        hold: Amount,
        /// What the caller allows.
        limit: Amount,
    },
    /// The address sends too much.
    Flood,
    /// A rate is passed.
    Rate {
        /// The limit's name.
        name: String,
    },
    /// All slots are taken.
    Slots {
        /// The limit's name.
        name: String,
        /// How many there are.
        limit: u32,
    },
    /// A cap is reached.
    Cap {
        /// Its name.
        name: String,
        /// What it counts.
        measure: Measure,
        /// How much it allows, in requests or micro-credits.
        limit: u64,
        /// How much of that is used.
        used: u64,
        /// How much the request needs.
        required: u64,
        /// When the next period begins.
        resets_at: String,
    },
    /// Not enough credits until others are given back.
    OnHold {
        /// What the request needs.
        required: Amount,
        /// What there is.
        available: Amount,
        /// What running requests hold.
        held: Amount,
    },
    /// Not enough credits.
    Insufficient {
        /// What the request needs.
        required: Amount,
        /// What there is.
        available: Amount,
        /// What running requests hold.
        held: Amount,
    },
    /// The ledger cannot be asked.
    Unavailable,
    /// This instance is about to stop.
    Draining,
    /// The route does not speak WebSocket.
    Websocket,
    /// The upstream could not be reached.
    Unreached,
    /// The upstream did not take a connection in time.
    Undialled,
    /// The upstream broke off before it had answered.
    BrokeOff,
    /// The upstream did not answer in time.
    TimedOut,
    /// This instance stopped in the middle.
    CutOff,
    /// Something after which nobody knows whether the work was done.
    Unsettled {
        /// What that was.
        first: Box<Self>,
        /// What stays held.
        held: Amount,
        /// Until when.
        until: String,
        /// What becomes of it then.
        then: OnUnknown,
    },
}
