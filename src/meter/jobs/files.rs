//! Files of jobs: what answers about a job name, and what is then asked for by an id of its own.
//!
//! Such an id says nothing of the job. So beside a job that has named files lies an alias for each, from the account, the
//! sort of job and the file's id to that account. They go when the job's name does.
//!
//! Invariant: a file is found only with an account one of whose jobs has named it.

use http::{Method, Uri};

use super::job::{Deed, FILES_MAX, Job};
use super::sight::is_id;
use super::telling::Kept;
use crate::credit::{AccountId, AliasId, Name};
use crate::ledger::{Alias, Answer, Refusal, Watching};
use crate::meter::admit::Meter;
use crate::meter::path;
use crate::meter::rejection::Rejection;
use crate::meter::settings::Route;

/// The sort of these aliases.
const SORT: &str = "file";
/// How often files are noted again when somebody else has changed the record meanwhile.
const ROUNDS_MAX: usize = 16;

/// What says whose a file is.
fn alias(account: &AccountId, job: &Name, file: &str) -> Alias {
    let id = AliasId::of(SORT, format!("{job}\0{account}\0{file}").as_bytes());
    Alias { id, account: account.clone(), key: None }
}

impl Meter {
    /// Whether a job of this account and sort has named a file.
    ///
    /// # Errors
    /// `unknown_job` if none has; or `metering_unavailable`.
    pub async fn file(&self, account: &AccountId, job: &Job, file: &str) -> Result<(), Rejection> {
        let named = alias(account, &job.name, file);
        match self.ledger.alias(named.id).await {
            Answer::Applied(found) if found == named => Ok(()),
            Answer::Applied(_) | Answer::Refused(Refusal::UnknownAlias) => {
                Err(Rejection::unknown_job())
            }
            Answer::Refused(refusal) => {
                Err(Rejection::metering_unavailable(format!("{refusal:?}")))
            }
            Answer::Unknown(why) => Err(Rejection::metering_unavailable(why)),
        }
    }

    /// The job, with the files that an answer has named. What the ledger does not take now the next answer names again.
    pub(super) async fn with_files(&self, mut kept: Kept, named: &[String]) -> Kept {
        for _ in 0..ROUNDS_MAX {
            let new = self.new_files(&kept, named);
            // A job that began before its sort had files is forgotten by nobody: it gets none.
            if new.is_empty() || kept.record.found_until.is_none() {
                return kept;
            }
            for file in &new {
                self.point(&alias(&kept.account, &kept.job.name, file)).await;
            }
            let mut record = kept.record.clone();
            record.files.extend(new);
            let ended = record.end.is_some();
            if let Some(version) = self.note(&kept, &record, Watching::AsBefore, ended).await {
                return Kept { record, version, ..kept };
            }
            match self.job(&kept.account, &kept.job, &kept.id).await {
                Ok(newer) => kept = newer,
                Err(_) => return kept,
            }
        }
        kept
    }

    /// The ids of files that the record does not have yet, as far as there is room for them.
    fn new_files(&self, kept: &Kept, named: &[String]) -> Vec<String> {
        let room = FILES_MAX.saturating_sub(kept.record.files.len());
        let mut new: Vec<String> = Vec::new();
        for id in named.iter().filter_map(|text| self.file_id(&kept.job.name, text)) {
            if is_id(&id) && !kept.record.files.contains(&id) && !new.contains(&id) {
                new.push(id);
            }
        }
        new.truncate(room);
        new
    }

    /// The id of the file that a text names: the text itself, or what stands in a URL where a route of files has it.
    fn file_id(&self, job: &Name, text: &str) -> Option<String> {
        if !text.contains("://") {
            return Some(text.to_owned());
        }
        let url: Uri = text.parse().ok()?;
        let routes = self.rules.routes.iter().filter(|route| route.has_files_of(job));
        routes.into_iter().find_map(|route| self.file_in(route, &url))
    }

    /// The id in a URL of the upstream. Its path is the route's, perhaps behind that of the upstream's own URL.
    fn file_in(&self, route: &Route, url: &Uri) -> Option<String> {
        let touch = route.touch.as_ref()?;
        url.path().match_indices('/').find_map(|(at, _)| {
            let path = url.path().get(at..).filter(|path| path::canonical(path).is_ok())?;
            let path = format!("{}{path}", route.prefix);
            let captures = self.routes.captures(&route.name, &Method::GET, &path)?;
            let nothing = (&http::HeaderMap::new(), None);
            touch.named.id(&captures, url.query().unwrap_or_default(), nothing)
        })
    }

    /// A job's files are not found any more.
    pub(super) async fn forget_files(&self, kept: &Kept) -> bool {
        let mut all = true;
        for file in &kept.record.files {
            all &= self.unpoint(alias(&kept.account, &kept.job.name, file)).await;
        }
        all
    }
}

impl Route {
    /// Whether it is for files of such jobs.
    fn has_files_of(&self, job: &Name) -> bool {
        self.touch.as_ref().is_some_and(|touch| touch.deed == Deed::File && touch.job.name == *job)
    }
}
