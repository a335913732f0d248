//! One server: a task that keeps a connection to it and sends what it is handed.
//!
//! Invariant: a call is written at once or refused; while the server is known to be away nothing waits.
//! Invariant: nothing is written on a new connection before `returned` has run for every partition owed.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::Shared;
use super::connect::{self, Identity, Place, Wire};
use super::handle::Order;
use super::job::{ROOM, Waiting};
use super::pause::Pause;
use super::sentinel;
use super::session::Session;
use super::told::Told;
use crate::credit::Partition;
use crate::ledger::redis::settings::Address;

/// How often an idle server is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(1);
/// Calls that are taken up in one turn of the loop.
const TURN: usize = 256;

const TOO_LATE: &str = "no connection to Redis in time";

/// Why a connection is left.
pub(super) enum End {
    /// The handle is gone.
    Closed,
    /// It broke; another may be had at once.
    Broke(String),
    /// The server is away.
    Away(String),
}

/// A node's state; its task has it.
pub(super) struct Node {
    pub(super) shared: Arc<Shared>,
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) database: u32,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) closed: bool,
    pub(super) up: Arc<AtomicBool>,
    pub(super) waiting: Waiting,
    /// Partitions for which `returned` has to run before anything else.
    pub(super) owed: BTreeSet<Partition>,
    /// Why the server is known to be away.
    pub(super) down: Option<String>,
    /// Why the connection is to be left once nothing is on the way.
    pub(super) leaving: Option<End>,
    pub(super) run_id: Option<String>,
    /// When the server last did what it was asked.
    pub(super) answered: Option<Instant>,
    /// Since when it has refused whatever it was asked.
    pub(super) refusing: Option<Instant>,
    pub(super) pause: Pause,
    pub(super) told: Told,
}

