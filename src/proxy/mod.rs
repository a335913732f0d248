//! Floor 3: the path of a request.

mod settings;

pub use settings::{Credentials, FloodSettings, Limits, ProxySettings, Timeouts, UpstreamSettings};
