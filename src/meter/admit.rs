//! Admission: price, limits and one call to the ledger. Nothing is forwarded before this has answered.
//!
//! A `stale` answer brings the newer document: the request is priced again with it. A quote takes the same
//! walk and writes nothing.
//!
//! Invariant: an unknown answer never forwards; its id is closed by a release, whatever the ledger did.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::content::Content;
use super::gates::{Place, gates};
use super::identity::{Directory, Identity};
use super::note::Note;
use super::overrides::Overrides;
use super::price_overrides::{PriceChanges, Priceable};
use super::pricing::{Asked, Held, Unpriceable, price_facts, read_request};
use super::rejection::Rejection;
use super::rights::{entitled, options};
use super::route::RouteTable;
use super::settings::{Due, Route, Rules};
use super::settler::Settler;
use super::tally::Tally;
use super::ticket::Ticket;
use crate::credit::{Amount, ChargeId, Plan};
use crate::ledger::{Answer, Ledger, Quoted, Refusal, Reserve, Reserved};
use crate::seam::{Clock, Entropy, Timestamp};

/// How often a request is priced anew or waits for due work before it is refused.
const ROUNDS_MAX: usize = 64;

/// The meter of one core.
pub struct Meter {
    /// Routes, prices and plans.
    pub rules: Arc<Rules>,
    /// The routes, ready to match.
    pub routes: RouteTable,
    /// Who asks.
    pub directory: Directory,
    /// Where charges end.
    pub settler: Settler,
    /// What is counted.
    pub tally: Arc<Tally>,
    /// The store.
    pub ledger: Arc<dyn Ledger>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// The name of this instance.
    pub instance: String,
    /// The latest that the store has said of its own time: it never runs back, the wall clock may.
    pub ledger_time: Cell<Timestamp>,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meter({}, {})", self.instance, self.rules.revision)
    }
}

/// A paid request, ready to be priced.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Its route.
    pub route: &'a Route,
    /// How the route is priced.
    pub due: &'a Due,
    /// What the price reads; its `plan` is set here.
    pub asked: Asked<'a>,
    /// The path as it is forwarded.
    pub path: &'a str,
    /// The query as it is forwarded; empty: none.
    pub query: &'a str,
    /// The most that the caller is willing to have held.
    pub credits_max: Option<Amount>,
    /// How long the exchange may take, in milliseconds.
    pub timeout_ms: u64,
}

/// A request that may be forwarded.
#[derive(Debug)]
pub struct Admitted {
    /// The duty to end the charge.
    pub ticket: Ticket,
    /// What it was priced with.
    pub held: Held,
    /// What the ledger said.
    pub reserved: Reserved,
    /// The account as it was priced.
    pub identity: Identity,
}

impl Meter {
    /// Prices a request and reserves its hold.
    ///
    /// # Errors
    /// Every refusal that has no side effect: nothing is held then.
    pub async fn admit(
        &self,
        mut identity: Identity,
        wanted: &Wanted<'_>,
    ) -> Result<Admitted, Rejection> {
        let permit = self.settler.permit().ok_or_else(busy)?;
        let account = identity.document.account.clone();
        let charge = self.new_charge(&identity)?;
        let stake = self.tally.stake(&wanted.due.price.kind);
        let mut ticket = Some(Ticket::new(self.settler.clone(), account, charge, permit, stake));
        let void = |ticket: &mut Option<Ticket>| ticket.take().map(Ticket::void);
        let mut stale = false;
        for _ in 0..ROUNDS_MAX {
            let (call, held) = match self.call(&identity, wanted, charge) {
                Ok(priced) => priced,
                Err(refused) => {
                    let newer = self.newer(&identity, refused).await;
                    identity = newer.inspect_err(|_| _ = void(&mut ticket))?;
                    continue;
                }
            };
            let decided = self.decide_free(&identity).await;
            if let Some(decided) = decided.inspect_err(|_| _ = void(&mut ticket))? {
                identity = decided;
                continue;
            }
            let version = call.document_version;
            match self.ledger.reserve(call).await {
                Answer::Applied(reserved) => {
                    self.heard(reserved.at);
                    let mut ticket = ticket.ok_or_else(busy)?;
                    ticket.reserved(held.priced.total);
                    return Ok(Admitted { ticket, held, reserved, identity });
                }
                Answer::Refused(refusal) => {
                    let again = self.again(&identity, version, refusal, &mut stale).await;
                    identity = again.inspect_err(|_| _ = void(&mut ticket))?;
                }
                Answer::Unknown(why) => return Err(Rejection::metering_unavailable(why)),
            }
        }
        void(&mut ticket);
        Err(Rejection::metering_unavailable("stale or due work without end"))
    }

