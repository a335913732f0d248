//! Floor 1: TLS: who we are, and whom we trust. From PEM to what rustls speaks with.
//!
//! Listeners, upstreams and `tollgate check` all read certificates here, so that what one of them accepts
//! no other refuses.
//!
//! Invariant: a certificate is never taken without the key that fits it, and there is no switch that trusts
//! everybody.

mod client;
mod identity;
mod server;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub use client::client;
pub use identity::{Identity, IdentityFiles};
pub use server::{ClientCertificates, Served, ServerFiles, Version, server};

/// How a file is read: from the disk, or from what was read of it before.
pub type Read<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// A file that cannot serve its purpose.
#[derive(Debug)]
pub struct Broken {
    /// Which file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub say: String,
    /// What to do.
    pub help: &'static str,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.file.display(), self.say, self.help)
    }
}

impl std::error::Error for Broken {}

impl Broken {
    fn new(file: &Path, say: impl fmt::Display, help: &'static str) -> Self {
        Self { file: file.to_owned(), say: say.to_string(), help }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn bytes(file: &Path, read: Read<'_>) -> Result<Vec<u8>, Broken> {
    read(file).map_err(|error| {
        Broken::new(file, format_args!("cannot be read: {error}"), "is it there, and readable?")
    })
}

/// All certificates of a file, of which there must be one.
fn certificates(file: &Path, read: Read<'_>) -> Result<Vec<CertificateDer<'static>>, Broken> {
    const HELP: &str = "it must have blocks of PEM that begin with -----BEGIN CERTIFICATE-----";
    let bytes = bytes(file, read)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(Broken::new(file, "has no certificate", HELP)),
        Err(error) => Err(Broken::new(file, format_args!("has no certificate: {error}"), HELP)),
    }
}

/// Adds whom a file of certificates trusts.
fn trust(roots: &mut RootCertStore, file: &Path, read: Read<'_>) -> Result<(), Broken> {
    for certificate in certificates(file, read)? {
        roots.add(certificate).map_err(|error| {
            let say = format_args!("has a certificate that cannot vouch for others: {error}");
            Broken::new(file, say, "put the authority's own certificate there")
        })?;
    }
    Ok(())
}
