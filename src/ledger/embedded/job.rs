//! A call on its way through the writer: a step to run, and somebody who waits for the answer.
//!
//! Invariant: every job is answered exactly once, after its group was committed or given up; one that is
//! dropped unanswered says `Unknown`.

use std::future::Future;

use tokio::sync::oneshot;

use super::tables::Tables;
use crate::ledger::model::desk::Outcome;
use crate::ledger::model::{Context, Stop};
use crate::ledger::teller::answered;
use crate::ledger::{Answer, Refusal};

/// A call of any verb.
pub(super) trait Job: Send {
    /// Runs the step and keeps its answer back. The text says that the store has failed.
    fn run(&mut self, tables: &mut Tables<'_>, context: &Context) -> Result<Verdict, String>;
    /// Keeps a refusal back in place of an answer.
    fn refuse(&mut self, refusal: Refusal);
    /// Answers with what was kept back.
    fn answer(self: Box<Self>);
    /// Answers that nobody knows.
    fn unknown(self: Box<Self>, why: &str);
}

/// Whether a step may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Applied,
    Refused,
}

struct Call<S, T> {
    step: Option<S>,
    answer: Option<Answer<T>>,
    waiting: oneshot::Sender<Answer<T>>,
}

/// A job for `step`, and the future that waits for its answer.
pub(super) fn call<S, T>(step: S) -> (Box<dyn Job>, impl Future<Output = Answer<T>> + Send)
where
    S: FnOnce(&mut Tables<'_>, &Context) -> Outcome<T> + Send + 'static,
    T: Send + 'static,
{
    let (waiting, answer) = oneshot::channel();
    let job = Call { step: Some(step), answer: None, waiting };
    let lost = || Answer::Unknown("the ledger's writer gave the call up".to_owned());
    (Box::new(job), async move { answer.await.unwrap_or_else(|_| lost()) })
}

impl<S, T> Job for Call<S, T>
where
    S: FnOnce(&mut Tables<'_>, &Context) -> Outcome<T> + Send + 'static,
    T: Send + 'static,
{
    fn run(&mut self, tables: &mut Tables<'_>, context: &Context) -> Result<Verdict, String> {
        let Some(step) = self.step.take() else { return Err("a job ran twice".to_owned()) };
        let outcome = step(tables, context);
        if let Err(Stop::Failed(why)) = outcome {
            return Err(why);
        }
        let verdict = if outcome.is_ok() { Verdict::Applied } else { Verdict::Refused };
        self.answer = Some(answered(outcome));
        Ok(verdict)
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.answer = Some(Answer::Refused(refusal));
    }

    fn answer(self: Box<Self>) {
        if let Some(answer) = self.answer {
            // Nobody waits any more: the caller has gone, what was done stays done.
            drop(self.waiting.send(answer));
        }
    }

    fn unknown(self: Box<Self>, why: &str) {
        drop(self.waiting.send(Answer::Unknown(why.to_owned())));
    }
}
