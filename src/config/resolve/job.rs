//! Jobs: how they are told apart, asked for and ended.

use std::sync::Arc;

use super::outcome::charge;
use super::{Resolver, help, or, shown};
use crate::config::defaults;
use crate::config::format::{Asked, Millis, Segment, Testable, segments};
use crate::config::mirror::{self, JobHookUrl, JobNamed};
use crate::config::placed::At;
use crate::credit::Name;
use crate::meter::{
    ChargeRule, Deed, HookPlace, HookSecret, IdPlace, Job, NamedBy, Proof, Rewrite, Touch, Verify,
    Watching, Webhook, WordCharges, Words,
};
use crate::observe::{Pointer, Step};
use crate::proxy::WebhookSettings;

/// The longest that a job may take.
const TTL_MAX: Millis = Millis(30 * 86_400_000);
/// The longest that a finished job may wait to hear what it used.
const GRACE_MAX: Millis = Millis(3_600_000);
/// The longest pause of our own watching.
const WATCH_MAX: Millis = Millis(86_400_000);
/// The shortest, in milliseconds: upstreams limit how often they are asked.
const WATCH_MIN_MS: u64 = 1_000;
/// The capture by which a path says a job's id.
const ID: &str = "id";
/// The fewest bytes of the secret that our URLs are sealed with.
const SEAL_BYTES: usize = 32;

impl Resolver<'_, '_> {
    /// The jobs, in the order of the file; `None`: there is an error in this one.
    pub(super) fn jobs(&mut self) -> Vec<Option<Arc<Job>>> {
        let jobs = &self.file.jobs;
        self.once("jobs", jobs.iter().map(|job| &job.name));
        for (name, _) in &self.file.webhooks.secrets.0 {
            if !jobs.iter().any(|job| job.name.value.as_str() == name.value) {
                let message = format!("there is no job called `{}`", name.value);
                let known = jobs.iter().map(|job| job.name.value.as_str());
                let help = help(&name.value, known, "job");
                self.findings.error("unknown_job", name.place, message).help(help);
            }
        }
        jobs.iter().map(|job| self.job(job).map(Arc::new)).collect()
    }

    fn job(&mut self, job: &mirror::Job) -> Option<Job> {
        self.words(job);
        let outcomes = self.outcomes(&job.outcomes);
        let watching = match &job.watch {
            Some(watch) => Some(self.watching(job, watch)?),
            None => None,
        };
        let webhook = match &job.webhook {
            Some(hook) => Some(self.webhook(job, hook)?),
            None => None,
        };
        Some(Job {
            name: job.name.value.clone(),
            id: match &job.id {
                mirror::JobId::Json(at) => IdPlace::Json(at.value.clone()),
                mirror::JobId::Header(at) => IdPlace::Header(at.value.clone()),
            },
            status: job.status.as_ref().map(|at| at.value.clone()),
            words: words(&job.words),
            outcomes,
            charges: charges(&job.charge),
            ttl_ms: self.millis(job.ttl.as_ref(), defaults::JOB_TTL_MS, TTL_MAX),
            grace_ms: self.millis(job.grace.as_ref(), defaults::JOB_GRACE_MS, GRACE_MAX),
            watching,
            webhook,
            observed: self.is_received(&job.name.value),
            files: self.files(job),
        })
    }

    /// Where answers about a job name files. Notes such places of a job whose files no route has.
    fn files(&mut self, job: &mirror::Job) -> Vec<Pointer> {
        let has = |route: &mirror::Route| {
            route.file_of.as_ref().is_some_and(|at| at.value == job.name.value)
        };
        if let Some(first) = job.files.first().filter(|_| !self.file.routes.iter().any(has)) {
            let message = format!("no route has the files of jobs `{}`", job.name.value);
            self.findings
                .error("no_files", first.place, message)
                .help(format!("write `file_of: {}` at a free route", job.name.value));
        }
        job.files.iter().map(|at| at.value.clone()).collect()
    }

