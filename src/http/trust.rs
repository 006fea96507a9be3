//! Whose certificates are believed: the system's, and those of a file that the operator names.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

use thiserror::Error;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Whom to believe that they are who they say. Cheap to clone, and loads the system's certificates once a process, when
/// the first `https://` request needs them: reading them takes some milliseconds.
#[derive(Clone)]
pub(crate) struct Trust {
    /// Besides the system's.
    own: Vec<CertificateDer<'static>>,
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

static SYSTEM: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "cannot read some of the system's certificates");
    }
    roots.add_parsable_certificates(found.certs);
    roots
});

/// The most that is read of a file of certificates. Mozilla's whole list has about 220 KiB.
const MOST_BYTES: u64 = 1024 * 1024;

/// All of a file; of no pipe and no device, which may have no end.
fn read(path: &Path) -> Result<Vec<u8>, CaFileFlaw> {
    // Opening a pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(CaFileFlaw::Unreadable)?.is_file() {
        return Err(CaFileFlaw::NoFile);
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(CaFileFlaw::Unreadable)?;
    let length = file.take(MOST_BYTES + 1).read_to_end(&mut content).map_err(CaFileFlaw::Unreadable)?;
    if length as u64 > MOST_BYTES { Err(CaFileFlaw::TooLarge) } else { Ok(content) }
}

impl Trust {
    /// The system's certificates. `SSL_CERT_FILE` and `SSL_CERT_DIR` say where these are, where they are set.
    pub(crate) fn system() -> Self {
        Self { own: Vec::new(), config: Arc::default() }
    }

    /// The system's, and those of a PEM file.
    pub(crate) fn with_file(path: &Path) -> Result<Self, CaFileError> {
        let error = |flaw| CaFileError { path: path.to_owned(), flaw };
        let content = read(path).map_err(error)?;
        let mut own = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(&content) {
            own.push(certificate.map_err(|source| error(CaFileFlaw::NotPem(source)))?);
        }
        if own.is_empty() {
            return Err(error(CaFileFlaw::NoCertificate));
        }
        let mut roots = RootCertStore::empty();
        let (_, ignored) = roots.add_parsable_certificates(own.iter().cloned());
        if ignored > 0 {
            return Err(error(CaFileFlaw::NoCertificate));
        }
        Ok(Self { own, config: Arc::default() })
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        let build = || {
            let mut roots = SYSTEM.clone();
            roots.add_parsable_certificates(self.own.iter().cloned());
            let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("aws-lc-rs has cipher suites for TLS 1.2 and 1.3")
                .with_root_certificates(roots)
                .with_no_client_auth();
            // rustls keeps sessions by host, without the port: a token server on another port of the registry's host would be
            // offered the registry's session, and not every server bears that (rustls' own ends the handshake).
            config.resumption = Resumption::disabled();
            Arc::new(config)
        };
        Arc::clone(self.config.get_or_init(build))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust(the system's, and {} more)", self.own.len())
    }
}

/// A file of certificates that is of no use.
#[derive(Debug, Error)]
#[error("cannot use the certificates in {}", path.display())]
pub(crate) struct CaFileError {
    pub(crate) path: PathBuf,
    #[source]
    pub(crate) flaw: CaFileFlaw,
}

#[derive(Debug, Error)]
pub(crate) enum CaFileFlaw {
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("it is a folder, a pipe or a device, and no file")]
    NoFile,
    #[error("it is larger than {} KiB, and no list of certificates is", MOST_BYTES / 1024)]
    TooLarge,
    #[error("it is no PEM text")]
    NotPem(#[source] pem::Error),
    #[error("it holds no certificate that can be used")]
    NoCertificate,
}
