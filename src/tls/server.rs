//! TLS of a listener.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::{Broken, Identity, IdentityFiles, Read, provider, trust};

/// What is spoken inside, the preferred one first (RFC 7301).
const INSIDE: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2 (RFC 5246) and 1.3.
    V12,
    /// TLS 1.3 (RFC 8446) alone.
    V13,
}

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// It is asked for one; what it shows must be good.
    Optional,
    /// Without a good one there is no connection.
    Required,
}

/// What a listener proves itself with, and whom it lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFiles {
    /// The listener's certificate and key.
    pub identity: IdentityFiles,
    /// Who vouches for clients, as a file of PEM; `None`: clients are not asked.
    pub clients: Option<(PathBuf, ClientCertificates)>,
    /// The oldest version that is spoken.
    pub oldest: Version,
}

impl ServerFiles {
    /// All files that it takes.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        let clients = self.clients.iter().map(|(file, _)| file.as_path());
        [self.identity.certificate.as_path(), self.identity.key.as_path()]
            .into_iter()
            .chain(clients)
    }
}

/// What a listener speaks TLS with.
#[derive(Clone)]
pub struct Served {
    /// For rustls.
    pub config: Arc<ServerConfig>,
    /// When its certificate ends, in seconds since 1970.
    pub ends_s: u64,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Served(until {})", self.ends_s)
    }
}

/// Reads what a listener speaks TLS with. Tickets of an earlier reading are not honoured: whoever vouches for
/// clients may have changed.
///
/// # Errors
/// When a file is broken, or certificate and key do not belong together.
pub fn server(files: &ServerFiles, read: Read<'_>) -> Result<Served, Broken> {
    let identity = Identity::read(&files.identity, read)?;
    let unusable = |error: &dyn fmt::Display| {
        Broken::new(
            &files.identity.certificate,
            format_args!("cannot be used: {error}"),
            "make it anew",
        )
    };
    let versions: &[&SupportedProtocolVersion] = match files.oldest {
        Version::V12 => &[&TLS13, &TLS12],
        Version::V13 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| unusable(&error))?;
    let builder = match &files.clients {
        None => builder.with_no_client_auth(),
        Some((file, asked)) => builder.with_client_cert_verifier(verifier(file, *asked, read)?),
    };
    let mut config = builder.with_cert_resolver(identity.certified);
    config.alpn_protocols = INSIDE.iter().map(|name| name.to_vec()).collect();
    config.ticketer =
        rustls::crypto::aws_lc_rs::Ticketer::new().map_err(|error| unusable(&error))?;
    Ok(Served { config: Arc::new(config), ends_s: identity.ends_s })
}

fn verifier(
    file: &Path,
    asked: ClientCertificates,
    read: Read<'_>,
) -> Result<Arc<dyn ClientCertVerifier>, Broken> {
    let mut roots = RootCertStore::empty();
    trust(&mut roots, file, read)?;
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let builder = match asked {
        ClientCertificates::Optional => builder.allow_unauthenticated(),
        ClientCertificates::Required => builder,
    };
    builder.build().map_err(|error| {
        let say = format_args!("cannot vouch for clients: {error}");
        Broken::new(file, say, "put the authority's own certificate there")
    })
}