    /// Notes words without a place, a job that nothing ends, and a word with two meanings.
    fn words(&mut self, job: &mirror::Job) {
        let words = &job.words;
        let lists =
            [&words.pending, &words.completed, &words.failed, &words.cancelled, &words.blocked];
        let mut seen: Vec<&At<Testable>> = Vec::new();
        for at in lists.into_iter().flatten() {
            if let Some(first) = seen.iter().find(|other| other.value.0 == at.value.0) {
                let message = format!("`{}` has two meanings", at.value.0);
                self.findings
                    .error("duplicate_word", at.place, message)
                    .note(first.place, "the first one");
            }
            seen.push(at);
        }
        if let (None, Some(first)) = (&job.status, seen.first()) {
            self.findings
                .error("no_status", first.place, "nothing says where these words stand")
                .help("write `status`, the place of the word in a job's body");
        }
        if job.outcomes.is_empty() && words.completed.is_empty() {
            let message = format!("nothing says when a job `{}` has been done", job.name.value);
            self.findings
                .error("never_completed", job.name.place, message)
                .help("write `words: { completed: […] }`, or `outcomes`");
        }
    }

    fn watching(&mut self, job: &mirror::Job, watch: &mirror::JobWatch) -> Option<Watching> {
        for asked in [Some(&watch.path), watch.result.as_ref()].into_iter().flatten() {
            self.captured(job, asked);
        }
        self.sent_along(watch);
        let every_ms = self.millis(watch.every.as_ref(), defaults::WATCH_EVERY_MS, WATCH_MAX);
        if let Some(at) = watch.every.as_ref().filter(|_| every_ms < WATCH_MIN_MS) {
            let message =
                format!("a job is asked for every {} at most", shown(Millis(WATCH_MIN_MS)));
            self.findings.error("out_of_range", at.place, message);
        }
        Some(Watching {
            method: or(watch.method.as_ref(), http::Method::GET),
            path: watch.path.value.0.clone(),
            body_id: watch.body_id.as_ref().map(|at| at.value.clone()),
            result: watch.result.as_ref().map(|at| at.value.0.clone()),
            every_ms,
            after_ms: self.millis(watch.after.as_ref(), defaults::WATCH_AFTER_MS, WATCH_MAX),
        })
    }

    /// Notes a body where none is sent, and a place that no object of ours can have.
    fn sent_along(&mut self, watch: &mirror::JobWatch) {
        let Some(at) = &watch.body_id else { return };
        if or(watch.method.as_ref(), http::Method::GET) != http::Method::POST {
            let message = "`body_id` needs `method: POST`";
            self.findings.error("misplaced", at.place, message);
        }
        let names = |step: &Step| matches!(step, Step::Name(_));
        if at.value.steps().is_empty() || !at.value.steps().iter().all(names) {
            let message = "`body_id` names a member of an object, such as /operationName";
            self.findings.error("malformed", at.place, message);
        }
    }

    /// Notes a capture that a route which begins such a job does not have.
    fn captured(&mut self, job: &mirror::Job, asked: &At<Asked>) {
        let begins = |route: &&mirror::Route| {
            route.job.as_ref().is_some_and(|at| at.value == job.name.value)
        };
        for name in asked.value.captures().filter(|name| *name != ID) {
            let without = self.file.routes.iter().filter(begins).find(|route| {
                let path = &route.matches.value.path;
                !segments(path).filter_map(Segment::capture).any(|capture| capture == name)
            });
            if let Some(route) = without {
                let message = format!(
                    "the path of the route `{}`, which begins this job, has no capture `{{{name}}}`",
                    route.name.value
                );
                self.findings
                    .error("unknown_capture", asked.place, message)
                    .help("the job's own id is `{id}`, or `{*id}` with its slashes");
            }
        }
    }

    fn webhook(&mut self, job: &mirror::Job, hook: &mirror::JobWebhook) -> Option<Webhook> {
        let how = or(hook.verify.as_ref(), Verify::None);
        let place = hook.verify.as_ref().map_or(job.name.place, |at| at.place);
        let keys =
            self.hook_keys(how, hook.jwks.as_ref(), format!("job {}", job.name.value), place)?;
        let secrets = self.file.webhooks.secrets.0.iter();
        let mut named = secrets.filter(|(name, _)| name.value == job.name.value.as_str());
        let secret = match named.next() {
            Some((_, secret)) => HookSecret(self.secret(secret)?.0.into_bytes()),
            None => HookSecret::default(),
        };
        let url = match &hook.url {
            JobHookUrl::Json(at) => HookPlace::Json(at.value.clone()),
            JobHookUrl::Query(at) => HookPlace::Query(at.value.clone()),
        };
        Some(Webhook { url, proof: Proof { how, secret, keys } })
    }

