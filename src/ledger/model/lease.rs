//! Leases: renewed while an exchange runs, given up when nobody knows how it ended.
//!
//! Invariant: a renewal never revives: a lapsed lease stays lapsed whether or not its due work was done.

use std::sync::Arc;

use super::draft::Draft;
use super::state::{Account, Context, Ended};
use super::stop::Stop;
use crate::credit::ChargeId;
use crate::ledger::{Doubt, Extended, Refusal};

/// Renews one lease.
pub(crate) fn extend(account: &mut Account, charge: ChargeId, context: &Context) -> Extended {
    match account.open.get_mut(&charge) {
        Some(open) if !open.unknown && !open.lapsed(context) => {
            // One that waits for its job ends when it was said to.
            if open.waits_for_job() {
                return Extended::Until(open.lease_end);
            }
            let open = Arc::make_mut(open);
            open.lease_end = open.lease_end.max(context.now.plus_ms(context.lease_ms));
            Extended::Until(open.lease_end)
        }
        _ => Extended::Ended,
    }
}

/// The exchange has ended with an unknown outcome. Saying so again changes nothing.
pub(crate) fn doubt(
    draft: &mut Draft,
    seen: Option<&Ended>,
    call: &Doubt,
    context: &Context,
) -> Result<(), Stop> {
    let Some(open) = draft.account.open.get_mut(&call.charge) else {
        let why = seen.map_or(Refusal::UnknownCharge, |ended| Refusal::Ended(ended.state));
        return Err(why.into());
    };
    if open.unknown {
        return Ok(());
    }
    Arc::make_mut(open).doubt(context.now);
    draft.explain(call.charge, &call.explanation)
}
