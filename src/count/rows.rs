//! Counters by name: a row for each name of the configuration, and one for what has none.
//!
//! Invariant: looking for a name makes no row, and no row is ever taken away: what was counted stays.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Rows of counters. Its lock is one core's own: somebody else holds it only while rows are made or read.
#[derive(Debug, Default)]
pub struct Rows<T> {
    named: RwLock<HashMap<String, Arc<T>>>,
    nameless: Arc<T>,
}

impl<T: Default> Rows<T> {
    /// How the row of what has no name is called.
    pub const NAMELESS: &'static str = "-";

    /// Makes the rows of these names that are not there yet.
    pub fn add<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let mut named = self.named.write().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if !named.contains_key(name) {
                named.insert(name.to_owned(), Arc::default());
            }
        }
    }

    /// The row of this name, or of what has none.
    #[must_use]
    pub fn row(&self, name: &str) -> Arc<T> {
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        named.get(name).unwrap_or(&self.nameless).clone()
    }

    /// The row of what has no name.
    #[must_use]
    pub fn nameless(&self) -> &Arc<T> {
        &self.nameless
    }

    /// All rows with their names, the nameless one first, the others in no order.
    #[must_use]
    pub fn all(&self) -> Vec<(String, Arc<T>)> {
        let named = self.named.read().unwrap_or_else(PoisonError::into_inner);
        let first = (Self::NAMELESS.to_owned(), self.nameless.clone());
        std::iter::once(first)
            .chain(named.iter().map(|(name, row)| (name.clone(), row.clone())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::Counter;

    #[test]
    fn asking_makes_no_row_and_adding_keeps_what_was_counted() {
        let rows: Rows<Counter> = Rows::default();
        rows.add(["a"]);
        rows.row("a").one();
        rows.row("b").one();
        rows.add(["a", "b"]);
        let mut all: Vec<_> =
            rows.all().into_iter().map(|(name, row)| (name, row.value())).collect();
        all.sort();
        assert_eq!(all, [("-".into(), 1), ("a".into(), 1), ("b".into(), 0)]);
    }
}
