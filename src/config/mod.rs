//! Floor 5: a file becomes settings.
//!
//! Text becomes a tree with places, the tree is walked against the schema so that all errors of shape come
//! together, gets what its presets bring, then is read into a mirror of the file, then resolved so that all errors of meaning come together.
//!
//! Invariant: settings that were accepted cannot be wrong; what can be wrong is reported, all of it at once,
//! with its place.

mod defaults;
mod environment;
mod findings;
mod format;
mod load;
mod mirror;
mod placed;
mod preset;
mod problem;
mod read;
mod resolve;
mod revision;
mod schema;
mod settings;
mod source;
mod tree;
mod walk;

pub use environment::{Assumed, Environment, System};
pub use load::{load, load_text, load_with};
pub use preset::presets;
pub use problem::{Place, Problem, Report, Severity};
pub use schema::{preset_schema, schema};
pub use settings::{AdminSettings, Settings, StoreSettings};
