//! What a plan allows: routes, features, values of quantities, sizes of bodies.
//!
//! Invariant: a right only takes away. What it does not mention is allowed by it, and paid for all the same.

use super::{Decimal, Name, Value};

/// What a plan allows; everything, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The routes that it has; `None`: if there is no list of features either, all.
    pub routes: Option<Vec<Name>>,
    /// The features whose routes it has, beside those of `routes`; `None`: no further ones.
    pub features: Option<Vec<Name>>,
    /// The routes and features that it does not have, whatever the lists say.
    pub refused: Vec<Name>,
    /// Which values of quantities it has.
    pub options: Vec<OptionRight>,
    /// The largest request body in bytes, by route or feature, instead of the route's own.
    pub body_limits: Vec<(Name, u64)>,
}

impl Rights {
    /// Whether a route of this feature is among them.
    #[must_use]
    pub fn include(&self, route: &Name, feature: Option<&Name>) -> bool {
        let refused = self.refused.iter().any(|name| name == route || Some(name) == feature);
        let of_feature = |list: &Vec<Name>| feature.is_some_and(|name| list.contains(name));
        let listed = match (&self.routes, &self.features) {
            (None, None) => true,
            (routes, features) => {
                routes.as_ref().is_some_and(|list| list.contains(route))
                    || features.as_ref().is_some_and(of_feature)
            }
        };
        listed && !refused
    }

    /// The largest request body for a route of this feature, if they say one; the route's name goes before
    /// its feature's.
    #[must_use]
    pub fn body_limit(&self, route: &Name, feature: Option<&Name>) -> Option<u64> {
        let of = |meant: &Name| self.body_limits.iter().find(|(name, _)| name == meant);
        of(route).or_else(|| of(feature?)).map(|(_, limit)| *limit)
    }
}

/// Which values of a quantity a plan has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionRight {
    /// The quantity.
    pub quantity: Name,
    /// The only values that it may have, as tables write them; empty: any.
    pub allowed: Vec<String>,
    /// The values that it may not have.
    pub refused: Vec<String>,
    /// The least that a number may be.
    pub minimum: Option<Decimal>,
    /// The most that a number may be.
    pub maximum: Option<Decimal>,
}

impl OptionRight {
    /// Whether the quantity may have this value.
    #[must_use]
    pub fn allows(&self, value: &Value) -> bool {
        let within = match value {
            Value::Number(number) => {
                self.minimum.is_none_or(|least| *number >= least)
                    && self.maximum.is_none_or(|most| *number <= most)
            }
            Value::Text(_) | Value::Flag(_) => true,
        };
        let text = value.to_string();
        let listed = self.allowed.is_empty() || self.allowed.contains(&text);
        within && listed && !self.refused.contains(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn names(list: &[&str]) -> Vec<Name> {
        list.iter().map(|text| name(text)).collect()
    }

    /// Which of `image` (of `media`), `film` (of `media`) and `models` (of nothing) they include.
    fn included(rights: &Rights) -> Vec<&'static str> {
        let routes = [("image", Some("media")), ("film", Some("media")), ("models", None)];
        let has = |(route, feature): &(&'static str, Option<&str>)| {
            rights.include(&name(route), feature.map(name).as_ref())
        };
        routes.into_iter().filter(has).map(|(route, _)| route).collect()
    }

    #[test]
    fn lists_add_up_and_refusals_win() {
        let all = Rights::default();
        assert_eq!(included(&all), ["image", "film", "models"]);
        let of = |routes: Option<&[&str]>, features: Option<&[&str]>, refused: &[&str]| Rights {
            routes: routes.map(names),
            features: features.map(names),
            refused: names(refused),
            ..Rights::default()
        };
        assert_eq!(included(&of(Some(&["models"]), None, &[])), ["models"]);
        assert_eq!(included(&of(None, Some(&["media"]), &[])), ["image", "film"]);
        assert_eq!(
            included(&of(Some(&["models"]), Some(&["media"]), &["film"])),
            ["image", "models"]
        );
        assert_eq!(included(&of(None, None, &["media"])), ["models"]);
        assert_eq!(included(&of(Some(&[]), None, &[])), [""; 0]);
    }

    #[test]
    fn a_body_limit_is_the_routes_before_its_features() {
        let body_limits = vec![(name("media"), 5), (name("film"), 9)];
        let rights = Rights { body_limits, ..Rights::default() };
        let limit = |route: &str, feature: Option<&str>| {
            rights.body_limit(&name(route), feature.map(name).as_ref())
        };
        assert_eq!(limit("image", Some("media")), Some(5));
        assert_eq!(limit("film", Some("media")), Some(9));
        assert_eq!(limit("models", None), None);
    }

    #[test]
    fn values_are_compared_as_tables_compare_them() {
        let right = |allowed: &[&str], refused: &[&str], bounds: [Option<&str>; 2]| OptionRight {
            quantity: name("q"),
            allowed: allowed.iter().map(|text| (*text).to_owned()).collect(),
            refused: refused.iter().map(|text| (*text).to_owned()).collect(),
            minimum: bounds[0].map(|text| text.parse().unwrap()),
            maximum: bounds[1].map(|text| text.parse().unwrap()),
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let number = |digits: &str| Value::Number(digits.parse().unwrap());
        let sizes = right(&["512x512"], &[], [None, None]);
        assert!(sizes.allows(&text("512x512")) && !sizes.allows(&text("4096x4096")));
        let voices = right(&[], &["aria"], [None, None]);
        assert!(voices.allows(&text("nova")) && !voices.allows(&text("aria")));
        let short = right(&[], &["7"], [Some("1"), Some("10")]);
        let passes =
            ["0.5", "1", "7", "10", "10.000001"].map(|digits| short.allows(&number(digits)));
        assert_eq!(passes, [false, true, false, true, false]);
        let flag = right(&["false"], &[], [None, None]);
        assert!(flag.allows(&Value::Flag(false)) && !flag.allows(&Value::Flag(true)));
    }
}
