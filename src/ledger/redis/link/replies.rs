//! What a node makes of replies.
//!
//! Invariant: a call is sent again only when the server has said that it did not execute it.

use std::time::Duration;

use tokio::time::Instant;

use super::Outcome;
use super::connect::Place;
use super::errors::{self, Refusal, Verdict};
use super::job::Job;
use super::node::{End, Node};
use super::route::Stray;
use super::session::{Landed, Session, is_pong};

/// How often one call is sent again because its script was missing.
const RELOADS: u8 = 3;

impl Node {
    /// Takes a reply, or the want of one. Some of them end the connection.
    pub(super) fn land(&mut self, session: &mut Session, landed: Landed) -> Option<End> {
        let sent_at = landed.sent_at();
        let Landed { job, reply, .. } = landed;
        let allowed = job.as_ref().map(|job| job.allowed);
        let Some(reply) = reply else {
            if let Some(job) = job {
                let ms = job.allowed.as_millis();
                job.end(Outcome::Unknown(format!("Redis did not answer within {ms} ms")));
            }
            let silent = || End::Away(format!("{} does not answer any more", self.name));
            return session.is_silent(allowed).then(silent);
        };
        let Some(job) = job else {
            if is_pong(Some(reply)) {
                session.heard = Instant::now();
                session.proven = true;
                self.answered = self.refusing.is_none().then(Instant::now).or(self.answered);
            }
            return None;
        };
        let verdict = errors::judge(reply);
        if !matches!(verdict, Verdict::Lost(_)) {
            session.heard = Instant::now();
        }
        self.weigh(session, job, verdict, sent_at);
        None
    }

    fn weigh(&mut self, session: &mut Session, job: Job, verdict: Verdict, sent_at: u32) {
        match verdict {
            Verdict::Done(_) => {
                session.proven = true;
                self.answered = Some(Instant::now());
                self.refusing = None;
                job.end(verdict.outcome());
            }
            Verdict::NoScript if job.reloads < RELOADS && session.wire.driver.is_some() => {
                session.send_again(job, sent_at, &self.shared.scripts);
            }
            Verdict::Moved(to) => self.shared.stray(Stray::Moved(job, to, self.name.clone())),
            Verdict::Ask(to) => self.shared.stray(Stray::Ask(job, to, self.name.clone())),
            Verdict::TryAgain => self.shared.stray(Stray::Later(job)),
            Verdict::Refused(refusal, why) => {
                self.told.warn(&why);
                job.refuse(&why);
                self.refused(refusal, why);
            }
            Verdict::Broken(why) => {
                let place = job.script.unwrap_or(usize::MAX);
                let name = self.shared.scripts.get(place).map_or("a command", |script| script.name);
                let why = format!("{name}: {why}");
                self.told.warn(&why);
                job.end(Outcome::Broken(why));
            }
            Verdict::Lost(_) | Verdict::NoScript => job.end(verdict.outcome()),
        }
    }

    fn refused(&mut self, refusal: Refusal, why: String) {
        if refusal == Refusal::Call {
            return;
        }
        self.shared.refresh.notify_one();
        let since = *self.refusing.get_or_insert_with(Instant::now);
        let lease = Duration::from_millis(self.shared.settings.lease_ms);
        if refusal == Refusal::ReadOnly && matches!(self.place, Place::Named(_)) {
            // Another is the primary by now. What is on the way is answered first.
            self.leaving = Some(End::Broke(why));
        } else if since.elapsed() > lease / 4 {
            // Leases could not be renewed: that was an outage, though the connection lasted.
            self.leaving = Some(End::Away(why));
        }
    }
}
