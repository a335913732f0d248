//! WebSocket (RFC 6455) on routes that declare it: reserved at the handshake, counted message by message,
//! settled when it ends.
//!
//! Messages pass whole and as they came; pings are answered on each side by itself. No extension is
//! negotiated, since a compressed message could not be counted.
//!
//! Invariant: a client's message that would use up more than is held is never passed on where the route cuts
//! off.

mod handshake;
mod over;
mod switch;
mod talk;

pub(super) use handshake::{Handshake, asks, handshake, inward, outward};
pub use switch::{Switch, Wire};
