//! What is recorded of hosts outside ECS's view: one small object a fleet, below the state's prefix.
//!
//! It is written by compare-and-swap; whoever loses a race reads again, and adds what it has to say. Without it nothing is
//! wrong: every host is asked again, and says that it holds the credential already. What is recorded is decided by
//! [`regcred_core::rollout`], not here.

use std::collections::BTreeSet;

use regcred_core::host::HostId;
use regcred_core::names::FleetName;
use regcred_core::outside::{HostRecords, HostRecordsError};
use regcred_core::report::{Failure, FailureKind};
use regcred_core::rollout::Note;
use regcred_core::secret::Secret;

use crate::aws::{AwsErrorKind, ObjectRead, S3};
use crate::config;

/// How often a lost race is run again: a writer beside us writes twice a command at most, and then waits for its hosts.
const WRITES: usize = 5;

/// The record of one fleet's hosts.
#[derive(Debug)]
pub(crate) struct RecordStore<'a> {
    s3: &'a S3,
    bucket: &'a str,
    key: String,
    records: HostRecords,
    /// `None` while there is no object.
    etag: Option<String>,
    /// Hosts that were recorded when it was read, and that SSM lists no more: the next write drops them.
    gone: BTreeSet<HostId>,
}

impl<'a> RecordStore<'a> {
    pub(crate) async fn read(
        s3: &'a S3,
        state: &'a config::State,
        fleet: &FleetName,
    ) -> Result<Self, Failure> {
        let key = format!("{}hosts/{fleet}.json", state.prefix);
        let mut store = Self {
            s3,
            bucket: &state.bucket,
            key,
            records: HostRecords::default(),
            etag: None,
            gone: BTreeSet::new(),
        };
        store.read_again().await?;
        Ok(store)
    }

    pub(crate) fn records(&self) -> &HostRecords {
        &self.records
    }

    /// Tells which hosts there are; what is recorded of others goes with the next write.
    pub(crate) fn keep(&mut self, listed: &BTreeSet<HostId>) {
        self.gone = self.records.ids().filter(|id| !listed.contains(*id)).cloned().collect();
    }

    /// Records `notes`, all of them or none.
    pub(crate) async fn note(&mut self, notes: &[Note]) -> Result<(), Failure> {
        for _ in 0..WRITES {
            let mut records = self.records.clone();
            records.forget(&self.gone);
            for Note { host, name, value } in notes {
                records.put(host, name, value);
            }
            if records == self.records && self.etag.is_some() {
                return Ok(());
            }
            let content = Secret::from(records.to_text());
            match self.s3.write(self.bucket, &self.key, &content, self.etag.as_deref(), None).await {
                Ok(version) => {
                    self.etag = Some(version.tag);
                    self.records = records;
                    return Ok(());
                }
                Err(error) => match error.kind {
                    AwsErrorKind::PreconditionFailed | AwsErrorKind::Conflict | AwsErrorKind::NotFound => {
                        self.read_again().await?;
                    }
                    AwsErrorKind::AccessDenied
                    | AwsErrorKind::Exists
                    | AwsErrorKind::Invalid
                    | AwsErrorKind::KeyFailed
                    | AwsErrorKind::NoAnswer
                    | AwsErrorKind::NoCredentials
                    | AwsErrorKind::NotSent
                    | AwsErrorKind::Throttled => return Err(error.failure(self.cannot("write"))),
                },
            }
        }
        Err(Failure::new(
            FailureKind::Refused,
            self.cannot("write"),
            format!("others wrote it first, {WRITES} times in a row"),
            "see that one regcred alone works on this fleet, and run it again",
        ))
    }

    async fn read_again(&mut self) -> Result<(), Failure> {
        match self.s3.read(self.bucket, &self.key).await {
            ObjectRead::Absent => {
                self.records = HostRecords::default();
                self.etag = None;
                Ok(())
            }
            ObjectRead::Failed(error) => {
                Err(self.s3.cannot_read(&error, self.cannot("read"), self.bucket, &self.key))
            }
            ObjectRead::Present(object) => {
                let text = object.content.as_ref().map(Secret::expose);
                let records = text.ok_or(HostRecordsError::Malformed).and_then(HostRecords::read);
                self.records = records.map_err(|why| self.unusable(&why))?;
                self.etag = Some(object.version.tag);
                Ok(())
            }
        }
    }

    fn unusable(&self, why: &HostRecordsError) -> Failure {
        let remedy = match why {
            HostRecordsError::Malformed => {
                "delete it: every host is then asked again, and restarted only if it does not hold the credential"
            }
            HostRecordsError::Newer(_) => "use that version here too",
        };
        Failure::new(FailureKind::Invalid, self.cannot("read"), why.to_string(), remedy)
    }

    fn cannot(&self, what: &str) -> String {
        format!(
            "cannot {what} the record of hosts `s3://{}/{}` in {}",
            self.bucket,
            self.key,
            self.s3.place()
        )
    }
}
