//! Floor 2: the rules between a request and the ledger.
//!
//! The meter matches a route, reads the quantities that its price names, asks the ledger to reserve, holds
//! the ticket, judges what the upstream did, and settles.
//!
//! Invariant: knows no sockets, no hyper, no tower. Nothing here forwards a byte.
//! Invariant: what cannot be priced is refused; nothing ever falls back to free.

mod gates;
mod journal;
mod key;
mod receipt;
mod recovery;
mod rejection;
mod settings;
mod settler;
mod sweeper;
mod ticket;

pub use gates::{Place, gates};
pub use journal::{Journal, Marks, instance};
pub use key::{NewKeyText, PresentedKey};
pub use receipt::{CapNote, Event, Explanation, Note, receipt};
pub use recovery::{Recovered, recover};
pub use rejection::Rejection;

pub use settings::{
    ChargeRule, Class, Due, Missing, OnDisconnect, OutcomeRule, Quantity, RequestSource,
    ResponseSource, Route, Rules, StatusSet, StreamRules, Test, ValueType, Work,
};
pub use settler::{Ending, Permit, RENEW_EVERY, Settler};
pub use sweeper::sweep;
pub use ticket::Ticket;
