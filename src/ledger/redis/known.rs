//! The highest number of an entry that the ledger has told of each account.
//!
//! Invariant: bounded: a seat serves the accounts that fall on it in turn. Who is forgotten is not watched until
//! the next answer, and never suspected.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::credit::AccountId;

/// How many accounts are watched at most; 256 KiB for each core.
const SEATS: usize = 16_384;

/// See the module.
#[derive(Debug)]
pub(super) struct Known(Mutex<Vec<Seat>>);

/// One account, by the hash of its id, and its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seat {
    who: u64,
    number: u64,
}

/// What was known when a call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Before {
    who: u64,
    number: u64,
}

impl Known {
    pub(super) fn new() -> Self {
        Self(Mutex::new(vec![Seat::default(); SEATS]))
    }

    /// What is known of an account; nothing is number 0.
    pub(super) fn before(&self, account: &AccountId) -> Before {
        let mut hasher = DefaultHasher::new();
        account.as_str().hash(&mut hasher);
        let who = hasher.finish();
        let number = match seat(&mut self.seats(), who) {
            Some(seat) if seat.who == who => seat.number,
            _ => 0,
        };
        Before { who, number }
    }

    /// A call that was made after `before` has found this number. Answers may be heard in another order than they
    /// were given, so only what was known before the call counts against it. The answer is the highest number that
    /// was known, if the account has gone back.
    pub(super) fn found(&self, before: Before, number: u64) -> Option<u64> {
        let mut seats = self.seats();
        let seat = seat(&mut seats, before.who)?;
        let own = if seat.who == before.who { Some(seat.number) } else { None };
        // Where the seat is lower than before already, this setback was seen by an earlier answer.
        let back = number < before.number && own.is_none_or(|own| own >= before.number);
        if back || own.is_none_or(|own| own < number) {
            *seat = Seat { who: before.who, number };
        }
        back.then(|| own.unwrap_or_default().max(before.number))
    }

    fn seats(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seat(seats: &mut [Seat], who: u64) -> Option<&mut Seat> {
    let place = usize::try_from(who % u64::try_from(SEATS).ok()?).ok()?;
    seats.get_mut(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> AccountId {
        name.parse().unwrap_or_else(|_| unreachable!())
    }

    #[test]
    fn a_number_below_what_was_known_before_the_call_is_a_setback_once() {
        let known = Known::new();
        let ana = account("acct_ana");
        let first = known.before(&ana);
        assert_eq!(known.found(first, 5), None);
        let (one, two, three) = (known.before(&ana), known.before(&ana), known.before(&ana));
        assert_eq!(known.found(one, 9), None);
        assert_eq!(known.found(two, 3), Some(9));
        assert_eq!(known.found(three, 4), None);
        let after = known.before(&ana);
        assert_eq!(known.found(after, 4), None);
    }

    #[test]
    fn answers_out_of_order_are_no_setback() {
        let known = Known::new();
        let ana = account("acct_ana");
        let (one, two) = (known.before(&ana), known.before(&ana));
        assert_eq!((known.found(two, 2), known.found(one, 1)), (None, None));
        assert_eq!(known.before(&ana).number, 2);
        assert_eq!(known.before(&account("acct_bob")).number, 0);
    }
}
