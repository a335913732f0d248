//! What clients may count on, by each of the four ways.

use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::line::{Line, Sent, WAYS, Way, run, told};
use crate::redis_server::pki::Pki;
use crate::wire::Ask;
use crate::world::{CHAT, DUBBING, IMAGES, Payer, World, until};

/// Runs a behaviour by each way.
fn by_each_way(changes: &[(&str, &str)], behaviour: &impl AsyncFn(Way, &World, Line)) {
    let pki = Pki::new();
    for way in WAYS {
        let world = way.world(&pki, changes);
        run(async {
            let line = Line::open(way, world.data, &pki.ca_file()).await;
            behaviour(way, &world, line).await;
        });
    }
}

fn chat(payer: &Payer, tokens: u64, stream: bool) -> Ask {
    let message = json!({ "role": "user", "content": "one two three" });
    let body = json!({ "stream": stream, "max_tokens": tokens, "messages": [message] });
    payer.post(CHAT, &body)
}

/// Gives the connection's own task the time to say that somebody left: what comes next may block it.
async fn told_so() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// A body that comes as it is sent.
fn bit_by_bit() -> (mpsc::Sender<Bytes>, Sent) {
    let (sender, mut bits) = mpsc::channel::<Bytes>(1);
    let frames = futures_util::stream::poll_fn(move |context| {
        bits.poll_recv(context).map(|bit| bit.map(|bit| Ok(Frame::data(bit))))
    });
    (sender, BodyExt::boxed(StreamBody::new(frames)))
}

#[test]
fn work_is_charged_and_explained() {
    by_each_way(&[], &async |way, world, mut line| {
        let payer = world.payer("studio", "10");
        let ask = payer.images(3, "low");
        let reply = line.ask(&ask).await.ok();
        assert_eq!(reply.header("credits-held"), "3", "{way:?}");
        assert_eq!(reply.header("via"), "1.1 tollgate");
        assert!(reply.header("request-id").starts_with("req_"), "{:?}", reply.headers);
        // Its names have the second in them, so two answers are alike in number only.
        let direct = world.direct(&ask).json()["data"].as_array().unwrap().len();
        assert_eq!(reply.json()["data"].as_array().unwrap().len(), direct);
        let receipt = world.ended(&payer, &reply.charge(), "settled");
        assert_eq!(receipt["charged"], "3", "{way:?}");
        // The same connection goes on.
        assert_eq!(line.ask(&payer.get("/v1/models")).await.status, 200);
        let via = world.last_headers().into_iter().find(|(name, _)| name == "via").unwrap().1;
        assert_eq!(via, if way.is_two() { "2 tollgate" } else { "1.1 tollgate" });
    });
}

#[test]
fn refusals_say_why_and_have_no_effect() {
    by_each_way(&[], &async |way, world, mut line| {
        let (poor, rich) = (world.payer("studio", ""), world.payer("studio", "100"));
        let odd = rich.post(IMAGES, &json!({ "n": "3", "quality": "low" }));
        let nobody = Ask::new("POST", IMAGES).json(&json!({ "n": 1 }));
        let dot = rich.post("/v1/../v1/images/generations", &json!({}));
        let large = rich.post(IMAGES, &json!({ "n": 1, "prompt": "x".repeat(70_000) }));
        for (ask, status, code) in [
            (poor.images(1, "low"), 402, "insufficient_credits"),
            (odd, 422, "unpriceable_request"),
            (nobody, 401, "invalid_key"),
            (rich.get("/v1/nowhere"), 404, "unknown_route"),
            (dot, 400, "bad_request"),
            (large, 413, "too_large"),
        ] {
            // A refusal may end the connection of HTTP/1.1, since its body was not read.
            if !way.is_two() {
                line = world_line(way, world).await;
            }
            let reply = line.ask(&ask).await;
            assert_eq!(reply.problem(), (status, code.to_owned()), "{way:?}");
            assert_eq!(reply.json()["charged"], "0");
            assert_eq!(reply.header("x-should-retry"), "false");
        }
        assert_eq!(world.forwarded(), 0);
        assert_eq!(world.purse(&rich).available, "100");
    });
}

/// Another connection to a world in which this way is spoken.
async fn world_line(way: Way, world: &World) -> Line {
    Line::open(way, world.data, &world.ca_file()).await
}

