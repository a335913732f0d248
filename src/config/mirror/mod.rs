//! The file as it is written: one structure for each mapping, doc comments become the schema's descriptions.
//!
//! Invariant: says what may be written, not what it means. Every scalar keeps its place.

mod admin;
mod allowance;
mod identity;
mod job;
mod outcome;
mod pack;
mod plan;
mod preset;
mod price;
mod quantity;
mod rights;
mod route;
mod server;
mod store;
mod stream;
mod upstream;

pub(super) use admin::Admin;
pub(super) use allowance::{Allowance, GrantClass, Rollover};
pub(super) use identity::{Identity, Issuer, KeySet, Keys, Shape};
pub(super) use job::{
    Job, JobCharges, JobHookUrl, JobId, JobNamed, JobWatch, JobWebhook, JobWords, Receiver,
    Rewrite, Webhooks,
};
pub(super) use outcome::{BodyTest, Charge, HeaderTest, Outcome};
pub(super) use pack::Pack;
pub(super) use plan::{Cap, Concurrency, Plan, Rate};
pub(super) use preset::{Preset, PresetUse};
pub(super) use price::{Line, Price, Row, Table};
pub(super) use quantity::{Missing, Quantity, QuantityType, RequestFrom, ResponseFrom, UploadedAs};
pub(super) use rights::OptionRight;
pub(super) use route::Route;
pub(super) use server::{File, ListenerTls};
pub(super) use store::{Deadlines, Durability, Embedded, Export, Redis, Sentinel, Store, Tls};
pub(super) use stream::{Ask, Stream};
pub(super) use upstream::{Credentials, IdentityHeaders, Passing, Secret, Timeouts, Upstream};
