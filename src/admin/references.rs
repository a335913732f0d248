//! References: what the operator's own systems call an account, each account by its own.
//!
//! An alias claims the name before the document says it, and the claim is renewed after; the old name's alias is
//! taken back at the end. So a crash leaves at worst an alias whose account does not say that name, or is not
//! there: it finds nothing, and whoever wants the name next takes it over.
//!
//! Every alias that is written here carries a fresh id, and is taken away only as it was read. So a claim that
//! was renewed cannot be taken over by somebody who saw it before, and whoever was taken over in between finds
//! that at the renewal, and its document loses the name again.
//!
//! Invariant: a name finds an account only if alias and document agree; no two accounts are given the same.

use http::StatusCode;

use super::problem::{Problem, applied};
use super::{Parts, Result, once};
use crate::credit::{AccountId, AliasId, KeyId, Partition};
use crate::ledger::{AccountChange, Alias, Answer, Document, Ledger, Refusal};

/// The sort of aliases that references are.
const SORT: &str = "reference";
/// How often a claim is tried again because somebody else was faster.
const TRIES: usize = 16;

/// A name that an account is about to have.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    parts: &'a Parts,
    account: AccountId,
    reference: String,
    /// The id of the claim; `None`: the account has the name already.
    fresh: Option<KeyId>,
}

fn id(reference: &str) -> AliasId {
    AliasId::of(SORT, reference.as_bytes())
}

/// The account that is called so.
pub(super) async fn find(ledger: &dyn Ledger, reference: &str) -> Result<Option<Document>> {
    match there(ledger, reference).await? {
        Some(alias) => named(ledger, alias.account, reference).await,
        None => Ok(None),
    }
}

async fn there(ledger: &dyn Ledger, reference: &str) -> Result<Option<Alias>> {
    match ledger.alias(id(reference)).await {
        Answer::Refused(Refusal::UnknownAlias) => Ok(None),
        answer => applied(answer).map(Some),
    }
}

/// The account's document, if there is one that says this reference.
async fn named(
    ledger: &dyn Ledger,
    account: AccountId,
    reference: &str,
) -> Result<Option<Document>> {
    match ledger.document(account).await {
        Answer::Refused(Refusal::UnknownAccount) => Ok(None),
        answer => {
            Ok(Some(applied(answer)?).filter(|it| it.reference.as_deref() == Some(reference)))
        }
    }
}

/// Whether the answer is yes; no is that the alias is another one by now.
fn unless_exists(answer: Answer<()>) -> Result<bool> {
    match answer {
        Answer::Refused(Refusal::Exists) => Ok(false),
        answer => applied(answer).map(|()| true),
    }
}

impl<'a> Claim<'a> {
    /// Claims the name for `account`, unless another account is called so.
    pub(super) async fn make(
        parts: &'a Parts,
        reference: &str,
        account: &AccountId,
    ) -> Result<Self> {
        let (ledger, reference) = (&*parts.ledger, reference.to_owned());
        let mut claim = Self { parts, account: account.clone(), reference, fresh: None };
        for _ in 0..TRIES {
            let own = claim.alias()?;
            if unless_exists(ledger.create_alias(own.clone()).await)? {
                claim.fresh = own.key;
                return Ok(claim);
            }
            let Some(there) = there(ledger, &claim.reference).await? else { continue };
            match named(ledger, there.account.clone(), &claim.reference).await? {
                Some(holder) if holder.account == *account => return Ok(claim),
                Some(holder) => {
                    return Err(taken(&claim.reference).with("account", holder.account.as_str()));
                }
                None => unless_exists(ledger.remove_alias(there).await)?,
            };
        }
        Err(taken(&claim.reference))
    }

    fn alias(&self) -> Result<Alias> {
        let key = Some(once::made(self.parts, Partition::default())?);
        Ok(Alias { id: id(&self.reference), account: self.account.clone(), key })
    }

    /// Renews the claim, now that the account's document says the name. If somebody took it over in between,
    /// the document loses it.
    pub(super) async fn renew(self) -> Result<()> {
        let Some(fresh) = self.fresh else { return Ok(()) };
        let ledger = &*self.parts.ledger;
        let renewed = self.alias()?;
        let claimed = Alias { key: Some(fresh), ..renewed.clone() };
        if unless_exists(ledger.remove_alias(claimed).await)?
            && unless_exists(ledger.create_alias(renewed).await)?
        {
            return Ok(());
        }
        // Another call may have given the same account the same name.
        if there(ledger, &self.reference).await?.is_some_and(|it| it.account == self.account) {
            return Ok(());
        }
        let undo =
            AccountChange { reference: Some(None), ..AccountChange::of(self.account.clone()) };
        applied(ledger.change_account(undo).await)?;
        Err(taken(&self.reference))
    }

    /// Takes the claim back, since the document was not written.
    pub(super) async fn withdraw(self) {
        drop_unused(&*self.parts.ledger, &self.reference, &self.account).await;
    }
}

/// Takes back the alias of a name that the account's document does not say. What goes wrong here is harmless.
pub(super) async fn drop_unused(ledger: &dyn Ledger, reference: &str, account: &AccountId) {
    let dropped = async {
        match there(ledger, reference).await? {
            Some(alias) if alias.account == *account => {
                match named(ledger, account.clone(), reference).await? {
                    Some(_) => Ok(true),
                    None => unless_exists(ledger.remove_alias(alias).await),
                }
            }
            _ => Ok(true),
        }
    };
    if let Err(problem) = dropped.await {
        tracing::warn!(%account, reference, ?problem, "an unused reference stays claimed");
    }
}

fn taken(reference: &str) -> Problem {
    let detail = format!("Another account has the reference {reference:?}.");
    Problem::new(StatusCode::CONFLICT, "reference_taken", detail).with("param", "reference")
}
