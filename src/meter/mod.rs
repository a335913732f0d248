//! Floor 2: the rules between a request and the ledger.
//!
//! The meter matches a route, reads the quantities that its price names, asks the ledger to reserve, holds
//! the ticket, judges what the upstream did, and settles.
//!
//! Invariant: knows no sockets, no hyper, no tower. Nothing here forwards a byte.
//! Invariant: what cannot be priced is refused; nothing ever falls back to free.

mod gates;
mod key;
mod look;
mod members;
mod receipt;
mod rejection;
mod request_id;
mod settings;
pub mod statement;

pub use gates::{Place, gates};
pub use key::{NewKeyText, PresentedKey};
pub use look::{Sight, look};
pub use members::{Members, Misread, Page};
pub use receipt::{CapNote, Event, Explanation, Note, receipt};
pub use rejection::Rejection;
pub use request_id::request_id;

pub use settings::{
    ChargeRule, Class, Due, Missing, OnDisconnect, OutcomeRule, Quantity, RequestSource, ResponseSource, Route,
    Rules, StatusSet, StreamRules, Test, ValueType, Work,
};
