//! What holds where a file says nothing. `config/reference.yaml` spells all of it out; a test compares.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::meter::Dialect;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Where clients connect.
pub(super) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Where operators connect.
pub(super) const ADMIN_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);
/// By how much an issuer's clock may differ, in milliseconds.
pub(super) const LEEWAY_MS: u64 = 30 * SECOND;
/// How often a key set is read, in milliseconds.
pub(super) const KEY_SET_MS: u64 = 10 * MINUTE;
/// How long an unknown key may not cause another reading, in milliseconds.
pub(super) const UNKNOWN_KEY_MS: u64 = 30 * SECOND;
/// Where the clients' own API lies.
pub(super) const CLIENT_PREFIX: &str = "/_credits";
/// In whose error shape refusals are told.
pub(super) const DIALECT: Dialect = Dialect::Openai;
/// The kind of credit.
pub(super) const KIND: &str = "credits";

/// How many accounts of a person may have free credits.
pub(super) const FREE_ACCOUNTS: u32 = 2;

/// How long a lease runs unless renewed, in milliseconds.
pub(super) const LEASE_MS: u64 = MINUTE;
/// What the name of every key in Redis begins with.
pub(super) const PREFIX: &str = "tollgate:";
/// How long the record of an ended charge is kept in Redis, in milliseconds.
pub(super) const REFUNDABLE_MS: u64 = 30 * 24 * HOUR;
/// How long its explanation is kept in Redis, in milliseconds.
pub(super) const EXPLAINED_MS: u64 = 24 * HOUR;
/// The folder of the ledger stream's files within an instance's own.
pub(super) const EXPORT_FOLDER: &str = "ledger-stream";
/// The size of one of them, in bytes.
pub(super) const ROTATE_BYTES: u64 = 64 << 20;
/// How many entries of the ledger stream may wait without an alarm.
pub(super) const ALARM: u32 = 100_000;

/// Our name in `Via`.
pub(super) const VIA: &str = "tollgate";

/// For PROXY header and TLS handshake, in milliseconds.
pub(super) const HANDSHAKE_MS: u64 = 10 * SECOND;
/// Between two requests of a connection, in milliseconds.
pub(super) const KEEP_MS: u64 = 75 * SECOND;
/// For a client to take the next part of an answer, in milliseconds.
pub(super) const STALL_MS: u64 = MINUTE;
/// Bytes per second of a body.
pub(super) const BODY_RATE: u64 = 240;
/// Requests of one core at once.
pub(super) const REQUESTS: u32 = 10_000;
/// Streams of an HTTP/2 connection at once.
pub(super) const STREAMS: u32 = 100;
/// Streams that were reset before they were looked at.
pub(super) const RESETS: u32 = 20;
/// Malformed streams.
pub(super) const STREAM_ERRORS: u32 = 1_024;
/// Before an HTTP/2 client is asked for a sign of life, in milliseconds.
pub(super) const PING_MS: u64 = 30 * SECOND;
/// For the head of a request, in milliseconds.
pub(super) const HEAD_MS: u64 = 10 * SECOND;
/// For a body that is read before it is priced, in milliseconds.
pub(super) const BODY_MS: u64 = 30 * SECOND;
/// For such a body that may lie on the disk, in milliseconds.
pub(super) const UPLOAD_MS: u64 = 10 * MINUTE;
/// The largest head, in bytes.
pub(super) const HEAD_BYTES: u64 = 64 << 10;
/// The most headers.
pub(super) const HEADERS: u32 = 100;
/// The most exchanges of one core at once.
pub(super) const EXCHANGES: u32 = 4_096;
/// The most connections of one core at once.
pub(super) const CONNECTIONS: u32 = 10_000;
/// The most bytes of bodies that are read before they are priced, of one core at once.
pub(super) const BODIES: u64 = 256 << 20;
/// The most bytes of bodies on the disk, of one core at once.
pub(super) const SPOOL: u64 = 1 << 30;
/// For running exchanges at shutdown, in milliseconds.
pub(super) const DRAIN_MS: u64 = 30 * SECOND;

/// Requests per second from one address.
pub(super) const PER_ADDRESS: u32 = 1_000;
/// Wrong keys per minute from one address.
pub(super) const FAILURES: u32 = 30;
/// Remembered addresses.
pub(super) const ENTRIES: u32 = 65_536;

/// For a connection to an upstream, in milliseconds.
pub(super) const CONNECT_MS: u64 = 5 * SECOND;
/// For the head of its answer, in milliseconds.
pub(super) const FIRST_BYTE_MS: u64 = 120 * SECOND;
/// Between two parts of its body, in milliseconds.
pub(super) const IDLE_MS: u64 = 60 * SECOND;
/// For a whole exchange, in milliseconds.
pub(super) const TOTAL_MS: u64 = 600 * SECOND;

/// The largest request body of a route, in bytes.
pub(super) const BODY_LIMIT: u64 = 1 << 20;
/// How long an unknown outcome is kept, in milliseconds.
pub(super) const RECONCILE_MS: u64 = 10 * MINUTE;
/// How long a job may take, in milliseconds.
pub(super) const JOB_TTL_MS: u64 = 2 * HOUR;
/// How long a finished job waits to hear what it used, in milliseconds.
pub(super) const JOB_GRACE_MS: u64 = MINUTE;
/// How often we ask for a job, in milliseconds.
pub(super) const WATCH_EVERY_MS: u64 = 10 * SECOND;
/// How long after it began, in milliseconds.
pub(super) const WATCH_AFTER_MS: u64 = 30 * SECOND;
