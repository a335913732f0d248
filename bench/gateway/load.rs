//! The load: a closed loop at saturation, and open loops at a fixed rate, counted from the instant at which
//! each request was due, so that a stall is not hidden.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tollgate::seam::thread;

use crate::machine::now_us;
use crate::wire::{
    Kind, STREAM_END, TIME_DIGITS, TIME_MARK, connect, exchange, is_ok, request, whole,
};

const US: u64 = 1_000_000;
/// Threads, each with a connection, that share a fixed rate.
const WORKERS: u64 = 64;

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// Answered as they should be.
    pub(crate) good: u64,
    /// Refused, broken off, late beyond all patience.
    pub(crate) bad: u64,
    /// From its due instant to its last byte, in µs, ascending; at a fixed rate alone.
    pub(crate) took: Vec<u64>,
    /// From its due instant to its first byte, in µs, ascending; streams alone.
    pub(crate) first: Vec<u64>,
    /// From the upstream's time in a chunk to its arrival, in µs, ascending.
    pub(crate) chunks: Vec<u64>,
}

impl Done {
    fn sum(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        for part in parts {
            sum.good += part.good;
            sum.bad += part.bad;
            sum.took.extend(part.took);
            sum.first.extend(part.first);
            sum.chunks.extend(part.chunks);
        }
        [&mut sum.took, &mut sum.first, &mut sum.chunks]
            .into_iter()
            .for_each(|all| all.sort_unstable());
        sum
    }
}

/// The requests of one kind, one for each key.
fn requests(kind: Kind, keys: &[String]) -> Arc<[Vec<u8>]> {
    keys.iter().map(|key| request(kind, key)).collect()
}

/// A closed loop: as many connections as said, each asking again as soon as it is answered.
pub(crate) fn saturate(port: u16, keys: &[String], connections: usize, seconds: f64) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let requests = requests(Kind::Json, keys);
    let until = now_us() + u64::try_from(Duration::from_secs_f64(seconds).as_micros()).unwrap();
    let all = (0..connections).map(|number| asking(port, requests.clone(), number, until));
    let patience = Duration::from_secs_f64(seconds + 30.0);
    let done = runtime.block_on(async { tokio::time::timeout(patience, join_all(all)).await });
    Done::sum(done.unwrap_or_else(|_| panic!("port {port} hangs at saturation")))
}

async fn asking(port: u16, requests: Arc<[Vec<u8>]>, number: usize, until: u64) -> Done {
    let mut done = Done::default();
    let mut turn = requests.iter().cycle().skip(number);
    while now_us() < until {
        let connected = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
        let Ok(mut stream) = connected else {
            done.bad += 1;
            continue;
        };
        stream.set_nodelay(true).unwrap();
        while now_us() < until {
            match ask(&mut stream, turn.next().unwrap()).await {
                Ok(true) => done.good += 1,
                Ok(false) => done.bad += 1,
                Err(_) => {
                    done.bad += 1;
                    break;
                }
            }
        }
    }
    done
}

async fn ask(stream: &mut tokio::net::TcpStream, request: &[u8]) -> std::io::Result<bool> {
    stream.write_all(request).await?;
    let mut buffer = [0; 4_096];
    let mut filled = 0;
    loop {
        let length = stream.read(&mut buffer[filled..]).await?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += length;
        if whole(&buffer[..filled]).is_some() {
            return Ok(is_ok(&buffer));
        }
    }
}

/// An open loop of JSON requests at `rate` a second.
pub(crate) fn paced(port: u16, keys: &[String], rate: u64, seconds: u64) -> Done {
    at_rate(port, &requests(Kind::Json, keys), rate, seconds, |stream, request, due, done| {
        let mut answer = Vec::with_capacity(4_096);
        let good = exchange(stream, request, &mut answer)?;
        done.took.push(now_us().saturating_sub(due));
        Ok(good)
    })
}

/// An open loop of streams at `rate` a second.
pub(crate) fn streams(port: u16, keys: &[String], rate: u64, seconds: u64) -> Done {
    at_rate(port, &requests(Kind::Stream, keys), rate, seconds, stream_through)
}

/// Asks, one after the other, on one connection: what each due request comes to is put into `Done`.
type Asking = fn(&mut TcpStream, &[u8], u64, &mut Done) -> std::io::Result<bool>;

fn at_rate(port: u16, requests: &Arc<[Vec<u8>]>, rate: u64, seconds: u64, asking: Asking) -> Done {
    let begin = now_us() + US / 10;
    let worker = |number: u64| {
        let requests = requests.clone();
        thread("load", move || {
            // The timer's slack would be counted as the peer's.
            rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).unwrap();
            let mut done = Done::default();
            let mut stream = connect(port).unwrap();
            let mut turn = requests.iter().cycle().skip(usize::try_from(number).unwrap());
            for request in (number..rate * seconds).step_by(usize::try_from(WORKERS).unwrap()) {
                let due = begin + request * US / rate;
                std::thread::sleep(Duration::from_micros(due.saturating_sub(now_us())));
                match asking(&mut stream, turn.next().unwrap(), due, &mut done) {
                    Ok(true) => done.good += 1,
                    Ok(false) => done.bad += 1,
                    Err(_) => {
                        done.bad += 1;
                        stream = connect(port).unwrap();
                    }
                }
            }
            done
        })
        .unwrap()
    };
    let workers: Vec<_> = (0..WORKERS).map(worker).collect();
    Done::sum(workers.into_iter().map(|worker| worker.join().unwrap()))
}

fn stream_through(
    stream: &mut TcpStream,
    request: &[u8],
    due: u64,
    done: &mut Done,
) -> std::io::Result<bool> {
    stream.write_all(request)?;
    let mut all = Vec::with_capacity(16_384);
    let mut part = [0; 4_096];
    let mut seen = 0;
    loop {
        let length = stream.read(&mut part)?;
        let now = now_us();
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if all.is_empty() {
            done.first.push(now.saturating_sub(due));
        }
        all.extend_from_slice(&part[..length]);
        while let Some((time, end)) = next_time(&all, seen) {
            done.chunks.push(now.saturating_sub(time));
            seen = end;
        }
        if all.ends_with(STREAM_END) {
            done.took.push(now.saturating_sub(due));
            return Ok(is_ok(&all));
        }
    }
}

/// The next chunk's time from `seen` on, and where it ends.
fn next_time(all: &[u8], seen: usize) -> Option<(u64, usize)> {
    let at = all[seen..].windows(TIME_MARK.len()).position(|part| part == TIME_MARK)?;
    let begin = seen + at + TIME_MARK.len();
    let digits = all.get(begin..begin + TIME_DIGITS)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, begin + TIME_DIGITS))
}

/// Opens streams that stay open; each has had its first bytes.
pub(crate) fn hold(port: u16, keys: &[String], count: usize) -> Vec<TcpStream> {
    let requests = requests(Kind::Held, keys);
    let open = |request: &Vec<u8>| {
        let mut stream = connect(port).unwrap();
        stream.write_all(request).unwrap();
        let mut part = [0; 4_096];
        let length = stream.read(&mut part).unwrap();
        assert!(is_ok(&part[..length]), "{}", String::from_utf8_lossy(&part[..length]));
        stream
    };
    requests.iter().cycle().take(count).map(open).collect()
}
