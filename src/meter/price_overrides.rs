//! Raises and cuts of an account's prices, as they hold when a request is priced.
//!
//! They change the sum of a price, after its minimum and maximum: the last `Set`, then every `Multiply`, then
//! every `Add` and `Cut`, each one a step that can be checked with pencil and paper. A part of a micro-credit is
//! rounded up, as in a price's lines.
//!
//! Invariant: those that were in force when the credits were held make the charge too, whatever has begun or ended
//! since; so the same quantities come to the same in the quote, at reserve and at settlement.

use crate::credit::{Amount, KeyId, Name, PriceError, Priced, PricedOverride};
use crate::ledger::{Adjustment, Limited, Override, Scope};

use super::overrides::{Overrides, WHOLE, factor};

/// Whose request is priced, and on which route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Priceable<'a> {
    /// The key that asks.
    pub(super) key: KeyId,
    /// The member of the account's team whose key it is.
    pub(super) member: Option<&'a str>,
    /// The route.
    pub(super) route: &'a Name,
    /// Its feature.
    pub(super) feature: Option<&'a Name>,
}

impl Priceable<'_> {
    /// Whether an override of prices is of this request's.
    fn is_meant(&self, one: &Override) -> bool {
        let feature = self.feature.map(Name::as_str);
        let named = one.name == self.route.as_str() || feature == Some(one.name.as_str());
        named
            && match &one.scope {
                None | Some(Scope::Account) => true,
                Some(Scope::Key(key)) => *key == self.key,
                Some(Scope::Member(member)) => self.member == Some(member.as_str()),
                Some(Scope::Route(route)) => route == self.route.as_str(),
                Some(Scope::Feature(name)) => feature == Some(name.as_str()),
            }
    }
}

/// The changes of one request's price, in the order in which they are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PriceChanges(Vec<Change>);

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Change {
    id: String,
    adjustment: Adjustment,
    reason: String,
}

impl PriceChanges {
    /// Those that hold for a request now.
    pub(super) fn of(overrides: &Overrides<'_>, request: &Priceable<'_>) -> Self {
        let meant: Vec<&Override> =
            overrides.of_sort(Limited::Price).filter(|one| request.is_meant(one)).collect();
        let set = meant.iter().rev().find(|one| place(one.adjustment) == 0);
        let mut rest: Vec<&&Override> =
            meant.iter().filter(|one| place(one.adjustment) > 0).collect();
        rest.sort_by_key(|one| place(one.adjustment));
        let change = |one: &&Override| Change {
            id: one.id.clone(),
            adjustment: one.adjustment,
            reason: one.reason.clone(),
        };
        Self(set.into_iter().chain(rest).map(change).collect())
    }

    /// The same price with these changes.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(super) fn apply(&self, priced: Priced) -> Result<Priced, PriceError> {
        self.0.iter().try_fold(priced, |mut priced, change| {
            let before = priced.total;
            let after = after(change.adjustment, before).ok_or(PriceError::OutOfRange)?;
            priced.total = after;
            priced.overrides.push(PricedOverride {
                label: format!("override {}: {}", change.id, said(change.adjustment)),
                id: change.id.clone(),
                reason: change.reason.clone(),
                before,
                after,
            });
            Ok(priced)
        })
    }
}

/// In which turn a change is made; 0: of several only the last is.
const fn place(adjustment: Adjustment) -> u8 {
    match adjustment {
        Adjustment::Set(_) => 0,
        Adjustment::Multiply(_) => 1,
        Adjustment::Add(_) => 2,
        Adjustment::Cut(_) => 3,
    }
}

/// What becomes of a sum; `None`: it is out of range.
fn after(adjustment: Adjustment, before: Amount) -> Option<Amount> {
    match adjustment {
        Adjustment::Set(price) => Amount::from_micro(price),
        Adjustment::Add(more) => before.checked_add(Amount::from_micro(more)?),
        Adjustment::Cut(less) => Amount::from_micro(before.micro().saturating_sub(less)),
        Adjustment::Multiply(thousandths) => {
            let product = u128::from(before.micro()).checked_mul(u128::from(thousandths))?;
            u64::try_from(product.div_ceil(WHOLE)).ok().and_then(Amount::from_micro)
        }
    }
}