impl Node {
    pub(super) fn new(
        shared: &Arc<Shared>,
        name: String,
        place: Place,
        database: u32,
        orders: mpsc::Receiver<Order>,
        up: Arc<AtomicBool>,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            told: Told::new(name.clone()),
            name,
            place,
            database,
            orders,
            closed: false,
            up,
            waiting: Waiting::default(),
            owed: BTreeSet::new(),
            down: None,
            leaving: None,
            run_id: None,
            answered: None,
            refusing: None,
            pause: Pause::default(),
        }
    }

    /// Runs until nobody holds the handle.
    pub(super) async fn live(mut self) {
        while !self.closed {
            let (shared, place) = (Arc::clone(&self.shared), self.place.clone());
            let database = self.database;
            let reach = async move {
                connect::reach(&shared.settings, &shared.scripts, &place, database).await
            };
            let end = match self.attend(reach).await {
                Some(Ok((wire, identity))) => self.up(wire, &identity).await,
                Some(Err(why)) => End::Away(why),
                None => End::Closed,
            };
            self.up.store(false, Ordering::Release);
            self.shared.refresh.notify_one();
            match end {
                End::Closed => break,
                End::Broke(why) => self.told.warn(&why),
                End::Away(why) => self.away(why).await,
            }
        }
        // Never written: another node may have them.
        while let Some(job) = self.waiting.pop() {
            self.shared.submit(job);
        }
    }

    async fn away(&mut self, why: String) {
        self.told.warn(&why);
        self.waiting.refuse(&why);
        self.down = Some(why);
        let pause = self.pause.next();
        self.attend(sleep(pause)).await;
    }

    /// Waits for something and takes orders meanwhile. `None`: nobody holds the handle any more.
    pub(super) async fn attend<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                order = self.orders.recv() => match order {
                    Some(order) => self.take(order),
                    None => {
                        self.closed = true;
                        return None;
                    }
                },
                () = self.waiting.lapse(TOO_LATE) => {}
            }
        }
    }

    fn take(&mut self, order: Order) {
        match (order, &self.down) {
            (Order::Run(job), Some(why)) => job.refuse(why),
            (Order::Run(job), None) => self.waiting.push(job),
            (Order::Owe(partitions), _) => self.owed.extend(partitions),
        }
    }

    /// Uses a connection until it ends.
    async fn up(&mut self, wire: Wire, identity: &Identity) -> End {
        if self.was_away(identity) {
            self.owed.extend(self.shared.owned(&self.name));
        }
        let mut session = Session::new(wire, self.shared.scripts.len());
        if let Err(end) = self.pay(&mut session).await {
            return end;
        }
        self.run_id = Some(identity.run_id.clone());
        self.answered = Some(Instant::now());
        self.refusing = None;
        self.up.store(true, Ordering::Release);
        if self.down.take().is_some() {
            tracing::info!(redis = %self.name, "Redis answers again");
        }
        let end = self.serve(&mut session, identity.address.clone()).await;
        // Whoever is still on the way has lost the connection.
        session.wire.driver = None;
        while let Some(landed) = session.flights.next().await {
            self.land(&mut session, landed);
        }
        self.leaving = None;
        if session.proven {
            self.pause = Pause::default();
            return end;
        }
        match end {
            End::Broke(why) => End::Away(why),
            other => other,
        }
    }

    async fn serve(&mut self, session: &mut Session, at: Address) -> End {
        let another = another(Arc::clone(&self.shared), self.place.clone(), at);
        tokio::pin!(another);
        let mut tick = interval(PING_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.send(session);
            if session.flights.is_empty()
                && let Some(end) = self.leaving.take()
            {
                return end;
            }
            if !self.owed.is_empty()
                && let Err(end) = self.pay(session).await
            {
                return end;
            }
            let driver = session.wire.driver.as_mut();
            tokio::select! {
                biased;
                Some(landed) = session.flights.next(), if !session.flights.is_empty() => {
                    if let Some(end) = self.land(session, landed) {
                        self.leaving = None;
                        return end;
                    }
                }
                () = driven(driver) => {
                    session.wire.driver = None;
                    let broke = || End::Broke(format!("{} closed the connection", self.name));
                    return self.leaving.take().unwrap_or_else(broke);
                }
                order = self.orders.recv(), if !self.closed => match order {
                    Some(order) => self.take_turn(order),
                    None => {
                        self.closed = true;
                        self.leaving = Some(End::Closed);
                    }
                },
                () = self.waiting.lapse(TOO_LATE) => {}
                () = &mut another, if self.leaving.is_none() => {
                    let why = "the Sentinels name another primary".to_owned();
                    self.leaving = Some(End::Broke(why));
                }
                _ = tick.tick() => {
                    if session.flights.is_empty() && session.heard.elapsed() >= PING_EVERY / 2 {
                        session.ping();
                    }
                }
            }
        }
    }

    /// Takes up what is there, so that it shares a write.
    fn take_turn(&mut self, first: Order) {
        self.take(first);
        for _ in 1..TURN {
            let Ok(order) = self.orders.try_recv() else { return };
            self.take(order);
        }
    }

    /// Sends what waits, unless it has to wait longer.
    fn send(&mut self, session: &mut Session) {
        if self.leaving.is_some() || !self.owed.is_empty() {
            return;
        }
        while session.flights.len() < ROOM
            && let Some(job) = self.waiting.pop()
        {
            if job.deadline <= Instant::now() {
                job.refuse(TOO_LATE);
            } else {
                session.send(job);
            }
        }
    }
}

/// Waits until another server than the one at an address is to be used.
async fn another(shared: Arc<Shared>, place: Place, at: Address) {
    match place {
        Place::At(_) => std::future::pending().await,
        Place::Named(watched) => sentinel::another(&shared.settings, &watched, &at).await,
    }
}

/// Waits until a connection has ended.
async fn driven(driver: Option<&mut connect::Driver>) {
    if let Some(driver) = driver {
        driver.await;
    }
}
