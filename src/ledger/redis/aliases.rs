//! Aliases: other names for accounts and keys, each in the partition of its own hash.
//!
//! Invariant: an alias only points. Whether a key may speak is said by the account's document.

use std::sync::Arc;

use super::asking::Desk;
use super::bytes::Writer;
use super::replies;
use super::scripts::Verb;
use crate::credit::AliasId;
use crate::ledger::model::Stop;
use crate::ledger::packed::{pack, unpack};
use crate::ledger::{Alias, Refusal};

/// Points an alias, or takes it back.
pub(super) async fn point(desk: &Arc<Desk>, call: &Alias, point: bool) -> Result<(), Stop> {
    desk.about_now()?;
    let partition = call.id.partition();
    let mut keys = vec![desk.keys.epoch(partition); 9];
    keys.push(desk.keys.alias(call.id));
    let arg = Writer::default().flag(point).raw(&pack(call)?).done();
    let account = call.account.as_str();
    let heard = desk.ask_with(Verb::Alias, partition, keys, account, Ok(arg)).await?;
    replies::applied(&heard, None).map(drop)
}

/// Where an alias points.
pub(super) async fn alias(desk: &Desk, id: AliasId) -> Result<Alias, Stop> {
    desk.about_now()?;
    let partition = id.partition();
    let words = vec![b"MGET".to_vec(), desk.keys.epoch(partition), desk.keys.alias(id)];
    let texts = replies::texts(desk.command(partition, words).await?)?;
    let [epoch, text] = <[_; 2]>::try_from(texts).unwrap_or_default();
    if epoch.is_empty() {
        return Err(desk.gone());
    }
    if text.is_empty() {
        return Err(Refusal::UnknownAlias.into());
    }
    unpack(&text, &format!("alias {id}"))
}
