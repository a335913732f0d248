//! The frames of an answer: the next one from the upstream, and on to the client.
//!
//! Invariant: every wait has a bound, on either side.

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::body::Pipe;
use super::patience::Patience;
use super::taking_out::TakingOut;

/// What came next.
pub(super) enum Next {
    Frame(Frame<Bytes>),
    End,
    Broken(String),
    ClientLeft,
}

/// The next part of the answer, unless the client leaves before it comes.
pub(super) async fn next(body: &mut Incoming, patience: &Patience, client: Option<&Pipe>) -> Next {
    let Some(limit) = patience.with_upstream() else {
        return Next::Broken("the exchange took too long".to_owned());
    };
    let left = async {
        match client {
            Some(client) => client.closed().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        next = tokio::time::timeout(limit, body.frame()) => match next {
            Ok(Some(Ok(frame))) => Next::Frame(frame),
            Ok(Some(Err(error))) => Next::Broken(error.to_string()),
            Ok(None) => Next::End,
            Err(_) => Next::Broken("no more of the answer came in time".to_owned()),
        },
        () = left => Next::ClientLeft,
    }
}

/// Passes what is left of a stream out of which something is taken.
pub(super) async fn rest(
    client: Option<Pipe>,
    taking_out: &mut Option<TakingOut>,
    complete: bool,
    patience: &mut Patience,
) -> Option<Pipe> {
    match taking_out.take() {
        Some(mut stream) => pass(client, Frame::data(stream.finish(complete)), patience).await,
        None => client,
    }
}

/// Passes a frame to the client; one that does not take it in time counts as gone.
pub(super) async fn pass(
    client: Option<Pipe>,
    frame: Frame<Bytes>,
    patience: &mut Patience,
) -> Option<Pipe> {
    let client = client?;
    if frame.data_ref().is_some_and(Bytes::is_empty) {
        return Some(client);
    }
    let taken = patience.with_client(client.pass(frame)).await;
    (taken == Some(true)).then_some(client)
}
