//! English. What a reader of JSON says (`{reason}`) stays in its own words, in every language.

use crate::credit::{Amount, DecimalError, Measure, PriceError};
use crate::ledger::OnUnknown;
use crate::meter::members::{Fault, Misread};
use crate::meter::path::PathProblem;
use crate::meter::query::QueryProblem;
use crate::meter::rejection::{Cause, Detail};
use crate::meter::why::{Flaw, Sort, Why};
use crate::observe::{DEPTH_MAX, FIELDS_MAX, FormProblem, JsonProblem, TEXT_MAX};

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
        Cause::AccountRestricted => "Account restricted",
        Cause::OptionNotInPlan => "Option not in this plan",
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
        Cause::UnknownJob => "Unknown job",
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
        Detail::TwoIdentities => "The request names its account by a header and shows a key beside it. Send one of the two.".into(),
        Detail::UserInTarget => "The target names a user; a host alone is needed.".into(),
        Detail::Loop { name } => format!("The request has already passed {name}, so it goes in a circle. If these are two gateways, the operator gives one of them another name with `via`."),
        Detail::Expectation => "The one expectation that is met here is 100-continue. Send the request without Expect.".into(),
        Detail::LongHead { limit } => format!("The head of a request, with all its headers, may have {limit} bytes. Send fewer."),
        Detail::LongTarget { limit } => format!("The target of a request, its path and query, may have {limit} bytes. Send fewer."),
        Detail::ManyHeaders { limit } => format!("A request may have {limit} headers. Send fewer."),
        Detail::SlowHead => "The head of the request did not arrive in time. Send it faster.".into(),
        Detail::Query => "The query cannot be read.".into(),
        Detail::CreditsMax => "Credits-Max must be an amount such as 12.5.".into(),
        Detail::CreditsMaxTwice => "Credits-Max was sent twice.".into(),
        Detail::Prefer => "Prefer must be printable ASCII.".into(),
        Detail::Metering { word } => format!("Prefer: metering={word} is not known; quote is."),
        Detail::Misread(call) => misread(call),
        Detail::LargeBody { limit, plan: None } => {
            format!("The body is larger than the {limit} bytes that this route allows.")
        }
        Detail::LargeBody { limit, plan: Some(plan) } => format!(
            "The body is larger than the {limit} bytes that the plan {plan} allows on this route."
        ),
        Detail::SlowBody => {
            "The body did not arrive in time. Send it faster, or in smaller requests.".into()
        }
        Detail::Key => {
            "A valid key is needed: send it as \"Authorization: Bearer tk_…\".".into()
        }
        Detail::Job => {
            "This account has no job of this id. Is the id whole, and was the job begun with a key of this account?".to_owned()
        }
        Detail::Charge { id } => format!("This account has no charge {id}. Is the id whole?"),
        Detail::Route { method, path } => format!("There is no route for {method} {path}."),
        Detail::Method { method } => format!("{method} is not possible here."),
        Detail::NotInPlan { route, plan } => format!("The plan {plan} does not include {route}."),
        Detail::PlanUnknown { plan } => {
            format!("The account's plan {plan} is not known here. Please tell the operator.")
        }
        Detail::Restricted { until } => format!("This account may not spend until {until}. Please contact support."),
        Detail::NotForKey { route } => format!("This key is not for {route}."),
        Detail::OptionNotInPlan { quantity, value, plan } => {
            format!("The plan {plan} does not include {quantity} = {value}.")
        }
        Detail::Suspended => "This account is suspended. Please contact support.".into(),
        Detail::Closed => "This account is closed.".into(),
        Detail::Unpriceable { pointer, why: reason } => match pointer.as_str() {
            "" => format!("The request cannot be priced: {}.", why(reason)),
            _ => format!("The request cannot be priced at {pointer}: {}.", why(reason)),
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
        Detail::WebsocketKey => "A WebSocket is asked for with exactly one Sec-WebSocket-Key.".into(),
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

/// Why a request has no price.
pub(super) fn why(why: &Why) -> String {
    match why {
        Why::Quantity { name, flaw } => format!("{name} {}", self::flaw(flaw)),
        Why::InQuery { name } => {
            format!("{name} belongs into the body, and stands in the query too")
        }
        Why::Query(problem) => query(*problem).into(),
        Why::Json(problem) => json(problem),
        Why::NoObject => "the body is no object, so none of its values can be found".into(),
        Why::Encoded => "the body has a Content-Encoding; send it without".into(),
        Why::Form(problem) => form(problem),
        Why::Media { form: false, .. } => "the body must be application/json in UTF-8".into(),
        Why::Media { json: false, .. } => {
            "the body must be multipart/form-data or application/x-www-form-urlencoded, in UTF-8"
                .into()
        }
        Why::Media { .. } => "the body must be application/json or a form, in UTF-8".into(),
        Why::Price(PriceError::Missing(name)) => format!("{name} has no value"),
        Why::Price(PriceError::NotANumber(name)) => format!("{name} is not a number"),
        Why::Price(PriceError::NoRate(what)) => format!("there is no rate for {what}"),
        Why::Price(PriceError::OutOfRange) => "the price is out of range".into(),
    }
}

fn flaw(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Required => "is required".into(),
        Flaw::Sort { wanted, found: None } => {
            let wanted = sort(*wanted);
            format!("must be {wanted}")
        }
        Flaw::Sort { wanted, found: Some(found) } => {
            let wanted = sort(*wanted);
            format!("must be {wanted}, not {}", sort(*found))
        }
        Flaw::Range { first, last } => format!("must be from {first} to {last}"),
        Flaw::Words(words) => format!("must be one of {}", words.join(", ")),
        Flaw::LongWord(limit) => format!("must have at most {limit} bytes"),
        Flaw::TooLarge => "is too large".into(),
        Flaw::BelowZero => "comes to less than zero".into(),
        Flaw::NoValue => "has no value".into(),
        Flaw::Differs => "must be the same everywhere".into(),
        Flaw::Digits => "must be a whole number, in digits".into(),
        Flaw::Number(DecimalError::Malformed) => "is not a number".into(),
        Flaw::Number(DecimalError::Negative) => "is below zero".into(),
        Flaw::Number(DecimalError::OutOfRange) => {
            "has more digits than can be counted exactly".into()
        }
        Flaw::Unread => "cannot be read without the body".into(),
        Flaw::Uneven => "must stand in every item".into(),
        Flaw::Query(problem) => query(*problem).into(),
        Flaw::Spelling => "stands in the headers with another spelling".into(),
        Flaw::HeaderTwice => "stands in the headers more than once".into(),
        Flaw::NotText => "is not plain text".into(),
        Flaw::NotUtf8 => "is not UTF-8".into(),
    }
}

