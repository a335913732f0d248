//! One core: accepts, serves, renews leases, reloads, drains.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::FutureExt;
use http::Response;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::assembly::{Lasting, assemble};
use super::connection::{self, Door};
use super::current::Current;
use super::ledgers::Own;
use super::metrics::CoreTally;
use super::quoter::Asks;
use super::reload::{Proposal, Proposals};
use super::{Shared, runtime};
use crate::meter::Settler;
use crate::proxy::{Body, Core, FromPeer, Turns, WATCHED_AT_ONCE, stack, watch_jobs};
use crate::seam::{self, Tasks};

/// How long settlements may take after everything was cut; what is left is recovered at the next start.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How long to wait when a connection cannot be accepted, for instance because there are no descriptors.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often the ledger is asked which jobs are due.
const WATCH_ROUND: Duration = Duration::from_secs(1);

/// Starts a core's thread. Errors of its setup are errors of the start.
pub(super) fn start(
    shared: Shared,
    tally: CoreTally,
    number: usize,
    listener: TcpListener,
    proposals: Proposals,
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
            let (settings, guard) = (shared.settings.clone(), shared.guard.clone());
            let built = Lasting::begin(&shared, tally.measured(&ledger), tally, number);
            let built = built.and_then(|lasting| {
                let first = assemble(&shared, &lasting, &settings, &guard)?;
                Ok((lasting, first))
            });
            match built {
                Ok((lasting, first)) => {
                    drop(ready.send(Ok(())));
                    let shared = Rc::new(shared);
                    serve(&shared, &lasting, first, returns, (listener, number), proposals).await;
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
    })?;
    started.recv().map_err(|_| io::Error::other("a core ended before it had started"))??;
    Ok(thread)
}

/// Accepts until the drain begins, then waits for what runs.
async fn serve(
    shared: &Rc<Shared>,
    lasting: &Lasting,
    (core, asks): (Rc<Core>, Asks),
    returns: Option<watch::Receiver<u64>>,
    (listener, number): (TcpListener, usize),
    proposals: Proposals,
) {
    let background = Tasks::default();
    let over = shared.stop.control.clone();
    background.spawn(over.clone().run_until_cancelled_owned(quotes(&core, asks)).map(drop));
    let current = Current::new(core.clone(), stack(core));
    let (settler, lease_ms) = (lasting.settler.clone(), shared.settings.store.lease_ms());
    let renew = renewals(settler, current.clone(), lease_ms, returns);
    background.spawn(over.clone().run_until_cancelled_owned(renew).map(drop));
    if number == 0 {
        let over = shared.stop.drain.clone();
        let watch = watches(current.clone());
        background.spawn(over.run_until_cancelled_owned(watch).map(drop));
    }
    let reload = reloads(shared.clone(), lasting.clone(), current.clone(), stack, proposals);
    background.spawn(over.run_until_cancelled_owned(reload).map(drop));
    let accepting = accept(shared, &current, &lasting.counts, listener);
    shared.stop.drain.run_until_cancelled(accepting).await;
    let core = current.core();
    let drain = Duration::from_millis(core.settings.limits.drain_ms);
    let ended = async {
        lasting.counts.connections.ended().await;
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

async fn accept<S>(shared: &Shared, current: &Current<S>, counts: &CoreTally, listener: TcpListener)
where
    S: Service<FromPeer, Response = Response<Body>, Error = Infallible> + Clone + 'static,
{
    let connections = &counts.connections;
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot listen"),
    };
    let answer = {
        let current = current.clone();
        move |request, peer, turns: Option<Turns>| {
            answer(current.clone(), (request, peer, None), turns)
        }
    };
    // Each core waits at its own: every connection looks at them whenever it is woken.
    let ends = (shared.stop.drain.child_token(), shared.stop.cut.child_token());
    loop {
        let accepted = listener.accept().await;
        let core = current.core();
        match accepted {
            Ok((stream, peer)) if connections.running() < core.settings.limits.connections => {
                let _ = stream.set_nodelay(true);
                let door = door(shared, &core, counts, &ends);
                connections.spawn(connection::serve(door, stream, peer, answer.clone()));
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

fn door(
    shared: &Shared,
    core: &Core,
    counts: &CoreTally,
    (drain, cut): &(CancellationToken, CancellationToken),
) -> Rc<Door> {
    Rc::new(Door {
        limits: core.settings.limits,
        tls: shared.certificates.clients.clone(),
        proxies: shared.settings.proxy_protocol.clone(),
        guards_heads: true,
        counts: counts.door.clone(),
        requests: core.requests.clone(),
        drain: drain.clone(),
        cut: cut.clone(),
    })
}

/// Answers a request, in its turn where heads are guarded.
async fn answer<S>(current: Current<S>, request: FromPeer, turns: Option<Turns>) -> Response<Body>
where
    S: Service<FromPeer, Response = Response<Body>, Error = Infallible> + Clone + 'static,
{
    let (core, mut service) = (current.core(), current);
    let answered = match turns {
        Some(turns) => turns.answer(&core, &mut service, request).await,
        None => service.call(request).await,
    };
    answered.unwrap_or_else(|never| match never {})
}

/// A full house says so by closing: an answer would need what there is no more of.
fn refuse(stream: TcpStream) {
    tracing::warn!("too many connections");
    drop(stream);
}

/// Renews the leases of running exchanges, at a third of their length, and at once when the store was away. It may
/// have gone back then, so what was read of accounts is forgotten.
async fn renewals<S>(
    settler: Settler,
    current: Current<S>,
    lease_ms: u64,
    mut returns: Option<watch::Receiver<u64>>,
) {
    let mut rounds = tokio::time::interval(Duration::from_millis((lease_ms / 3).max(1)));
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = returned(&mut returns) => current.core().meter.forget(),
        }
        settler.renew().await;
    }
}

/// Asks about the jobs that nobody asks about: one core does it for the instance.
async fn watches<S>(current: Current<S>) {
    let room = Arc::new(Semaphore::new(WATCHED_AT_ONCE));
    let mut rounds = tokio::time::interval(WATCH_ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        watch_jobs(&current.core(), &room).await;
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

/// Answers the client plane's quotes for as long as there is the core that they are asked of.
fn quotes(core: &Rc<Core>, mut asks: Asks) -> impl Future<Output = ()> + 'static {
    let core = Rc::downgrade(core);
    async move {
        while let Some((asked, answer)) = asks.recv().await {
            let Some(core) = core.upgrade() else { return };
            let port = core.settings.port();
            drop(answer.send(core.meter.quote_request(asked, port).await));
        }
    }
}

/// Builds what is proposed, and puts it in place once the word is given.
async fn reloads<S: 'static>(
    shared: Rc<Shared>,
    lasting: Lasting,
    current: Current<S>,
    stack: impl Fn(Rc<Core>) -> S,
    mut proposals: Proposals,
) {
    let background = Tasks::default();
    while let Some(Proposal { settings, guard, built, word }) = proposals.recv().await {
        let (core, asks) = match assemble(&shared, &lasting, &settings, &guard) {
            Ok(assembled) => assembled,
            Err(error) => {
                drop(built.send(Err(error.to_string())));
                continue;
            }
        };
        drop(built.send(Ok(())));
        if word.await.is_ok() {
            lasting.counts.tally.learn(&settings.rules);
            let over = shared.stop.control.clone();
            background.spawn(over.run_until_cancelled_owned(quotes(&core, asks)).map(drop));
            current.swap(core.clone(), stack(core));
        }
    }
}
