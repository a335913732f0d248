//! English.

use crate::credit::{Amount, Measure};
use crate::ledger::OnUnknown;
use crate::meter::path::PathProblem;
use crate::meter::rejection::{Cause, Detail};

/// The titles.
pub(super) const fn title(cause: Cause) -> &'static str {
    match cause {
        Cause::BadRequest => "Bad request",
        Cause::TooLarge => "Body too large",
        Cause::HeadTooLarge => "Head too large",
        Cause::HttpVersion => "HTTP version not supported",
        Cause::LoopDetected => "Loop detected",
        Cause::ExpectationFailed => "Expectation failed",
        Cause::TooSlow => "Request too slow",
        Cause::InvalidKey => "Invalid key",
        Cause::AccountSuspended => "Account suspended",
        Cause::RouteNotInPlan => "Not in this plan",
        Cause::PlanUnknownHere => "Unknown plan",
        Cause::InsufficientCredits => "Not enough credits",
        Cause::CreditsOnHold => "Credits on hold",
        Cause::RateLimited => "Too many requests",
        Cause::CapExceeded => "Cap reached",
        Cause::ConcurrencyExceeded => "Too many at once",
        Cause::UnpriceableRequest => "The request cannot be priced",
        Cause::MaxChargeExceeded => "Above Credits-Max",
        Cause::UnknownRoute => "Unknown route",
        Cause::UnknownCharge => "Unknown charge",
        Cause::MethodNotAllowed => "Method not allowed",
        Cause::WebsocketUnsupported => "WebSocket not supported",
        Cause::MeteringUnavailable => "Metering unavailable",
        Cause::Draining => "Draining",
        Cause::UpstreamError => "Upstream error",
        Cause::UpstreamTimeout => "Upstream timeout",
    }
}

