//! A certificate with its key.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::{Broken, Read, bytes, certificates, provider};

/// Where a certificate and its key are, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A certificate with the key that fits it.
pub struct Identity {
    pub(super) certified: Arc<SingleCertAndKey>,
    /// When it ends, in seconds since 1970.
    pub ends_s: u64,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity(until {})", self.ends_s)
    }
}

impl Identity {
    /// Reads both files.
    ///
    /// # Errors
    /// When one of them cannot be read, is not PEM, or they do not belong together.
    pub fn read(files: &IdentityFiles, read: Read<'_>) -> Result<Self, Broken> {
        let chain = certificates(&files.certificate, read)?;
        let broken_key = |say: String| {
            let help = "it must have a block of PEM that begins with -----BEGIN PRIVATE KEY-----";
            Broken::new(&files.key, say, help)
        };
        // What the parser says never quotes the key.
        let key = PrivateKeyDer::from_pem_slice(&bytes(&files.key, read)?)
            .map_err(|error| broken_key(format!("has no private key: {error}")))?;
        let signer = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| broken_key(format!("has a key that cannot be used: {error}")))?;
        let ends_s = ends_s(chain.first()).ok_or_else(|| {
            let help = "make it anew, as X.509";
            Broken::new(&files.certificate, "has a certificate that cannot be read", help)
        })?;
        let certified = CertifiedKey::new(chain, signer);
        certified.keys_match().map_err(|_| {
            let say = format!("does not belong to the key in {}", files.key.display());
            Broken::new(&files.certificate, say, "put both files there that were issued together")
        })?;
        Ok(Self { certified: Arc::new(SingleCertAndKey::from(certified)), ends_s })
    }
}

/// When a certificate ends, in seconds since 1970; `None`: it is none.
fn ends_s(certificate: Option<&CertificateDer<'_>>) -> Option<u64> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate?).ok()?;
    Some(u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0))
}
