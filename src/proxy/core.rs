//! What one core serves with. Nothing here is shared with another core but the guard, the rules and the
//! ledger's handle.

use std::cell::Cell;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::LocalBoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::body::Body;
use super::caller::Caller;
use super::guard::Guard;
use super::settings::ProxySettings;
use super::upstream::Upstream;
use crate::meter::{KeySets, Meter};
use crate::seam::{Disk, Tasks};

/// The client plane, handed down from above: it answers what begins with the client prefix.
pub type ClientPlane = Rc<dyn Fn(Request<Incoming>) -> LocalBoxFuture<'static, Response<Body>>>;

/// One core's parts.
pub struct Core {
    /// Prices, reserves, settles.
    pub meter: Meter,
    /// Limits and prefixes.
    pub settings: Arc<ProxySettings>,
    /// The ways to the upstreams, by the index that routes carry.
    pub upstreams: Vec<Upstream>,
    /// The flood guard, shared by all cores.
    pub guard: Arc<Guard>,
    /// The exchanges and settlements that shutdown waits for.
    pub tasks: Tasks,
    /// Cuts what still runs at the end of the drain time.
    pub cut: CancellationToken,
    /// Room for bodies that are read before they are priced, in KiB.
    pub room: Arc<Semaphore>,
    /// Room for calls of upstreams, which anybody can begin, in KiB.
    pub calls: Arc<Semaphore>,
    /// Where bodies lie that are read before they are priced and that memory has no room for.
    pub spool: SpoolPlace,
    /// Requests under way on all connections of this core.
    pub requests: Rc<Cell<usize>>,
    /// Passes webhooks on; `None`: there are none.
    pub caller: Option<Caller>,
    /// Passes them on to URLs of the operator's own; `None`: there are none.
    pub forwarder: Option<Caller>,
    /// The keys that webhooks are signed with.
    pub key_sets: Arc<KeySets>,
    /// The client plane.
    pub client_plane: ClientPlane,
    /// Whether the instance is about to stop.
    pub draining: Arc<AtomicBool>,
}

/// Where bodies are spooled.
#[derive(Clone, Debug)]
pub struct SpoolPlace {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The folder.
    pub folder: PathBuf,
    /// Room for them, in KiB.
    pub room: Arc<Semaphore>,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Core({:?}, {:?})", self.meter, self.upstreams)
    }
}

impl Core {
    /// Whether new requests are refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
