//! The source `exec`: a command that prints the credential. See docs/sources/exec.md.

use std::ffi::OsStr;
use std::path::PathBuf;

use async_trait::async_trait;

use super::bytes::as_text;
use super::error::{Place, SourceError};
use super::flaw::Flaw;
use super::pair::{self, Keys};
use super::process::{Call, Ended, Environment, run};
use super::{Reading, Source};

/// A command whose standard output is `{"username":"…","password":"…","expires_at":"…"}`.
pub(super) struct Exec {
    /// The program; looked for on the `PATH` if it is a name alone.
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Environment,
    /// The folder of the configuration, where relative paths start.
    pub(super) folder: PathBuf,
}

#[async_trait]
impl Source for Exec {
    async fn read(&self) -> Result<Reading, SourceError> {
        let Self { program, arguments, environment, folder } = self;
        let program: &OsStr = program.as_os_str();
        let read = async {
            let call = Call { program, arguments, environment, folder: Some(folder), input: b"" };
            let Ended { code, output } = run(call).await?;
            if code != Some(0) {
                return Err(Flaw::Ended { code });
            }
            pair::parse(&as_text(output)?, &Keys::usual())
        };
        read.await.map(Reading::of).map_err(|flaw| SourceError { place: self.place(), flaw })
    }

    fn place(&self) -> Place {
        Place::Command(self.program.clone())
    }
}
