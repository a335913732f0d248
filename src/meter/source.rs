//! A source of a quantity, or arithmetic on several: one shape for requests and responses.
//!
//! Invariant: what is not there adds nothing and takes nothing away; arithmetic on nothing is not there.

/// Where a quantity comes from: one place, or what several come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<L> {
    /// What one place says.
    One(L),
    /// Those that are there, added. Not there if none of them is.
    SumOf(Vec<Self>),
    /// The first less the others. Not there without the first; another that is not there is zero.
    Minus(Vec<Self>),
}

impl<L> From<L> for Source<L> {
    fn from(place: L) -> Self {
        Self::One(place)
    }
}

/// What arithmetic needs to know of what it works with.
pub(super) trait Arithmetic<L> {
    /// What a place says.
    type Term;
    /// Why there is no result.
    type Error;

    /// What this place says; `None`: it is not there. Called for each place once, in their order.
    fn term(&mut self, place: &L) -> Result<Option<Self::Term>, Self::Error>;

    /// Both together.
    fn sum(&mut self, one: Self::Term, other: Self::Term) -> Result<Self::Term, Self::Error>;

    /// The first less the other.
    fn less(&mut self, first: Self::Term, other: Self::Term) -> Result<Self::Term, Self::Error>;
}

impl<L> Source<L> {
    /// The places, in their order.
    pub fn places(&self) -> impl Iterator<Item = &L> {
        let mut places = Vec::new();
        self.gather(&mut places);
        places.into_iter()
    }

    /// The same with each place turned into another.
    pub(super) fn map(&self, turn: &impl Fn(&L) -> L) -> Self {
        let all = |parts: &[Self]| parts.iter().map(|part| part.map(turn)).collect();
        match self {
            Self::One(place) => Self::One(turn(place)),
            Self::SumOf(parts) => Self::SumOf(all(parts)),
            Self::Minus(parts) => Self::Minus(all(parts)),
        }
    }

    fn gather<'a>(&'a self, places: &mut Vec<&'a L>) {
        match self {
            Self::One(place) => places.push(place),
            Self::SumOf(parts) | Self::Minus(parts) => {
                for part in parts {
                    part.gather(places);
                }
            }
        }
    }

    /// What it comes to; `None`: it is not there.
    pub(super) fn come_to<A: Arithmetic<L>>(
        &self,
        with: &mut A,
    ) -> Result<Option<A::Term>, A::Error> {
        let (parts, minus) = match self {
            Self::One(place) => return with.term(place),
            Self::SumOf(parts) => (parts, false),
            Self::Minus(parts) => (parts, true),
        };
        let mut result = None;
        for (number, part) in parts.iter().enumerate() {
            // Each part is asked, also where its answer changes nothing: places are counted by their order.
            let said = part.come_to(with)?;
            result = match (result, said) {
                (None, Some(said)) if !minus || number == 0 => Some(said),
                (Some(so_far), Some(said)) if minus => Some(with.less(so_far, said)?),
                (Some(so_far), Some(said)) => Some(with.sum(so_far, said)?),
                (so_far, _) => so_far,
            };
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Terms are what the places say; the order of asking is kept.
    #[derive(Default)]
    struct Numbers(Vec<i64>);

    impl Arithmetic<Option<i64>> for Numbers {
        type Term = i64;
        type Error = ();

        fn term(&mut self, place: &Option<i64>) -> Result<Option<i64>, ()> {
            self.0.extend(place);
            Ok(*place)
        }

        fn sum(&mut self, one: i64, other: i64) -> Result<i64, ()> {
            one.checked_add(other).ok_or(())
        }

        fn less(&mut self, first: i64, other: i64) -> Result<i64, ()> {
            first.checked_sub(other).filter(|left| *left >= 0).ok_or(())
        }
    }

    #[test]
    fn what_is_not_there_counts_for_nothing() {
        let one = |number| Source::One(Some(number));
        let none = || Source::One(None);
        let come_to = |source: &Source<Option<i64>>| source.come_to(&mut Numbers::default());
        for (source, expected) in [
            (one(3), Ok(Some(3))),
            (none(), Ok(None)),
            (Source::SumOf(vec![one(1), none(), one(4)]), Ok(Some(5))),
            (Source::SumOf(vec![none(), none()]), Ok(None)),
            (Source::SumOf(vec![one(i64::MAX), one(1)]), Err(())),
            (Source::Minus(vec![one(9), one(2), none(), one(3)]), Ok(Some(4))),
            (Source::Minus(vec![none(), one(2)]), Ok(None)),
            (Source::Minus(vec![one(2)]), Ok(Some(2))),
            (Source::Minus(vec![one(2), one(3)]), Err(())),
            (Source::Minus(vec![Source::SumOf(vec![one(2), one(3)]), one(1)]), Ok(Some(4))),
        ] {
            assert_eq!(come_to(&source), expected, "{source:?}");
        }
        let nested = Source::Minus(vec![none(), Source::SumOf(vec![one(1), one(2)]), one(3)]);
        let mut asked = Numbers::default();
        assert_eq!(nested.come_to(&mut asked), Ok(None));
        assert_eq!(asked.0, [1, 2, 3]);
        assert_eq!(nested.places().flatten().collect::<Vec<_>>(), [&1, &2, &3]);
    }
}
