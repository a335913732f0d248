//! Floor 3: the path of a request. Start reading at [`stack`].
//!
//! Invariant: nothing is forwarded that was not priced and reserved, but on routes that say `free: true`.
//! Invariant: knows neither the admin plane nor configuration files.

mod account;
mod answer;
mod bearer;
mod body;
mod caller;
mod core;
mod decision;
mod exchange;
mod fetch;
mod forward;
mod forwarded;
mod frames;
mod framing;
mod gathering;
mod guard;
mod headers;
mod hooks;
mod hops;
mod jobs;
mod patience;
mod reading;
mod receiving;
mod rewriting;
mod settings;
mod spool;
mod stage;
mod steps;
mod taking_out;
mod upload;
mod upstream;
mod watcher;
mod websocket;

use std::convert::Infallible;
use std::future::ready;
use std::rc::Rc;

use http::Response;
use tower::{Service, ServiceBuilder};

pub use answer::FromPeer;
pub use body::{Body, BoxError, whole};
pub use caller::Caller;
pub use core::{ClientPlane, Core, SpoolPlace};
pub use fetch::Fetcher;
pub use framing::{Bounds, Guarded, Turns, guarded};
pub use guard::{Culprit, Guard};
pub use hooks::CALLS_MAX;
pub use settings::{
    ClientAddress, Credentials, FloodSettings, HttpVersion, IdentityHeaders, Limits, ProxySettings,
    Timeouts, UpstreamSettings, WebhookSettings,
};
pub use taking_out::TakingOut;
pub use upstream::Upstream;
pub use watcher::{AT_ONCE as WATCHED_AT_ONCE, watch_jobs};
pub use websocket::{Switch, Wire};

use answer::Answer;
use forward::Forward;
use stage::stage;

/// The journey of a request. Outermost first; each line says why it stands where it stands.
#[must_use]
pub fn stack(
    core: Rc<Core>,
) -> impl Service<FromPeer, Response = Response<Body>, Error = Infallible, Future: 'static>
+ Clone
+ 'static {
    let of = |core: &Rc<Core>| core.clone();
    let (a, b, c, d) = (of(&core), of(&core), of(&core), of(&core));
    let (e, f, g) = (of(&core), of(&core), of(&core));
    ServiceBuilder::new()
        // Every request gets an id, a log line and an answer: below here errors are `Stop`, above none.
        .layer(Answer(core.clone()))
        // Before any work: a flood costs us a look into a table.
        .layer(stage(move |arrived| ready(steps::guard(&a, arrived))))
        // Before anything is matched: one request must have one reading, and strangers name no account.
        .layer(stage(move |arrived| ready(steps::canonicalise(&g, arrived))))
        // Before routes: balance and receipts must be readable whatever the routes are.
        .layer(stage(move |arrived| steps::client_plane(b.clone(), arrived)))
        // → Routed. The path that is matched is the path that is priced, logged and forwarded.
        .layer(stage(move |arrived| ready(steps::route(&c, arrived))))
        // → Identified. Before the body is read: strangers upload nothing.
        .layer(stage(move |routed| steps::identify(d.clone(), routed)))
        // → Priced. Reads the body only where the price needs it.
        .layer(stage(move |identified| steps::read(e.clone(), identified)))
        // → Metered. The one call to the ledger; whatever can be refused has been refused.
        .layer(stage(move |priced| steps::reserve(f.clone(), priced)))
        // The exchange, in a task that belongs to the charge.
        .service(Forward(core))
}
