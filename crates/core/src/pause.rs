//! A person's wish that nobody writes for now.
//!
//! This module must not know where the wish is kept.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// That regcred is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pause {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who asked for it: a user and a machine.
    pub by: String,
    /// Why, in that person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since, by, reason } = self;
        write!(f, "since {} by {by}", since.to_rfc3339_opts(SecondsFormat::Secs, true))?;
        match reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}
