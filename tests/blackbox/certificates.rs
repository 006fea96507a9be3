//! Certificates of a test's own, made by the real `openssl`: an authority that nobody else trusts, and what it signs.
//!
//! They last two days and lie in a folder that goes with the test: no private key is kept anywhere.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::tools::{Program, Tool};

/// A certificate authority.
pub(crate) struct Authority {
    folder: TempDir,
    openssl: PathBuf,
}

/// A certificate and its private key, each a PEM file.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

const OF_AUTHORITY: &str = "\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = regcred tests
[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, digitalSignature
";

fn of_server(names: &str) -> String {
    format!(
        "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = extensions\n[name]\nCN = a server\n\
         [extensions]\nbasicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n\
         extendedKeyUsage = serverAuth\nsubjectAltName = {names}\n"
    )
}

impl Authority {
    /// Makes one. `None` as [`Tool::find`] has it.
    pub(crate) async fn new(test: &str) -> Option<Self> {
        let openssl = Tool::Openssl.find(test)?;
        let folder = tempfile::tempdir().expect("a folder for temporary files is there");
        let authority = Self { folder, openssl };
        authority.request("authority", OF_AUTHORITY, &[]).await;
        Some(authority)
    }

    /// The file that whoever is to trust it reads.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.path("authority.pem")
    }

    /// A server at 127.0.0.1 and `localhost`.
    pub(crate) async fn local_server(&self) -> Identity {
        self.server("local", "DNS:localhost, IP:127.0.0.1").await
    }

    /// A server of another name.
    pub(crate) async fn other_server(&self) -> Identity {
        self.server("other", "DNS:other.example.com").await
    }

    async fn server(&self, file: &str, names: &str) -> Identity {
        let (certificate, key) = (self.certificate(), self.path("authority.key"));
        let by = ["-CA".into(), certificate.into_os_string(), "-CAkey".into(), key.into_os_string()];
        self.request(file, &of_server(names), &by).await
    }

    async fn request(&self, file: &str, content: &str, by: &[std::ffi::OsString]) -> Identity {
        let config = self.path(&format!("{file}.cnf"));
        fs::write(&config, content).expect("our own folder takes a file");
        let identity = Identity {
            certificate: self.path(&format!("{file}.pem")),
            key: self.path(&format!("{file}.key")),
        };
        let made = Program::new(&self.openssl)
            .arguments(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
            .arguments(["-config".into(), config.into_os_string()])
            .arguments(["-keyout".into(), identity.key.clone().into_os_string()])
            .arguments(["-out".into(), identity.certificate.clone().into_os_string()])
            .arguments(by.iter().cloned())
            .run()
            .await;
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        identity
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }
}

impl Identity {
    pub(crate) fn certificate_der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).expect("openssl writes PEM")
    }

    pub(crate) fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_file(&self.key).expect("openssl writes PEM")
    }

    /// For a server of the test's own.
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs has cipher suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate_der()], self.key_der())
            .expect("openssl's key fits its certificate");
        Arc::new(config)
    }
}
