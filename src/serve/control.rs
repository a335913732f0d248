//! The thread beside the cores: the operators' listener, the sweeper, and a look at the ledger's health.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::future::join_all;
use http::Request;
use hyper::body::Incoming;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::connection::{self, Door};
use super::core::ACCEPT_PAUSE;
use super::key_sets;
use super::metrics::{Metrics, measured};
use super::reload::{InForce, Reloader};
use super::renewed::{self, Renewed};
use super::{Shared, runtime, tls};
use crate::admin::{self, Parts, Ready};
use crate::config::Settings;
use crate::ledger::{Answer, Ledger};
use crate::meter::sweep;
use crate::seam::{self, Tasks};
use crate::telemetry::CONTENT_TYPE;

/// How often the ledger is asked whether it is there.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// The most connections of operators at once.
const CONNECTIONS: usize = 64;

/// How long operators' calls may take to end at a stop.
const LAST_CALLS: Duration = Duration::from_secs(5);

/// Starts the thread.
pub(super) fn start(
    shared: Shared,
    metrics: Metrics,
    in_force: InForce,
    reloader: Reloader,
    admin: Option<TcpListener>,
) -> io::Result<JoinHandle<()>> {
    let runtime = runtime()?;
    seam::thread("control", move || {
        LocalSet::new().block_on(&runtime, async {
            let over = shared.stop.control.clone();
            let ledger = measured(&shared.ledgers.own().ledger, &metrics.beside);
            let service = service(&shared, &ledger, metrics, in_force, reloader);
            let operators = async {
                if let Err(error) = operators(&shared, service, admin).await {
                    tracing::error!(%error, "the operators' listener has ended");
                }
            };
            let sweeping = over.run_until_cancelled(sweeper(&shared, &*ledger));
            let looking = join_all(shared.certificates.all().cloned().map(tls::watch));
            let looking = over.run_until_cancelled(looking);
            let sets = over.run_until_cancelled(key_sets::keep(&shared));
            tokio::join!(operators, sweeping, looking, sets);
        });
    })
}

/// The operators' service, made of the settings in force.
fn service(
    shared: &Shared,
    ledger: &Arc<dyn Ledger>,
    metrics: Metrics,
    in_force: InForce,
    reloader: Reloader,
) -> Renewed {
    let (draining, healthy) = (shared.stop.draining.clone(), shared.healthy.clone());
    let ready: Ready = Arc::new(move || match () {
        () if draining.load(Ordering::Relaxed) => Err("draining".to_owned()),
        () if !healthy.load(Ordering::Relaxed) => Err("the ledger does not answer".to_owned()),
        () => Ok(()),
    });
    let is_ready = ready.clone();
    let metrics: admin::Metrics =
        Arc::new(move || (CONTENT_TYPE, metrics.text(is_ready().is_ok())));
    let (ledger, reload) = (ledger.clone(), renewed::reload(reloader));
    let (clock, entropy) = (shared.clock.clone(), shared.entropy.clone());
    let (instance, advance) = (shared.instance.clone(), shared.advance.clone());
    let make = move |settings: &Settings| {
        let own = settings.admin.as_ref()?;
        Some(admin::router(Parts {
            ledger: ledger.clone(),
            rules: settings.rules.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            tokens: own.tokens.clone(),
            hosts: own.hosts.clone(),
            instance: instance.clone(),
            kept_ms: settings.store.charges_kept_ms(),
            ready: ready.clone(),
            metrics: metrics.clone(),
            reload: reload.clone(),
            advance: advance.clone(),
        }))
    };
    Renewed::new(in_force, Box::new(make))
}

async fn operators(
    shared: &Shared,
    service: Renewed,
    listener: Option<TcpListener>,
) -> io::Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    let connections = Tasks::default();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let over = shared.stop.control.clone();
    over.run_until_cancelled(accept(&listener, &door(shared), &service, &connections)).await;
    // A call that is never finished must not keep the process from ending.
    drop(tokio::time::timeout(LAST_CALLS, connections.ended()).await);
    Ok(())
}

fn door(shared: &Shared) -> Rc<Door> {
    Rc::new(Door {
        limits: shared.settings.proxy.limits,
        tls: shared.certificates.operators.clone(),
        proxies: Vec::new(),
        // Its callers are few and known, and hyper alone reads them.
        guards_heads: false,
        counts: Arc::default(),
        requests: Rc::default(),
        drain: shared.stop.control.clone(),
        cut: CancellationToken::new(),
    })
}

async fn accept(
    listener: &tokio::net::TcpListener,
    door: &Rc<Door>,
    service: &Renewed,
    connections: &Tasks,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if connections.running() < CONNECTIONS => {
                let service = service.clone();
                let answer = move |request: Request<Incoming>, _, _| {
                    let router: Router = service.router().unwrap_or_default();
                    let answered = router.oneshot(request.map(Body::new));
                    async move { answered.await.unwrap_or_else(|never| match never {}) }
                };
                drop(stream.set_nodelay(true));
                connections.spawn(connection::serve(door.clone(), stream, peer, answer));
            }
            Ok(_) => tracing::warn!("too many connections of operators"),
            Err(error) => {
                tracing::warn!(%error, "cannot accept operators");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn sweeper(shared: &Shared, ledger: &dyn Ledger) {
    let mut rounds = tokio::time::interval(ASK_EVERY);
    let mut swept = tokio::time::Instant::now();
    loop {
        rounds.tick().await;
        let answered = matches!(ledger.due(0).await, Answer::Applied(_));
        shared.healthy.store(answered, Ordering::Relaxed);
        if answered && swept.elapsed() >= shared.ledgers.sweep_every().saturating_sub(ASK_EVERY / 2)
        {
            swept = tokio::time::Instant::now();
            sweep(ledger).await;
        }
    }
}