#[test]
fn a_stream_comes_as_it_is_made() {
    by_each_way(&[], &async |way, world, mut line| {
        let payer = world.payer("studio", "100");
        let request = line.request(&chat(&payer, 4, true).sample("slow=30"));
        let mut response = line.send(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let first = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(first.starts_with(b"data: "), "{way:?} {first:?}");
        // The upstream is still at work.
        assert_eq!(world.upstream.work.running(), 1, "{way:?}");
        let charge = response.headers()["credits-charge-id"].to_str().unwrap().to_owned();
        let rest = told(response).await.unwrap();
        assert!(rest.body.ends_with(b"data: [DONE]\n\n"), "{way:?} {:?}", rest.body);
        let receipt = world.ended(&payer, &charge, "settled");
        assert_eq!(receipt["outcome"], "completed");
        assert_eq!(world.in_use(&payer), 0);
    });
}

#[test]
fn a_client_that_leaves_is_charged_for_what_was_done() {
    by_each_way(&[], &async |way, world, mut line| {
        let payer = world.payer("crowded", "100");
        let request = line.request(&chat(&payer, 8, true).sample("slow=30"));
        let mut response = line.send(request).await.unwrap();
        response.body_mut().frame().await.unwrap().unwrap();
        let charge = response.headers()["credits-charge-id"].to_str().unwrap().to_owned();
        // HTTP/2: the stream is reset. HTTP/1.1: the connection is closed.
        drop(response);
        if !way.is_two() {
            drop(line);
        }
        told_so().await;
        let receipt = world.ended(&payer, &charge, "settled");
        assert_eq!(receipt["outcome"], "completed", "{way:?}");
        assert_eq!((world.in_use(&payer), world.purse(&payer).held), (0, "0".to_owned()));
    });
}

#[test]
fn a_client_that_leaves_cuts_the_work_off_where_the_route_says_so() {
    let cancel = [("on_disconnect: finish # chat", "on_disconnect: cancel")];
    by_each_way(&cancel, &async |way, world, mut line| {
        let payer = world.payer("crowded", "100");
        let request = line.request(&chat(&payer, 400, true).sample("slow=300"));
        let mut response = line.send(request).await.unwrap();
        response.body_mut().frame().await.unwrap().unwrap();
        let charge = response.headers()["credits-charge-id"].to_str().unwrap().to_owned();
        drop(response);
        if !way.is_two() {
            drop(line);
        }
        told_so().await;
        let receipt = world.ended(&payer, &charge, "settled");
        assert_eq!(receipt["outcome"], "cancelled", "{way:?}");
        until("the upstream rests", || world.upstream.work.running() == 0);
    });
}

#[test]
fn an_upload_passes_through_as_it_comes() {
    by_each_way(&[], &async |way, world, mut line| {
        let payer = world.payer("studio", "1000");
        let (bits, body) = bit_by_bit();
        let ask = payer.post(DUBBING, &Value::Null);
        let request = line.request_with(&ask, body);
        let feed = async {
            bits.send(Bytes::from_static(b"{\"seconds\": ")).await.unwrap();
            // The price does not need the body, so the upstream is asked before it is there.
            while world.forwarded() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            bits.send(Bytes::from_static(b"95}")).await.unwrap();
            drop(bits);
        };
        let (answered, ()) = tokio::join!(line.send(request), feed);
        let reply = told(answered.unwrap()).await.unwrap().ok();
        let receipt = world.ended(&payer, &reply.charge(), "settled");
        assert_eq!(receipt["charged"], "20", "{way:?}");
    });
}

#[test]
fn a_head_has_no_body() {
    let changes = [("match: GET /v1/models", "match: HEAD /v1/models")];
    by_each_way(&changes, &async |way, world, mut line| {
        let payer = world.payer("studio", "1");
        for _ in 0..3 {
            let reply = line.ask(&Ask::new("HEAD", "/v1/models").key(&payer.key)).await;
            assert_eq!((reply.status, reply.body.len()), (200, 0), "{way:?}");
        }
    });
}

#[test]
fn quotes_and_the_client_plane_answer() {
    by_each_way(&[], &async |way, world, mut line| {
        let payer = world.payer("studio", "10");
        let quote = line.ask(&payer.images(2, "low").header("prefer", "metering=quote")).await.ok();
        assert_eq!(quote.json()["object"], "quote", "{way:?}");
        let balance = line.ask(&payer.get("/_credits/v1/balance")).await.ok();
        assert_eq!(balance.json()["balances"][0]["available"], "10");
        assert_eq!(world.forwarded(), 0);
    });
}

#[test]
fn many_requests_at_once_are_charged_one_by_one() {
    by_each_way(&[], &async |way, world, line| {
        let payer = world.payer("crowded", "20");
        let ask = payer.images(1, "low");
        let mut asked = Vec::new();
        for _ in 0..40 {
            let mut line = match &line {
                Line::Two(sender) => Line::Two(sender.clone()),
                Line::One(_) => world_line(way, world).await,
            };
            let ask = ask.clone();
            asked.push(async move { line.ask(&ask).await.status });
        }
        let statuses = futures_util::future::join_all(asked).await;
        let passed = statuses.iter().filter(|status| **status == 200).count();
        // What was held by another may have been given back a moment later: refused is refused.
        assert_eq!(passed, 20, "{way:?} {statuses:?}");
        until("nothing is held", || world.purse(&payer).held == "0");
        assert_eq!((world.purse(&payer).available, world.forwarded()), ("0".to_owned(), 20));
    });
}
