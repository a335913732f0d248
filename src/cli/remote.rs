//! Talking to the admin API.
//!
//! Invariant: the token comes from a file or the environment, never from an argument that others could see
//! in the list of processes, and is never printed.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use serde_json::Value;

use super::Failure;
use super::http::{Answer, Client, NoAnswer};
use super::output::Format;

/// Where the admin API is if nobody says.
const URL: &str = "http://127.0.0.1:8081";
const URL_VARIABLE: &str = "TOLLGATE_ADMIN_URL";
const CA_VARIABLE: &str = "TOLLGATE_ADMIN_CA";
const TOKEN_VARIABLE: &str = "TOLLGATE_ADMIN_TOKEN";
/// The header that makes a call that is sent again do nothing twice.
const ONCE: &str = "idempotency-key";

/// Which server to ask, and how to print its answer.
#[derive(Args, Clone, Debug)]
pub(super) struct Remote {
    /// The admin API [default: $TOLLGATE_ADMIN_URL, or http://127.0.0.1:8081]
    #[arg(long, value_name = "URL")]
    admin_url: Option<String>,
    /// A file with the admin token [default: the token in $TOLLGATE_ADMIN_TOKEN]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A file of PEM certificates to trust beside the public roots [default: $TOLLGATE_ADMIN_CA]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How to print the answer
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: Format,
}

/// A key by which a command does a thing once.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Once {
    /// A name of your own for this act: given again, nothing is done twice
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl Remote {
    /// Asks the admin API to change something.
    pub(super) fn write(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        once: &Once,
    ) -> Result<Value, Failure> {
        let admin = self.admin(&self.token()?)?;
        wait_for(admin.write(method, path, body, once.idempotency_key.as_deref()))?
    }

    /// Asks the admin API.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let admin = self.admin(&self.token()?)?;
        wait_for(admin.ask(method, path, body))?
    }

    /// Asks for something that may not be there.
    pub(super) fn find(&self, path: &str) -> Result<Option<Value>, Failure> {
        let admin = self.admin(&self.token()?)?;
        let path = format!("/admin/v1{path}");
        let answer = wait_for(admin.send(Method::GET, &path, None, None))??;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(answer.json())),
            _ => Err(refused(&answer)),
        }
    }

    /// Asks what needs no token; the answer may have any status.
    pub(super) fn look(&self, path: &str) -> Result<Answer, Failure> {
        wait_for(self.admin("")?.send(Method::GET, path, None, None))?
    }

    fn admin(&self, token: &str) -> Result<Admin, Failure> {
        let named = || std::env::var_os(CA_VARIABLE).map(PathBuf::from);
        let ca_file = self.ca_file.clone().or_else(named);
        let client = Client::trusting(ca_file.as_deref())
            .map_err(|error| Failure::configuration(error.to_string()))?;
        Admin::by(client, &self.url(), token)
    }

    /// The base URL.
    fn url(&self) -> String {
        let said = self.admin_url.clone().or_else(|| std::env::var(URL_VARIABLE).ok());
        said.unwrap_or_else(|| URL.to_owned())
    }

    fn token(&self) -> Result<String, Failure> {
        let token = match &self.token_file {
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                Failure::configuration(format!("cannot read {}: {error}", path.display()))
            })?,
            None => std::env::var(TOKEN_VARIABLE).map_err(|_| {
                Failure::configuration(format!(
                    "no admin token: set {TOKEN_VARIABLE} or give --token-file"
                ))
            })?,
        };
        Ok(token.trim().to_owned())
    }
}

/// Runs one future to its end on this thread.
pub(super) fn wait_for<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

/// An admin API with its token.
pub(super) struct Admin {
    url: String,
    token: String,
    client: Client,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admin({}, …)", self.url)
    }
}

impl Admin {
    /// The admin API at `url`.
    pub(super) fn new(url: &str, token: &str) -> Result<Self, Failure> {
        Self::by(Client::new()?, url, token)
    }

    fn by(client: Client, url: &str, token: &str) -> Result<Self, Failure> {
        let url = url.trim_end_matches('/').to_owned();
        match url.parse::<Uri>() {
            Ok(uri) if uri.scheme().is_some() && uri.authority().is_some() => (),
            _ => {
                let wrong = format!("{url:?} is not a URL such as {URL}");
                return Err(Failure::usage(wrong));
            }
        }
        Ok(Self { url, token: token.to_owned(), client })
    }

    /// Asks; the answer is the JSON of a success.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.done(method, path, body, None).await
    }

    /// Asks to change something, once for each `once`.
    async fn write(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        once: Option<&str>,
    ) -> Result<Value, Failure> {
        self.done(method, path, Some(body), once).await
    }

    async fn done(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        once: Option<&str>,
    ) -> Result<Value, Failure> {
        let path = format!("/admin/v1{path}");
        let answer = self.send(method, &path, body, once).await?;
        if answer.status.is_success() { Ok(answer.json()) } else { Err(refused(&answer)) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        once: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(once) = once {
            request = request.header(ONCE, once);
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = request
            .body(Full::new(body))
            // The error itself might quote the token.
            .map_err(|_| {
                Failure::usage("the admin URL, the token or the key has characters that HTTP lacks")
            })?;
        self.client.send(request).await.map_err(|error| unanswered(&error))
    }
}

fn unanswered(error: &NoAnswer) -> Failure {
    match error {
        NoAnswer::NoServer(_) => Failure::temporary(format!(
            "{error}: is `tollgate serve` running? Another address is given by --admin-url or {URL_VARIABLE}"
        )),
        NoAnswer::Broken(_) | NoAnswer::TimedOut => Failure::temporary(format!(
            "{error}. It may have been done all the same: look before you ask again"
        )),
    }
}

/// What is wrong with a configuration, a line each.
fn listed(problem: &Value) -> String {
    let line = |one: &Value| {
        let (line, column) = (&one["line"], &one["column"]);
        let message = one["message"].as_str().unwrap_or_default();
        format!("\n  line {line}, column {column}: {message}")
    };
    problem["problems"].as_array().into_iter().flatten().map(line).collect()
}

/// A refusal in the server's words, with what to do where that is known.
fn refused(answer: &Answer) -> Failure {
    let problem = answer.json();
    let code = problem["code"].as_str().unwrap_or("unknown_answer");
    let detail = match problem["detail"].as_str() {
        Some(detail) => detail.to_owned(),
        None => format!("the server answered {}; is it Tollgate's admin API?", answer.status),
    };
    let message = format!("{detail} [{code}]{}", listed(&problem));
    match answer.status {
        StatusCode::SERVICE_UNAVAILABLE => Failure::temporary(message),
        StatusCode::UNAUTHORIZED => Failure::configuration(format!(
            "{message}\nThe token in {TOKEN_VARIABLE} or --token-file is not the server's"
        )),
        _ => Failure::failed(message),
    }
}
