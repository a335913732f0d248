//! Scalars: how each type is written, in the file and in the schema.
//!
//! Invariant: the schema's `format` names the reader that the walk uses, so both agree. A reader's error is
//! one sentence that says how it should be written.

mod admin;
mod field;
mod http;
mod identity;
mod money;
mod number;
mod path;
mod redis;
mod unit;
mod word;

use schemars::{Schema, json_schema};

pub(super) use self::admin::{HostName, Sha256};
pub(super) use self::field::{FieldName, Unit};
pub(super) use self::http::{Host, Origin, Upstream};
pub(super) use self::identity::{DocumentUrl, Parameter, Scheme};
pub(super) use self::money::{Scalar, Testable};
pub(super) use self::path::{Asked, BasePath, Match, PresetPath, Segment, canonical, segments};
pub(super) use self::redis::{Prefix, RedisUrl};
pub(super) use self::unit::{Bytes, Millis};

/// A type that is written as a scalar.
pub(super) trait Format: Sized {
    /// Reads what was written.
    fn read(text: &str) -> Result<Self, String>;

    /// How the schema describes it.
    fn schema() -> Schema;
}

/// Reads `text` by the name of a format: `Err` is what is wrong with it.
pub(super) fn check(format: &str, text: &str) -> Result<(), String> {
    fn read<T: Format>(text: &str) -> Result<(), String> {
        T::read(text).map(drop)
    }
    use crate::credit::{Amount, Decimal, Kind, Name, Paid};
    use crate::meter::{HostPattern, StatusSet};
    use crate::observe::Pointer;
    match format {
        "name" => read::<Name>(text),
        "kind" => read::<Kind>(text),
        "amount" => read::<Amount>(text),
        "money" => read::<Paid>(text),
        "number" => read::<Decimal>(text),
        "pointer" => read::<Pointer>(text),
        "duration" => read::<Millis>(text),
        "size" => read::<Bytes>(text),
        "address" => read::<std::net::SocketAddr>(text),
        "network" => read::<ipnet::IpNet>(text),
        "url" => read::<Upstream>(text),
        "authority" => read::<Host>(text),
        "asked-host" => read::<HostPattern>(text),
        "origin" => read::<Origin>(text),
        "asked" => read::<Asked>(text),
        "method" => read::<::http::Method>(text),
        "document-url" => read::<DocumentUrl>(text),
        "scheme" => read::<Scheme>(text),
        "parameter" => read::<Parameter>(text),
        "field" => read::<FieldName>(text),
        "unit" => read::<Unit>(text),
        "alphabet" => read::<crate::meter::Alphabet>(text),
        "redis-url" => read::<RedisUrl>(text),
        "server" => read::<crate::ledger::redis::Address>(text),
        "prefix" => read::<Prefix>(text),
        "match" => read::<Match>(text),
        "base-path" => read::<BasePath>(text),
        "preset" => read::<PresetPath>(text),
        "header" => read::<::http::HeaderName>(text),
        "sha256" => read::<Sha256>(text),
        "host" => read::<HostName>(text),
        "status" => read::<StatusSet>(text),
        "http-version" => read::<crate::proxy::HttpVersion>(text),
        "tls-version" => read::<crate::tls::Version>(text),
        _ => Ok(()),
    }
}

/// The schema of a text with a format.
fn text(format: &str, pattern: &str) -> Schema {
    json_schema!({ "type": "string", "format": format, "pattern": pattern })
}

/// The schema of a number that may also be written as a text.
fn digits(format: &str, pattern: &str) -> Schema {
    json_schema!({ "type": ["string", "number"], "format": format, "pattern": pattern })
}
