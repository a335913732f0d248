//! Reads the beginning of an answer, or all of a small one, before any of it is passed on.
//!
//! Invariant: what is kept has a bound; what is beyond it passes as it comes.

use hyper::body::Incoming;

use super::core::Core;
use super::frames::{Next, next};
use super::patience::Patience;
use super::rewriting::BODY_MAX;
use super::upstream::Upstream;
use crate::meter::Watch;

/// What was read of an answer.
pub(super) struct Gathered {
    pub(super) bytes: Vec<u8>,
    pub(super) trailers: Option<http::HeaderMap>,
    pub(super) last: Last,
}

/// Where reading has stopped.
pub(super) enum Last {
    /// At the end.
    End,
    /// The rest is lost.
    Broken,
    /// There is more, which passes as it comes.
    More,
}

/// See the module.
pub(super) async fn gather(
    core: &Core,
    upstream: &Upstream,
    body: &mut Incoming,
    watch: &mut Option<Watch>,
) -> Gathered {
    let patience = Patience::begin(core.meter.clock.clone(), upstream.timeouts(), 0);
    let mut gathered = Gathered { bytes: Vec::new(), trailers: None, last: Last::End };
    loop {
        match next(body, &patience, None).await {
            Next::Frame(frame) => match frame.into_data() {
                Ok(data) => {
                    watch.iter_mut().for_each(|watch| watch.feed(&data));
                    gathered.bytes.extend_from_slice(&data);
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().ok();
                    if let (Some(watch), Some(trailers)) = (watch.as_mut(), &trailers) {
                        watch.trailers(trailers);
                    }
                    gathered.trailers = trailers;
                }
            },
            Next::End | Next::ClientLeft => return gathered,
            Next::Broken(why) => {
                tracing::warn!(upstream = upstream.name(), why, "the answer broke off");
                return Gathered { last: Last::Broken, ..gathered };
            }
        }
        if gathered.bytes.len() > BODY_MAX {
            tracing::warn!(upstream = upstream.name(), "an answer is too large to rewrite");
            return Gathered { last: Last::More, ..gathered };
        }
    }
}
