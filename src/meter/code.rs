//! What becomes of a request, in one stable word: it is forwarded, or refused by one of the codes that
//! clients see.
//!
//! Invariant: the set is closed; no request can make a word.

use crate::count::words;

words! {
    /// A decision about a request.
    Code {
        /// It was forwarded, and the head of an answer came, or the client left before that.
        Forwarded => "forwarded",
        /// It was answered here: the client plane, a quote.
        Answered => "answered",
        /// The client left before anything was decided.
        Left => "left",
        /// Two readings.
        BadRequest => "bad_request",
        /// Head or body too large.
        TooLarge => "too_large",
        /// The body did not come in time.
        TooSlow => "too_slow",
        /// No, a wrong or a revoked key.
        InvalidKey => "invalid_key",
        /// The account is suspended or closed.
        AccountSuspended => "account_suspended",
        /// The account is restricted for fair use.
        AccountRestricted => "account_restricted",
        /// The plan has no right to the route.
        RouteNotInPlan => "route_not_in_plan",
        /// The plan has no right to the option.
        OptionNotInPlan => "option_not_in_plan",
        /// The account's plan is not known here.
        PlanUnknownHere => "plan_unknown_here",
        /// Not enough credits.
        InsufficientCredits => "insufficient_credits",
        /// Not enough credits until others are given back.
        CreditsOnHold => "credits_on_hold",
        /// Too fast.
        RateLimited => "rate_limited",
        /// A cap is reached.
        CapExceeded => "cap_exceeded",
        /// Too many at once.
        ConcurrencyExceeded => "concurrency_exceeded",
        /// A quantity that the price needs cannot be read.
        UnpriceableRequest => "unpriceable_request",
        /// Above the caller's own limit.
        MaxChargeExceeded => "max_charge_exceeded",
        /// The same request is under way.
        IdempotencyInProgress => "idempotency_in_progress",
        /// The same key came with another request.
        IdempotencyMismatch => "idempotency_mismatch",
        /// No route.
        UnknownRoute => "unknown_route",
        /// No job of this account.
        UnknownJob => "unknown_job",
        /// An expectation that is not met here.
        ExpectationFailed => "expectation_failed",
        /// The request has been here before.
        LoopDetected => "loop_detected",
        /// The route does not speak WebSocket.
        WebsocketUnsupported => "websocket_unsupported",
        /// The ledger cannot be asked.
        MeteringUnavailable => "metering_unavailable",
        /// This instance is about to stop.
        Draining => "draining",
        /// The upstream could not be reached or broke off.
        UpstreamError => "upstream_error",
        /// The upstream took too long.
        UpstreamTimeout => "upstream_timeout",
        /// A refusal that has no place here yet.
        Other => "other",
    }
}

impl Code {
    /// The decision that a refusal with this code is.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self::ALL.into_iter().find(|one| one.word() == code).unwrap_or(Self::Other)
    }
}

words! {
    /// The first digit of an upstream's status.
    Hundred {
        /// Informational.
        Informational => "1xx",
        /// Success.
        Success => "2xx",
        /// Redirection.
        Redirection => "3xx",
        /// The client's fault.
        Client => "4xx",
        /// The server's fault.
        Server => "5xx",
        /// A status that HTTP does not know.
        Odd => "other",
        /// No answer came.
        None => "none",
    }
}

impl Hundred {
    /// Where this status belongs; `None`: no answer came.
    #[must_use]
    pub const fn of(status: Option<u16>) -> Self {
        match status {
            Some(100..200) => Self::Informational,
            Some(200..300) => Self::Success,
            Some(300..400) => Self::Redirection,
            Some(400..500) => Self::Client,
            Some(500..600) => Self::Server,
            Some(_) => Self::Odd,
            None => Self::None,
        }
    }
}
