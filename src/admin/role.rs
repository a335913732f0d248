//! Roles: what operators may do.
//!
//! Which role may call what stands with each endpoint, in the one table of `endpoints`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// What an operator's token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything about money: all grants, refunds.
    Finance,
    /// Helping customers: disable and rotate keys, release stuck holds, give goodwill and bonus credits.
    Support,
    /// Looking, metrics included.
    Viewer,
}

impl Role {
    /// All of them, those that may do most first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Finance, Self::Support, Self::Viewer];

    /// Its name in configuration and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Finance => "finance",
            Self::Support => "support",
            Self::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| format!("{text:?} is not one of owner, finance, support, viewer"))
    }
}