    /// What all webhooks have in common; the outer `None`: there is an error.
    pub(super) fn webhooks(&mut self) -> Option<Option<WebhookSettings>> {
        let webhooks = &self.file.webhooks;
        let Some(secret) = &webhooks.secret else { return Some(None) };
        let (text, place) = self.secret(secret)?;
        if text.len() < SEAL_BYTES {
            self.findings
                .error(
                    "short_secret",
                    place,
                    format!("the secret has less than {SEAL_BYTES} bytes"),
                )
                .help("`openssl rand -hex 32` makes a good one");
        }
        if self.file.public_url.is_none() {
            self.findings
                .error(
                    "no_public_url",
                    place,
                    "webhooks need `public_url`: upstreams call us there",
                )
                .help(
                    "write the scheme and host of this gateway: public_url: https://ai.example.com",
                );
        }
        Some(Some(WebhookSettings {
            secret: HookSecret(text.into_bytes()),
            private_addresses: or(webhooks.private_addresses.as_ref(), false),
        }))
    }

    /// The job that a paid route begins; the outer `None`: there is an error.
    pub(super) fn begun(
        &mut self,
        route: &mirror::Route,
        jobs: &[Option<Arc<Job>>],
    ) -> Option<Option<Arc<Job>>> {
        let deeds = [&route.polls, &route.fetches, &route.cancels, &route.file_of];
        for at in deeds.into_iter().flatten() {
            let message = format!("the route `{}` is not free", route.name.value);
            self.findings
                .error("not_free", at.place, message)
                .help("who asks for a job, or stops it, pays nothing: write `free: true`");
        }
        let Some(at) = &route.job else {
            self.needs_job(route);
            return Some(None);
        };
        self.one_job(at, jobs).map(Some)
    }

    /// Notes quantities that only a job says.
    fn needs_job(&mut self, route: &mirror::Route) {
        for (name, quantity) in &route.quantities.0 {
            if quantity.response.iter().any(of_job) {
                let message = format!(
                    "`{}` is said by a job, and the route `{}` begins none",
                    name.value, route.name.value
                );
                self.findings
                    .error("misplaced", name.place, message)
                    .help("name the route's `job`, or use `json`, `items` or `header`");
            }
        }
    }

    fn one_job(&mut self, at: &At<Name>, jobs: &[Option<Arc<Job>>]) -> Option<Arc<Job>> {
        let index = self.file.jobs.iter().position(|job| job.name.value == at.value);
        if index.is_none() {
            let known = self.file.jobs.iter().map(|job| job.name.value.as_str());
            self.unknown("unknown_job", "job", at, known);
        }
        jobs.get(index?)?.clone()
    }

    /// What a free route does with a job; the outer `None`: there is an error.
    pub(super) fn touch(
        &mut self,
        route: &mirror::Route,
        jobs: &[Option<Arc<Job>>],
    ) -> Option<Option<Touch>> {
        let deeds = [
            (&route.polls, Deed::Poll),
            (&route.fetches, Deed::Fetch),
            (&route.cancels, Deed::Cancel),
            (&route.file_of, Deed::File),
        ];
        let mut written = deeds.into_iter().filter_map(|(at, deed)| Some((at.as_ref()?, deed)));
        let Some((at, deed)) = written.next() else {
            if let Some(named) = &route.job_id {
                let place = match named {
                    JobNamed::Path(at) | JobNamed::Query(at) => at.place,
                    JobNamed::Json(at) => at.place,
                };
                let message = "`job_id` needs `polls`, `fetches`, `cancels` or `file_of`";
                self.findings.error("misplaced", place, message);
            }
            return Some(None);
        };
        if let Some((second, _)) = written.next() {
            let message = "a route polls, fetches, cancels or has a file: one of the four";
            self.findings.error("one_deed", second.place, message);
        }
        self.elsewhere(route, at);
        let named = self.named_by(route, at)?;
        let job = self.one_job(at, jobs)?;
        if deed == Deed::File && job.files.is_empty() {
            let message =
                format!("nothing says where answers about jobs `{}` name files", at.value);
            self.findings
                .error("no_files", at.place, message)
                .help("write `files: [/place]` in the job: the places of ids or URLs of files");
        }
        let upstreams = &self.file.upstreams;
        let index = upstreams.index(route.upstream.value.as_str())?;
        let base = upstreams.0.get(index)?.1.url.value.0.clone();
        Some(Some(Touch { job, deed, named, base }))
    }