    /// What `admit` would do, and with what price; writes nothing. An account's right to free credits that is
    /// still open is decided, as `admit` would.
    ///
    /// # Errors
    /// Every refusal of `admit`, and beside it what was priced, if it could be.
    pub async fn quote(
        &self,
        mut identity: Identity,
        wanted: &Wanted<'_>,
    ) -> Result<(Held, Quoted), (Option<Held>, Box<Rejection>)> {
        let unpriced = |rejection| (None, Box::new(rejection));
        let charge = self.new_charge(&identity).map_err(unpriced)?;
        let mut stale = false;
        for _ in 0..ROUNDS_MAX {
            let (call, held) = match self.call(&identity, wanted, charge) {
                Ok(priced) => priced,
                Err(refused) => {
                    identity = self.newer(&identity, refused).await.map_err(unpriced)?;
                    continue;
                }
            };
            if let Some(decided) = self.decide_free(&identity).await.map_err(unpriced)? {
                identity = decided;
                continue;
            }
            let version = call.document_version;
            match self.ledger.quote(call).await {
                Answer::Applied(quoted) => return Ok((held, quoted)),
                Answer::Refused(refusal) => {
                    let again = self.again(&identity, version, refusal, &mut stale).await;
                    identity = again.map_err(|why| (Some(held), Box::new(why)))?;
                }
                Answer::Unknown(why) => {
                    return Err((Some(held), Box::new(Rejection::metering_unavailable(why))));
                }
            }
        }
        Err(unpriced(Rejection::metering_unavailable("stale or due work without end")))
    }

    /// What must change before the ledger is asked again; a refusal that stands is the error.
    async fn again(
        &self,
        identity: &Identity,
        version: u64,
        refusal: Refusal,
        stale: &mut bool,
    ) -> Result<Identity, Rejection> {
        match refusal {
            // A period that did not fit leaves the version as it is: the next call computes new ones, once. A
            // ledger that has gone back has an older one: that is what counts now.
            Refusal::Stale { document, now } if document.version > version || !*stale => {
                *stale = document.version <= version;
                self.heard(now);
                self.directory.renew(identity, *document)
            }
            Refusal::Tick => match self.ledger.tick(identity.document.account.clone()).await {
                Answer::Applied(_) => Ok(identity.clone()),
                Answer::Refused(refusal) => Err(self.rejection(refusal, identity)),
                Answer::Unknown(why) => Err(Rejection::metering_unavailable(why)),
            },
            // The next request's id is made by the store's time.
            Refusal::TooOld { now } => {
                self.heard(now);
                Err(self.rejection(refusal, identity))
            }
            refusal => Err(self.rejection(refusal, identity)),
        }
    }

    fn heard(&self, now: Timestamp) {
        self.ledger_time.set(self.ledger_time.get().max(now));
    }

