//! Floor 6: listeners, cores, drain.
//!
//! One current-thread runtime for each core with its own listening socket (`SO_REUSEPORT`), its own pools
//! and its own settler; beside them one thread for operators and the sweeper, and the ledger's writer or
//! the export of its stream.
//!
//! The order of a start: ledger, recovery, cores, operators. Of a stop: no new connections, requests end,
//! settlements end, the ledger's stream is exported, the ledger closes.
//!
//! Invariant: no request is served before recovery is done.

mod assembly;
mod connection;
mod control;
mod core;
mod current;
mod exporting;
mod families;
mod key_sets;
mod ledgers;
mod lent;
mod life;
mod listen;
mod metrics;
mod progress;
mod proxy_header;
mod quoter;
mod reload;
mod renewed;
mod stream;
mod test_clock;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::ledgers::Ledgers;
use self::reload::InForce;
pub use self::reload::{ReloadError, Reloaded, Reloader};

use crate::admin::Advance;
use crate::config::Settings;
use crate::ledger::{StoreTally, StreamGauges};
use crate::meter::{KeySets, RouteTable, instance, recover};
use crate::proxy::Guard;
use crate::seam::{self, Clock, Disk, Entropy, SystemClock, SystemDisk, SystemEntropy};

use metrics::{CoreTally, Metrics};
use tls::Certificates;

/// The ledger's file within its folder.
pub(crate) const LEDGER_FILE: &str = "ledger.redb";

/// A running proxy. Dropped without `stop`, it runs on until the process ends.
#[derive(Debug)]
pub struct Running {
    /// Where clients connect.
    pub data_addr: SocketAddr,
    /// Where operators connect.
    pub admin_addr: Option<SocketAddr>,
    stop: Stop,
    cores: Vec<JoinHandle<()>>,
    control: JoinHandle<()>,
    reloader: Reloader,
    export: JoinHandle<()>,
    ledgers: Ledgers,
}

/// How the threads are told to end.
#[derive(Clone, Debug, Default)]
struct Stop {
    /// No new requests.
    draining: Arc<AtomicBool>,
    /// Connections end when they are idle.
    drain: CancellationToken,
    /// What still runs is cut off.
    cut: CancellationToken,
    /// Operators' listener and sweeper end.
    control: CancellationToken,
    /// The export of the ledger's stream ends.
    export: CancellationToken,
}

/// What all threads serve with.
#[derive(Clone)]
struct Shared {
    settings: Arc<Settings>,
    folder: PathBuf,
    instance: String,
    ledgers: Ledgers,
    guard: Arc<Guard>,
    certificates: ListenerCertificates,
    clock: Arc<dyn Clock>,
    /// How operators set the clock forward; `None`: it is the machine's.
    advance: Option<Advance>,
    entropy: Arc<dyn Entropy>,
    disk: Arc<dyn Disk>,
    /// The keys of trusted issuers, kept fresh by the control thread.
    key_sets: Arc<KeySets>,
    stop: Stop,
    /// Whether the ledger answered when it was last asked.
    healthy: Arc<AtomicBool>,
}

/// What the listeners speak TLS with; `None`: in clear.
#[derive(Clone, Debug, Default)]
struct ListenerCertificates {
    clients: Option<Arc<Certificates>>,
    operators: Option<Arc<Certificates>>,
}

impl ListenerCertificates {
    fn load(settings: &Settings) -> io::Result<Self> {
        let load = |whose, files: Option<&crate::tls::ServerFiles>| {
            files.map(|files| Certificates::load(whose, files)).transpose()
        };
        let admin = settings.admin.as_ref().and_then(|admin| admin.tls.as_ref());
        Ok(Self {
            clients: load("clients", settings.tls.as_ref())?,
            operators: load("operators", admin)?,
        })
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Certificates>> {
        self.clients.iter().chain(&self.operators)
    }
}

impl Running {
    /// Drains and ends it: requests finish within the drain time, what was used is settled.
    pub fn stop(self) {
        self.stop.draining.store(true, Ordering::Relaxed);
        self.stop.drain.cancel();
        for core in self.cores {
            joined("core", core);
        }
        self.stop.control.cancel();
        joined("control", self.control);
        self.stop.export.cancel();
        joined("export", self.export);
        // The last handle: its drop waits for the writer.
        drop(self.ledgers);
    }

    /// The handle by which its configuration is read again.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Cuts what still runs instead of waiting for the end of the drain time.
    pub fn hurry(&self) -> impl Fn() + Send + 'static {
        let cut = self.stop.cut.clone();
        move || cut.cancel()
    }
}

fn joined(name: &str, thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!(name, "a thread ended in a panic");
    }
}

/// Starts a proxy on threads of its own. Its configuration cannot be read again: there is no file.
///
/// # Errors
/// When the ledger cannot be opened or recovered, a certificate cannot be read, or an address is taken.
pub fn start(settings: Settings) -> io::Result<Running> {
    start_from(settings, None)
}

