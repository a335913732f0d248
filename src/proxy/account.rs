//! The money side of one exchange: from the hold to the word that ends it, with the story for the receipt.

use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use http::header::HeaderMap;
use http::response::Parts;

use super::core::Core;
use super::headers::{CHARGE_ID, CHARGED, HELD, REMAINING};
use super::jobs::finished;
use crate::credit::{AccountId, Amount, ChargeId, Name};
use crate::ledger::Reserved;
use crate::meter::{
    Admitted, Beginning, Begun, By, Charge, Class, Detail, Due, End, Event, Explanation, Flag,
    Handing, Held, OnDisconnect, Rejection, Route, Session, Ticket, Verdict, Watch,
};

/// The event that the mark in the journal stands for.
const FORWARDED: &str = "forwarded";
/// Why an exchange ended that did not come to its end.
const CUT_OFF: &str = "The client left or took too long, and the work was cut off.";

/// See the module.
pub(super) struct Account {
    core: Rc<Core>,
    due: Arc<Due>,
    ticket: Ticket,
    held: Held,
    reserved: Reserved,
    zone: crate::credit::Zone,
    told: Explanation,
    /// The job that its answer may begin.
    own: Option<Box<OwnJob>>,
}

/// What is known of a job before its answer comes.
struct OwnJob {
    beginning: Beginning,
    account: AccountId,
    route: Name,
    captures: Vec<(String, String)>,
    /// Which host of its upstream the answer says that it is at.
    host: Option<String>,
}

impl Account {
    /// The money side of what was admitted to a route, whose path captured these.
    pub(super) fn open(
        core: Rc<Core>,
        due: Arc<Due>,
        admitted: Admitted,
        (route, captures): (&Route, Vec<(String, String)>),
    ) -> Self {
        let Admitted { ticket, held, reserved, identity } = admitted;
        let own = Beginning::of(&due).map(|beginning| {
            let (account, route) = (identity.document.account.clone(), route.name.clone());
            Box::new(OwnJob { beginning, account, route, captures, host: None })
        });
        let upstream = core.upstreams.get(route.upstream).map(super::upstream::Upstream::name);
        let mut told = Explanation {
            upstream: upstream.unwrap_or_default().to_owned(),
            caps: reserved.caps.iter().map(Into::into).collect(),
            ..Explanation::default()
        };
        told.timeline.push(Event { at: reserved.at, event: "reserved".to_owned() });
        Self { core, due, ticket, held, reserved, zone: identity.zone, told, own }
    }

    /// Which charge.
    pub(super) const fn charge(&self) -> ChargeId {
        self.ticket.charge()
    }

    /// Marks that the first byte is about to go upstream.
    pub(super) fn forwarding(&mut self) -> std::io::Result<()> {
        self.ticket.forwarding()?;
        self.note(FORWARDED);
        Ok(())
    }

    /// What becomes of the work when the client leaves.
    pub(super) fn on_disconnect(&self) -> OnDisconnect {
        // Nobody can cut off a job by leaving, and its id is still needed.
        if self.own.is_some() { OnDisconnect::Finish } else { self.due.on_disconnect }
    }

    fn note(&mut self, event: &str) {
        let at = self.core.meter.clock.now();
        self.told.timeline.push(Event { at, event: event.to_owned() });
    }

    /// Begins to watch the answer.
    pub(super) fn watch(&mut self, head: &Parts) -> Watch {
        self.note("answered");
        self.told.upstream_status = Some(head.status.as_u16());
        let status = head.status.as_u16();
        match &self.own {
            Some(own) => own.beginning.watch(status, &head.headers),
            None => Watch::new(&self.due, status, &head.headers),
        }
    }

    /// Begins to count a WebSocket that was opened.
    pub(super) fn session(&mut self, head: &Parts) -> Session {
        self.note("answered");
        self.told.upstream_status = Some(head.status.as_u16());
        Session::new(&self.due, &head.headers)
    }

    /// Whether a WebSocket has come to more than is held.
    pub(super) fn is_above(&self, session: &mut Session) -> bool {
        session.is_above(&self.due, &self.held)
    }

    /// Notes what a person who looks at the charge should know.
    pub(super) fn flags(&mut self, flag: Option<Flag>) {
        self.told.flags.extend(flag.map(|flag| flag.to_string()));
    }

    /// Puts our headers on the answer.
    pub(super) fn sign(&self, headers: &mut HeaderMap, watch: &Watch) {
        let mut put = |name: http::HeaderName, text: String| {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        };
        put(CHARGE_ID, self.charge().to_string());
        put(HELD, self.held.priced.total.to_string());
        put(REMAINING, self.reserved.available.to_string());
        let known = match &self.own {
            Some(own) => own.beginning.known_at_head(watch, &self.held),
            None => watch.known_at_head(&self.due, &self.held),
        };
        if let Some(charged) = known.and_then(|verdict| self.amount(&verdict.charge)) {
            put(CHARGED, charged.to_string());
        }
    }

