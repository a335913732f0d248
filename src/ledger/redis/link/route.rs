//! Which server has a partition, and the router that keeps this right in a cluster.
//!
//! Invariant: a call is sent on only when the server that had it has said that it did not execute it.
//! Invariant: a partition that comes from a server that was away is owed `returned` by the next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::Shared;
use super::connect::{self, Place};
use super::handle::Handle;
use super::job::{Job, ROOM, Waiting};
use super::slots::{self, Range};
use super::told::Told;
use crate::credit::Partition;
use crate::ledger::redis::settings::Address;

/// How long a call waits whose keys lie on both sides of a move.
const LATER: Duration = Duration::from_millis(20);
/// The least and the longest time between two looks at the map.
const LEAST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);
/// The longest while somebody is away, whose place another may have taken.
const SOON: Duration = Duration::from_millis(500);
/// How long one node may take to tell the map.
const TELL_WITHIN: Duration = Duration::from_millis(500);
/// How often one call is sent on.
const HOPS: u8 = 100;

/// Who has what.
#[derive(Debug, Default)]
pub(super) struct Route {
    owners: BTreeMap<Partition, Arc<Handle>>,
    nodes: BTreeMap<String, Arc<Handle>>,
}

impl Route {
    /// One server that has everything.
    pub(super) fn only(handle: Arc<Handle>) -> Self {
        let owners = Partition::all().map(|partition| (partition, Arc::clone(&handle))).collect();
        Self { owners, nodes: BTreeMap::from([(handle.name.clone(), handle)]) }
    }

    pub(super) fn owner(&self, partition: Partition) -> Option<Arc<Handle>> {
        self.owners.get(&partition).cloned()
    }

    pub(super) fn owned(&self, name: &str) -> Vec<Partition> {
        let owned = self.owners.iter().filter(|(_, handle)| handle.name == name);
        owned.map(|(partition, _)| *partition).collect()
    }

    /// All servers that have a partition, each once.
    pub(super) fn primaries(&self) -> Vec<Arc<Handle>> {
        let all = self.owners.values().map(|handle| (handle.name.as_str(), handle));
        all.collect::<BTreeMap<_, _>>().into_values().cloned().collect()
    }
}

/// A call that a node did not execute, and why.
#[derive(Debug)]
pub(super) enum Stray {
    /// Nobody is known to have its partition.
    Homeless(Job),
    /// Another node has it: where, and who says so.
    Moved(Job, String, String),
    /// Another node has these keys already.
    Ask(Job, String, String),
    /// The keys lie on both sides of a move.
    Later(Job),
}

impl Stray {
    pub(super) fn into_job(self) -> Job {
        match self {
            Self::Homeless(job) | Self::Moved(job, ..) | Self::Ask(job, ..) | Self::Later(job) => {
                job
            }
        }
    }
}

struct Router {
    shared: Arc<Shared>,
    seeds: Vec<Address>,
    strays: mpsc::Receiver<Stray>,
    /// Without a home until the map is known.
    waiting: Waiting,
    later: VecDeque<(Instant, Job)>,
    /// Why the map is not known. `None`: it is, or nobody has looked yet.
    lost: Option<String>,
    known: bool,
    told: Told,
}

/// Starts the router of a cluster.
pub(super) fn start(shared: &Arc<Shared>, seeds: Vec<Address>, strays: mpsc::Receiver<Stray>) {
    let router = Router {
        shared: Arc::clone(shared),
        seeds,
        strays,
        waiting: Waiting::default(),
        later: VecDeque::new(),
        lost: None,
        known: false,
        told: Told::new("cluster".to_owned()),
    };
    let stop = shared.stop.clone();
    shared.tasks.spawn_free(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = router.live() => {}
        }
    });
}

impl Router {
    async fn live(mut self) {
        loop {
            let looked = Instant::now();
            let shared = Arc::clone(&self.shared);
            let seeds = self.seeds.clone();
            match self.attend(async move { look(&shared, &seeds).await }).await {
                Ok(map) => self.apply(&map),
                Err(why) => {
                    self.told.warn(&why);
                    if !self.known {
                        self.waiting.refuse(&why);
                        self.lost = Some(why);
                    }
                }
            }
            let shared = Arc::clone(&self.shared);
            let longest = if self.is_whole() { LONGEST } else { SOON };
            self.attend(async move {
                drop(timeout(longest, shared.refresh.notified()).await);
                sleep_until(looked + LEAST).await;
            })
            .await;
        }
    }

    /// Whether the map is known and everybody in it answers.
    fn is_whole(&self) -> bool {
        self.known && self.shared.route().primaries().iter().all(|handle| handle.is_up())
    }

