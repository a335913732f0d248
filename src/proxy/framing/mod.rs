//! What stands between a client's socket and hyper's HTTP/1 server: no head that can be read in two ways
//! gets through, and no connection is used again after doubt.
//!
//! hyper mends what it can: of two lengths that agree it keeps one, beside chunked it drops a length, it
//! reads lines that end with a bare line feed. Whoever stands before us may have read the same bytes
//! otherwise. So the bytes are read here first: heads are held until they are whole and judged, bodies are
//! only counted. In place of a head that is refused hyper gets one of ours, [`STAND_IN`]; it comes to the
//! service in its turn, behind the requests that are running, and is answered there like any refusal.
//!
//! Invariant: no byte of a refused head, and none behind it, is ever read by anybody.
//! Invariant: a body is neither copied nor changed; where its framing fails, its reader gets an error.

mod chunks;
mod doubt;
mod head;
mod lines;
mod reader;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod turns;

pub use stream::Guarded;
pub use turns::Turns;

use doubt::Doubt;
use reader::Reader;

/// What hyper reads in place of a head that is refused: nothing of the client's is in it.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// Bounds on a head.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Its length in bytes, with the empty line at its end.
    pub head_bytes: usize,
    /// How many headers it has.
    pub headers: usize,
    /// From its first byte to its last, in milliseconds.
    pub head_ms: u64,
}

/// Guards a connection; the [`Turns`] tell its service which of hyper's requests are refused.
pub fn guarded<S>(stream: S, bounds: Bounds) -> (Guarded<S>, Turns) {
    let turns = Turns::default();
    (Guarded::new(stream, bounds, turns.clone()), turns)
}