    /// What a judged charge comes to; `None`: it stays open.
    fn amount(&self, charge: &Charge) -> Option<Amount> {
        match charge {
            Charge::Settle { priced, .. } => Some(priced.total),
            Charge::Full => Some(self.held.priced.total),
            Charge::Fee(fee) => Some((*fee).min(self.held.priced.total)),
            Charge::None => Some(Amount::ZERO),
            Charge::Hold => None,
        }
    }

    /// Whether its answer may begin a job.
    pub(super) const fn begins_job(&self) -> bool {
        self.own.is_some()
    }

    /// Notes which host of its upstream a job is at. What the body says goes before what a header said.
    pub(super) fn is_at(&mut self, host: Option<String>) {
        if let Some(own) = &mut self.own {
            own.host = host.or_else(|| own.host.take());
        }
    }

    /// Judges the answer and says the word that ends the charge.
    pub(super) fn conclude(self, watch: Watch, end: End) {
        let verdict = watch.finish(end, &self.due, &self.held);
        self.say(verdict);
    }

    /// Judges an answer that may begin a job, and hands the charge over to it. Comes back when the ledger has the
    /// job, or that takes too long.
    pub(super) async fn conclude_job(mut self, watch: Watch, end: End) {
        let Some(own) = self.own.take() else { return self.conclude(watch, end) };
        // A client that was slow has cut off the answer, not the job.
        let end = if end == End::Cancelled { End::Broken } else { end };
        let begun = own.beginning.finish(watch, end, &self.held);
        let status = self.told.upstream_status.unwrap_or_default();
        if !(200..300).contains(&status) {
            return self.say(begun.verdict);
        }
        if begun.id.is_some() {
            return self.hand_over(own, begun, status).await;
        }
        let mut verdict = begun.verdict;
        if matches!(verdict.class, Class::Pending | Class::Unknown) {
            verdict.class = Class::Unknown;
            verdict.flags.push(Flag::MissingJobId);
        }
        self.say(verdict);
    }

    /// The exchange is over, and the job is not, or has ended already.
    async fn hand_over(self, own: Box<OwnJob>, begun: Begun, status: u16) {
        let Self { core, due, ticket, held, told, .. } = self;
        let OwnJob { account, route, captures, host, .. } = *own;
        let handing = Handing { account, route, captures, due, held, host, told };
        let own = core.clone();
        let work = async move {
            if let Some(kept) = own.meter.hand_over(ticket, handing, &begun).await {
                own.meter.told(kept, begun.report(status), By::Create).await;
            }
        };
        finished(&core, work).await;
    }

    fn say(mut self, verdict: Verdict) {
        let amount = self.amount(&verdict.charge);
        self.note("ended");
        let Verdict { class, charge, flags } = verdict;
        self.told.outcome = class.to_string();
        self.told.why = charge.why(class, CUT_OFF).to_owned();
        self.told.flags.extend(flags.iter().map(ToString::to_string));
        self.explain(&charge);
        match (charge, amount) {
            (Charge::None, _) => self.ticket.release(&self.told),
            (_, Some(actual)) => self.ticket.settle(actual, &self.told),
            (_, None) => self.ticket.doubt(&self.told),
        }
    }

    /// What made the charge: quantities, lines, overrides.
    fn explain(&mut self, charge: &Charge) {
        let (facts, priced) = match charge {
            Charge::Settle { facts, priced } => (facts, priced),
            Charge::Full => (&self.held.facts, &self.held.priced),
            Charge::None | Charge::Fee(_) | Charge::Hold => return,
        };
        self.told.inputs = facts.clone();
        self.told.lines.clone_from(&priced.lines);
        self.told.overrides.clone_from(&priced.overrides);
    }

    /// Nothing went upstream: everything is given back.
    pub(super) fn never_forwarded(mut self, why: &str) {
        // The mark came first; a receipt that says so would contradict itself.
        self.told.timeline.retain(|event| event.event != FORWARDED);
        self.told.outcome = Class::Failed.to_string();
        self.told.why = why.to_owned();
        self.ticket.release(&self.told);
    }

    /// The request may have arrived and its answer is lost: the hold is kept. The refusal says until when.
    pub(super) fn doubt(mut self, why: &str, rejection: Rejection) -> Rejection {
        let rejection = self.unsettled(rejection.of(self.charge()));
        self.note("lost");
        self.told.outcome = Class::Unknown.to_string();
        self.told.why = why.to_owned();
        self.ticket.doubt(&self.told);
        rejection
    }

    fn unsettled(&self, rejection: Rejection) -> Rejection {
        let until = self.zone.show(self.core.meter.clock.now().plus_ms(self.due.reconcile_ms));
        let held = self.held.priced.total;
        let detail = Detail::Unsettled {
            first: Box::new(rejection.detail),
            held,
            until: until.clone(),
            then: self.due.on_unknown,
        };
        Rejection { detail, ..rejection }
            .with("hold", "kept")
            .with("held", held.to_string())
            .with("held_until", until)
    }

    /// The client left before the head came and the request was cut off: charged as held.
    pub(super) fn abandoned(self) {
        let verdict = Verdict { class: Class::Cancelled, charge: Charge::Full, flags: Vec::new() };
        self.say(verdict);
    }
}