    /// Waits for something and sends calls on meanwhile.
    async fn attend<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            let next = self.later.front().map(|(at, _)| *at);
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(stray) = self.strays.recv() => self.take(stray),
                () = due(next) => {
                    if let Some((_, job)) = self.later.pop_front() {
                        self.shared.submit(job);
                    }
                }
                () = self.waiting.lapse("the nodes of the cluster are not known in time") => {}
            }
        }
    }

    fn take(&mut self, stray: Stray) {
        match stray {
            Stray::Homeless(job) => self.house(job),
            Stray::Later(job) => self.put_off(job),
            Stray::Moved(job, to, said_by) => {
                self.shared.refresh.notify_one();
                match (hop(job), slots::address(&to, &said_by)) {
                    (Some(mut job), Some(address)) => {
                        job.asking = false;
                        let handle = self.move_to(job.partition, &address);
                        handle.run(job);
                    }
                    (Some(job), None) => job.refuse("the cluster names no node for these keys"),
                    (None, _) => {}
                }
            }
            Stray::Ask(job, to, said_by) => match (hop(job), slots::address(&to, &said_by)) {
                (Some(mut job), Some(address)) => {
                    job.asking = true;
                    self.node(&address).run(job);
                }
                (Some(job), None) => job.refuse("the cluster names no node for these keys"),
                (None, _) => {}
            },
        }
    }

    fn house(&mut self, job: Job) {
        // The map may have come between its departure and now.
        let owner = job.partition.and_then(|partition| self.shared.route().owner(partition));
        match (owner, &self.lost) {
            (Some(owner), _) => owner.run(job),
            (None, Some(why)) => job.refuse(why),
            (None, None) if self.known => job.refuse("no node of the cluster has this slot"),
            (None, None) => self.waiting.push(job),
        }
    }

    fn put_off(&mut self, job: Job) {
        let at = Instant::now() + LATER;
        if at >= job.deadline || self.later.len() >= ROOM {
            return job.refuse("these keys are being moved to another node (TRYAGAIN)");
        }
        if let Some(mut job) = hop(job) {
            job.asking = false;
            self.later.push_back((at, job));
        }
    }

    /// The handle of a node, started if it is new.
    fn node(&self, address: &Address) -> Arc<Handle> {
        let name = address.to_string();
        if let Some(handle) = self.shared.route().nodes.get(&name) {
            return Arc::clone(handle);
        }
        let place = Place::At(address.clone());
        let handle = Arc::new(Handle::start(&self.shared, name.clone(), place, 0));
        self.shared.route().nodes.insert(name, Arc::clone(&handle));
        handle
    }

    fn move_to(&self, partition: Option<Partition>, address: &Address) -> Arc<Handle> {
        let handle = self.node(address);
        if let Some(partition) = partition {
            self.assign(&handle, vec![partition]);
        }
        handle
    }

    /// Notes that a node has partitions now.
    fn assign(&self, handle: &Arc<Handle>, partitions: Vec<Partition>) {
        let mut route = self.shared.route();
        let bereft = |owner: &Arc<Handle>| owner.name != handle.name && !owner.is_up();
        let owed: Vec<_> = partitions
            .iter()
            .copied()
            .filter(|partition| route.owners.get(partition).is_some_and(bereft))
            .collect();
        // A node that cannot hear of it keeps its old share, and the next look tries again.
        if owed.is_empty() || handle.owe(owed) {
            let all = partitions.into_iter().map(|partition| (partition, Arc::clone(handle)));
            route.owners.extend(all);
        }
    }

    fn apply(&mut self, map: &[Range]) {
        let mut shares: BTreeMap<String, (Address, Vec<Partition>)> = BTreeMap::new();
        for partition in Partition::all() {
            let slot = slots::slot(partition);
            if let Some(range) = map.iter().find(|range| range.contains(slot)) {
                let address = &range.primary;
                let share = shares.entry(address.to_string());
                share.or_insert_with(|| (address.clone(), Vec::new())).1.push(partition);
            }
            // One that nobody has stays where it was: that node says what is wrong, and whoever gets it
            // later owes `returned`.
        }
        for (address, partitions) in shares.values() {
            let handle = self.node(address);
            self.assign(&handle, partitions.clone());
        }
        // Whoever has nothing any more ends with the last call that holds its handle.
        let mut route = self.shared.route();
        let Route { owners, nodes } = &mut *route;
        nodes.retain(|name, _| {
            shares.contains_key(name) || owners.values().any(|owner| owner.name == *name)
        });
        drop(route);
        (self.known, self.lost) = (true, None);
        while let Some(job) = self.waiting.pop() {
            self.house(job);
        }
    }
}

/// Counts a step of a call's way. `None`: it has taken too many, and is refused.
fn hop(mut job: Job) -> Option<Job> {
    job.hops = job.hops.saturating_add(1);
    if job.hops > HOPS || job.deadline <= Instant::now() {
        job.refuse("the cluster sends this call from node to node");
        return None;
    }
    Some(job)
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Asks for the map: first those that answer, then everybody else.
async fn look(shared: &Shared, seeds: &[Address]) -> Result<Vec<Range>, String> {
    let (up, away): (Vec<_>, Vec<_>) =
        shared.route().nodes.values().cloned().partition(|handle| handle.is_up());
    let known = up.iter().chain(&away);
    let known = known.filter_map(|handle| slots::address(&handle.name, ""));
    let mut why = "no node of the cluster is configured".to_owned();
    let mut question = redis::cmd("CLUSTER");
    question.arg("SLOTS");
    for address in known.chain(seeds.iter().cloned()) {
        let asked = connect::once(&shared.settings, &address, &question);
        match timeout(TELL_WITHIN, asked).await {
            Ok(Ok(answer)) => match slots::read(&answer, &address) {
                Some(map) if !map.is_empty() => return Ok(map),
                _ => why = format!("{address} knows no nodes of the cluster"),
            },
            Ok(Err(said)) => why = said,
            Err(_) => why = format!("{address} does not answer"),
        }
    }
    Err(why)
}
