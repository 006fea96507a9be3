//! A real OpenBao, in memory and unsealed, for all tests of the process; and the least of HTTP to fill it with.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

const ROOT: &str = "root-token-of-the-tests";

/// A server that ends with this process: the shell that runs it reads from our end of a pipe, and kills it when that is
/// closed.
pub(super) struct Bao {
    authority: String,
    _alive: ChildStdin,
}

/// The one server of all tests, or `None` after it was said that there is no `bao`.
pub(super) fn shared() -> Option<&'static Bao> {
    static BAO: LazyLock<Option<Bao>> = LazyLock::new(|| binary().map(|bao| Bao::start(&bao)));
    BAO.as_ref()
}

/// Where tests/tools/install.sh put it.
fn binary() -> Option<PathBuf> {
    let venv = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin");
    let bao = std::env::var_os("REGCRED_TEST_TOOLS").map_or_else(venv, PathBuf::from).join("bao");
    if bao.is_file() {
        return Some(bao);
    }
    // Past the test harness, which holds back what the print macros write.
    let told = "MISSING: bao\n  The tests of the source `vault` need it, and did not run.\n  Run tests/run, which installs it.\n";
    let _ = std::io::stderr().lock().write_all(told.as_bytes());
    assert!(std::env::var_os("CI").is_none(), "bao is missing, and CI is set");
    None
}

impl Bao {
    /// Starts one of its own.
    pub(super) fn fresh() -> Option<Self> {
        binary().map(|bao| Self::start(&bao))
    }

    fn start(bao: &Path) -> Self {
        let authority = free_port();
        let mut server = Command::new("/bin/sh");
        let script = r#""$@" </dev/null & read -r _; kill "$!""#;
        let listen = OsString::from(format!("-dev-listen-address={authority}"));
        let token = OsString::from(format!("-dev-root-token-id={ROOT}"));
        server
            .args(["-c", script, "sh"])
            .arg(bao)
            .args(["server", "-dev", "-dev-no-store-token"])
            .args([listen, token])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = server.spawn().unwrap();
        let alive = server.stdin.take().unwrap();
        let mut said = BufReader::new(server.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("server started!") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "bao ended before it began");
        }
        // What it logs has to go somewhere, or it would wait for a reader.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        std::thread::spawn(move || server.wait());
        let bao = Self { authority, _alive: alive };
        bao.root("POST", "sys/auth/approle", &json!({ "type": "approle" }));
        bao
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// Asks as root, and has to succeed.
    pub(super) fn root(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = exchange(&self.authority, method, &format!("/v1/{path}"), ROOT, body);
        assert!(status < 300, "{method} {path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap_or_default()
    }

    /// Writes a secret to a path of its own, and tells it.
    pub(super) fn write(&self, data: &Value) -> String {
        let path = unused_path();
        self.write_to(&path, data);
        path
    }

    /// Writes another version of a secret.
    pub(super) fn write_to(&self, path: &str, data: &Value) {
        self.root("POST", &format!("secret/data/{path}"), &json!({ "data": data }));
    }

    /// A token that may read all of the store.
    pub(super) fn reader(&self) -> String {
        let policy = r#"path "secret/data/*" { capabilities = ["read"] }"#;
        self.root("PUT", "sys/policies/acl/reader", &json!({ "policy": policy }));
        let made = self.root("POST", "auth/token/create", &json!({ "policies": ["reader"] }));
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }
}

pub(super) fn unused_path() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("registries/{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// One request and its answer: status and body.
pub(super) fn exchange(
    authority: &str,
    method: &str,
    path: &str,
    token: &str,
    body: &Value,
) -> (u16, String) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {authority}\r\nX-Vault-Token: {token}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
