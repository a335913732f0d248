//! The certificates of the listeners, read again when their files change.
//!
//! Invariant: a file that is broken changes nothing: what was read before stays in force, and the log says
//! which file and what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use sha2::{Digest, Sha256};

use crate::config::{Environment, System};
use crate::tls::{Served, ServerFiles, server};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What one listener speaks TLS with, for all cores.
#[derive(Debug)]
pub(super) struct Certificates {
    /// Whose listener it is.
    pub(super) whose: &'static str,
    files: ServerFiles,
    /// What was in them at the start.
    first: [u8; 32],
    served: RwLock<Served>,
    /// Whether the files are others than those that are served, and broken.
    broken: AtomicBool,
}

impl Certificates {
    /// Reads the files of a listener.
    ///
    /// # Errors
    /// When one of them is broken; the message names it.
    pub(super) fn load(whose: &'static str, files: &ServerFiles) -> io::Result<Arc<Self>> {
        let found = Found::look(files);
        let served = server(files, &|path| found.file(path)).map_err(io::Error::other)?;
        let (files, served) = (files.clone(), RwLock::new(served));
        let first = found.fingerprint();
        Ok(Arc::new(Self { whose, files, first, served, broken: AtomicBool::new(false) }))
    }

    /// What is spoken with now.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }

    /// When the certificate that is served ends, in seconds since 1970.
    pub(super) fn ends_s(&self) -> u64 {
        self.served.read().unwrap_or_else(PoisonError::into_inner).ends_s
    }

    /// Whether newer files wait that are broken.
    pub(super) fn broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn take(&self, found: &Found) {
        match server(&self.files, &|path| found.file(path)) {
            Ok(served) => {
                tracing::info!(
                    listener = self.whose,
                    ends_s = served.ends_s,
                    "certificates were read again"
                );
                *self.served.write().unwrap_or_else(PoisonError::into_inner) = served;
                self.broken.store(false, Ordering::Relaxed);
            }
            Err(broken) => {
                let (file, say, help) = (broken.file.display(), broken.say.as_str(), broken.help);
                let whose = self.whose;
                tracing::error!(listener = whose, %file, say, help, "certificates changed and are broken; the old ones stay in force");
                self.broken.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// What was found in the files at one look.
#[derive(Debug)]
struct Found(Vec<(PathBuf, io::Result<Vec<u8>>)>);

impl Found {
    fn look(files: &ServerFiles) -> Self {
        Self(files.all().map(|path| (path.to_owned(), System.file(path))).collect())
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.0.iter().find(|(own, _)| own == path) {
            Some((_, Ok(bytes))) => Ok(bytes.clone()),
            Some((_, Err(error))) => Err(io::Error::new(error.kind(), error.to_string())),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for (_, found) in &self.0 {
            let length = found
                .as_ref()
                .map_or(u64::MAX, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            hash.update(length.to_be_bytes());
            hash.update(found.as_deref().unwrap_or_default());
        }
        hash.finalize().into()
    }
}

/// Looks at the files of `certificates` for ever. Files that change one after the other are taken when two
/// looks have found the same: half of a pair fits nothing.
pub(super) async fn watch(certificates: Arc<Certificates>) {
    let mut taken = certificates.first;
    let mut seen = taken;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let found = Found::look(&certificates.files);
        let now = found.fingerprint();
        if now == seen && now != taken {
            certificates.take(&found);
            taken = now;
        }
        seen = now;
    }
}
