//! Requests about a job, on their way: whose it is, what the answer says of it.
//!
//! Invariant: nothing about another account's job is forwarded.

use std::rc::Rc;
use std::time::Duration;

use http::response::Parts;
use tokio::sync::oneshot;

use super::core::Core;
use crate::credit::AccountId;
use crate::meter::{By, Deed, End, JobSight, Kept, Rejection, Report, Touch, Watch};

/// How long the last frame of an answer waits until the ledger has what it says: then it passes all the same, and the
/// ledger is told behind it.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Touched {
    core: Rc<Core>,
    kept: Kept,
    sight: JobSight,
    by: By,
}

impl Touched {
    /// The job that a request is about; `None`: about a file of one, whose answer says nothing of it.
    ///
    /// # Errors
    /// `unknown_job` if it is none of this account's; or `metering_unavailable`.
    pub(super) async fn find(
        core: &Rc<Core>,
        account: &AccountId,
        touch: &Touch,
        id: Option<String>,
    ) -> Result<Option<Self>, Rejection> {
        let id = id.ok_or_else(Rejection::unknown_job)?;
        let by = match touch.deed {
            Deed::Poll => By::Poll,
            Deed::Fetch => By::Result,
            Deed::Cancel => By::Cancel,
            Deed::File => {
                core.meter.file(account, &touch.job, &id).await?;
                return Ok(None);
            }
        };
        let kept = core.meter.job(account, &touch.job, &id).await?;
        let sight = core.meter.sight(&kept, touch.deed == Deed::Fetch);
        Ok(Some(Self { core: core.clone(), kept, sight, by }))
    }

    /// Which host of its upstream has it.
    pub(super) fn host(&self) -> Option<&str> {
        self.kept.record.host.as_deref()
    }

    /// Begins to watch the answer.
    pub(super) fn watch(&mut self, head: &Parts) -> Watch {
        self.sight.watch(head.status.as_u16(), &head.headers)
    }

    /// Says what the answer says of the job. Comes back when the ledger has it, or that takes too long.
    pub(super) async fn conclude(self, watch: Watch, end: End) {
        let report = self.sight.report(watch, end);
        tell(&self.core, self.kept, report, self.by).await;
    }
}

/// Acts on a report, in a task that nobody's leaving ends. Comes back when the ledger has it, or that takes too long. The
/// answer: whether the ledger surely has all of it.
pub(super) async fn tell(core: &Rc<Core>, kept: Kept, report: Report, by: By) -> bool {
    if !report.matters() {
        return true;
    }
    let own = core.clone();
    let told = finished(core, async move { own.meter.told(kept, report, by).await });
    told.await.unwrap_or(false)
}

/// Runs `work` to its end, whoever leaves. Comes back when it is done, or that takes too long: then with nothing.
pub(super) async fn finished<T: 'static>(
    core: &Core,
    work: impl Future<Output = T> + 'static,
) -> Option<T> {
    let (done, over) = oneshot::channel();
    core.tasks.spawn(async move { drop(done.send(work.await)) });
    tokio::time::timeout(PATIENCE, over).await.ok()?.ok()
}
