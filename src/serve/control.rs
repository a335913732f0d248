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
use super::metrics::{Metrics, measured};
use super::{Shared, runtime, tls};
use crate::admin::{self, Parts, Ready, Token};
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
    admin: Option<TcpListener>,
) -> io::Result<JoinHandle<()>> {
    let runtime = runtime()?;
    seam::thread("control", move || {
        LocalSet::new().block_on(&runtime, async {
            let over = shared.stop.control.clone();
            let ledger = measured(&shared.ledgers.own().ledger, &metrics.beside);
            let operators = async {
                if let Err(error) = operators(&shared, &ledger, metrics, admin).await {
                    tracing::error!(%error, "the operators' listener has ended");
                }
            };
            let sweeping = over.run_until_cancelled(sweeper(&shared, &*ledger));
            let looking = join_all(shared.certificates.all().cloned().map(tls::watch));
            tokio::join!(operators, sweeping, over.run_until_cancelled(looking));
        });
    })
}

async fn operators(
    shared: &Shared,
    ledger: &Arc<dyn Ledger>,
    metrics: Metrics,
    listener: Option<TcpListener>,
) -> io::Result<()> {
    let (Some(listener), Some(settings)) = (listener, &shared.settings.admin) else {
        return Ok(());
    };
    let (draining, healthy) = (shared.stop.draining.clone(), shared.healthy.clone());
    let ready: Ready = Arc::new(move || match () {
        () if draining.load(Ordering::Relaxed) => Err("draining".to_owned()),
        () if !healthy.load(Ordering::Relaxed) => Err("the ledger does not answer".to_owned()),
        () => Ok(()),
    });
    let is_ready = ready.clone();
    let metrics = Arc::new(move || (CONTENT_TYPE, metrics.text(is_ready().is_ok())));
    let router = admin::router(Parts {
        ledger: ledger.clone(),
        rules: shared.settings.rules.clone(),
        clock: shared.clock.clone(),
        entropy: shared.entropy.clone(),
        token: Token::new(settings.token.reveal()),
        ready,
        metrics,
    });
    let connections = Tasks::default();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let over = shared.stop.control.clone();
    over.run_until_cancelled(accept(&listener, &door(shared), &router, &connections)).await;
    // A call that is never finished must not keep the process from ending.
    drop(tokio::time::timeout(LAST_CALLS, connections.ended()).await);
    Ok(())
}

fn door(shared: &Shared) -> Rc<Door> {
    Rc::new(Door {
        limits: shared.settings.proxy.limits,
        tls: shared.certificates.operators.clone(),
        proxies: Vec::new(),
        counts: Arc::default(),
        requests: Rc::default(),
        drain: shared.stop.control.clone(),
        cut: CancellationToken::new(),
    })
}

async fn accept(
    listener: &tokio::net::TcpListener,
    door: &Rc<Door>,
    router: &Router,
    connections: &Tasks,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if connections.running() < CONNECTIONS => {
                let router = router.clone();
                let answer = move |request: Request<Incoming>, _| {
                    let answered = router.clone().oneshot(request.map(Body::new));
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
