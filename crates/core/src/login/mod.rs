//! Whether a registry accepts a credential: what to ask it, in which order, and what its answers prove.
//!
//! The auth flow is that of the distribution project (<https://distribution.github.io/distribution/spec/auth/token/>).
//! Values in, values out: [`Ladder`] says what to ask next and is told the answer. Nothing here sends anything, and
//! nothing here holds a password; a token is looked into and not kept.

pub mod address;
pub mod canary;
pub mod challenge;
pub mod grant;
pub mod ladder;
pub mod realm;
pub mod trial;
pub mod verdict;
pub mod verification;

pub use canary::{Canary, CanaryError};
pub use challenge::{Challenge, Scheme};
pub use grant::Grant;
pub use ladder::{Answer, Ask, Ladder, Likeness, Next, Proof, Settings, Status};
pub use realm::{Authority, RealmRefusal, RealmRules};
pub use trial::{RejectedCandidates, Trial, Unreachable};
pub use verdict::{Accepted, Cause, Evidence, Login, NoAnswer, Obstacle, Party, Rejection, Stage};
