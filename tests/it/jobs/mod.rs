//! Jobs: work that outlives the request that began it, through the gateway, before upstreams that behave like
//! Replicate, fal and Runway.

mod crowd;
mod early;
mod fal;
mod files;
mod life;
mod named;
mod receivers;
mod regions;
pub(crate) mod rig;
mod urls;
mod usage;
mod watcher;
mod webhooks;
