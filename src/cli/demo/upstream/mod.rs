//! The sample upstream: a generation service that does no work, but says that it did.
//!
//! The demo puts the proxy in front of it, and tests use it as the other side of the truth: its work log
//! knows what was really generated, its switches (header `x-sample`, see `Switches`) make it fail, block,
//! hang or cut.
//!
//! Invariant: one unit in the work log for each request that asked for work, recorded once, with the
//! outcome that the upstream itself knows.
//! Invariant: headers that may carry credentials are shown under `/_headers` only.

mod answer;
mod chat;
mod media;
mod messages;
mod switches;
mod work;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use axum::extract::{Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router, middleware};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;

pub use work::{Outcome, Work, WorkLog};

/// The credential that it wants where it checks one.
pub const SECRET: &str = "sample-upstream-secret";

/// Where Anthropic's clients show a credential.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// How the sample upstream runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether requests without `SECRET`, as their bearer or in `x-api-key`, are refused.
    pub check_secret: bool,
    /// A file that gets one line of JSON for each unit of work, when the work has ended.
    pub log: Option<PathBuf>,
}

/// What its endpoints share.
#[derive(Clone, Debug)]
struct Sample {
    work: Arc<WorkLog>,
    check_secret: bool,
    last_headers: Arc<Mutex<Vec<(String, String)>>>,
}

/// A sample upstream that runs on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct SampleUpstream {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What it has done.
    pub work: Arc<WorkLog>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl SampleUpstream {
    /// Starts one on `listen`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken, or the log file cannot be opened.
    pub fn start(listen: SocketAddr, options: &Options) -> io::Result<Self> {
        let work = Arc::new(WorkLog::new(options.log.as_deref())?);
        let listener = std::net::TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let router = router(Arc::clone(&work), options.check_secret);
        let (stop, stopped) = oneshot::channel();
        let thread = crate::seam::thread("sample", move || run(listener, router, stopped))?;
        Ok(Self { addr, work, stop: Some(stop), thread: Some(thread) })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Waits until it ends, which it does of itself only when it fails.
    ///
    /// # Errors
    /// When it could not go on.
    pub fn wait(mut self) -> io::Result<()> {
        let ended = self.thread.take().map(JoinHandle::join);
        ended.map_or(Ok(()), |result| result.unwrap_or_else(|_| Err(io::Error::other("panicked"))))
    }
}

impl Drop for SampleUpstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Serves until told to stop. Open exchanges are dropped then, like in a crash.
fn run(
    listener: std::net::TcpListener,
    router: Router,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        // Without it, small parts of a stream wait for each other.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        tokio::select! {
            result = async { axum::serve(listener, router).await } => result,
            _ = stopped => Ok(()),
        }
    })
}

/// Its endpoints.
pub fn router(work: Arc<WorkLog>, check_secret: bool) -> Router {
    let sample = Sample { work, check_secret, last_headers: Arc::default() };
    Router::new()
        .route("/v1/images/generations", post(media::images))
        .route("/v1/dubbing", post(media::dubbing))
        .route("/v1/chat/completions", post(chat::completions))
        .route("/v1/messages", post(messages::messages))
        .route("/v1/models", get(models))
        .layer(middleware::from_fn_with_state(sample.clone(), admit))
        .route("/_work", get(show_work))
        .route("/_headers", get(show_headers))
        .with_state(sample)
}

/// Counts the request, remembers its headers, and checks the credential if told to.
async fn admit(State(sample): State<Sample>, request: Request, next: Next) -> Response {
    sample.work.saw_request();
    let pairs = request.headers().iter().map(|(name, value)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    *sample.last_headers.lock().unwrap_or_else(PoisonError::into_inner) = pairs.collect();
    if sample.check_secret && !shows_secret(request.headers()) {
        let message = "Incorrect API key provided.";
        return *answer::error(StatusCode::UNAUTHORIZED, "invalid_api_key", message);
    }
    next.run(request).await
}

fn shows_secret(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(AUTHORIZATION).and_then(|text| text.strip_prefix("Bearer "));
    bearer.or_else(|| text(API_KEY)) == Some(SECRET)
}

async fn models() -> Json<Value> {
    let model = |id: &str| json!({ "id": id, "object": "model", "owned_by": "sample" });
    let data = [model("sample-image"), model("sample-voice"), model("sample-chat")];
    Json(json!({ "object": "list", "data": data }))
}

async fn show_work(
    State(sample): State<Sample>,
    Query(query): Query<Vec<(String, String)>>,
) -> Json<Value> {
    let nonce = query.iter().find(|(name, _)| name == "nonce").map(|(_, value)| value.as_str());
    Json(json!({
        "requests": sample.work.requests(),
        "running": sample.work.running(),
        "highest_running": sample.work.highest_running(),
        "units": match nonce {
            Some(nonce) => sample.work.of(nonce),
            None => sample.work.units(),
        },
    }))
}

async fn show_headers(State(sample): State<Sample>) -> Response {
    let pairs = sample.last_headers.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Json(pairs).into_response()
}
