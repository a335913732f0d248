//! Files of jobs: what answers about a job name, and what is then asked for by an id of its own.
//!
//! Such an id says nothing of the job. So beside a job that has named files lies an alias for each, from the account, the
//! sort of job and the file's id to that account. They go as its name does (`found`), and stay where that stays. Of two jobs
//! of one account that name the same file the first takes it along.
//!
//! Invariant: a file is found only with an account one of whose jobs has named it.

use http::{HeaderMap, Uri};

use super::job::{Deed, Job};
use super::sight::is_id;
use super::telling::Kept;
use crate::credit::{AccountId, AliasId, Name};
use crate::ledger::{Alias, Answer, Refusal, Watching};
use crate::meter::admit::Meter;
use crate::meter::host::is_at;
use crate::meter::path;
use crate::meter::rejection::Rejection;
use crate::meter::settings::Route;

/// The most files that a job may name.
const FILES_MAX: usize = 32;
/// The sort of these aliases.
const SORT: &str = "file";
/// How often files are noted again when somebody else has changed the record meanwhile; the next answer names them again.
const ROUNDS_MAX: usize = 4;
/// The most bytes that the ids of a job's files have together: beside its price they are little in its record.
const FILES_BYTES_MAX: usize = 4 * 1_024;

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
        for round in 0..ROUNDS_MAX {
            let new = self.new_files(&kept, named);
            if new.is_empty() {
                return kept;
            }
            // A job that began before its sort had files, or is being forgotten, has nobody to forget them.
            if kept.record.found_until.is_none() {
                if round > 0 {
                    self.unpoint_all(&kept, &new).await;
                }
                return kept;
            }
            let mut record = kept.record.clone();
            for file in new {
                if !self.point(&alias(&kept.account, &kept.job.name, &file)).await {
                    break;
                }
                record.files.push(file);
            }
            if let Some(version) = self.note(&kept, &record, Watching::AsBefore, false).await {
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
        let known = &kept.record.files;
        let mut new: Vec<String> = Vec::new();
        let mut bytes: usize = known.iter().map(String::len).sum();
        for id in named.iter().filter_map(|text| self.file_id(&kept.job.name, text)) {
            if !is_id(&id) || known.contains(&id) || new.contains(&id) {
                continue;
            }
            bytes = bytes.saturating_add(id.len());
            if known.len().saturating_add(new.len()) >= FILES_MAX || bytes > FILES_BYTES_MAX {
                tracing::warn!(job = %kept.job.name, charge = %kept.charge, "a job names too many files");
                break;
            }
            new.push(id);
        }
        new
    }

    /// The id of the file that a text names: the text itself, or what stands in a URL where a route of files has it.
    fn file_id(&self, job: &Name, text: &str) -> Option<String> {
        if !text.contains("://") {
            return Some(text.to_owned());
        }
        let url: Uri = text.parse().ok()?;
        let mut routes = self.rules.routes.iter().filter(|route| route.has_files_of(job));
        routes.find_map(|route| self.file_in(route, &url))
    }

    /// The id in a URL, if that is one of the route's own upstream and has the route's path.
    fn file_in(&self, route: &Route, url: &Uri) -> Option<String> {
        let touch = route.touch.as_ref()?;
        let here = touch.base.authority().is_some_and(|host| is_at(url, host));
        if !here || !matches!(url.scheme_str(), Some("http" | "https")) {
            return None;
        }
        let path = url.path().strip_prefix(touch.base.path().trim_end_matches('/'))?;
        path::canonical(path).ok()?;
        let path = format!("{}{path}", route.prefix);
        let captures = self.routes.captures(&route.name, &route.method, &path)?;
        let nothing = (&HeaderMap::new(), None);
        touch.named.id(&captures, url.query().unwrap_or_default(), nothing)
    }

    /// A job's files are not found any more; whether that is sure.
    pub(super) async fn forget_files(&self, kept: &Kept) -> bool {
        self.unpoint_all(kept, &kept.record.files).await
    }

    async fn unpoint_all(&self, kept: &Kept, files: &[String]) -> bool {
        let mut all = true;
        for file in files {
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