fn said(adjustment: Adjustment) -> String {
    let amount = |micro| Amount::from_micro(micro).unwrap_or(Amount::MAX);
    match adjustment {
        Adjustment::Set(price) => format!("= {}", amount(price)),
        Adjustment::Multiply(thousandths) => format!("× {}", factor(thousandths)),
        Adjustment::Add(more) => format!("+ {}", amount(more)),
        Adjustment::Cut(less) => format!("- {}", amount(less)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::Timestamp;

    fn change(id: &str, adjustment: Adjustment, name: &str, scope: Option<Scope>) -> Override {
        Override {
            id: id.into(),
            limited: Limited::Price,
            name: name.into(),
            scope,
            adjustment,
            starts: Timestamp(0),
            ends: Some(Timestamp(10)),
            author: "a".into(),
            reason: "r".into(),
        }
    }

    /// What a price of so many micro-credits comes to on the route `image` of `media`, for `ana`, at `now`.
    fn priced(all: &[Override], micro: u64, now: u64) -> Result<Priced, PriceError> {
        let (route, feature) = ("image".parse().unwrap(), "media".parse().unwrap());
        let request = Priceable {
            key: KeyId::from_bytes([1; 16]),
            member: Some("ana"),
            route: &route,
            feature: Some(&feature),
        };
        let total = Amount::from_micro(micro).unwrap();
        let base = Priced { lines: Vec::new(), total, overrides: Vec::new() };
        PriceChanges::of(&Overrides::at(all, Timestamp(now)), &request).apply(base)
    }

    fn total(all: &[Override], micro: u64) -> u64 {
        priced(all, micro, 1).unwrap().total.micro()
    }

    #[test]
    fn each_change_is_a_step_that_is_rounded_up() {
        let half = || change("ov_h", Adjustment::Multiply(500), "image", None);
        assert_eq!(total(&[half()], 5), 3);
        assert_eq!(total(&[half(), half()], 5), 2);
        assert_eq!(total(&[change("o", Adjustment::Multiply(0), "media", None)], 5), 0);
        let all = [
            change("ov_c", Adjustment::Cut(1), "image", None),
            change("ov_1", Adjustment::Set(9), "image", None),
            change("ov_a", Adjustment::Add(2), "media", None),
            half(),
            change("ov_2", Adjustment::Set(7), "image", None),
        ];
        let steps = priced(&all, 100, 1).unwrap();
        let told: Vec<_> = steps
            .overrides
            .iter()
            .map(|step| (step.label.as_str(), step.before.micro(), step.after.micro()))
            .collect();
        assert_eq!(
            told,
            [
                ("override ov_2: = 0.000007", 100, 7),
                ("override ov_h: × 0.5", 7, 4),
                ("override ov_a: + 0.000002", 4, 6),
                ("override ov_c: - 0.000001", 6, 5),
            ]
        );
        assert_eq!(steps.total.micro(), 5);
        assert_eq!(total(&[change("o", Adjustment::Cut(9), "image", None)], 5), 0);
    }

    #[test]
    fn they_are_of_a_route_or_feature_and_of_whom_they_say() {
        let double = |name: &str, scope| [change("o", Adjustment::Multiply(2_000), name, scope)];
        let key = |byte| Some(Scope::Key(KeyId::from_bytes([byte; 16])));
        let member = |name: &str| Some(Scope::Member(name.into()));
        for (name, scope, expected) in [
            ("image", None, 10),
            ("media", Some(Scope::Account), 10),
            ("film", None, 5),
            ("image", key(1), 10),
            ("image", key(2), 5),
            ("media", member("ana"), 10),
            ("media", member("bo"), 5),
        ] {
            assert_eq!(total(&double(name, scope.clone()), 5), expected, "{name} {scope:?}");
        }
        let ended = priced(&double("image", None), 5, 10).unwrap();
        assert_eq!((ended.total.micro(), ended.overrides.len()), (5, 0));
    }

    #[test]
    fn a_sum_out_of_range_is_no_price() {
        let most = Amount::MAX.micro();
        for adjustment in [Adjustment::Multiply(most), Adjustment::Add(1)] {
            let all = [change("o", adjustment, "image", None)];
            assert_eq!(priced(&all, most, 1), Err(PriceError::OutOfRange));
        }
    }
}
