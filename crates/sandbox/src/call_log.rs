//! The log of calls: one line of JSON for each, as the server saw it.
//!
//! `{"service", "operation", "status", "request", "response"}` with the bodies of the JSON services as they were; an answer
//! that was made and then dropped is recorded as it was made, a call that was never answered has `"status": null`. Beside
//! them stand `number` (of all calls, from 1), `account`, `region`, `caller`, and for S3 `bucket` and `key`. Secrets
//! Manager's sensitive texts, and the values of the Parameter Store, are fillers of their length. The parameters of SSM's
//! commands are not redacted: no secret may ever be in
//! them, and a test has to see.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::services::Service;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) number: u64,
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) status: Option<u16>,
    pub(crate) request: Value,
    pub(crate) response: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bucket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct CallLog {
    records: Vec<Record>,
    file: Option<File>,
    calls: u64,
}

impl CallLog {
    /// With a path: appends each record to that file as well.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| File::options().create(true).append(true).open(path)).transpose()?;
        Ok(Self { file, ..Self::default() })
    }

    /// The number of the call that begins now, from 1.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    pub(crate) fn push(&mut self, record: Record) {
        if let Some(file) = &mut self.file {
            // One write a line: several sandboxes may append to the same file.
            let written = file.write_all(line(&record).as_bytes());
            written.expect("the log of calls can be written, or the tests that read it would lie");
        }
        self.records.push(record);
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
    }

    pub(crate) fn lines(&self) -> String {
        self.records.iter().map(line).collect()
    }
}

fn line(record: &Record) -> String {
    let mut line = serde_json::to_string(record).expect("a record has string keys only");
    line.push('\n');
    line
}
