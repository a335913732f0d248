//! Who asks and where: the demo's accounts, their keys, and the addresses of this run.

use std::collections::BTreeMap;
use std::fmt;

/// Whose key a request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Has bought 100 credits.
    Maria,
    /// Has 3 credits.
    Joao,
    /// May make two requests a day, one at a time.
    Lea,
    /// Asks the upstream itself, which the proxy knows nothing of.
    Upstream,
}

impl Who {
    /// The account.
    pub(super) const fn account(self) -> &'static str {
        match self {
            Self::Maria => "acct_maria",
            Self::Joao => "acct_joao",
            Self::Lea => "acct_lea",
            Self::Upstream => "",
        }
    }
}

/// The accounts' keys. Never printed but in curl lines.
#[derive(Clone, Default)]
pub(super) struct Keys(BTreeMap<Who, String>);

impl Keys {
    pub(super) fn set(&mut self, who: Who, key: String) {
        self.0.insert(who, key);
    }

    pub(super) fn of(&self, who: Who) -> Option<&String> {
        self.0.get(&who)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The proxy's base URL.
    pub(super) proxy: String,
    /// The upstream's base URL.
    pub(super) upstream: String,
    /// The accounts' keys.
    pub(super) keys: Keys,
}
