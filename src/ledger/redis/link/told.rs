//! What operators have been told of a server.
//!
//! Invariant: a cause is logged when it appears, not with every call; again only after it had ceased.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// After how long a silent cause counts as ceased.
const CEASED: Duration = Duration::from_secs(10);
/// More causes than there are; what is beyond starts afresh.
const MOST: usize = 64;

/// Causes and when they were last met.
#[derive(Debug)]
pub(super) struct Told {
    server: String,
    causes: HashMap<String, Instant>,
}

impl Told {
    pub(super) fn new(server: String) -> Self {
        Self { server, causes: HashMap::new() }
    }

    /// Logs a cause if it is new.
    pub(super) fn warn(&mut self, cause: &str) {
        if self.is_new(cause, Instant::now()) {
            tracing::warn!(redis = %self.server, cause, "Redis does not do what it is asked");
        }
    }

    fn is_new(&mut self, cause: &str, now: Instant) -> bool {
        if let Some(last) = self.causes.get_mut(cause) {
            let ceased = now.duration_since(*last) >= CEASED;
            *last = now;
            return ceased;
        }
        if self.causes.len() >= MOST {
            self.causes.clear();
        }
        self.causes.insert(cause.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once_until_it_has_ceased() {
        let mut told = Told::new("r".to_owned());
        let mut now = Instant::now();
        assert!(told.is_new("OOM", now));
        for _ in 0..100 {
            now += CEASED / 2;
            assert!(!told.is_new("OOM", now));
        }
        assert!(told.is_new("BUSY", now));
        now += CEASED;
        assert!(told.is_new("OOM", now));
        for number in 0..10 * MOST {
            told.is_new(&number.to_string(), now);
        }
        assert!(told.causes.len() <= MOST);
    }
}
