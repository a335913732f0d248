//! Usage in a header, or behind the body: in the trailers of HTTP/1.1's chunks and of HTTP/2.

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::sync::oneshot;

use super::Stage;
use super::script::Answer;
use crate::world::World;

const AUDIO: &str = "content-type: audio/mpeg\r\n";

#[test]
fn a_header_or_a_trailer_of_http_1() {
    let stage = Stage::start();
    let sound = [0x49, 0x44, 0x33, 0, 0xff, 0xfb].repeat(10_000);
    let ask = json!({ "input": "one two" });
    let announced = format!("{AUDIO}trailer: character-cost\r\n");
    let header = |cost: &str| format!("{AUDIO}character-cost: {cost}\r\n");
    for (head, trailers, expected) in [
        (header("5"), "", "settled 5 completed"),
        (header("0"), "", "settled 0 completed"),
        (announced.clone(), "character-cost: 6\r\n", "settled 6 completed"),
        (announced.clone(), "Character-Cost: 6\r\nx-other: 1\r\n", "settled 6 completed"),
        // What the head says holds.
        (header("5"), "character-cost: 6\r\n", "settled 5 completed"),
        (AUDIO.to_owned(), "", "settled 7 completed missing_quantity:output"),
        (announced.clone(), "", "settled 7 completed missing_quantity:output"),
        (
            announced.clone(),
            "character-cost: x\r\n",
            "settled 7 completed unreadable_quantity:output",
        ),
        (
            announced,
            "character-cost: 6\r\ncharacter-cost: 6\r\n",
            "settled 7 completed unreadable_quantity:output",
        ),
        (header("-5"), "", "settled 0 completed negative_quantity:output"),
        (header("1e17"), "", "settled 7 completed absurd_quantity:output"),
    ] {
        for pieces in [usize::MAX, 4_093] {
            let answer = Answer::new(&head, &sound).in_pieces(pieces).trailers(trailers);
            let reply = stage.ask("/v1/audio/speech", &ask, answer).ok();
            assert!(reply.body == sound, "other bytes");
            assert_eq!(stage.receipt(&reply), expected, "{head} {trailers}");
        }
    }
}

#[test]
fn a_stream_that_breaks_off_before_its_trailer_is_unknown() {
    let stage = Stage::start();
    let answer = Answer::new(AUDIO, "ID3").cut();
    let reply = stage.ask("/v1/audio/speech", &json!({ "input": "one two" }), answer);
    assert!(!reply.whole);
    assert_eq!(stage.receipt(&reply), "unknown 0 unknown broken_body");
}

/// A service of HTTP/2 that answers each request with sound and what it cost, behind it.
struct Two {
    addr: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Two {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = tollgate::seam::thread("two", move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                tokio::select! {
                    () = accept(tokio::net::TcpListener::from_std(listener).unwrap()) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { addr, stop: Some(stop), thread: Some(thread.unwrap()) }
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

async fn accept(listener: tokio::net::TcpListener) {
    // One connection is all that a gateway of one core makes.
    while let Ok((stream, _)) = listener.accept().await {
        let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
            request.into_body().collect().await?;
            let mut trailers = HeaderMap::new();
            trailers.insert("character-cost", "6".parse().unwrap());
            let frames = [
                Frame::data(Bytes::from_static(b"ID3")),
                Frame::data(Bytes::from_static(b"sound")),
                Frame::trailers(trailers),
            ];
            let frames = frames.map(Ok::<_, std::io::Error>);
            let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)));
            response.headers_mut().insert("content-type", "audio/mpeg".parse().unwrap());
            Ok::<_, hyper::Error>(response)
        });
        let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service);
        drop(serving.await);
    }
}

#[test]
fn a_trailer_of_http_2() {
    let two = Two::start();
    let url = format!("http://{}\n    http: 2", two.addr);
    let world = World::of(
        super::YAML,
        &[
            ("listen: 127.0.0.1:0\nstore", "listen: 127.0.0.1:0\ncores: 1\nstore"),
            ("DISCONNECT", "finish"),
            ("UPSTREAM", &url),
        ],
    );
    let payer = world.payer("studio", "100");
    for _ in 0..3 {
        let reply =
            world.send(&payer.post("/v1/audio/speech", &json!({ "input": "one two" }))).ok();
        assert_eq!(reply.text(), "ID3sound");
        let receipt = world.ended(&payer, &reply.charge(), "settled");
        assert_eq!(receipt["charged"], "6");
        assert_eq!(receipt["flags"], json!([]));
    }
}
