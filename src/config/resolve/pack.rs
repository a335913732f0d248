//! What is sold.

use super::allowance::LIFE_MAX;
use super::{Resolver, values};
use crate::config::mirror;
use crate::config::placed::At;
use crate::credit::Pack;

impl Resolver<'_, '_> {
    /// The packs without errors, in the order of the file.
    pub(super) fn packs(&mut self) -> Vec<Pack> {
        let packs = self.file.packs.0.iter();
        packs.filter_map(|(name, pack)| self.pack(name, pack)).collect()
    }

    fn pack(&mut self, name: &At<String>, pack: &mirror::Pack) -> Option<Pack> {
        self.something("a pack", &pack.credits);
        if pack.price.value.amount.is_zero() {
            let message = "a pack is bought: it costs more than nothing";
            self.findings
                .error("zero_price", pack.price.place, message)
                .help("what is given for nothing is an allowance, or the `bonus` of a pack");
        }
        self.route_or_feature(&pack.only);
        let mut lasts =
            |at: &Option<_>| Some(self.millis(Some(at.as_ref()?), LIFE_MAX.0, LIFE_MAX));
        let lasts_ms = lasts(&pack.expires_after);
        let bonus = pack
            .bonus
            .as_ref()
            .map(|bonus| (bonus.credits.value, lasts(&bonus.expires_after).or(lasts_ms)));
        if let Some(bonus) = &pack.bonus {
            self.something("a bonus", &bonus.credits);
        }
        Some(Pack {
            name: self.name(name)?,
            kind: self.kind(pack.kind.as_ref())?,
            amount: pack.credits.value,
            paid: pack.price.value.clone(),
            lasts_ms,
            bonus,
            only: values(&pack.only),
        })
    }
}
