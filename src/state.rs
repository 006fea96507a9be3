//! What regcred owns besides: one small object, read once per pass.
//!
//! It holds the fingerprint key and what was learnt once. The hosts' role cannot read it. Nothing here is needed for a
//! pass to be right: without it every host would only be asked again what it holds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use regcred_core::fingerprint::{Fingerprint, FingerprintKey};
use regcred_core::login::{Canary, Stage};
use regcred_core::names::RegistryName;
use regcred_core::pause::Pause;
use regcred_core::report::{Failure, FailureKind};
use regcred_core::secret::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::aws::{AwsErrorKind, ObjectRead, S3};
use crate::config;

/// The state, and which version of its object it was read from.
#[derive(Debug)]
pub(crate) struct State {
    pub key: FingerprintKey,
    /// S3 endpoints, not AWS's own, that were seen to honour conditional writes.
    conditional_endpoints: Vec<String>,
    /// Candidates that their registries rejected, one a registry: they are not tried again by themselves.
    rejected: BTreeMap<RegistryName, RejectedCandidate>,
    /// What is to be written of that: a rejection, or that there is none any more.
    learnt: BTreeMap<RegistryName, Option<RejectedCandidate>>,
    /// Credentials that were published while their registries could not be asked: each is tried until one can.
    untried: BTreeMap<RegistryName, Fingerprint>,
    /// What is to be written of that: one, or that it was tried by now.
    learnt_untried: BTreeMap<RegistryName, Option<Fingerprint>>,
    /// A person wants that nothing is written.
    pub pause: Option<Pause>,
    /// `None` while nothing is stored yet.
    etag: Option<String>,
}

/// A credential that its registry rejected. The fingerprint is keyed, and safe to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RejectedCandidate {
    fingerprint: Fingerprint,
    at: DateTime<Utc>,
    /// What it was not let pull; none where the login was refused, and where an older version wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    canary: Option<Canary>,
}

impl RejectedCandidate {
    fn stage(&self) -> Stage {
        match &self.canary {
            Some(canary) => Stage::Pull { canary: canary.clone() },
            None => Stage::Login,
        }
    }
}

/// A bucket that will be written to, and a key that a probe's key may begin with.
#[derive(Debug)]
pub(crate) struct Store<'a> {
    pub s3: &'a S3,
    pub bucket: &'a str,
    pub beside: &'a str,
}

/// The object as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    fingerprint_key: String,
    #[serde(default)]
    conditional_endpoints: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rejected: BTreeMap<RegistryName, RejectedCandidate>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    untried: BTreeMap<RegistryName, Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pause: Option<Pause>,
}

const VERSION: u32 = 1;

impl State {
    /// Reads the state. Where there is none yet, a new one is made up, and stored by [`State::prepare`] alone, so that
    /// reading commands write nothing.
    pub(crate) async fn read(s3: &S3, place: &config::State) -> Result<Self, Failure> {
        let what =
            || format!("cannot read the state `s3://{}/{}` in {}", place.bucket, key(place), s3.place());
        match s3.read(&place.bucket, &key(place)).await {
            ObjectRead::Absent => Ok(Self {
                key: new_key()?,
                conditional_endpoints: Vec::new(),
                rejected: BTreeMap::new(),
                learnt: BTreeMap::new(),
                untried: BTreeMap::new(),
                learnt_untried: BTreeMap::new(),
                pause: None,
                etag: None,
            }),
            ObjectRead::Failed(error) if error.kind == AwsErrorKind::AccessDenied => Err(Failure {
                remedy: format!(
                    "allow s3:GetObject and s3:PutObject on arn:aws:s3:::{}/{}* and s3:ListBucket on \
                     arn:aws:s3:::{} (without the last, a first run cannot be told from a forbidden one)",
                    place.bucket, place.prefix, place.bucket
                ),
                ..error.failure(what())
            }),
            ObjectRead::Failed(error) => Err(error.failure(what())),
            ObjectRead::Present(object) => {
                let unusable = |why: &str| {
                    Failure::new(
                        FailureKind::Invalid,
                        what(),
                        why,
                        "restore an older version of the object; or delete it: every host is then asked again, and \
                         restarted only if it does not hold the credential",
                    )
                };
                let content = object.content.ok_or_else(|| unusable("it is no text"))?;
                let mut stored: Stored = serde_json::from_str(content.expose())
                    .map_err(|_| unusable("it is no state of regcred's"))?;
                if stored.version > VERSION {
                    return Err(Failure::new(
                        FailureKind::Refused,
                        what(),
                        format!("it was written by a newer regcred (format {})", stored.version),
                        "use that version here too",
                    ));
                }
                let hex = Secret::new(std::mem::take(&mut stored.fingerprint_key));
                let key = FingerprintKey::from_hex(&hex).ok_or_else(|| unusable("its key is damaged"))?;
                Ok(Self {
                    key,
                    conditional_endpoints: stored.conditional_endpoints,
                    rejected: stored.rejected,
                    learnt: BTreeMap::new(),
                    untried: stored.untried,
                    learnt_untried: BTreeMap::new(),
                    pause: stored.pause,
                    etag: Some(object.version.tag),
                })
            }
        }
    }

