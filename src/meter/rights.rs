//! Whether an account may ask for this at all: its plan, its key, the values that it chose.
//!
//! Invariant: decided before anything is reserved, so a refusal costs nothing; and by no cached word alone,
//! since whoever refuses here looks whether the ledger has a newer document.

use super::identity::Identity;
use super::rejection::Rejection;
use super::settings::{Due, Route, Rules};
use crate::credit::{Facts, Name, Plan};

/// The account's plan, if this instance knows it, and plan and key have a right to the route.
pub(super) fn entitled<'a>(identity: &'a Identity, route: &Route) -> Result<&'a Plan, Rejection> {
    let Some(plan) = &identity.plan else {
        return Err(Rejection::plan_unknown_here(identity.plan_name()));
    };
    let name = route.name.as_str();
    if !plan.rights.include(&route.name, route.feature.as_ref()) {
        return Err(Rejection::route_not_in_plan(name, plan.name.as_str()));
    }
    let key = identity.document.key(identity.key);
    let other = |routes: &[String]| !routes.is_empty() && !routes.iter().any(|one| one == name);
    if key.is_some_and(|key| other(&key.routes)) {
        return Err(Rejection::not_for_key(name));
    }
    Ok(plan)
}

/// Refuses a value that the plan does not include, as the request says it or leaves it to its default. What
/// the response alone says cannot be refused: the work is done by then.
pub(super) fn options(plan: &Plan, due: &Due, facts: &Facts) -> Result<(), Rejection> {
    for right in &plan.rights.options {
        let asked =
            |name: &Name| due.quantities.iter().any(|one| one.name == *name && one.is_asked());
        let value = facts.0.get(&right.quantity).filter(|_| asked(&right.quantity));
        if let Some(value) = value.filter(|value| !right.allows(value)) {
            let (quantity, value) = (right.quantity.as_str(), value.to_string());
            return Err(Rejection::option_not_in_plan(quantity, value, plan.name.as_str()));
        }
    }
    Ok(())
}

/// How large a body may be, and whose word that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyLimit {
    /// The most bytes.
    pub bytes: u64,
    /// The plan that says so; `None`: the route does, whatever the plan.
    pub plan: Option<Name>,
}

/// The largest body that the account may send to the route.
#[must_use]
pub fn body_limit(identity: &Identity, route: &Route) -> BodyLimit {
    let of_plan = identity.plan.as_ref().and_then(|plan| {
        let bytes = plan.rights.body_limit(&route.name, route.feature.as_ref())?;
        Some(BodyLimit { bytes, plan: Some(plan.name.clone()) })
    });
    of_plan.unwrap_or_else(|| route.body_limit())
}

impl Route {
    /// The largest body where the plan says nothing of it.
    #[must_use]
    pub const fn body_limit(&self) -> BodyLimit {
        BodyLimit { bytes: self.body_limit, plan: None }
    }
}

impl Rules {
    /// Whether plans differ in how large a body may be that is sent to the route.
    #[must_use]
    pub fn sizes_by_plan(&self, route: &Route) -> bool {
        let said = |plan: &Plan| plan.rights.body_limit(&route.name, route.feature.as_ref());
        self.plans.iter().any(|plan| said(plan).is_some())
    }
}
