//! Certificates: each file is read and tried here as it will be when it serves.

use super::Resolver;
use crate::config::mirror::{self, ListenerTls};
use crate::config::placed::At;
use crate::tls::{self, Broken, ClientCertificates, IdentityFiles, ServerFiles, Version};

impl Resolver<'_, '_> {
    /// TLS of a listener. `None`: there is an error. `Some(None)`: there is no TLS.
    pub(super) fn listener_tls(
        &mut self,
        written: Option<&ListenerTls>,
    ) -> Option<Option<ServerFiles>> {
        let Some(written) = written else { return Some(None) };
        let clients = self.clients(written);
        let files = ServerFiles {
            identity: IdentityFiles {
                certificate: self.path(&written.certificate_file),
                key: self.path(&written.key_file),
            },
            clients: clients.clone().flatten(),
            oldest: super::or(written.minimum_version.as_ref(), Version::V12),
        };
        let named = [
            Some(&written.certificate_file),
            Some(&written.key_file),
            written.client_ca_file.as_ref(),
        ];
        let tried = self.tried(&named, |read| tls::server(&files, read).map(drop));
        (tried && clients.is_some()).then_some(Some(files))
    }

    /// Who vouches for clients.
    fn clients(
        &mut self,
        written: &ListenerTls,
    ) -> Option<Option<(std::path::PathBuf, ClientCertificates)>> {
        match (&written.client_ca_file, &written.client_certificates) {
            (Some(file), asked) => {
                let asked = super::or(asked.as_ref(), ClientCertificates::Required);
                Some(Some((self.path(file), asked)))
            }
            (None, Some(asked)) => self.half("client_certificates", "client_ca_file", asked.place),
            (None, None) => Some(None),
        }
    }

    /// Our own certificate for an upstream, and whom it is trusted by. `None`: there is an error.
    pub(super) fn upstream_tls(
        &mut self,
        upstream: &mirror::Upstream,
    ) -> Option<Option<IdentityFiles>> {
        let own = match (&upstream.certificate_file, &upstream.key_file) {
            (Some(certificate), Some(key)) => {
                Some(IdentityFiles { certificate: self.path(certificate), key: self.path(key) })
            }
            (Some(one), None) => return self.half("certificate_file", "key_file", one.place),
            (None, Some(one)) => return self.half("key_file", "certificate_file", one.place),
            (None, None) => None,
        };
        let ca_file = upstream.ca_file.as_ref().map(|file| self.path(file));
        let named = [
            upstream.ca_file.as_ref(),
            upstream.certificate_file.as_ref(),
            upstream.key_file.as_ref(),
        ];
        let tried = self
            .tried(&named, |read| tls::client(ca_file.as_deref(), own.as_ref(), read).map(drop));
        tried.then_some(own)
    }

    /// Whether what is made of the files can be made of them. Each file that cannot be read is one error; if
    /// all can, what is wrong with them is another.
    fn tried(
        &mut self,
        named: &[Option<&At<String>>],
        make: impl FnOnce(tls::Read<'_>) -> Result<(), Broken>,
    ) -> bool {
        let named = || named.iter().copied().flatten();
        let readable = named().filter(|at| self.read_file(at).is_none()).count() == 0;
        if !readable || self.environment.assumes() {
            return readable;
        }
        let environment = self.environment;
        let Err(broken) = make(&|path| environment.file(path)) else { return true };
        let at = named().find(|at| self.path(at) == broken.file).or_else(|| named().next());
        if let Some(at) = at {
            let message = format!("`{}` {}", at.value, broken.say);
            self.findings.error("bad_certificate", at.place, message).help(broken.help);
        }
        false
    }
}
