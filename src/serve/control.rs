//! The thread beside the cores: the operators' listener, the sweeper, and a look at the ledger's health.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use super::key_sets;
use super::metrics::{Metrics, measured};
use super::{Shared, runtime};
use crate::admin::{self, Parts, Ready, Token};
use crate::ledger::{Answer, Ledger};
use crate::meter::sweep;
use crate::seam;
use crate::telemetry::CONTENT_TYPE;

/// How often the ledger is asked whether it is there.
const ASK_EVERY: Duration = Duration::from_millis(500);

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
        runtime.block_on(async {
            let over = shared.stop.control.clone();
            let ledger = measured(&shared.ledgers.own().ledger, &metrics.beside);
            let operators = async {
                if let Err(error) = operators(&shared, &ledger, metrics, admin).await {
                    tracing::error!(%error, "the operators' listener has ended");
                }
            };
            let sweeping = over.run_until_cancelled(sweeper(&shared, &*ledger));
            let sets = over.run_until_cancelled(key_sets::keep(&shared));
            tokio::join!(operators, sweeping, sets);
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
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let over = shared.stop.control.clone();
    let late = async {
        over.cancelled().await;
        tokio::time::sleep(LAST_CALLS).await;
    };
    tokio::select! {
        ended = axum::serve(listener, router).with_graceful_shutdown(over.clone().cancelled_owned()) => ended,
        // A call that is never finished must not keep the process from ending.
        () = late => Ok(()),
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
