//! The real registry of the distribution project, as Debian packages it (`docker-registry`), on loopback.
//!
//! It must not outlive the test, however it ends.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sha2::Digest as _;
use tempfile::TempDir;

use crate::certificates::Identity;
use crate::http;
use crate::tools::Tool;

/// Users and their passwords, hashed by bcrypt at its least cost: what they protect is a test.
pub(crate) const LAST_YEAR: (&str, &str) =
    ("harbor-password-of-last-year", "robot:$2b$05$abcdefghijklmnopqrstuuneF2M8U.ZJosvYi/36jUedWbjtizeiG\n");
pub(crate) const THIS_YEAR: (&str, &str) =
    ("harbor-password-of-this-year", "robot:$2b$05$vwxyzABCDEFGHIJKLMNOPuyj7JfPjM7OCL1sMxtlOs6SNwYvpEmJa\n");

/// How it lets its clients log in.
pub(crate) enum Auth<'a> {
    /// Everybody may do everything: to fill it.
    Nobody,
    /// By this htpasswd file.
    Htpasswd(&'a str),
    /// By the tokens of a server at this realm, which signs by this identity.
    Token { realm: &'a str, issuer: &'a Identity },
}

/// What its tokens have to say of themselves.
pub(crate) const SERVICE: &str = "registry of the tests";
pub(crate) const ISSUER: &str = "token server of the tests";

/// A folder with the images of a registry.
pub(crate) struct Images {
    program: PathBuf,
    folder: TempDir,
}

/// A registry that runs until this is dropped.
pub(crate) struct DockerRegistry {
    /// `127.0.0.1:PORT`.
    pub(crate) authority: String,
    folder: TempDir,
    server: Child,
}

/// The shell that runs it reads from our end of a pipe, and kills it when that is closed.
const LEASH: &str = r#""$@" </dev/null & read -r _; kill -s KILL "$!""#;

/// It starts in a tenth of a second; half a minute is one that hangs, on two cores busy with a build too.
const START: Duration = Duration::from_secs(30);

impl Images {
    /// A folder with `REPOSITORY:latest` of each of these. `None` as [`Tool::find`] has it.
    pub(crate) async fn new(test: &str, repositories: &[&str]) -> Option<Self> {
        let program = Tool::DockerRegistry.find(test)?;
        let folder = tempfile::tempdir().expect("a folder for temporary files is there");
        let images = Self { program, folder };
        let registry = images.serve(&Auth::Nobody, None).await;
        for repository in repositories {
            push(&format!("http://{}", registry.authority), repository).await;
        }
        Some(images)
    }

    /// Starts a registry of them.
    ///
    /// # Panics
    /// If it does not answer in time; the message holds what it printed.
    pub(crate) async fn serve(&self, auth: &Auth<'_>, tls: Option<&Identity>) -> DockerRegistry {
        // The port was free when it was looked for; another process may have taken it since.
        for _ in 0..2 {
            if let Ok(registry) = DockerRegistry::start(self, auth, tls).await {
                return registry;
            }
        }
        DockerRegistry::start(self, auth, tls)
            .await
            .unwrap_or_else(|printed| panic!("docker-registry does not start; it printed:\n{printed}"))
    }
}