const fn sort(sort: Sort) -> &'static str {
    match sort {
        Sort::Null => "null",
        Sort::Flag => "true or false",
        Sort::Integer => "a whole number",
        Sort::Number => "a number",
        Sort::Seconds => "a number of seconds",
        Sort::Pixels => "a whole number or a size such as 1024x1536",
        Sort::Text => "a string",
        Sort::Array => "an array",
        Sort::Object => "an object",
    }
}

const fn query(problem: QueryProblem) -> &'static str {
    match problem {
        QueryProblem::Semicolon => "the query has a semicolon",
        QueryProblem::Escape => "is not percent-encoded UTF-8",
        QueryProblem::Twice => "stands in the query more than once",
    }
}

fn form(problem: &FormProblem) -> String {
    match problem {
        FormProblem::Boundary => {
            "the form needs one boundary of 1 to 70 letters, digits and plain signs".into()
        }
        FormProblem::Charset => "the form must be in UTF-8".into(),
        FormProblem::Start => "the form does not begin with its boundary".into(),
        FormProblem::Stray => "the boundary stands where it could be read in two ways".into(),
        FormProblem::Tail => "something stands behind the end of the form".into(),
        FormProblem::Unclosed => "the form ends before its closing boundary".into(),
        FormProblem::PartHead => {
            "the headers of a part are malformed, folded, doubled or too long".into()
        }
        FormProblem::PartName => {
            "a part must say its name once, in Content-Disposition: form-data".into()
        }
        FormProblem::Encoding => "a part has a Content-Transfer-Encoding; send it without".into(),
        FormProblem::Nested => "a part has parts of its own".into(),
        FormProblem::Name => "the name of a field is too long or not percent-encoded UTF-8".into(),
        FormProblem::Semicolon => "the form has a semicolon that is not escaped".into(),
        FormProblem::Method => {
            "the form has a field _method; send the request with its own method".into()
        }
        FormProblem::Spelling(name) => {
            format!("the name of a field could be taken for {name:?}: write it so, once")
        }
        FormProblem::Twice(name) => format!("{name:?} stands in the form more than once"),
        FormProblem::NotText(name) => format!("{name:?} must be sent as a text, not as a file"),
        FormProblem::NotUtf8(name) => format!("{name:?} is not UTF-8"),
        FormProblem::Escape(name) => format!("{name:?} is not percent-encoded UTF-8"),
        FormProblem::TooLong(name) => format!("{name:?} must have at most {TEXT_MAX} bytes"),
        FormProblem::TooMany => format!("the form has more than {FIELDS_MAX} fields"),
    }
}

fn json(problem: &JsonProblem) -> String {
    match problem {
        JsonProblem::NotUtf8 => "the body is not UTF-8".into(),
        JsonProblem::ByteOrderMark => "the body begins with a byte order mark".into(),
        JsonProblem::Syntax(reason) => format!("not JSON: {reason}"),
        JsonProblem::Duplicate => "this name stands twice in its object".into(),
        JsonProblem::OtherCase(name) => format!("this name differs from {name:?} by case alone"),
        JsonProblem::TooDeep => format!("nested deeper than {DEPTH_MAX}"),
        JsonProblem::TooMany => "too many values".into(),
    }
}

/// What is wrong with a call.
pub(super) fn misread(call: &Misread) -> String {
    let fault = match &call.fault {
        Fault::Query => "the query cannot be read".into(),
        Fault::NotAnObject(reason) => format!("the body is not a JSON object: {reason}"),
        Fault::Malformed(reason) => reason.clone(),
        Fault::Example(example) => format!("such as {example}"),
        Fault::Missing => "this member is missing".into(),
        Fault::NoMember => "there is no such member".into(),
        Fault::NoParameter => "there is no such parameter".into(),
        Fault::Twice => "this parameter is said twice".into(),
        Fault::Range(first, last) => format!("a number from {first} to {last}"),
        Fault::Cursor => "not an id of this list".into(),
        Fault::Period => "today or month, once".into(),
        Fault::HeaderName => "a name is wrong".into(),
        Fault::HeaderValue => "a value is wrong".into(),
        Fault::OtherKey => "leave the key out; the key of this call counts".into(),
    };
    match &call.name {
        Some(name) => format!("{name}: {fault}"),
        None => fault,
    }
}
