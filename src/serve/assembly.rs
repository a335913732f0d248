//! A core's parts, put together from settings: at the start, and again at each reload.
//!
//! Invariant: what belongs to running exchanges (settler, tasks, counters, room) is made once and handed
//! on; a reload changes what new requests meet, and nothing else.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::Shared;
use super::metrics::CoreTally;
use super::quoter::{Asks, queue};
use crate::config::Settings;
use crate::ledger::Ledger;
use crate::meter::{Directory, Finder, Meter, RouteTable, Settler};
use crate::portal::{self, Portal};
use crate::proxy::{
    BoxError, CALLS_MAX, Caller, ClientPlane, Core, Guard, ProxySettings, SpoolPlace, Upstream,
};
use crate::seam::Tasks;

/// What a core keeps from its start to its end.
#[derive(Clone)]
pub(super) struct Lasting {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) tasks: Tasks,
    pub(super) settler: Settler,
    pub(super) counts: CoreTally,
    /// Requests under way on all its connections.
    requests: Rc<Cell<usize>>,
    room: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    /// The bytes that `room` has.
    bodies: u64,
    spool: Arc<Semaphore>,
    /// The bytes that `spool` has.
    spool_bytes: u64,
}

impl Lasting {
    /// The lasting parts of core `number`.
    pub(super) fn begin(
        shared: &Shared,
        ledger: Arc<dyn Ledger>,
        counts: CoreTally,
        number: usize,
    ) -> io::Result<Self> {
        let (limits, tasks) = (shared.settings.proxy.limits, Tasks::default());
        let settler = Settler::start(
            ledger.clone(),
            tasks.clone(),
            limits.exchanges,
            shared.disk.clone(),
            &shared.folder,
            number,
            counts.tally.clone(),
        )?;
        Ok(Self {
            ledger,
            tasks,
            settler,
            counts,
            requests: Rc::default(),
            room: room(limits.bodies),
            calls: room(CALLS_MAX),
            bodies: limits.bodies,
            spool: room(limits.spool),
            spool_bytes: limits.spool,
        })
    }
}

/// Room for this many bytes, in KiB.
fn room(bytes: u64) -> Arc<Semaphore> {
    let kib = usize::try_from(bytes.div_ceil(1_024)).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(kib.min(Semaphore::MAX_PERMITS)))
}

/// A core that goes by `settings`, and the quotes that its client plane will ask for.
///
/// # Errors
/// When an upstream's certificates cannot be read or routes conflict: nothing has changed then.
pub(super) fn assemble(
    shared: &Shared,
    lasting: &Lasting,
    settings: &Settings,
    guard: &Arc<Guard>,
) -> io::Result<(Rc<Core>, Asks)> {
    let proxy = &settings.proxy;
    let upstreams = (0..proxy.upstreams.len()).map(|index| Upstream::open(proxy, index));
    let upstreams = upstreams.collect::<io::Result<_>>()?;
    let finder = Arc::new(Finder::new(
        lasting.ledger.clone(),
        settings.rules.clone(),
        shared.key_sets.clone(),
        shared.clock.clone(),
    ));
    let meter = meter(shared, lasting, settings, finder.clone())?;
    let (quoter, asks) = queue();
    let portal = Portal {
        finder,
        ledger: lasting.ledger.clone(),
        rules: settings.rules.clone(),
        clock: shared.clock.clone(),
        entropy: shared.entropy.clone(),
        quoter: Arc::new(quoter),
        kept_ms: settings.store.charges_kept_ms(),
    };
    let same_room = lasting.bodies == proxy.limits.bodies;
    let core = Core {
        meter,
        upstreams,
        settings: proxy.clone(),
        guard: guard.clone(),
        tasks: lasting.tasks.clone(),
        cut: shared.stop.cut.clone(),
        requests: lasting.requests.clone(),
        room: if same_room { lasting.room.clone() } else { room(proxy.limits.bodies) },
        calls: lasting.calls.clone(),
        spool: spool(shared, lasting, proxy)?,
        caller: caller(proxy)?,
        forwarder: forwarder(proxy)?,
        key_sets: shared.key_sets.clone(),
        client_plane: client_plane(&proxy.client_prefix, portal),
        draining: shared.stop.draining.clone(),
    };
    Ok((Rc::new(core), asks))
}

/// Where bodies are spooled; its folder is made if it is not there.
fn spool(shared: &Shared, lasting: &Lasting, proxy: &ProxySettings) -> io::Result<SpoolPlace> {
    let folder = proxy.spool_folder.clone().unwrap_or_else(|| shared.folder.clone());
    std::fs::create_dir_all(&folder).map_err(|error| {
        let folder = folder.display();
        io::Error::new(error.kind(), format!("{folder}, of `limits.spool_folder`: {error}"))
    })?;
    let same_room = lasting.spool_bytes == proxy.limits.spool;
    let room = if same_room { lasting.spool.clone() } else { room(proxy.limits.spool) };
    Ok(SpoolPlace { disk: shared.disk.clone(), folder, room })
}

fn caller(proxy: &ProxySettings) -> io::Result<Option<Caller>> {
    let webhooks = proxy.webhooks.as_ref();
    webhooks.map(|own| Caller::open(own.private_addresses)).transpose()
}

/// The operator's own URLs may be private ones.
fn forwarder(proxy: &ProxySettings) -> io::Result<Option<Caller>> {
    let any = proxy.receivers.iter().any(|receiver| receiver.forward_to.is_some());
    any.then(|| Caller::open(true)).transpose()
}

fn meter(
    shared: &Shared,
    lasting: &Lasting,
    settings: &Settings,
    finder: Arc<Finder>,
) -> io::Result<Meter> {
    let (rules, ledger) = (&settings.rules, &lasting.ledger);
    let routes =
        RouteTable::new(rules).map_err(|errors| io::Error::other(format!("{errors:?}")))?;
    Ok(Meter {
        rules: rules.clone(),
        routes,
        directory: Directory::new(finder),
        settler: lasting.settler.clone(),
        tally: lasting.counts.tally.clone(),
        ledger: ledger.clone(),
        clock: shared.clock.clone(),
        entropy: shared.entropy.clone(),
        instance: shared.instance.clone(),
        ledger_time: Default::default(),
    })
}

/// The portal's service under its prefix; what else begins with the prefix it refuses in its own manner.
fn client_plane(prefix: &str, portal: Portal) -> ClientPlane {
    let portal = portal::router(portal);
    let router =
        axum::Router::new().nest(&format!("{prefix}/v1"), portal.clone()).fallback_service(portal);
    Rc::new(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let answered = router.oneshot(request.map(axum::body::Body::new)).await;
            let response: Response<axum::body::Body> = answered.unwrap_or_else(never);
            response.map(|body| body.map_err(|error| -> BoxError { error.into() }).boxed_unsync())
        }
        .boxed_local()
    })
}

fn never<T>(error: Infallible) -> T {
    match error {}
}