/// Starts a proxy on threads of its own; `file` is what its settings were read from.
///
/// # Errors
/// As `start`.
pub fn start_from(settings: Settings, file: Option<PathBuf>) -> io::Result<Running> {
    let shared = open(settings)?;
    let settings = shared.settings.clone();
    recovered(&shared)?;
    let (data_addr, listeners) = listen::listeners(settings.listen, settings.cores)?;
    let admin = settings.admin.as_ref().map(|admin| listen::listener(admin.listen)).transpose()?;
    let admin_addr = admin.as_ref().map(std::net::TcpListener::local_addr).transpose()?;
    let mut tallies = Vec::new();
    let mut cores = Vec::new();
    let mut ways = Vec::new();
    for (number, listener) in listeners.into_iter().enumerate() {
        let tally = CoreTally::new(&settings.rules, &shared.clock);
        tallies.push(tally.clone());
        let (way, proposals) = mpsc::channel(1);
        ways.push(way);
        cores.push(core::start(shared.clone(), tally, number, listener, proposals)?);
    }
    let in_force = InForce::new(settings.clone());
    let (guard, clock) = (shared.guard.clone(), shared.clock.clone());
    let reloader = Reloader::new(file, in_force.clone(), guard, ways, clock);
    let stream = StreamGauges::default();
    let metrics = metrics(&shared, in_force.clone(), tallies, stream.clone());
    let control = control::start(shared.clone(), metrics, in_force, reloader.clone(), admin)?;
    let export = exporting::start(shared.clone(), stream)?;
    let Shared { ledgers, stop, .. } = shared;
    Ok(Running { data_addr, admin_addr, stop, cores, control, reloader, export, ledgers })
}

fn metrics(
    shared: &Shared,
    in_force: InForce,
    cores: Vec<CoreTally>,
    stream: StreamGauges,
) -> Metrics {
    Metrics {
        in_force,
        cores,
        beside: Arc::new(StoreTally::new(shared.clock.clone())),
        stream,
        setbacks: shared.ledgers.setbacks(),
        certificates: shared.certificates.all().cloned().collect(),
        started: shared.clock.now(),
        clock: shared.clock.clone(),
    }
}

fn open(settings: Settings) -> io::Result<Shared> {
    let folder = settings.store.folder().to_owned();
    std::fs::create_dir_all(&folder).map_err(|error| no_folder(&folder, &error))?;
    let (clock, advance) = clocks(&settings, &folder)?;
    let (entropy, disk) = seams();
    let ledgers = Ledgers::open(&settings.store, &clock)?;
    // Conflicts were reported when the configuration was read; this only keeps them from being served.
    RouteTable::new(&settings.rules).map_err(|errors| io::Error::other(format!("{errors:?}")))?;
    Ok(Shared {
        instance: instance(&*disk, &folder, &*entropy)?,
        certificates: ListenerCertificates::load(&settings)?,
        guard: Arc::new(Guard::new(&settings.proxy.flood, clock.clone())),
        ledgers,
        key_sets: Arc::new(key_sets(&settings, &clock)),
        settings: Arc::new(settings),
        stop: Stop::default(),
        healthy: Arc::new(AtomicBool::new(true)),
        folder,
        clock,
        advance,
        entropy,
        disk,
    })
}

fn key_sets(settings: &Settings, clock: &Arc<dyn Clock>) -> KeySets {
    KeySets::new(&settings.rules.identity.issuers, settings.hook_keys(), clock.clone())
}

fn no_folder(folder: &Path, error: &io::Error) -> io::Error {
    let folder = folder.display();
    let told =
        format!("the ledger's folder {folder} cannot be made: {error}; it is named by `store`");
    io::Error::new(error.kind(), told)
}

fn seams() -> (Arc<dyn Entropy>, Arc<dyn Disk>) {
    (Arc::new(SystemEntropy), Arc::new(SystemDisk))
}

/// The clock, and how it is set forward, if it may be.
fn clocks(settings: &Settings, folder: &Path) -> io::Result<(Arc<dyn Clock>, Option<Advance>)> {
    if !settings.store.test_clock() {
        return Ok((Arc::new(SystemClock), None));
    }
    tracing::warn!("the ledger is for tests: operators may set its clock; keep no money in it");
    let clock = test_clock::open(folder)?;
    Ok((clock.clone(), Some(test_clock::advance(clock, folder))))
}

/// Recovery on a thread of its own, so that a start may be asked for from anywhere.
fn recovered(shared: &Shared) -> io::Result<()> {
    let own = shared.clone();
    let work = move || {
        runtime()?.block_on(async {
            let ledger = own.ledgers.own().ledger;
            recover(&*ledger, &*own.disk, &own.folder, &own.instance).await
        })
    };
    let done = seam::thread("recovery", work)?
        .join()
        .map_err(|_| io::Error::other("recovery ended in a panic"))??;
    tracing::info!(released = done.released, unknown = done.unknown, "recovered");
    Ok(())
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Serves until told to stop by SIGTERM or SIGINT; a second signal cuts what still runs. SIGHUP reads `file`,
/// from which the settings came, again.
///
/// # Errors
/// When it cannot start.
pub fn run(settings: Settings, file: Option<PathBuf>) -> io::Result<()> {
    let runtime = runtime()?;
    // Before anybody can be told that this process is ready: an unwatched signal would end it.
    let hangups = runtime.block_on(async { signal(SignalKind::hangup()) })?;
    let running = start_from(settings, file)?;
    let (data, admin) = (running.data_addr, running.admin_addr);
    tracing::info!(%data, admin = admin.map(|admin| admin.to_string()), "ready");
    runtime.block_on(reload_until_signalled(&running.reloader(), hangups))?;
    tracing::info!("draining");
    let hurry = running.hurry();
    let second = seam::thread("signals", move || {
        if runtime.block_on(signalled()).is_ok() {
            hurry();
        }
    })?;
    running.stop();
    tracing::info!("stopped");
    // It waits for a signal that may never come; the process ends without it.
    drop(second);
    Ok(())
}

/// Reads the configuration again at each hangup, until SIGTERM or SIGINT.
async fn reload_until_signalled(reloader: &Reloader, mut hangups: Signal) -> io::Result<()> {
    let again = async {
        while hangups.recv().await.is_some() {
            // What came of it is in the log.
            drop(reloader.reload().await);
        }
        std::future::pending().await
    };
    tokio::select! {
        done = signalled() => done,
        () = again => Ok(()),
    }
}

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// When signals cannot be watched.
pub async fn signalled() -> io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}