/// The details.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn detail(detail: &Detail) -> String {
    match detail {
        Detail::Connect => "CONNECT is not served here.".into(),
        Detail::OneHost => "Exactly one Host header is needed.".into(),
        Detail::OtherHost => "The target and the Host header name different hosts.".into(),
        Detail::OneCoding => "The one Transfer-Encoding that is read is chunked.".into(),
        Detail::Path(problem) => format!("The path is not canonical: {}.", path(*problem)),
        Detail::Unforwardable => "The path cannot be forwarded.".into(),
        Detail::BrokenBody => "The body broke off, or its framing is wrong: nobody can tell where it ends.".into(),
        Detail::Unclear { why } => format!("The request cannot be read in one way only: {why}."),
        Detail::Version => "HTTP/1.1 and HTTP/1.0 are spoken on this connection.".into(),
        Detail::UserInTarget => "The target names a user; a host alone is needed.".into(),
        Detail::Loop { name } => format!("The request has already passed {name}, so it goes in a circle. If these are two gateways, the operator gives one of them another name with `via`."),
        Detail::Expectation => "The one expectation that is met here is 100-continue. Send the request without Expect.".into(),
        Detail::LongHead { limit } => format!("The head of a request, with all its headers, may have {limit} bytes. Send fewer."),
        Detail::ManyHeaders { limit } => format!("A request may have {limit} headers. Send fewer."),
        Detail::SlowHead => "The head of the request did not arrive in time. Send it faster.".into(),
        Detail::Query => "The query cannot be read.".into(),
        Detail::CreditsMax => "Credits-Max must be an amount such as 12.5.".into(),
        Detail::CreditsMaxTwice => "Credits-Max was sent twice.".into(),
        Detail::Prefer => "Prefer must be printable ASCII.".into(),
        Detail::Metering { word } => format!("Prefer: metering={word} is not known; quote is."),
        Detail::Misread { what } => what.clone(),
        Detail::LargeBody { limit } => {
            format!("The body is larger than the {limit} bytes that this route allows.")
        }
        Detail::SlowBody => {
            "The body did not arrive in time. Send it faster, or in smaller requests.".into()
        }
        Detail::Key => {
            "A valid key is needed: send it as \"Authorization: Bearer tk_…\".".into()
        }
        Detail::Charge { id } => format!("This account has no charge {id}. Is the id whole?"),
        Detail::Route { method, path } => format!("There is no route for {method} {path}."),
        Detail::Method { method } => format!("{method} is not possible here."),
        Detail::NotInPlan { route, plan } => format!("The plan {plan} does not include {route}."),
        Detail::PlanUnknown { plan } => {
            format!("The account's plan {plan} is not known here. Please tell the operator.")
        }
        Detail::Suspended => "This account is suspended. Please contact support.".into(),
        Detail::Closed => "This account is closed.".into(),
        Detail::Unpriceable { pointer, why } => match pointer.as_str() {
            "" => format!("The request cannot be priced: {why}."),
            _ => format!("The request cannot be priced at {pointer}: {why}."),
        },
        Detail::AboveMax { hold, limit } => {
            format!("This request would hold {}; Credits-Max allows {limit}.", credits(*hold))
        }
        Detail::Flood => "Too many requests from this address. Please slow down.".into(),
        Detail::Rate { name } => format!("Requests come faster than the limit {name} allows."),
        Detail::Slots { name, limit: 1 } => {
            format!("A generation is running, and the limit {name} allows one at a time.")
        }
        Detail::Slots { name, limit } => {
            format!("{limit} generations are running, as many as the limit {name} allows at once.")
        }
        Detail::Cap { name, measure, limit, used, required, resets_at } => format!(
            "The cap {name} allows {}; used: {}, needed by this request: {}. It resets at {resets_at}.",
            counted(*measure, *limit),
            measure.show(*used),
            measure.show(*required),
        ),
        Detail::OnHold { required, available, held } => format!(
            "This request needs {}; {available} are available and {held} are held by requests that end \
             within a minute.",
            credits(*required)
        ),
        Detail::Insufficient { required, available, held } => format!(
            "This request needs {}; {available} are available and {held} are held by running requests.",
            credits(*required)
        ),
        Detail::Unavailable => {
            "Metering is not available at the moment, so nothing was forwarded. Try again soon.".into()
        }
        Detail::Draining => {
            "This instance is about to stop. Try again on a new connection.".into()
        }
        Detail::Websocket => "This route does not speak WebSocket.".into(),
        Detail::Unreached => {
            "The service could not be reached. Nothing was forwarded and nothing was charged.".into()
        }
        Detail::Undialled => {
            "The service did not take a connection in time. Nothing was forwarded or charged.".into()
        }
        Detail::BrokeOff => "The service broke off before it had answered.".into(),
        Detail::TimedOut => "The service did not answer in time.".into(),
        Detail::CutOff => "This instance stopped while the request was under way. Whether the work was done \
             is not known; what was held is released, or kept until that is known. The charge will tell."
            .into(),
        Detail::Unsettled { first, held, until, then } => {
            let then = match then {
                OnUnknown::Release => "is released then",
                OnUnknown::Charge => "is charged then",
                OnUnknown::Hold => "stays held until somebody decides",
            };
            format!(
                "{} Whether the work was done is not known: {} held until {until}; what is not settled by \
                 then {then}.",
                self::detail(first),
                are_credits(*held),
            )
        }
    }
}

fn credits(amount: Amount) -> String {
    let one = amount.micro() == 1_000_000;
    if one { "1 credit".into() } else { format!("{amount} credits") }
}

fn are_credits(amount: Amount) -> String {
    let one = amount.micro() == 1_000_000;
    if one { "1 credit is".into() } else { format!("{amount} credits are") }
}

fn counted(measure: Measure, count: u64) -> String {
    match (measure, count) {
        (Measure::Requests, 1) => "1 request".into(),
        (Measure::Credits, 1_000_000) => "1 credit".into(),
        (Measure::Requests, _) => format!("{count} requests"),
        (Measure::Credits, _) => format!("{} credits", measure.show(count)),
    }
}

const fn path(problem: PathProblem) -> &'static str {
    match problem {
        PathProblem::NotAbsolute => "the path must begin with /",
        PathProblem::EmptySegment => "the path has an empty segment",
        PathProblem::DotSegment => "a segment of the path ends with a dot",
        PathProblem::Semicolon => "the path has a semicolon",
        PathProblem::Slash => "the path has an encoded slash or a backslash",
        PathProblem::Control => "the path has a control character",
        PathProblem::Unencoded => "the path has a byte that must be percent-encoded",
        PathProblem::Escape => "the path has a malformed percent-encoding",
        PathProblem::NeedlessEscape => {
            "the path encodes a byte that needs no encoding, or encodes twice"
        }
        PathProblem::NotUtf8 => "the path is not UTF-8",
    }
}
