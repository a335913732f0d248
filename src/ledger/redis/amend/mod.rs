//! Rare verbs: refunds, adjusted holds, withdrawals, frozen buckets, claims of free credits.
//!
//! The model's own rules decide them here, over the account's records as they were read in one step; a script
//! writes what they leave if everything that they have decided with is still so. So they answer by the same
//! rules as the embedded store, at the price of two round trips and of being tried again.
//!
//! Invariant: what has changed meanwhile is never overwritten: it is read and decided again.

mod change;
mod held;

use std::sync::Arc;

use redis::Value;

use self::held::{Held, Left, Seen};
use super::asking::{Desk, Heard};
use super::bytes::{Reader, Writer};
use super::epoch::Epoch;
use super::scripts::Verb;
use super::{calls, looking, records, replies};
use crate::credit::{AccountId, AliasId, Bucket, ChargeId};
use crate::ledger::model::{Context, Records, Stop, desk as rules};
use crate::ledger::{
    Adjust, Adjusted, FreeClaim, Freeze, Refund, Refunded, Refusal, Withdraw, Withdrawn,
};

/// How often a verb is decided again because something has changed meanwhile.
const TRIES: usize = 64;

pub(super) async fn refund(desk: &Arc<Desk>, call: &Refund) -> Result<Refunded, Stop> {
    let seen = Some(call.charge);
    let asked = decide(desk, &call.account, seen, |r, c| rules::refund(r, c, call)).await;
    asked.map_err(|stop| archived(stop, desk, call))
}

/// A charge of which nothing is known any more was archived, if it is old enough for that.
fn archived(stop: Stop, desk: &Desk, call: &Refund) -> Stop {
    let unknown = matches!(&stop, Stop::Refused(why) if **why == Refusal::UnknownCharge);
    let old = desk
        .about_now()
        .is_ok_and(|now| now.ms_since(call.charge.born()) >= desk.settings.refundable_for_ms);
    let own = call.charge.is_of(&call.account);
    if unknown && old && own { Refusal::ChargeArchived.into() } else { stop }
}

pub(super) async fn adjust(desk: &Arc<Desk>, call: &Adjust) -> Result<Adjusted, Stop> {
    let seen = Some(call.charge);
    decide(desk, &call.account, seen, |r, c| rules::adjust(r, c, call)).await
}

pub(super) async fn withdraw(desk: &Arc<Desk>, call: &Withdraw) -> Result<Withdrawn, Stop> {
    decide(desk, &call.account, None, |r, c| rules::withdraw(r, c, call)).await
}

pub(super) async fn freeze(desk: &Arc<Desk>, call: &Freeze) -> Result<Bucket, Stop> {
    decide(desk, &call.account, None, |r, c| rules::freeze(r, c, call)).await
}

/// Lets a rule decide over what was read, and writes what it leaves; again if something has changed. Due work that
/// ends charges is done by a script of its own first, if the rule does not refuse.
async fn decide<T>(
    desk: &Arc<Desk>,
    account: &AccountId,
    charge: Option<ChargeId>,
    rule: impl Fn(&mut dyn Records, &Context) -> Result<T, Stop>,
) -> Result<T, Stop> {
    // What is another account's is not read; the rule refuses it.
    let charge = charge.filter(|charge| charge.is_of(account));
    let key = charge.map_or_else(
        || desk.keys.epoch(crate::credit::Partition::of(account)),
        |charge| desk.keys.charge(charge),
    );
    for _ in 0..TRIES {
        let mut read = read(desk, account, charge, key.clone()).await?;
        let answer = rule(&mut read.held, &read.context)?;
        if read.held.has_ended_charges() {
            let arg = calls::tick(&desk.settings);
            let heard = desk.ask(Verb::Tick, account, Vec::new(), Ok(arg)).await?;
            replies::applied(&heard, None)?;
            continue;
        }
        let Some(arg) = change::call(&read.held, &read.ledger, read.context.now)? else {
            return Ok(answer);
        };
        let heard = desk.ask(Verb::Commit, account, vec![key.clone()], Ok(arg)).await?;
        match replies::applied(&heard, None) {
            Ok(_) => return Ok(answer),
            Err(Stop::Refused(refusal)) if *refusal == Refusal::Exists => {}
            Err(stop) => return Err(stop),
        }
    }
    Err(Refusal::Unavailable("too busy: the account keeps changing, ask again".to_owned()).into())
}

