//! Why a head or a body is not read on, and how the client is told.

use http::StatusCode;

use crate::meter::Rejection;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It can be read in two ways, or in none. The text ends a sentence.
    Unclear(&'static str),
    /// It is of a version that is not spoken here.
    Version,
    /// The head is longer than this, in bytes.
    TooLong(usize),
    /// The target is longer than this, in bytes.
    LongTarget(usize),
    /// The head has more headers than this.
    TooMany(usize),
    /// The head did not arrive in time.
    TooSlow,
}

impl Doubt {
    /// What happened, for the log.
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Unclear(why) => why,
            Self::Version => "another version of HTTP",
            Self::TooLong(_) => "the head is too long",
            Self::LongTarget(_) => "the target is too long",
            Self::TooMany(_) => "there are too many headers",
            Self::TooSlow => "the head is too slow",
        }
    }

    /// As the client is told.
    pub(super) fn rejection(self) -> Rejection {
        let (status, code, title, detail) = match self {
            Self::Unclear(why) => {
                let detail = format!("The request cannot be read in one way only: {why}.");
                (StatusCode::BAD_REQUEST, "bad_request", "Bad request", detail)
            }
            Self::Version => {
                let detail = "HTTP/1.1 and HTTP/1.0 are spoken on this connection.".to_owned();
                let status = StatusCode::HTTP_VERSION_NOT_SUPPORTED;
                (status, "bad_request", "HTTP version not supported", detail)
            }
            Self::TooLong(most) => too_large(format!(
                "The head of a request, with all its headers, may have {most} bytes. Send fewer."
            )),
            Self::LongTarget(most) => too_large(format!(
                "The target of a request, its path and query, may have {most} bytes. Send fewer."
            )),
            Self::TooMany(most) => {
                too_large(format!("A request may have {most} headers. Send fewer."))
            }
            Self::TooSlow => {
                let detail = "The head of the request did not arrive in time. Send it faster.";
                let status = StatusCode::REQUEST_TIMEOUT;
                (status, "too_slow", "Request too slow", detail.to_owned())
            }
        };
        Rejection::new(status, code, title, detail).because(self.why())
    }
}

fn too_large(detail: String) -> (StatusCode, &'static str, &'static str, String) {
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too_large", "Head too large", detail)
}
