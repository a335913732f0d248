//! Why a form was not read.

/// What is wrong with a form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormProblem {
    /// `Content-Type` does not name one boundary of 1 to 70 plain characters (RFC 2046 §5.1.1).
    #[error("the form has no single, plain boundary")]
    Boundary,
    /// `Content-Type`, `_charset_` or the part of a sought field names another encoding than UTF-8.
    #[error("the form is not said to be UTF-8")]
    Charset,
    /// It does not begin with its boundary.
    #[error("the form does not begin with its boundary")]
    Start,
    /// The boundary stands where it is none to some servers: behind a lone CR or LF, or with more behind it.
    #[error("the boundary stands at an ambiguous place")]
    Stray,
    /// Bytes behind the closing boundary.
    #[error("something stands behind the end of the form")]
    Tail,
    /// It ends before its closing boundary.
    #[error("the form ends before its closing boundary")]
    Unclosed,
    /// The head of a part is too long, folded, doubled or otherwise not as RFC 7578 has it.
    #[error("the head of a part is malformed")]
    PartHead,
    /// A part does not say its name once and plainly in `Content-Disposition: form-data`.
    #[error("a part does not say its name once and plainly")]
    PartName,
    /// A part has a `Content-Transfer-Encoding` that changes it (RFC 7578 §4.7).
    #[error("a part has a transfer encoding")]
    Encoding,
    /// A part is itself a multipart (RFC 7578 §4.3).
    #[error("a part has parts of its own")]
    Nested,
    /// The name of a field is too long or not UTF-8, or its escapes are malformed.
    #[error("the name of a field cannot be read")]
    Name,
    /// A field's name is taken by some server for this one.
    #[error("a field's name could be taken for {0:?}")]
    Spelling(String),
    /// This field stands there more than once.
    #[error("{0:?} stands in the form more than once")]
    Twice(String),
    /// This field is a file, not a text, at least to some servers.
    #[error("{0:?} is not sent as a text")]
    NotText(String),
    /// This field is not UTF-8.
    #[error("{0:?} is not UTF-8")]
    NotUtf8(String),
    /// This field's escapes are malformed, or it has bytes that should be escaped.
    #[error("{0:?} is not percent-encoded UTF-8")]
    Escape(String),
    /// This field has more bytes than `TEXT_MAX`.
    #[error("{0:?} is too long")]
    TooLong(String),
    /// `;`, which some servers take for `&`.
    #[error("the form has a semicolon that is not escaped")]
    Semicolon,
    /// A field that tells some servers to take the request for one of another method.
    #[error("the form overrides the method")]
    Method,
    /// More than `FIELDS_MAX` parts or fields.
    #[error("the form has too many fields")]
    TooMany,
}
