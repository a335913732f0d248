//! Floor 2: the rules between a request and the ledger.
//!
//! The meter matches a route, reads the quantities that its price names, asks the ledger to reserve, holds
//! the ticket, judges what the upstream did, and settles.
//!
//! Invariant: knows no sockets, no hyper, no tower. Nothing here forwards a byte.
//! Invariant: what cannot be priced is refused; nothing ever falls back to free.

mod body_source;
mod flag;
mod outcome;
mod path;
mod pricing;
mod query;
mod reading;
mod route;
mod settings;
mod template;
mod value;
mod verdict;
mod watch;

pub use flag::Flag;
pub use path::{PathProblem, canonical};
pub use pricing::{Asked, Held, Reason, Unpriceable, price_request};
pub use route::{Found, RouteError, RouteProblem, RouteTable};
pub use settings::{
    ChargeRule, Class, Due, Missing, OnDisconnect, OutcomeRule, Quantity, RequestSource, ResponseSource, Route,
    Rules, StatusSet, StreamRules, Test, ValueType, Work,
};
pub use verdict::{Charge, Verdict};
pub use watch::{End, Watch};
