//! The causes of refusals: for each a stable code, and the status that it has, but where a dialect needs
//! another one (`Dialect::status`).
//!
//! Invariant: a code is stable and never translated. 402 is for what waiting cannot mend, 429 for what it can.
//! 409 never stands for a decision about money: several SDKs repeat it.

use http::StatusCode;

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident => $status:ident $code:literal,)+) => {
        /// Why a request is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Cause { $($(#[$doc])* $variant,)+ }

        impl Cause {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }
        }
    };
}

causes! {
    /// The request can be read in two ways.
    BadRequest => BAD_REQUEST "bad_request",
    /// The body is too large.
    TooLarge => PAYLOAD_TOO_LARGE "too_large",
    /// The head is too large.
    HeadTooLarge => REQUEST_HEADER_FIELDS_TOO_LARGE "too_large",
    /// A version of HTTP that is not spoken here.
    HttpVersion => HTTP_VERSION_NOT_SUPPORTED "bad_request",
    /// The request has been here before.
    LoopDetected => LOOP_DETECTED "loop_detected",
    /// An expectation that nobody here can meet.
    ExpectationFailed => EXPECTATION_FAILED "expectation_failed",
    /// The head or the body did not come in time.
    TooSlow => REQUEST_TIMEOUT "too_slow",
    /// A key is missing, malformed, unknown, wrong or revoked.
    InvalidKey => UNAUTHORIZED "invalid_key",
    /// The account is suspended or closed.
    AccountSuspended => FORBIDDEN "account_suspended",
    /// The account may not spend for a time.
    AccountRestricted => FORBIDDEN "account_restricted",
    /// The plan has no right to this value of a quantity.
    OptionNotInPlan => FORBIDDEN "option_not_in_plan",
    /// The plan has no right to the route.
    RouteNotInPlan => FORBIDDEN "route_not_in_plan",
    /// The account's plan is not in this instance's configuration.
    PlanUnknownHere => FORBIDDEN "plan_unknown_here",
    /// Not enough credits, and waiting does not help.
    InsufficientCredits => PAYMENT_REQUIRED "insufficient_credits",
    /// Not enough credits until others are given back.
    CreditsOnHold => TOO_MANY_REQUESTS "credits_on_hold",
    /// Too fast.
    RateLimited => TOO_MANY_REQUESTS "rate_limited",
    /// A cap of the day or the month is reached. Where the SDKs of a dialect repeat every 429, 402.
    CapExceeded => TOO_MANY_REQUESTS "cap_exceeded",
    /// Too many at once.
    ConcurrencyExceeded => TOO_MANY_REQUESTS "concurrency_exceeded",
    /// A quantity that the price names is missing, of the wrong type, out of range or ambiguous.
    UnpriceableRequest => UNPROCESSABLE_ENTITY "unpriceable_request",
    /// The hold would be above the caller's `Credits-Max`.
    MaxChargeExceeded => PRECONDITION_FAILED "max_charge_exceeded",
    /// No route matches.
    UnknownRoute => NOT_FOUND "unknown_route",
    /// No job of this id, or another account's.
    UnknownJob => NOT_FOUND "unknown_job",
    /// No charge of this id, or another account's.
    UnknownCharge => NOT_FOUND "unknown_charge",
    /// The path of the client plane has other methods.
    MethodNotAllowed => METHOD_NOT_ALLOWED "method_not_allowed",
    /// The route does not speak WebSocket.
    WebsocketUnsupported => NOT_IMPLEMENTED "websocket_unsupported",
    /// The ledger cannot be asked: nothing is forwarded.
    MeteringUnavailable => SERVICE_UNAVAILABLE "metering_unavailable",
    /// This instance is about to stop.
    Draining => SERVICE_UNAVAILABLE "draining",
    /// The upstream could not be reached or broke off.
    UpstreamError => BAD_GATEWAY "upstream_error",
    /// The upstream took too long.
    UpstreamTimeout => GATEWAY_TIMEOUT "upstream_timeout",
}