    /// Whether there was no state to read: nothing was ever published from this config.
    pub(crate) fn is_new(&self) -> bool {
        self.etag.is_none()
    }

    /// When this very candidate was rejected, and at which stage, if it was.
    pub(crate) fn rejection(
        &self,
        registry: &RegistryName,
        candidate: &Fingerprint,
    ) -> Option<(DateTime<Utc>, Stage)> {
        let known = self.rejected.get(registry).filter(|known| known.fingerprint == *candidate)?;
        Some((known.at, known.stage()))
    }

    /// Keeps in mind that the candidate was rejected. [`State::prepare`] writes it.
    pub(crate) fn remember_rejected(
        &mut self,
        registry: &RegistryName,
        candidate: Fingerprint,
        at: DateTime<Utc>,
        stage: &Stage,
    ) {
        let canary = match stage {
            Stage::Login => None,
            Stage::Pull { canary } => Some(canary.clone()),
        };
        self.reject(registry, RejectedCandidate { fingerprint: candidate, at, canary });
    }

    fn reject(&mut self, registry: &RegistryName, rejected: RejectedCandidate) {
        self.rejected.insert(registry.clone(), rejected.clone());
        self.learnt.insert(registry.clone(), Some(rejected));
    }

    /// The registry's candidate is this one: what is kept of another is of no use any more.
    pub(crate) fn forget_other(&mut self, registry: &RegistryName, candidate: &Fingerprint) {
        if self.rejected.get(registry).is_some_and(|known| known.fingerprint != *candidate) {
            self.forget_rejected(registry);
        }
        if self.untried.get(registry).is_some_and(|known| known != candidate) {
            self.forget_untried(registry);
        }
    }

    /// The registry's candidate was accepted. [`State::prepare`] writes it.
    pub(crate) fn forget_rejected(&mut self, registry: &RegistryName) {
        if self.rejected.remove(registry).is_some() {
            self.learnt.insert(registry.clone(), None);
        }
    }

    /// Whether something was learnt that is not written yet.
    pub(crate) fn has_learnt(&self) -> bool {
        !self.learnt.is_empty() || !self.learnt_untried.is_empty()
    }

    /// Whether this very credential was published while its registry could not be asked.
    pub(crate) fn is_untried(&self, registry: &RegistryName, candidate: &Fingerprint) -> bool {
        self.untried.get(registry) == Some(candidate)
    }

    /// The candidate is published although nobody could say whether it works. [`State::prepare`] writes it.
    pub(crate) fn remember_untried(&mut self, registry: &RegistryName, candidate: Fingerprint) {
        if !self.is_untried(registry, &candidate) {
            self.untried.insert(registry.clone(), candidate.clone());
            self.learnt_untried.insert(registry.clone(), Some(candidate));
        }
    }

    /// The registry's candidate was accepted. [`State::prepare`] writes it.
    pub(crate) fn forget_untried(&mut self, registry: &RegistryName) {
        if self.untried.remove(registry).is_some() {
            self.learnt_untried.insert(registry.clone(), None);
        }
    }