    /// The time that ids and periods are made with: a wall clock that was set back stands still here, as it
    /// does in the store.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now().max(self.ledger_time.get())
    }

    /// What is refused before the ledger is asked is refused by a cached document, and no `stale` would ever
    /// mend that: the refusal stands only if the ledger has no newer one.
    ///
    /// # Errors
    /// The refusal, or that of the ledger.
    pub(super) async fn newer(
        &self,
        identity: &Identity,
        refused: Rejection,
    ) -> Result<Identity, Rejection> {
        self.newest(identity).await?.ok_or(refused)
    }

    /// Forgets what was read of accounts: the ledger was away, and may have gone back to where the same version
    /// will name another document.
    pub fn forget(&self) {
        self.directory.forget();
    }

    /// The account as the ledger has it; `None`: as it is remembered.
    ///
    /// # Errors
    /// `invalid_key` if what the request showed does not speak for it any more, or `metering_unavailable`.
    pub async fn newest(&self, identity: &Identity) -> Result<Option<Identity>, Rejection> {
        match self.ledger.document(identity.document.account.clone()).await {
            // Another, not only a newer one: the ledger may have gone back.
            Answer::Applied(document) if document.version != identity.document.version => {
                self.directory.renew(identity, document).map(Some)
            }
            Answer::Applied(_) => Ok(None),
            Answer::Refused(refusal) => Err(self.rejection(refusal, identity)),
            Answer::Unknown(why) => Err(Rejection::metering_unavailable(why)),
        }
    }

    pub(super) fn rejection(&self, refusal: Refusal, identity: &Identity) -> Rejection {
        Rejection::from_ledger(refusal, &identity.zone, self.now())
    }

    fn new_charge(&self, identity: &Identity) -> Result<ChargeId, Rejection> {
        ChargeId::make(self.now(), &identity.document.account, &*self.entropy)
            .map_err(|error| Rejection::metering_unavailable(format!("no randomness: {error}")))
    }

    /// The call to the ledger, priced for the account as `identity` has it.
    fn call(
        &self,
        identity: &Identity,
        wanted: &Wanted<'_>,
        charge: ChargeId,
    ) -> Result<(Reserve, Held), Rejection> {
        let plan = entitled(identity, wanted.route)?;
        let asked = Asked { plan: &plan.name, ..wanted.asked };
        let unpriceable =
            |refused: Unpriceable| Rejection::unpriceable(refused.pointer, refused.why);
        let told = read_request(wanted.due, asked).map_err(unpriceable)?;
        options(plan, wanted.due, &told.facts)?;
        // Windows and prices are those of one moment.
        let now = self.now();
        let changes = changes(identity, wanted, now);
        let held = price_facts(wanted.due, told, changes).map_err(unpriceable)?;
        let amount = held.priced.total;
        if let Some(limit) = wanted.credits_max.filter(|limit| amount > *limit) {
            return Err(Rejection::max_charge_exceeded(amount, limit));
        }
        let (feature, member) = (wanted.route.feature.as_ref(), member(identity));
        let routes = &[(&wanted.route.name, feature)];
        let place = Place { key: Some(identity.key), member, routes };
        let gates = gates(plan, &identity.document, &identity.zone, now, &place)
            .map_err(|error| Rejection::metering_unavailable(error.to_string()))?;
        let call = Reserve {
            account: identity.document.account.clone(),
            charge,
            fingerprint: fingerprint(identity, wanted),
            key: identity.key,
            document_version: identity.document.version,
            revision: self.rules.revision.clone(),
            kind: wanted.due.price.kind.clone(),
            amount,
            route: wanted.route.name.to_string(),
            feature: feature.map(ToString::to_string),
            member: member.map(str::to_owned),
            gates,
            instance: self.instance.clone(),
            timeout_ms: wanted.timeout_ms,
            reconcile_ms: wanted.due.reconcile_ms,
            on_unknown: wanted.due.on_unknown,
            over_run: wanted.due.over_run,
            max_debt: plan.max_debt,
            note: note(plan, wanted, &held, identity).bytes(),
        };
        Ok((call, held))
    }
}

/// The member of the account's team whose key it is.
fn member(identity: &Identity) -> Option<&str> {
    identity.document.key(identity.key).and_then(|key| key.member.as_deref())
}

/// How overrides change the price of a request at `now`.
fn changes(identity: &Identity, wanted: &Wanted<'_>, now: Timestamp) -> PriceChanges {
    let (route, feature) = (&wanted.route.name, wanted.route.feature.as_ref());
    let request = Priceable { key: identity.key, member: member(identity), route, feature };
    PriceChanges::of(&Overrides::at(&identity.document.overrides, now), &request)
}

/// A hash of what was asked: account, route, method, path, query and body, each behind its length; of a body that
/// has passed, its own hash.
fn fingerprint(identity: &Identity, wanted: &Wanted<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let parts = [
        identity.document.account.as_str().as_bytes(),
        wanted.route.name.as_str().as_bytes(),
        wanted.asked.method.as_str().as_bytes(),
        wanted.path.as_bytes(),
        wanted.query.as_bytes(),
        wanted.asked.body.map_or(&[], Content::fingerprint),
    ];
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn note(plan: &Plan, wanted: &Wanted<'_>, held: &Held, identity: &Identity) -> Note {
    Note {
        method: wanted.asked.method.to_string(),
        path: wanted.path.to_owned(),
        price: wanted.due.price.name.to_string(),
        plan: plan.name.to_string(),
        inputs: held.facts.clone(),
        lines: held.priced.lines.clone(),
        overrides: held.priced.overrides.clone(),
        tags: identity.said().map(|said| said.tags.clone()).unwrap_or_default(),
    }
}

fn busy() -> Rejection {
    Rejection::metering_unavailable("no settler permit is free")
}
