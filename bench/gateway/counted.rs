//! The gateway in this program, whose allocator counts: how many allocations a request takes. The product
//! itself has another allocator (mimalloc); how often it is asked is the same.

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tollgate::seam::thread;

use crate::wire::connect;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What has been allocated so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    /// Allocations, and growths of what was allocated.
    pub(crate) times: f64,
    pub(crate) bytes: f64,
}

/// Serves with `config` until it is ended; whoever connects to `port` is told the count.
pub(crate) fn run(config: &str, port: u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let telling = move || {
        for stream in listener.incoming() {
            let now = ALLOCATOR.stats();
            let told = format!("{} {}", now.allocations + now.reallocations, now.bytes_allocated);
            drop(stream.and_then(|mut stream| stream.write_all(told.as_bytes())));
        }
    };
    drop(thread("count", telling).unwrap());
    let words = ["tollgate", "serve", "--config", config].map(Into::into);
    _ = tollgate::cli::main(words);
}

/// Asks such a gateway for its count.
pub(crate) fn ask(port: u16) -> Count {
    let mut told = String::new();
    connect(port).unwrap().read_to_string(&mut told).unwrap();
    let (times, bytes) = told.split_once(' ').unwrap();
    Count { times: times.parse().unwrap(), bytes: bytes.parse().unwrap() }
}
