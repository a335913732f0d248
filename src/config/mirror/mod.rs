//! The file as it is written: one structure for each mapping, doc comments become the schema's descriptions.
//!
//! Invariant: says what may be written, not what it means. Every scalar keeps its place.

mod plan;
mod price;
mod route;
mod server;

pub(super) use plan::{Allowance, Cap, Concurrency, GrantClass, Plan, Rate};
pub(super) use price::{Line, Price, Row, Table};
pub(super) use route::{
    BodyTest, Charge, HeaderTest, Missing, Outcome, Quantity, QuantityType, RequestFrom,
    ResponseFrom, Route,
};
pub(super) use server::{Admin, Credentials, Durability, File, Secret, Store, Timeouts, Upstream};
