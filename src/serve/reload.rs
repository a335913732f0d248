//! Reload: a new configuration comes into force on all cores, or on none.
//!
//! The file is read and resolved; what only a restart can change is refused; every core builds its parts;
//! only when all of them have is the word given, and new requests meet the new rules. Running requests keep
//! what they began with: their charges name the revision that priced them.
//!
//! Invariant: a configuration that cannot come into force changes nothing, and says why.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::config::{Problem, Report, Settings, load};
use crate::proxy::Guard;
use crate::seam::Clock;

/// How long the cores may take to build their parts.
const BUILD: Duration = Duration::from_secs(10);

/// What a core is asked to build.
pub(super) struct Proposal {
    pub(super) settings: Arc<Settings>,
    pub(super) guard: Arc<Guard>,
    /// Told whether the parts could be built.
    pub(super) built: oneshot::Sender<Result<(), String>>,
    /// The word that they come into force; dropped: they do not.
    pub(super) word: oneshot::Receiver<()>,
}

/// A core's end of the way on which proposals come.
pub(super) type Proposals = mpsc::Receiver<Proposal>;

/// The configuration that new requests meet.
#[derive(Clone, Debug)]
pub(super) struct InForce(Arc<RwLock<Arc<Settings>>>);

impl InForce {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self(Arc::new(RwLock::new(settings)))
    }

    /// As it is now.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, settings: Arc<Settings>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }
}

/// What came of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// The revision that is in force now.
    pub revision: String,
    /// Whether it is another one than before.
    pub changed: bool,
    /// What `tollgate check` would warn of.
    pub warnings: Vec<Problem>,
}

/// Why the old configuration stays in force.
#[derive(Debug)]
pub enum ReloadError {
    /// There is no file to read again: the settings were given by a program.
    NoFile,
    /// The file is wrong.
    Wrong(Report),
    /// These settings have changed, and only a restart can change them.
    Restart(Vec<&'static str>),
    /// It fits no core as it is; the text says why.
    Unfit(String),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => f.write_str("there is no configuration file to read again"),
            Self::Wrong(report) => write!(f, "the configuration is wrong:\n{report}"),
            Self::Restart(names) => {
                write!(f, "only a restart can change {}: nothing was changed", names.join(", "))
            }
            Self::Unfit(why) => write!(f, "the configuration cannot come into force: {why}"),
        }
    }
}

impl std::error::Error for ReloadError {}

/// The handle by which a reload is asked for.
#[derive(Clone)]
pub struct Reloader(Arc<Inner>);

struct Inner {
    file: Option<PathBuf>,
    in_force: InForce,
    /// The guard in force. Its lock is also the turn of whoever reloads: one at a time.
    guard: Mutex<Arc<Guard>>,
    cores: Vec<mpsc::Sender<Proposal>>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reloader({:?})", self.0.file)
    }
}

impl Reloader {
    pub(super) fn new(
        file: Option<PathBuf>,
        in_force: InForce,
        guard: Arc<Guard>,
        cores: Vec<mpsc::Sender<Proposal>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner { file, in_force, guard: Mutex::new(guard), cores, clock }))
    }

    /// Reads the file again and brings it into force.
    ///
    /// # Errors
    /// Why the old configuration stays.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let done = self.bring().await;
        match &done {
            Ok(done) => {
                tracing::info!(revision = done.revision, changed = done.changed, "reloaded");
            }
            Err(error) => tracing::error!(%error, "not reloaded: the old configuration stays"),
        }
        done
    }

    async fn bring(&self) -> Result<Reloaded, ReloadError> {
        let inner = &*self.0;
        let mut guard = inner.guard.lock().await;
        let file = inner.file.as_ref().ok_or(ReloadError::NoFile)?;
        let (settings, warnings) = load(file).map_err(ReloadError::Wrong)?;
        let before = inner.in_force.settings();
        let fixed = fixed(&before, &settings);
        if !fixed.is_empty() {
            return Err(ReloadError::Restart(fixed));
        }
        let settings = Arc::new(settings);
        let flood = &settings.proxy.flood;
        let new_guard = match *flood == before.proxy.flood {
            true => guard.clone(),
            false => Arc::new(Guard::new(flood, inner.clock.clone())),
        };
        inner.all_or_none(&settings, &new_guard).await.map_err(ReloadError::Unfit)?;
        *guard = new_guard;
        inner.in_force.set(settings.clone());
        let revision = settings.rules.revision.clone();
        let changed = revision != before.rules.revision;
        Ok(Reloaded { revision, changed, warnings })
    }
}

impl Inner {
    /// Lets all cores build, then gives the word to all of them, or to none.
    async fn all_or_none(
        &self,
        settings: &Arc<Settings>,
        guard: &Arc<Guard>,
    ) -> Result<(), String> {
        let mut words = Vec::new();
        let mut builds = Vec::new();
        for core in &self.cores {
            let (built, build) = oneshot::channel();
            let (word, heard) = oneshot::channel();
            let (settings, guard) = (settings.clone(), guard.clone());
            let proposal = Proposal { settings, guard, built, word: heard };
            core.send(proposal).await.map_err(|_| "a core has ended".to_owned())?;
            words.push(word);
            builds.push(build);
        }
        for build in builds {
            let build = tokio::time::timeout(BUILD, build).await;
            build.map_err(|_| "a core is busy: try again")?.map_err(|_| "a core has ended")??;
        }
        for word in words {
            // A core that ends at this very moment serves nobody.
            _ = word.send(());
        }
        Ok(())
    }
}

/// What has changed and only a restart can change.
fn fixed(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let admin = |settings: &Settings| settings.admin.as_ref().map(|admin| admin.listen);
    let admin_tls = |settings: &Settings| settings.admin.as_ref().map(|admin| admin.tls.clone());
    // Their key sets are kept by number.
    let issuers = |settings: &Settings| format!("{:?}", settings.rules.identity.issuers);
    let hooks = |settings: &Settings| format!("{:?}", settings.hook_keys());
    let exchanges = |settings: &Settings| settings.proxy.limits.exchanges;
    let changed = [
        ("listen", before.listen != after.listen),
        ("cores", before.cores != after.cores),
        ("store", before.store != after.store),
        ("issuers", issuers(before) != issuers(after)),
        ("jwks of webhooks", hooks(before) != hooks(after)),
        ("tls", before.tls != after.tls),
        ("proxy_protocol", before.proxy_protocol != after.proxy_protocol),
        ("admin.tls", admin_tls(before) != admin_tls(after)),
        ("admin.listen", admin(before) != admin(after)),
        ("limits.exchanges", exchanges(before) != exchanges(after)),
    ];
    changed.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect()
}