/// What was read in one step, and what the rules decide with.
struct Read {
    held: Held,
    ledger: [u8; 16],
    context: Context,
}

async fn read(
    desk: &Arc<Desk>,
    account: &AccountId,
    charge: Option<ChargeId>,
    key: Vec<u8>,
) -> Result<Read, Stop> {
    let name = charge.map(|charge| charge.to_string()).unwrap_or_default();
    let arg = Writer::default().word(name)?.done();
    let heard = desk.ask(Verb::Whole, account, vec![key], Ok(arg)).await?;
    let context = heard.context(desk.settings.lease_ms);
    let Heard { more, .. } = heard;
    let [epoch, bytes, document, open, tomb, lapsed] = <[Value; 6]>::try_from(more)
        .map_err(|_| Stop::Broken("a script answers too little".to_owned()))?;
    let epoch = Epoch::read(&replies::text_of(epoch)?);
    let epoch = epoch.ok_or_else(|| Stop::Broken("the epoch cannot be read".to_owned()))?;
    let (bytes, document) = (replies::text_of(bytes)?, replies::text_of(document)?);
    let open = looking::pairs(open)?;
    let seen = match charge {
        None => None,
        Some(charge) => {
            let name = charge.to_string();
            let own = open.iter().find(|(id, _)| *id == name.as_bytes());
            let own = own.map(|(_, bytes)| bytes.clone()).unwrap_or_default();
            let records = [own, replies::text_of(tomb)?, replies::text_of(lapsed)?];
            let kept_ms = desk.settings.refundable_for_ms;
            Seen::of(account, charge, records, |seen| seen.is_kept(context.now, kept_ms))?
        }
    };
    let known = match bytes.as_slice() {
        [] => None,
        bytes => {
            let (account, head) = records::account(account, bytes, &document, &open)?;
            let what = format!("account {}", account.document.account);
            records::same(&what, bytes, &records::write_money(&account.money, &head)?)?;
            Some((account, head))
        }
    };
    let held = Held { bytes, account: known, charge: seen, left: Left::default() };
    Ok(Read { held, ledger: epoch.id, context })
}

/// Claims a person's free credits, where the claims of that person lie.
pub(super) async fn claim_free(desk: &Arc<Desk>, call: &FreeClaim) -> Result<bool, Stop> {
    let limit = rules::sound_claim(call)?;
    let person = AliasId::of("person", call.person.as_bytes());
    let partition = person.partition();
    let mut keys = vec![desk.keys.epoch(partition); 9];
    keys.push(desk.keys.free(person));
    let arg = Writer::default().long(limit).done();
    let account = call.account.as_str();
    let heard = desk.ask_with(Verb::ClaimFree, partition, keys, account, Ok(arg)).await?;
    replies::applied(&heard, None)?.flag()
}

/// Who has claimed them. The partition is asked for its epoch afterwards: one that has lost its data has no claims.
pub(super) async fn claims(desk: &Desk, person: &str) -> Result<Vec<AccountId>, Stop> {
    rules::sound_person(person)?;
    desk.about_now()?;
    let person = AliasId::of("person", person.as_bytes());
    let partition = person.partition();
    let members = vec![b"SMEMBERS".to_vec(), desk.keys.free(person)];
    let members = replies::texts(desk.command(partition, members).await?)?;
    let epoch = vec![b"EXISTS".to_vec(), desk.keys.epoch(partition)];
    if desk.command(partition, epoch).await? == Value::Int(0) {
        return Err(desk.gone());
    }
    let reader = Reader::new(&[], "a person's claims");
    let mut claimed: Vec<AccountId> =
        members.iter().map(|text| reader.parse(text)).collect::<Result<_, _>>()?;
    claimed.sort_unstable();
    Ok(claimed)
}
