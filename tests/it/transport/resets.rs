//! Floods of streams that are reset as soon as they are opened (CVE-2023-44487): nothing is forwarded that
//! nobody pays for, and nothing that was begun is forgotten.

use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::line::{run, spawn};
use crate::world::{Dice, IMAGES, Payer, World, seed, until};

/// Opens streams on one connection and resets them at once, or after a moment; how many were opened.
async fn flood(world: &World, payer: &Payer, streams: usize, dice: &mut Dice) -> usize {
    let stream = tokio::net::TcpStream::connect(world.data).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    spawn(async move { drop(connection.await) });
    let mut opened = 0;
    for _ in 0..streams {
        let Ok(ready) = sender.ready().await else { break };
        sender = ready;
        let request = Request::post(format!("http://gateway{IMAGES}"))
            .header("authorization", format!("Bearer {}", payer.key))
            .header("content-type", "application/json")
            .body(())
            .unwrap();
        let Ok((answer, mut body)) = sender.send_request(request, false) else { break };
        let sent = body.send_data(Bytes::from_static(b"{\"n\":1,\"quality\":\"low\"}"), true);
        opened += 1;
        match dice.below(3) {
            0 => {}
            1 => tokio::task::yield_now().await,
            _ => tokio::time::sleep(Duration::from_micros(dice.below(3_000))).await,
        }
        if sent.is_ok() {
            body.send_reset(h2::Reason::CANCEL);
        }
        drop(answer);
    }
    // What has been written is to leave.
    tokio::time::sleep(Duration::from_millis(50)).await;
    opened
}

#[test]
fn every_stream_that_was_admitted_comes_to_an_end() {
    const CREDITS: usize = 60;
    let world = World::start(&[]);
    let payer = world.payer("crowded", &CREDITS.to_string());
    let mut dice = Dice(seed("reset flood"));
    let opened: usize = (0..20).map(|_| run(flood(&world, &payer, 200, &mut dice))).sum();
    assert!(opened > 500, "only {opened} streams were opened");
    until("nothing is held", || world.purse(&payer).held == "0");
    until("the upstream rests", || world.upstream.work.running() == 0);
    assert_eq!(world.in_use(&payer), 0);
    let charges = world.charges(&payer);
    let open = charges.iter().filter(|one| one["status"] == "open").count();
    let charged = charges.iter().filter(|one| one["charged"] == "1").count();
    println!("reset flood: {opened} streams, {} charges, {charged} charged", charges.len());
    assert_eq!(open, 0);
    // Work is paid for, and no more is done than there were credits.
    assert_eq!(charged, world.upstream.work.units().len());
    assert!(world.forwarded() <= CREDITS as u64, "{} forwarded", world.forwarded());
    assert_eq!(world.purse(&payer).available, (CREDITS - charged).to_string());
    // The instance is as good as before.
    world.grant(&payer, "1");
    world.send(&payer.images(1, "low")).ok();
}

#[test]
fn a_connection_that_only_resets_is_closed() {
    let world = World::start(&[("limits: {", "limits: { resets: 5,")]);
    let payer = world.payer("crowded", "1000");
    let closed = run(async {
        let stream = tokio::net::TcpStream::connect(world.data).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut frames = crate::transport::heads::preface();
        for number in 0..50_u32 {
            let id = 2 * number + 1;
            frames.extend(crate::transport::heads::request(id, &payer.key, &[]));
            frames.extend(crate::transport::heads::frame(3, 0, id, &8_u32.to_be_bytes()));
        }
        crate::transport::heads::talk(stream, frames).await
    });
    assert!(closed.goaway == Some(11), "{closed:?}");
    until("nothing is held", || world.purse(&payer).held == "0");
    assert_eq!(world.in_use(&payer), 0);
}
