//! Floor 5: a file becomes settings.
//!
//! Invariant: settings that were accepted cannot be wrong; what can be wrong is reported, all of it at once,
//! with its place.

mod settings;

pub use settings::{AdminSettings, Secret, Settings, StoreSettings};
