//! A maker of certificates, and certificates for servers and clients.
//!
//! Invariant: everything lies in one temporary folder that ends with the handle.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// Who vouches.
#[derive(Debug)]
pub(crate) struct Pki {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Another name than what it certifies has, or that would look as if it vouched for itself.
        params.distinguished_name.push(DnType::CommonName, "maker of certificates");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let made = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// The certificate that is to be trusted, as PEM.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for DNS names and IP addresses, and its key, as PEM.
    pub(crate) fn certify(&self, names: &[&str]) -> (PathBuf, PathBuf) {
        self.write(CertificateParams::new(owned(names)).unwrap())
    }

    /// The same, but it ended long ago.
    pub(crate) fn certify_expired(&self, names: &[&str]) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(owned(names)).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        self.write(params)
    }

    fn write(&self, mut params: CertificateParams) -> (PathBuf, PathBuf) {
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let files = (folder.join("certificate.pem"), folder.join("key.pem"));
        std::fs::write(&files.0, made.pem()).unwrap();
        std::fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn a_server_speaks_tls_and_plain() {
    let pki = Pki::new();
    let server = super::RedisServer::start_tls(&pki, &["localhost", "127.0.0.1"], &[]);
    assert_ne!(server.tls_port(), server.port());
    let ask = |ca: &PathBuf| {
        let mut command = std::process::Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &server.tls_port().to_string(), "--tls"]);
        command.arg("--cacert").arg(ca).arg("PING");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert_eq!(ask(&pki.ca_file()), "PONG\n");
    assert_ne!(ask(&Pki::new().ca_file()), "PONG\n");
    let ended = pki.certify_expired(&["127.0.0.1"]);
    let old = super::RedisServer::start_with_certificate(&ended, &pki, &[]);
    assert_eq!(old.say::<String>("PING"), "PONG");
}