impl DockerRegistry {
    /// What it printed, if it ended before it answered.
    async fn start(images: &Images, auth: &Auth<'_>, tls: Option<&Identity>) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a folder for temporary files is there");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let authority = free.expect("loopback has a free port").to_string();
        let config = folder.path().join("config.json");
        let content = config_of(&authority, images.folder.path(), folder.path(), auth, tls);
        fs::write(&config, content.to_string()).expect("a new folder takes a new file");
        let printed = fs::File::create(folder.path().join("printed")).expect("a new folder takes a new file");
        let server = Command::new("/bin/sh")
            .args(["-c", LEASH, "sh"])
            .arg(&images.program)
            .arg("serve")
            .arg(&config)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(printed.try_clone().expect("a descriptor can be doubled"))
            .stderr(printed)
            .spawn()
            .expect("a shell can be started");
        let mut registry = Self { authority, folder, server };
        let until = Instant::now() + START;
        while tokio::net::TcpStream::connect(&registry.authority).await.is_err() {
            if registry.printed().contains("level=fatal") || Instant::now() > until {
                return Err(registry.printed());
            }
            let ended = registry.server.try_wait().expect("our own child can be asked");
            assert!(ended.is_none(), "the shell of docker-registry is gone");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(registry)
    }

    /// Replaces the htpasswd file, which it reads again.
    pub(crate) fn set_htpasswd(&self, content: &str) {
        let path = self.folder.path().join("htpasswd");
        fs::write(&path, content).expect("our own folder takes a file");
        // It looks at the time of the last change, and two changes may fall into one tick of the clock.
        let file = fs::File::options().append(true).open(&path).expect("it was written just now");
        file.set_modified(std::time::SystemTime::now() + Duration::from_secs(5)).expect("it is ours");
    }

    /// How often it answered `request` (`GET /v2/`) with `status`, by its own log.
    pub(crate) fn answered(&self, request: &str, status: u16) -> usize {
        let line = format!("\"{request} HTTP/1.1\" {status} ");
        self.printed().matches(&line).count()
    }

    pub(crate) fn printed(&self) -> String {
        let bytes = fs::read(self.folder.path().join("printed")).expect("it was created at the start");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

/// JSON is YAML, which it reads.
fn config_of(
    authority: &str,
    images: &Path,
    folder: &Path,
    auth: &Auth<'_>,
    tls: Option<&Identity>,
) -> serde_json::Value {
    let mut config = serde_json::json!({
        "version": "0.1",
        "log": { "level": "info" },
        "storage": { "filesystem": { "rootdirectory": images } },
        "http": { "addr": authority, "secret": "it signs uploads of the tests" },
    });
    if let Some(Identity { certificate, key }) = tls {
        config["http"]["tls"] = serde_json::json!({ "certificate": certificate, "key": key });
    }
    match auth {
        Auth::Nobody => {}
        Auth::Htpasswd(content) => {
            let path = folder.join("htpasswd");
            fs::write(&path, content).expect("a new folder takes a new file");
            config["auth"] = serde_json::json!({ "htpasswd": { "realm": "tests", "path": path } });
        }
        Auth::Token { realm, issuer } => {
            config["auth"] = serde_json::json!({ "token": {
                "realm": realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": issuer.certificate,
            }});
        }
    }
    config
}

/// Pushes the least of an image, `REPOSITORY:latest`.
async fn push(endpoint: &str, repository: &str) {
    let config = b"{}";
    let digest = |bytes: &[u8]| {
        let hex: String = sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    };
    let begun = http::send(endpoint, "POST", &format!("/v2/{repository}/blobs/uploads/"), &[], b"").await;
    let begun = begun.expect("it listens");
    assert_eq!(begun.status, 202, "{}", begun.text());
    let location = begun.header("location").expect("an upload has a place").to_owned();
    let path = &location[location.find("/v2/").expect("it is below the API")..];
    let between = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{between}digest={}", digest(config));
    let kind = [("content-type", "application/octet-stream")];
    let put = http::send(endpoint, "PUT", &path, &kind, config).await.expect("it listens");
    assert_eq!(put.status, 201, "{}", put.text());
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(), "digest": digest(config),
        },
        "layers": [],
    });
    let kind = [("content-type", "application/vnd.docker.distribution.manifest.v2+json")];
    let path = format!("/v2/{repository}/manifests/latest");
    let put = http::send(endpoint, "PUT", &path, &kind, manifest.to_string().as_bytes()).await;
    let put = put.expect("it listens");
    assert_eq!(put.status, 201, "{}", put.text());
}
