//! Doubles of AWS that others wrote, as servers on loopback. The sandbox has to agree with them where they are right; where
//! they are known to be wrong, `lies.rs` says so.
//!
//! They must listen on loopback alone, and must not outlive the test, however it ends.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http;
use crate::processes;
use crate::tools::{AwsEnvironment, Program, Tool};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ThirdParty {
    /// <https://docs.getmoto.org/en/latest/docs/server_mode.html>; the account is 123456789012.
    Moto,
    /// <https://pypi.org/project/ministack/>; the account is the access key id, if that has twelve digits.
    Ministack,
    /// The same, which then asks the policies of whoever calls. [`ROOT_KEY`] may do everything, in [`ROOT_ACCOUNT`].
    EnforcingMinistack,
}

/// Both halves of the access key of an enforcing ministack's root.
pub(crate) const ROOT_KEY: &str = "test";
pub(crate) const ROOT_ACCOUNT: &str = "123456789012";

impl ThirdParty {
    pub(crate) const ALL: [Self; 2] = [Self::Moto, Self::Ministack];

    fn tool(self) -> Tool {
        match self {
            Self::Moto => Tool::MotoServer,
            Self::Ministack | Self::EnforcingMinistack => Tool::Ministack,
        }
    }

    fn health(self) -> &'static str {
        match self {
            Self::Moto => "/moto-api/config",
            Self::Ministack | Self::EnforcingMinistack => "/_ministack/health",
        }
    }

    /// Starts one, empty, and waits until it answers. `None` as [`Tool::find`] has it.
    ///
    /// # Panics
    /// If it does not answer in time; the message holds what it printed.
    pub(crate) async fn start(self, test: &str) -> Option<Running> {
        let program = self.tool().find(test)?;
        let mut said = String::new();
        // The port was free when it was looked for; another process may have taken it since.
        for _ in 0..3 {
            match Running::start(self, &program).await {
                Ok(running) => return Some(running),
                Err(printed) => said = printed,
            }
        }
        panic!("{self:?} does not start; it printed:\n{said}");
    }
}

/// Becomes the server, and leaves one beside it that reads until the test's end of the pipe is closed, which the system does
/// when the test's process is gone for whatever reason, and then kills the process group, of which the server is the leader.
/// The pipe is descriptor 3 there, since a shell gives what it starts in the background an empty standard input.
const LEASH: &str = r#"
  exec 3<&0
  { cat <&3; kill -s KILL -- "-$$"; } >/dev/null 2>&1 &
  exec "$@" </dev/null 3<&-
"#;

/// Both start in half a second on an idle machine; half a minute is one that hangs, on two cores busy with a build too.
const START: Duration = Duration::from_secs(30);

/// A server that runs until this is dropped.
pub(crate) struct Running {
    /// For all services alike, as `AWS_ENDPOINT_URL` wants it.
    pub(crate) endpoint: String,
    server: Child,
    folder: TempDir,
}

impl Running {
    /// What it printed, if it ended before it answered.
    async fn start(who: ThirdParty, program: &Path) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a folder for temporary files is there");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("loopback has a free port")
            .port();
        let printed = fs::File::create(folder.path().join("printed")).expect("a new folder takes a new file");

        let mut command = Command::new("/bin/sh");
        command.args(["-c", LEASH, "sh"]).arg(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path());
        match who {
            ThirdParty::Moto => {
                command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            }
            ThirdParty::Ministack | ThirdParty::EnforcingMinistack => {
                // Without BIND_HOST it listens on every address of the machine; and its IoT listener, on port 8883, always
                // does (services/iot.py).
                command.env("BIND_HOST", "127.0.0.1").env("IOT_MTLS_ENABLED", "0");
                command.env("GATEWAY_PORT", port.to_string());
                if who == ThirdParty::EnforcingMinistack {
                    command.env("AUTH", "true").env("MINISTACK_ACCOUNT_ID", ROOT_ACCOUNT);
                    command.env("AWS_ACCESS_KEY_ID", ROOT_KEY).env("AWS_SECRET_ACCESS_KEY", ROOT_KEY);
                }
            }
        }
        let server = command
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(printed.try_clone().expect("a descriptor can be doubled"))
            .stderr(printed)
            .process_group(0)
            .spawn()
            .expect("a shell can be started");
        Self { endpoint: format!("http://127.0.0.1:{port}"), server, folder }.answers(who).await
    }

    async fn answers(mut self, who: ThirdParty) -> Result<Self, String> {
        let until = Instant::now() + START;
        loop {
            let answer = http::send(&self.endpoint, "GET", who.health(), &[], b"").await;
            let is_well = answer.is_ok_and(|answer| (200..300).contains(&answer.status));
            // In this order: an answer on its port may be another server's, if ours could not have the port.
            if self.server.try_wait().expect("our own child can be asked").is_some() {
                return Err(self.printed());
            }
            if is_well {
                return Ok(self);
            }
            assert!(Instant::now() < until, "{who:?} does not answer; it printed:\n{}", self.printed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn printed(&self) -> String {
        let bytes = fs::read(self.folder.path().join("printed")).expect("it was created at the start");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The whole group goes, by the leash: killing the child alone would leave what it started.
        drop(self.server.stdin.take());
        // A matter of milliseconds; then nothing writes to the folder any more, and it can be removed.
        let _ = self.server.wait();
    }
}

#[tokio::test]
async fn each_answers_on_loopback_alone_and_is_gone_with_its_handle() {
    for who in ThirdParty::ALL {
        let Some(running) = who.start("each_answers_on_loopback_alone_and_is_gone_with_its_handle").await
        else {
            continue;
        };
        let (endpoint, group) = (running.endpoint.clone(), running.server.id());
        assert_eq!(processes::listening(group), [endpoint.replace("http://", "")], "{who:?}");
        drop(running);
        assert!(http::send(&endpoint, "GET", who.health(), &[], b"").await.is_err(), "{who:?}");
        assert_eq!(processes::in_group(group), Vec::<u32>::new(), "{who:?}");
    }
}

#[tokio::test]
async fn the_real_aws_command_talks_to_each() {
    let test = "the_real_aws_command_talks_to_each";
    for who in ThirdParty::ALL {
        let Some(running) = who.start(test).await else { continue };
        let environment = AwsEnvironment {
            endpoint: &running.endpoint,
            region: "eu-west-1",
            access_key_id: "123456789012",
            secret_access_key: "test",
        };
        let Some(aws) = Program::aws(test, &environment) else { continue };
        let caller = aws.arguments(["sts", "get-caller-identity"]).run().await;
        assert_eq!((caller.code, caller.stderr.as_str()), (Some(0), ""), "{who:?}");
        let caller: serde_json::Value = serde_json::from_str(&caller.stdout).unwrap();
        assert_eq!(caller["Account"], "123456789012", "{who:?}");
    }
}