    /// What has to be so before the first write of a pass: the key is stored, and the endpoints of `stores` honour
    /// conditional writes. Costs nothing once both are known.
    pub(crate) async fn prepare(
        &mut self,
        s3: &S3,
        place: &config::State,
        stores: &[Store<'_>],
    ) -> Result<(), Failure> {
        let own = Store { s3, bucket: &place.bucket, beside: &place.prefix };
        let mut learnt: Vec<String> = Vec::new();
        for store in stores.iter().chain(std::iter::once(&own)) {
            let Some(endpoint) = store.s3.endpoint() else { continue };
            if self.conditional_endpoints.iter().chain(&learnt).any(|known| known == endpoint) {
                continue;
            }
            probe(store, endpoint).await?;
            learnt.push(endpoint.to_owned());
        }
        if self.etag.is_some() && learnt.is_empty() && !self.has_learnt() {
            return Ok(());
        }
        self.conditional_endpoints.extend(learnt);
        self.write(s3, place).await
    }

    async fn write(&mut self, s3: &S3, place: &config::State) -> Result<(), Failure> {
        for _ in 0..WRITES {
            let Some(now) = self.try_write(s3, place).await? else { return Ok(()) };
            // Our own earlier try whose answer was lost, or another run beside this one: what is stored counts, and what
            // was learnt here is added to it.
            if now.is_new() || now.key.to_hex() != self.key.to_hex() {
                break;
            }
            let before = std::mem::replace(self, now);
            self.learn_from(before);
            if !self.has_learnt() {
                return Ok(());
            }
        }
        Err(written_meanwhile(s3, place))
    }

    fn learn_from(&mut self, earlier: Self) {
        for (registry, untried) in earlier.learnt_untried {
            match untried {
                Some(candidate) => self.remember_untried(&registry, candidate),
                None => self.forget_untried(&registry),
            }
        }
        for (registry, rejected) in earlier.learnt {
            match rejected {
                Some(rejected) if self.rejected.get(&registry) != Some(&rejected) => {
                    self.reject(&registry, rejected);
                }
                Some(_) => {}
                None => self.forget_rejected(&registry),
            }
        }
    }

    /// Sets or takes away the wish that nothing is written. What it was before.
    pub(crate) async fn set_pause(
        mut self,
        s3: &S3,
        place: &config::State,
        pause: Option<Pause>,
    ) -> Result<Option<Pause>, Failure> {
        let mut before = self.pause.clone();
        for _ in 0..WRITES {
            if self.pause == pause {
                return Ok(before);
            }
            self.pause.clone_from(&pause);
            let Some(now) = self.try_write(s3, place).await? else { return Ok(before) };
            // Unless it is our own write whose answer was lost, another one was there first.
            if now.pause != pause {
                before.clone_from(&now.pause);
            }
            self = now;
        }
        Err(written_meanwhile(s3, place))
    }

    /// Writes it, if nobody else did since it was read; else, what is there now.
    async fn try_write(&mut self, s3: &S3, place: &config::State) -> Result<Option<Self>, Failure> {
        let mut stored = Stored {
            version: VERSION,
            fingerprint_key: self.key.to_hex().expose().to_owned(),
            conditional_endpoints: self.conditional_endpoints.clone(),
            rejected: self.rejected.clone(),
            untried: self.untried.clone(),
            pause: self.pause.clone(),
        };
        let content = serde_json::to_string(&stored).map(Secret::new);
        stored.fingerprint_key.zeroize();
        let what = || cannot_write(s3, place);
        let content = content.map_err(|_| {
            Failure::new(FailureKind::Internal, what(), "it cannot be serialised", "report this as a bug")
        })?;
        match s3.write(&place.bucket, &key(place), &content, self.etag.as_deref(), None).await {
            Ok(version) => {
                self.etag = Some(version.tag);
                self.learnt.clear();
                self.learnt_untried.clear();
                Ok(None)
            }
            Err(error) => match error.kind {
                AwsErrorKind::PreconditionFailed | AwsErrorKind::Conflict | AwsErrorKind::NotFound => {
                    Self::read(s3, place).await.map(Some)
                }
                AwsErrorKind::AccessDenied
                | AwsErrorKind::Exists
                | AwsErrorKind::Invalid
                | AwsErrorKind::KeyFailed
                | AwsErrorKind::NoAnswer
                | AwsErrorKind::NoCredentials
                | AwsErrorKind::NotSent
                | AwsErrorKind::Throttled => Err(error.failure(what())),
            },
        }
    }
}

/// Two writers that both learnt something take turns; a third try would be a fourth writer.
const WRITES: usize = 3;

fn written_meanwhile(s3: &S3, place: &config::State) -> Failure {
    Failure::new(
        FailureKind::Refused,
        cannot_write(s3, place),
        "another regcred wrote it at the same time",
        "run it again",
    )
}

/// Whether a person wants that nothing is written. That it cannot be read means no; the pass meets that by itself.
pub(crate) async fn pause(s3: &S3, place: &config::State) -> Option<Pause> {
    State::read(s3, place).await.ok()?.pause
}

fn cannot_write(s3: &S3, place: &config::State) -> String {
    format!("cannot write the state `s3://{}/{}` in {}", place.bucket, key(place), s3.place())
}

/// Of the state's object.
pub(crate) fn key(place: &config::State) -> String {
    format!("{}state.json", place.prefix)
}

fn new_key() -> Result<FingerprintKey, Failure> {
    let mut bytes = [0; FingerprintKey::LENGTH];
    random_bytes(&mut bytes)?;
    let key = FingerprintKey::from_bytes(bytes);
    bytes.zeroize();
    Ok(key)
}

fn random_bytes(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|error| {
        Failure::new(
            FailureKind::Internal,
            "cannot make a key, or a name of this process",
            format!("the operating system gives no randomness: {error}"),
            "look at the kernel log of this machine",
        )
    })
}

/// Tells one process from every other.
pub(crate) fn random_id() -> Result<String, Failure> {
    let mut bytes = [0; 8];
    random_bytes(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

async fn probe(store: &Store<'_>, endpoint: &str) -> Result<(), Failure> {
    let probe = format!("{}.regcred-probe-{}", store.beside, random_id()?);
    let what = format!("cannot use the S3 endpoint {endpoint}");
    match store.s3.honours_conditions(store.bucket, &probe).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(
            FailureKind::Refused,
            what,
            "it ignores If-None-Match: of two writers the later one would win, and nobody would know",
            "use a store with conditional writes (AWS S3, and recent MinIO and Ceph, have them)",
        )),
        Err(error) => Err(error.failure(what)),
    }
}
