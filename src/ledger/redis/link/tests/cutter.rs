//! A proxy that cuts connections in the middle, and what is known of calls then.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use super::*;
use crate::seam::{Entropy, SeededEntropy};

/// Passes on a random number of bytes each way, then cuts both.
fn cutting(server: u16, seed: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let entropy = Arc::new(SeededEntropy::new(seed));
    // It ends with the test's process: nothing waits for a connection that never comes.
    drop(crate::seam::thread("cutter", move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
            for (from, to, least) in [(&client, &server, 1_500), (&server, &client, 1_200)] {
                let ends = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let budget = least + draw(&entropy) % 3_000;
                drop(crate::seam::thread("cut", move || pass(ends, budget)));
            }
        }
    }));
    port
}

fn draw(entropy: &SeededEntropy) -> usize {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes).unwrap();
    usize::try_from(u32::from_le_bytes(bytes)).unwrap()
}

fn pass((mut from, mut to): (TcpStream, TcpStream), mut budget: usize) {
    let mut bytes = [0; 512];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let some = count.min(budget);
        if to.write_all(&bytes[..some]).is_err() || some < count {
            break;
        }
        budget -= some;
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}

#[tokio::test]
async fn nothing_is_executed_that_was_not_said_and_nothing_twice() {
    const CALLS: usize = 3_000;
    let server = RedisServer::start(&[]);
    // Leases that are longer than any gap and shorter than the server has run, so that a new connection
    // does not run a thousand calls first.
    let mut settings = settings(cutting(server.port(), 7));
    settings.lease_ms = 1_000;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let returned: Returned = Arc::new(|at| call(READ, at, "back", &[], 2_000));
    let link = Link::open(Arc::new(settings), &scripts(), returned);
    let mut kinds = [0; 3];
    let mut sent = Vec::new();
    for batch in 0..CALLS / 10 {
        let runs: Vec<_> = (0..10)
            .map(|n| {
                let name = format!("once:{}", batch * 10 + n);
                let run = link.run(call(COUNT, partition(417), &name, &[], 2_000));
                async move { (name, run.await) }
            })
            .collect();
        sent.extend(futures_util::future::join_all(runs).await);
        if sent.last().is_some_and(|(_, outcome)| matches!(outcome, Outcome::NotDone(_))) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // What was cut on its way may still be in the server's hands.
    std::thread::sleep(Duration::from_millis(200));
    for (name, outcome) in sent {
        let times = number(&server, &key(partition(417), &name));
        let (kind, fits) = match outcome {
            Outcome::Done(value) => (0, times == 1 && value == Value::Int(1)),
            Outcome::Unknown(_) => (1, times <= 1),
            Outcome::NotDone(_) => (2, times == 0),
            Outcome::Broken(why) => panic!("{why}"),
        };
        assert!(fits, "{name}: {times} times, kind {kind}");
        kinds[kind] += 1;
    }
    let [done, unknown, _] = kinds;
    assert!(done > CALLS / 4 && unknown > 20, "{kinds:?} show nothing");
}
