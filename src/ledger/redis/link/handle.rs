//! How a server's task is reached by those who hand calls over.
//!
//! Invariant: handing over never waits; where there is no room the call is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::Shared;
use super::connect::Place;
use super::job::{Job, ROOM};
use super::node::Node;
use crate::credit::Partition;

/// What a node is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Send this.
    Run(Job),
    /// These came from a server that was away: `returned` has to run for them first.
    Owe(Vec<Partition>),
}

/// How a node is reached by those who hand calls over.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) name: String,
    orders: mpsc::Sender<Order>,
    up: Arc<AtomicBool>,
}

impl Handle {
    /// Starts a node's task.
    pub(super) fn start(shared: &Arc<Shared>, name: String, place: Place, database: u32) -> Self {
        let (orders, taken) = mpsc::channel(ROOM);
        let up = Arc::<AtomicBool>::default();
        let node = Node::new(shared, name.clone(), place, database, taken, Arc::clone(&up));
        let stop = shared.stop.clone();
        shared.tasks.spawn_free(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = node.live() => {}
            }
        });
        Self { name, orders, up }
    }

    /// Hands a call over.
    pub(super) fn run(&self, job: Job) {
        use mpsc::error::TrySendError::{Closed, Full};
        match self.orders.try_send(Order::Run(job)) {
            Ok(()) => {}
            Err(Full(Order::Run(job))) => job.refuse("too many calls wait for Redis"),
            Err(Closed(Order::Run(job))) => job.refuse("the connection to Redis has ended"),
            Err(Full(Order::Owe(_)) | Closed(Order::Owe(_))) => {}
        }
    }

    /// Tells it that partitions came from a server that was away. `false`: it cannot hear that now.
    pub(super) fn owe(&self, partitions: Vec<Partition>) -> bool {
        self.orders.try_send(Order::Owe(partitions)).is_ok()
    }

    /// Whether its server answers.
    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }
}
