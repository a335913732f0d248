//! Quotes for the client plane: its calls may come from any thread, the meter belongs to its core. A bounded
//! queue lies between them.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::meter::{QuoteRequest, Rejection};
use crate::portal::{QuoteAsk, Quoter};

/// How many quotes may wait.
const WAITING_MAX: usize = 256;

type Answer = oneshot::Sender<Result<Value, Rejection>>;

/// The core's end of the queue.
pub(super) type Asks = mpsc::Receiver<(QuoteRequest, Answer)>;

/// The client plane's end of the queue.
#[derive(Clone, Debug)]
pub(super) struct Queued(mpsc::Sender<(QuoteRequest, Answer)>);

/// A queue between the client plane and a core.
pub(super) fn queue() -> (Queued, Asks) {
    let (sender, asks) = mpsc::channel(WAITING_MAX);
    (Queued(sender), asks)
}

impl Quoter for Queued {
    fn quote(&self, ask: QuoteAsk) -> BoxFuture<'static, Result<Value, Rejection>> {
        let QuoteAsk { shown, method, path, headers, body, language } = ask;
        let asked = QuoteRequest { shown, method, path, headers, body, language };
        let queue = self.0.clone();
        async move {
            let (sender, answer) = oneshot::channel();
            let busy = || Rejection::metering_unavailable("too many quotes wait");
            queue.try_send((asked, sender)).map_err(|_| busy())?;
            answer.await.map_err(|_| busy())?
        }
        .boxed()
    }
}
