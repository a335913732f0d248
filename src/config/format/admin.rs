//! Hashes and names of hosts.

use schemars::Schema;

use super::{Format, text};

/// A SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Sha256(pub(in crate::config) [u8; 32]);

/// The name of a host, in lower case, without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct HostName(pub(in crate::config) String);

impl Format for Sha256 {
    fn read(text: &str) -> Result<Self, String> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        let hash = bytes.and_then(|bytes| bytes.try_into().ok()).map(Self);
        // Perhaps the secret itself was written here.
        hash.ok_or_else(|| "a SHA-256 has 64 hexadecimal digits".to_owned())
    }

    fn schema() -> Schema {
        text("sha256", "^[0-9a-fA-F]{64}$")
    }
}

impl Format for HostName {
    fn read(text: &str) -> Result<Self, String> {
        /// RFC 1035, 2.3.4.
        const LABEL_MAX: usize = 63;
        const NAME_MAX: usize = 253;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let label = |it: &str| {
            (1..=LABEL_MAX).contains(&it.len()) && it.bytes().all(plain) && !it.starts_with('-')
        };
        if text.len() <= NAME_MAX && text.split('.').all(label) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!(
                "`{text}` is not the name of a host without a port, such as tollgate.internal"
            ))
        }
    }

    fn schema() -> Schema {
        text("host", "^[A-Za-z0-9.-]+$")
    }
}
