//! An account's record for an auditor, with what the scripts keep beside the rules' own.
//!
//! Invariant: only reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::asking::Desk;
use super::calls::slot_scope;
use super::looking::load;
use crate::credit::AccountId;
use crate::ledger::model::{self, Open, Stop};
use crate::ledger::{Books, Breach, Scope};

/// The account's record for an auditor: the rules' own breaches, and those of what the scripts keep beside it.
pub(super) async fn books(desk: &Arc<Desk>, id: &AccountId) -> Result<Books, Stop> {
    let (account, head, context) = load(desk, id).await?;
    let mut books = model::books(&account, &context);
    if usize::try_from(head.open) != Ok(account.open.len()) {
        let what = format!(
            "the record counts {} open charges, there are {}",
            head.open,
            account.open.len()
        );
        books.breaches.push(Breach::of("I8", what));
    }
    let mut running: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    for open in account.open.values().filter(|open| !open.unknown) {
        for scope in scopes(open) {
            let used = running.entry(slot_scope(&scope)).or_default();
            *used = used.saturating_add(1);
        }
    }
    if running != head.slots.into_iter().collect() {
        books.breaches.push(Breach::of("I8", "the slots in use are not the charges that run"));
    }
    let said = [head.lease_next, head.wake_next].into_iter().flatten().min();
    let next = model::next_due(&account);
    if next.is_some_and(|next| said.is_none_or(|said| said > next)) {
        let what = "the index of due work has it later than its next due work";
        books.breaches.push(Breach::of("I14", what));
    }
    Ok(books)
}

/// What a running charge takes a slot of.
fn scopes(open: &Open) -> Vec<Scope> {
    let mut scopes = vec![Scope::Account, Scope::Key(open.key), Scope::Route(open.route.clone())];
    scopes.extend(open.feature.clone().map(Scope::Feature));
    scopes.extend(open.member.clone().map(Scope::Member));
    scopes
}
