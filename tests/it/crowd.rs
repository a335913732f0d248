//! A crowd: far more requests at once than there are credits for. Exactly what can be paid is forwarded.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::wire::{Ask, Reply};
use super::world::{Dice, IMAGES, Payer, Purse, World, seed, until};

const ROUNDS: usize = 20;
const CROWD: usize = 1_000;
/// For how many there are credits, in one round and in most. Every step of the ledger reads all that the
/// account has open, which takes its time in a debug build.
const MANY: u64 = 300;
const FEW: u64 = 60;

/// Each asks on a connection of its own; nobody writes before everybody is connected.
pub(crate) fn all_at_once(asks: Vec<(SocketAddr, Ask)>) -> Vec<Reply> {
    let start = Arc::new(Barrier::new(asks.len()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut set = JoinSet::new();
        for (to, ask) in asks {
            let start = start.clone();
            set.spawn(async move {
                let mut stream = TcpStream::connect(to).await.unwrap();
                start.wait().await;
                stream.write_all(&ask.bytes()).await.unwrap();
                let mut bytes = Vec::new();
                loop {
                    let count = stream.read_buf(&mut bytes).await.unwrap();
                    if let Some((reply, used)) = Reply::read(&bytes, false, count == 0) {
                        assert_eq!(used, bytes.len(), "more than one answer");
                        return reply;
                    }
                    assert_ne!(count, 0, "no answer");
                }
            });
        }
        set.join_all().await
    })
}

/// Whether it was let through; a refusal says that credits are missing, or held.
pub(crate) fn paid(reply: &Reply) -> bool {
    if reply.status == 200 {
        assert!(reply.whole);
        return true;
    }
    let (status, code) = reply.problem();
    assert!(
        (status, code.as_str()) == (402, "insufficient_credits")
            || (status, code.as_str()) == (429, "credits_on_hold"),
        "{status} {}",
        reply.text()
    );
    assert_eq!(reply.json()["charged"], "0");
    false
}

fn round(world: &World, payer: &Payer, dice: &mut Dice, enough_for: u64) {
    let asks = (0..CROWD).map(|number| {
        let body =
            json!({ "n": 1, "quality": "low", "nonce": format!("{}-{number}", payer.account) });
        let ask = payer.post(IMAGES, &body);
        // Some works take a while, so that holds of others are still open when the last ones ask.
        if dice.below(4) == 0 { ask.sample(&format!("hang=0.{}", dice.below(3))) } else { ask }
    });
    let asks = asks.map(|ask| (world.data, ask)).collect();
    let before = world.forwarded();
    let replies = all_at_once(asks);
    assert_eq!(replies.len(), CROWD);
    let through = replies.iter().filter(|reply| paid(reply)).count() as u64;
    assert_eq!(through, enough_for);
    assert_eq!(world.forwarded() - before, enough_for);
    let nothing = Purse { available: "0".into(), held: "0".into(), owed: "0".into() };
    until("all is settled", || world.purse(payer) == nothing);
    assert_eq!(world.in_use(payer), 0);
    let charges = world.charges(payer);
    assert_eq!(charges.len() as u64, enough_for);
    assert!(charges.iter().all(|charge| charge["status"] == "settled" && charge["charged"] == "1"));
}

#[test]
fn exactly_what_can_be_paid_is_forwarded() {
    let seed = seed("crowd");
    let mut dice = Dice(seed);
    // The crowd is what is looked at, not what becomes of a lease on a machine that is busy with a crowd.
    let world = World::start(&[("lease: 3s", "lease: 60s")]);
    let mut asked = 0;
    let mut rounds = 0;
    for number in 0..ROUNDS {
        // The first rounds are the edges: nobody, many, one.
        let enough_for = match number {
            0 => 0,
            1 => MANY,
            2 => 1,
            _ => dice.below(FEW),
        };
        let payer = world.payer("crowded", "");
        // In two parts, so that holds take from both.
        for part in [enough_for / 3, enough_for - enough_for / 3] {
            if part > 0 {
                world.grant(&payer, &part.to_string());
            }
        }
        round(&world, &payer, &mut dice, enough_for);
        asked += CROWD;
        rounds += 1;
    }
    assert_eq!((rounds, asked), (20, 20_000));
    assert_eq!(world.upstream.work.running(), 0);
    println!("crowd: {rounds} rounds, {asked} requests, {} forwarded", world.forwarded());
}
