//! Lines whose number was there before: whether they say the same.
//!
//! An exporter that dies at the wrong moment leaves lines that the next one writes again, the same to the byte.
//! A store that went back and counts anew writes other ones under the same numbers. No line is kept to tell the
//! two apart: the few that are suspected are looked for in the files once more.
//!
//! Invariant: what is kept is bounded; what is too much is not said to be harmless.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::ReplayError;
use super::cursor::Cursor;
use super::fault::Place;
use super::line::Whose;
use super::lines::{Lines, Piece};
use crate::credit::AccountId;

/// How many lines may be suspected.
const SUSPECTS_MAX: usize = 1_000_000;

type Key = (AccountId, u64);
type Hash = [u8; 32];

/// What became of a suspicion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is another one, the same to the byte.
    Same,
    /// There is another one, which differs: there.
    Differs(Place),
    /// There is no other one.
    Unknown,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    suspects: BTreeMap<Key, Vec<(Place, Hash)>>,
    count: usize,
}

impl Repeats {
    /// A line whose number is not behind the account's last one. False: there are too many already.
    pub(super) fn suspect(&mut self, key: Key, place: Place, bytes: &[u8]) -> bool {
        if self.count >= SUSPECTS_MAX {
            return false;
        }
        self.count = self.count.saturating_add(1);
        self.suspects.entry(key).or_default().push((place, hash(bytes)));
        true
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Looks for the first line of each number in all that is there.
    pub(super) fn judge(
        self,
        cursors: &[Cursor],
        ledger: &str,
    ) -> Result<Vec<(AccountId, u64, Place, Verdict)>, ReplayError> {
        let mut first = BTreeMap::new();
        for cursor in cursors {
            self.look_in(cursor, ledger, &mut first).map_err(|error| cursor.failed(error))?;
        }
        let verdict = |key: &Key, own: &Hash| match first.get(key) {
            None => Verdict::Unknown,
            Some((_, other)) if other == own => Verdict::Same,
            Some((place, _)) => Verdict::Differs(Place::clone(place)),
        };
        let mut found = Vec::new();
        for (key, places) in self.suspects {
            for (place, own) in places {
                found.push((key.0.clone(), key.1, place, verdict(&key, &own)));
            }
        }
        Ok(found)
    }

    fn look_in(
        &self,
        cursor: &Cursor,
        ledger: &str,
        first: &mut BTreeMap<Key, (Place, Hash)>,
    ) -> std::io::Result<()> {
        let look = &cursor.look;
        for (number, file) in look.files.range(..=look.last()) {
            let mut lines = Lines::open(file, 0, 0)?;
            lines.count(look.limit(*number))?;
            while let Some(piece) = lines.next()? {
                let Piece::Whole(bytes) = piece else { continue };
                let Ok(whose) = serde_json::from_slice::<Whose>(&bytes) else { continue };
                let key = (whose.account, whose.sequence);
                let Some(suspects) = self.suspects.get(&key) else { continue };
                let place = lines.place();
                let is_suspect = suspects.iter().any(|(suspect, _)| *suspect == place);
                if whose.epoch == ledger && !is_suspect {
                    first.entry(key).or_insert_with(|| (place, hash(&bytes)));
                }
            }
        }
        Ok(())
    }
}

fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}
