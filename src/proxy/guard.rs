//! The flood guard: a rate per address, and a rest for addresses and keys that keep failing. Local, before
//! any call to the ledger; never for limits that cost money.
//!
//! Shared by all cores, since a flood comes to all of them; its tables have a bound, and addresses that do
//! not fit share one place.
//!
//! Invariant: this can only refuse more, never let anything pass that the ledger would refuse.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;
use lru::LruCache;

use super::settings::FloodSettings;
use crate::credit::KeyId;

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// Where addresses go that do not fit: one place for all of them.
const OVERFLOW: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
/// How long to wait between two sweeps of a full table, in milliseconds.
const SWEEP_MS: u64 = 1_000;
/// How long somebody who failed too often rests, in milliseconds.
const REST_MS: u64 = 10_000;

/// The guard of one instance.
pub struct Guard {
    requests: Limiter<IpAddr>,
    failures: Limiter<Culprit>,
    /// Who rests until when, by the guard's own clock.
    resting: Mutex<LruCache<Culprit, u64>>,
    entries: usize,
    /// When full tables were last swept: sweeping reads the whole table.
    swept: AtomicU64,
    clock: std::sync::Arc<dyn crate::seam::Clock>,
}

/// Who failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Culprit {
    /// An address.
    Address(IpAddr),
    /// The public half of a key, from wherever it is tried.
    Key(KeyId),
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guard({} addresses)", self.requests.len())
    }
}

impl Guard {
    /// A guard that has seen nobody.
    #[must_use]
    pub fn new(settings: &FloodSettings, clock: std::sync::Arc<dyn crate::seam::Clock>) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let entries = NonZeroUsize::new(settings.entries).unwrap_or(NonZeroUsize::MIN);
        Self {
            requests: RateLimiter::hashmap(Quota::per_second(at_least_one(settings.per_address))),
            failures: RateLimiter::hashmap(Quota::per_minute(at_least_one(settings.failures))),
            resting: Mutex::new(LruCache::new(entries)),
            entries: entries.get(),
            swept: AtomicU64::new(0),
            clock,
        }
    }

    /// Counts a request from `address`; the error is in how many seconds the next would pass.
    ///
    /// # Errors
    /// When it comes too fast.
    pub fn request(&self, address: IpAddr) -> Result<(), u64> {
        let address = network(address);
        self.rests(Culprit::Address(address))?;
        let place = self.place(&self.requests, address, OVERFLOW);
        self.requests.check_key(&place).map_err(|early| {
            early.wait_time_from(DefaultClock::default().now()).as_secs().saturating_add(1)
        })
    }

    /// Whether a wrong secret of a key may be tried now; the error is in how many seconds it may. The right
    /// one always may: the public half is no secret, and must not be enough to lock its owner out.
    ///
    /// # Errors
    /// When it failed too often.
    pub fn key(&self, key: KeyId) -> Result<(), u64> {
        self.rests(Culprit::Key(key))
    }

    /// Counts a failed key, shown from `address`.
    pub fn failed(&self, address: IpAddr, key: Option<KeyId>) {
        let address = Culprit::Address(network(address));
        for culprit in [Some(address), key.map(Culprit::Key)].into_iter().flatten() {
            let overflow = Culprit::Address(OVERFLOW);
            let place = self.place(&self.failures, culprit, overflow);
            if self.failures.check_key(&place).is_err() {
                let until = self.clock.uptime_ms().saturating_add(REST_MS);
                self.resting().put(culprit, until);
            }
        }
    }

    /// Where `who` is counted: its own place, or the shared one when the table is full of recent ones.
    fn place<K: Clone + Eq + Hash>(&self, limiter: &Limiter<K>, who: K, overflow: K) -> K {
        if limiter.len() < self.entries {
            return who;
        }
        let now = self.clock.uptime_ms();
        let last = self.swept.load(Ordering::Relaxed);
        if now.saturating_sub(last) >= SWEEP_MS {
            self.swept.store(now, Ordering::Relaxed);
            limiter.retain_recent();
        }
        if limiter.len() < self.entries { who } else { overflow }
    }

    fn rests(&self, culprit: Culprit) -> Result<(), u64> {
        let now = self.clock.uptime_ms();
        match self.resting().peek(&culprit) {
            Some(until) if now < *until => Err(until.saturating_sub(now).div_ceil(1_000)),
            _ => Ok(()),
        }
    }

    /// The table holds only times: a panic while it was locked left nothing half done.
    fn resting(&self) -> MutexGuard<'_, LruCache<Culprit, u64>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who an address stands for: an IPv6 host has a whole /64 to itself.
const fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => match long.to_ipv4_mapped() {
            Some(short) => IpAddr::V4(short),
            None => IpAddr::V6(Ipv6Addr::from_bits(long.to_bits() & (u128::MAX << 64))),
        },
    }
}

/// The client's address: the peer's, or, behind trusted proxies, the last one that `X-Forwarded-For` names
/// which is not itself trusted.
#[must_use]
pub(super) fn client_address(peer: IpAddr, headers: &http::HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let believed = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    if !believed(&peer) {
        return peer;
    }
    let named: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut last = peer;
    for text in named.iter().rev() {
        let Ok(address) = text.trim().parse::<IpAddr>() else { return last };
        last = address;
        if !believed(&address) {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::{SimulatedClock, Timestamp};
    use std::sync::Arc;

    fn guard(entries: usize) -> (Guard, Arc<SimulatedClock>) {
        let clock = Arc::new(SimulatedClock::at(Timestamp(0)));
        let settings = FloodSettings { per_address: 3, failures: 2, entries };
        (Guard::new(&settings, clock.clone()), clock)
    }

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_address_has_a_rate() {
        let (guard, _) = guard(10);
        assert_eq!((0..5).filter(|_| guard.request(v4(1)).is_ok()).count(), 3);
        assert!(guard.request(v4(2)).is_ok());
    }

    #[test]
    fn addresses_that_do_not_fit_share_a_place() {
        let (guard, _) = guard(4);
        let passed = (0..100).filter(|last| guard.request(v4(*last)).is_ok()).count();
        assert_eq!(passed, 4 + 3);
        assert!(guard.requests.len() <= 5);
    }

    #[test]
    fn who_fails_too_often_rests() {
        let (guard, clock) = guard(10);
        let key = KeyId::from_bytes([7; 16]);
        for _ in 0..2 {
            guard.failed(v4(1), Some(key));
            assert!(guard.request(v4(1)).is_ok() && guard.key(key).is_ok());
        }
        guard.failed(v4(1), Some(key));
        assert!(guard.request(v4(1)).is_err() && guard.key(key).is_err());
        assert!(guard.request(v4(2)).is_ok());
        clock.advance(REST_MS);
        assert!(guard.key(key).is_ok());
    }

    #[test]
    fn forwarded_addresses_count_behind_trusted_proxies_only() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let headers = |value: &'static str| {
            let mut headers = http::HeaderMap::new();
            headers.insert("x-forwarded-for", http::HeaderValue::from_static(value));
            headers
        };
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let of = |peer, value| client_address(peer, &headers(value), &trusted);
        assert_eq!(of(v4(9), "192.0.2.1"), v4(9));
        assert_eq!(of(proxy, "192.0.2.1"), v4(1));
        assert_eq!(of(proxy, "203.0.113.5, 192.0.2.1, 10.0.0.2"), v4(1));
        assert_eq!(of(proxy, "garbage"), proxy);
        assert_eq!(of(proxy, "192.0.2.7, garbage"), proxy);
    }

    #[test]
    fn an_ipv6_host_is_its_network() {
        let (guard, _) = guard(10);
        let address = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, host]);
        assert_eq!((0..5).filter(|host| guard.request(address(*host)).is_ok()).count(), 3);
    }
}
