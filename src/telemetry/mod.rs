//! Floor 4: logs, and the text in which metrics are read.
//!
//! Logs: one JSON object a line on standard error: a constant message and fields. Never a key, a body or a query.
//!
//! Invariant: knows no domain type; it is given fields.

mod exposition;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

pub use exposition::{CONTENT_TYPE, Exposition, Family, Millionths, Type};

/// The environment variable that says what is logged, such as `warn` or `tollgate=debug`.
pub const LEVEL: &str = "TOLLGATE_LOG";

/// Starts to log, once; later calls change nothing.
pub fn start(default_level: &str) {
    let filter = EnvFilter::try_from_env(LEVEL).unwrap_or_else(|_| EnvFilter::new(default_level));
    let logs = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_span_events(FmtSpan::NONE)
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start in one process, as in tests, finds the first one's logs.
    drop(logs.try_init());
}