    /// Notes a job that is begun at other upstreams alone: its id would be shown to strangers.
    fn elsewhere(&mut self, route: &mirror::Route, at: &At<Name>) {
        let routes = self.file.routes.iter();
        let mut begins =
            routes.filter(|other| other.job.as_ref().is_some_and(|job| job.value == at.value));
        let here = |other: &mirror::Route| other.upstream.value == route.upstream.value;
        if let Some(first) = begins.next().filter(|first| !here(first))
            && !begins.any(here)
        {
            let message = format!(
                "jobs `{}` are begun at another upstream than `{}`",
                at.value, route.upstream.value
            );
            self.findings
                .error("job_elsewhere", route.upstream.place, message)
                .note(first.upstream.place, "here, for instance");
        }
    }

    fn named_by(&mut self, route: &mirror::Route, at: &At<Name>) -> Option<NamedBy> {
        let (name, place) = match &route.job_id {
            Some(JobNamed::Query(name)) => return Some(NamedBy::Query(name.value.clone())),
            Some(JobNamed::Json(at)) => return Some(NamedBy::Json(at.value.clone())),
            Some(JobNamed::Path(name)) => (name.value.as_str(), name.place),
            None => (ID, at.place),
        };
        let path = &route.matches.value.path;
        let names: Vec<&str> = segments(path).filter_map(Segment::capture).collect();
        if names.contains(&name) {
            return Some(NamedBy::Path(name.to_owned()));
        }
        let message = format!("the path `{path}` has no capture `{{{name}}}` that says which job");
        let help = format!(
            "{}; or say `job_id` with `query`, `path` or `json`",
            help(name, names.into_iter(), "capture")
        );
        self.findings.error("unknown_capture", place, message).help(help);
        None
    }
}

/// Whether only a job says it.
fn of_job(from: &mirror::ResponseFrom) -> bool {
    use mirror::ResponseFrom::{Created, Job, JobHeader, JobItems, Minus, SumOf};
    match from {
        Job(_) | JobItems(_) | JobHeader(_) | Created(_) => true,
        SumOf(parts) | Minus(parts) => parts.iter().any(of_job),
        _ => false,
    }
}

/// Where answers hold URLs of their upstream.
pub(super) fn rewrite(written: &mirror::Rewrite) -> Rewrite {
    Rewrite {
        json: written.json.iter().map(|at| at.value.clone()).collect(),
        headers: written.headers.iter().map(|at| at.value.clone()).collect(),
    }
}

fn words(written: &mirror::JobWords) -> Words {
    let texts = |list: &[At<Testable>]| list.iter().map(|at| at.value.0.clone()).collect();
    Words {
        pending: texts(&written.pending),
        completed: texts(&written.completed),
        failed: texts(&written.failed),
        cancelled: texts(&written.cancelled),
        blocked: texts(&written.blocked),
    }
}

fn charges(written: &mirror::JobCharges) -> WordCharges {
    let or = |written: &Option<mirror::Charge>, default: ChargeRule| {
        written.as_ref().map_or(default, charge)
    };
    let defaults = WordCharges::default();
    WordCharges {
        completed: or(&written.completed, defaults.completed),
        failed: or(&written.failed, defaults.failed),
        cancelled: or(&written.cancelled, defaults.cancelled),
        blocked: or(&written.blocked, defaults.blocked),
    }
}
