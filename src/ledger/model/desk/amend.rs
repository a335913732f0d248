//! What is done to charges and buckets by hand: refunds, adjustments, withdrawals; claims of free credits.

use super::super::records::{KEPT_MS, Records};
use super::super::state::Context;
use super::super::told::Said;
use super::super::{
    adjust as adjusting, directory, refund as refunding, stop, withdraw as withdrawing,
};
use super::{Outcome, caught_up, for_end, load, write};
use crate::credit::{AccountId, Bucket};
use crate::ledger::{
    Adjust, Adjusted, FreeClaim, Freeze, Refund, Refunded, Refusal, Withdraw, Withdrawn,
};

/// Accounts of a person with free credits, at most, whatever the configuration says.
const CLAIMS_MAX: u32 = 1_000;

pub(crate) fn refund(r: &mut dyn Records, c: &Context, call: &Refund) -> Outcome<Refunded> {
    refunding::sound(call)?;
    let (before, mut draft, seen) = for_end(r, c, &call.account, call.charge)?;
    let Some(ended) = seen else {
        if draft.account.open.contains_key(&call.charge) {
            return Err(stop::invalid("the charge is still open: it can be released"));
        }
        let old = c.now.ms_since(call.charge.born()) >= KEPT_MS;
        let why = if old { Refusal::ChargeArchived } else { Refusal::UnknownCharge };
        return Err(why.into());
    };
    let answer = refunding::refund(&mut draft, ended, call, c)?;
    write(r, c, &before, draft, Said::Refund)?;
    Ok(answer)
}

pub(crate) fn adjust(r: &mut dyn Records, c: &Context, call: &Adjust) -> Outcome<Adjusted> {
    let (before, mut draft, seen) = for_end(r, c, &call.account, call.charge)?;
    let answer = adjusting::adjust(&mut draft, seen.as_ref(), call, c)?;
    let said = Said::Adjust { charge: call.charge, id: call.id.clone(), held: call.held };
    write(r, c, &before, draft, said)?;
    Ok(answer)
}

pub(crate) fn withdraw(r: &mut dyn Records, c: &Context, call: &Withdraw) -> Outcome<Withdrawn> {
    withdrawing::sound(&call.reason)?;
    let before = load(r, &call.account)?;
    let mut draft = caught_up(c, &before)?;
    let answer = withdrawing::withdraw(&mut draft, call, c)?;
    let (bucket, reason) = (call.bucket.clone(), call.reason.clone());
    write(r, c, &before, draft, Said::Withdraw { bucket, how: call.how, reason })?;
    Ok(answer)
}

pub(crate) fn freeze(r: &mut dyn Records, c: &Context, call: &Freeze) -> Outcome<Bucket> {
    withdrawing::sound(&call.reason)?;
    let before = load(r, &call.account)?;
    let mut draft = caught_up(c, &before)?;
    let bucket = withdrawing::freeze(&mut draft, call, c)?;
    let said = Said::Freeze { bucket: call.bucket.clone(), reason: call.reason.clone() };
    write(r, c, &before, draft, said)?;
    Ok(bucket)
}

/// How many accounts of the person may have free credits, at most; a refusal if the call makes no sense.
pub(crate) fn sound_claim(call: &FreeClaim) -> Outcome<u32> {
    sound_person(&call.person)?;
    Ok(call.limit.min(CLAIMS_MAX))
}

/// That a person may be called so.
pub(crate) fn sound_person(person: &str) -> Outcome<()> {
    directory::check_name("person", Some(person))
}

/// The accounts that have claimed a person's free credits, in the order of their ids.
pub(crate) fn claims(r: &mut dyn Records, person: &str) -> Outcome<Vec<AccountId>> {
    sound_person(person)?;
    let mut claimed = r.claims(person)?;
    claimed.sort_unstable();
    Ok(claimed)
}

pub(crate) fn claim_free(r: &mut dyn Records, call: &FreeClaim) -> Outcome<bool> {
    let limit = usize::try_from(sound_claim(call)?).unwrap_or_default();
    let mut claimed = r.claims(&call.person)?;
    if claimed.contains(&call.account) {
        return Ok(true);
    }
    if claimed.len() >= limit {
        return Ok(false);
    }
    claimed.push(call.account.clone());
    r.save_claims(&call.person, &claimed)?;
    Ok(true)
}
