//! Editing an ecs.config: its two lines of authentication, and nothing else.
//!
//! The file is another's. Agents join the cluster that it names and run with what it sets, so every byte outside of
//! the two lines stays, and so does an entry for a registry that nobody told regcred about. What an edit makes is read
//! back by the agent's own rules, and asked about an image of every registry, before it is returned: nothing that an
//! agent would take otherwise leaves this module.

mod edit;
mod note;
mod owner;
mod proof;
mod redacted;
mod refusal;
mod rendering;
#[cfg(test)]
mod tests;
mod text;

use zeroize::Zeroizing;

pub use edit::edit;
pub use note::Note;
pub use redacted::{REDACTED, redact};
pub use refusal::{ReadBack, Refusal, Unconvertible};
pub use text::Variable;

use crate::agent::env_file::misread;
use crate::agent::{EffectiveAuth, Misread};
use crate::credential::Credential;
use crate::secret::Secret;
use crate::server::Server;

/// A registry of the configuration, and what the file should have of it.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub server: Server,
    pub desired: Desired,
}

#[derive(Clone, Debug)]
pub enum Desired {
    Publish(Credential),
    /// What the file has published of it, if anything, because it is not known what should be.
    Hold,
}

/// What becomes of entries that no listed registry owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    Keep,
    Prune,
}

/// The file as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// All of it. Empty where there is no file and nothing to put in one.
    pub text: Secret,
    pub change: Change,
    /// What an agent that starts on this file has loaded.
    pub auth: EffectiveAuth,
    /// The servers whose desired credential it holds, in the order asked for.
    pub published: Vec<Server>,
    /// The held servers of which it holds what was published.
    pub held: Vec<Server>,
    /// The held servers of which it holds nothing.
    pub unpublished: Vec<Server>,
    /// The keys, as they may be printed, of entries that no listed registry owns and that are kept.
    pub kept: Vec<String>,
    /// The same, of those removed.
    pub pruned: Vec<String>,
    pub notes: Vec<Note>,
}

/// How the file differs from the one that was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// In no byte.
    None,
    /// Only in lines that nobody reads: every agent already has what it would load.
    Lines,
    /// In what an agent loads.
    Auth,
}

impl Edited {
    pub fn is_changed(&self) -> bool {
        match self.change {
            Change::None => false,
            Change::Lines | Change::Auth => true,
        }
    }
}

/// Takes a file's bytes for text, as an edit needs it; bytes that are none are wiped.
pub fn decode(bytes: Vec<u8>) -> Result<Secret, Refusal> {
    String::from_utf8(bytes).map(Secret::new).map_err(|error| {
        let bytes = Zeroizing::new(error.into_bytes());
        Refusal::Misread(misread(&bytes).unwrap_or(Misread::NotText { line: 1 }))
    })
}
