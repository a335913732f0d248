//! One core: accepts, serves, renews leases, drains.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;
use tower::{Service, ServiceExt};

use super::connection::{self, Door};
use super::ledgers::Own;
use super::metrics::CoreTally;
use super::quoter::{Asks, queue};
use super::{Shared, runtime};
use crate::ledger::Ledger;
use crate::meter::{Directory, Meter, RouteTable, Settler};
use crate::portal::{self, Portal};
use crate::proxy::{BoxError, ClientPlane, Core, Upstream, stack};
use crate::seam::{self, Tasks};

/// How long settlements may take after everything was cut; what is left is recovered at the next start.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How long to wait when a connection cannot be accepted, for instance because there are no descriptors.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Starts a core's thread. Errors of its setup are errors of the start.
pub(super) fn start(
    shared: Shared,
    tally: CoreTally,
    number: usize,
    listener: TcpListener,
) -> io::Result<JoinHandle<()>> {
    let (ready, started) = std::sync::mpsc::channel();
    let thread = seam::thread(&format!("core-{number}"), move || {
        let built = runtime();
        let runtime = match built {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        LocalSet::new().block_on(&runtime, async move {
            let Own { ledger, returns } = shared.ledgers.own();
            match build(&shared, &tally.measured(&ledger), &tally, number) {
                Ok((core, asks)) => {
                    drop(ready.send(Ok(())));
                    let renew = renewals(core.clone(), shared.settings.store.lease_ms(), returns);
                    let asked = quotes(core.clone(), asks);
                    serve(&shared, &tally, core, join(asked, renew).map(drop), listener).await;
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
    })?;
    started.recv().map_err(|_| io::Error::other("a core ended before it had started"))??;
    Ok(thread)
}

/// Room for this many bytes, in KiB.
fn room(bytes: u64) -> Arc<Semaphore> {
    let kib = usize::try_from(bytes.div_ceil(1_024)).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(kib.min(Semaphore::MAX_PERMITS)))
}

fn build(
    shared: &Shared,
    ledger: &Arc<dyn Ledger>,
    counts: &CoreTally,
    number: usize,
) -> io::Result<(Rc<Core>, Asks)> {
    let settings = &shared.settings;
    let (rules, proxy, tasks) = (&settings.rules, &settings.proxy, Tasks::default());
    let upstreams = (0..proxy.upstreams.len()).map(|index| Upstream::open(proxy, index));
    let settler = Settler::start(
        ledger.clone(),
        tasks.clone(),
        proxy.limits.exchanges,
        shared.disk.clone(),
        &shared.folder,
        number,
        counts.tally.clone(),
    )?;
    let routes =
        RouteTable::new(rules).map_err(|errors| io::Error::other(format!("{errors:?}")))?;
    let meter = Meter {
        rules: rules.clone(),
        routes,
        directory: Directory::new(ledger.clone(), rules.clone(), shared.clock.clone()),
        settler,
        tally: counts.tally.clone(),
        ledger: ledger.clone(),
        clock: shared.clock.clone(),
        entropy: shared.entropy.clone(),
        instance: shared.instance.clone(),
        ledger_time: Default::default(),
    };
    let (quoter, asks) = queue();
    let portal = Portal {
        ledger: ledger.clone(),
        rules: rules.clone(),
        clock: shared.clock.clone(),
        entropy: shared.entropy.clone(),
        quoter: Arc::new(quoter),
    };
    let core = Core {
        meter,
        upstreams: upstreams.collect::<io::Result<_>>()?,
        settings: proxy.clone(),
        guard: shared.guard.clone(),
        tasks,
        cut: shared.stop.cut.clone(),
        room: room(proxy.limits.bodies),
        requests: Default::default(),
        client_plane: client_plane(&proxy.client_prefix, portal),
        draining: shared.stop.draining.clone(),
    };
    Ok((Rc::new(core), asks))
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

/// Accepts until the drain begins, then waits for what runs.
async fn serve(
    shared: &Shared,
    counts: &CoreTally,
    core: Rc<Core>,
    beside: impl Future<Output = ()> + 'static,
    listener: TcpListener,
) {
    let background = Tasks::default();
    let over = shared.stop.control.clone();
    background.spawn(over.run_until_cancelled_owned(beside).map(drop));
    let accepting = accept(shared, &core, counts, listener);
    shared.stop.drain.run_until_cancelled(accepting).await;
    let drain = Duration::from_millis(core.settings.limits.drain_ms);
    let ended = async {
        counts.connections.ended().await;
        core.tasks.ended().await;
    };
    tokio::select! {
        () = ended => return,
        () = tokio::time::sleep(drain) => shared.stop.cut.cancel(),
        () = shared.stop.cut.cancelled() => {}
    }
    if tokio::time::timeout(LAST_WORDS, core.tasks.ended()).await.is_err() {
        tracing::error!(left = core.tasks.running(), "not settled; the next start recovers them");
    }
}

async fn accept(shared: &Shared, core: &Rc<Core>, counts: &CoreTally, listener: TcpListener) {
    let connections = &counts.connections;
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot listen"),
    };
    let door = door(shared, core, counts);
    let service = stack(core.clone());
    let answer = move |request, peer| {
        let mut service = service.clone();
        async move { service.call((request, peer)).await.unwrap_or_else(never) }
    };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if connections.running() < core.settings.limits.connections => {
                let _ = stream.set_nodelay(true);
                connections.spawn(connection::serve(door.clone(), stream, peer, answer.clone()));
            }
            Ok((stream, _)) => {
                counts.door.turned_away.one();
                refuse(stream);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn door(shared: &Shared, core: &Core, counts: &CoreTally) -> Rc<Door> {
    Rc::new(Door {
        limits: core.settings.limits,
        tls: shared.certificates.clients.clone(),
        proxies: shared.settings.proxy_protocol.clone(),
        counts: counts.door.clone(),
        requests: core.requests.clone(),
        // Each core waits at its own: every connection looks at them whenever it is woken.
        drain: shared.stop.drain.child_token(),
        cut: core.cut.child_token(),
    })
}

/// A full house says so by closing: an answer would need what there is no more of.
fn refuse(stream: TcpStream) {
    tracing::warn!("too many connections");
    drop(stream);
}

/// Renews the leases of running exchanges, at a third of their length, and at once when the store was away.
async fn renewals(core: Rc<Core>, lease_ms: u64, mut returns: Option<watch::Receiver<u64>>) {
    let mut rounds = tokio::time::interval(Duration::from_millis((lease_ms / 3).max(1)));
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = returned(&mut returns) => {}
        }
        core.meter.settler.renew().await;
    }
}

/// Waits for the store to come back after an outage; for ever if it is never away.
async fn returned(returns: &mut Option<watch::Receiver<u64>>) {
    let changed = match returns {
        Some(returns) => returns.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending().await
    }
}

/// Answers the client plane's quotes.
async fn quotes(core: Rc<Core>, mut asks: Asks) {
    while let Some((asked, answer)) = asks.recv().await {
        drop(answer.send(core.meter.quote_request(asked).await));
    }
}
