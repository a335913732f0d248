//! TLS to a server.

use std::path::Path;

use rustls::{ClientConfig, RootCertStore};

use super::{Broken, Identity, IdentityFiles, Read, provider, trust};

/// What we speak TLS to a server with: the public roots, the operator's beside them, and our own certificate
/// if the server wants one.
///
/// # Errors
/// When a file is broken, or certificate and key do not belong together.
pub fn client(
    ca_file: Option<&Path>,
    own: Option<&IdentityFiles>,
    read: Read<'_>,
) -> Result<ClientConfig, Broken> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = ca_file {
        trust(&mut roots, file, read)?;
    }
    let identity = own.map(|files| Identity::read(files, read)).transpose()?;
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions)
        .map_err(|error| {
            let file = ca_file.unwrap_or(Path::new("TLS"));
            Broken::new(file, error, "this build has no cryptography that fits")
        })?
        .with_root_certificates(roots);
    Ok(match identity {
        Some(identity) => builder.with_client_cert_resolver(identity.certified),
        None => builder.with_no_client_auth(),
    })
}
