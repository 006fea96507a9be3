//! Taking, keeping and giving back the lease: one S3 object, written by compare-and-swap ([`regcred_core::lease`]).
//!
//! A pass takes it before its first write, and not when there is nothing to do. While it is held, a task renews it; what the
//! task finds out, that another process took it or that a person paused regcred, it tells the pass by the stop switch.
//! Nothing here decides what a pass does without the lease.

use std::sync::{Arc, Mutex as Cell, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use regcred_core::lease::{self, Holder, Judgement, LeaseError, Seen, Watch};
use regcred_core::report::{Failure, FailureKind, LeaseSight};
use regcred_core::secret::Secret;
use regcred_core::stop::StopReason;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::aws::{AwsErrorKind, ObjectRead, S3};
use crate::config;
use crate::progress::{Progress, ProgressSink};
use crate::state;
use crate::stopping::{StopSwitch, Urgency, before_a_report};

/// The lease, as one process sees it. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Lease(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    s3: S3,
    place: config::State,
    key: String,
    name: String,
    id: String,
    /// Never goes back, whatever happens to the time of day.
    clock: Instant,
    standing: Mutex<Standing>,
    /// The task that renews it for the pass that took it. A lock of its own, for a pass that is dropped waits for nothing.
    renewal: Cell<Option<AbortHandle>>,
}

#[derive(Debug)]
enum Standing {
    Outside(Watch),
    /// It was reached for, and whether it was had is not known: the write was cut off, or failed.
    Reaching(Watch),
    Holding(Held),
}

/// What one process knows of it at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    Held,
    NotHeld,
    /// It is being taken, renewed or given back right now, or was reached for and not surely had.
    Changing,
}

#[derive(Debug)]
struct Held {
    tag: String,
    holder: Holder,
}

/// A pass that may take the lease. With it ends what renews the lease for it, also where it is dropped: the next pass of the same
/// process has another stop switch, and others must not wait for one that is gone.
#[derive(Debug)]
pub(crate) struct Tenure<'a>(&'a Lease);

impl Drop for Tenure<'_> {
    fn drop(&mut self) {
        self.0.end_renewal();
    }
}

/// How long somebody waits for a lease that another one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For the length that the holder promised to renew it in: who is dead is known by then.
    OneLength,
    /// Not at all. For those who come back.
    None,
}

/// That the lease is held, and how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was held before, or was there for the taking.
    AtOnce,
    /// It was waited for: another one may have changed whatever was looked at before.
    AfterWaiting,
}

/// A reader looks so often within one length, so that a lease that was given back is seen soon.
const LOOKS: u32 = 5;
/// A holder renews so often within one length: two renewals may fail, and it is still held.
const RENEWALS: u32 = 3;
/// Of several that reach for a free lease one has it, and the others see so next. Who sees it free or silent each time, and
/// cannot write it, has a store that answers so for ever.
const REACHES: u32 = 5;
/// One call of S3 takes some tens of milliseconds. Who has to end at once does not wait for a store that hangs: without it
/// the lease runs out by itself.
const HASTE: Duration = Duration::from_secs(5);

impl Lease {
    /// `name` says to people who this is. Makes no call.
    pub(crate) fn new(s3: &S3, place: &config::State, name: String) -> Result<Self, Failure> {
        let id = state::random_id()?;
        let key = key_of(place);
        let standing = Mutex::new(Standing::Outside(Watch::default()));
        let inner = Inner {
            s3: s3.clone(),
            place: place.clone(),
            key,
            name,
            id,
            clock: Instant::now(),
            standing,
            renewal: Cell::new(None),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// For the time of one pass.
    pub(crate) fn tenure(&self) -> Tenure<'_> {
        Tenure(self)
    }

    fn renewal(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.0.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_renewal(&self) {
        if let Some(renewal) = self.renewal().take() {
            renewal.abort();
        }
    }

    /// Holds the lease from here on, until [`Lease::release`]. While it is held, `stop` is told when it is lost, or when a
    /// person pauses regcred.
    ///
    /// # Errors
    /// [`FailureKind::Leased`] where another process holds it; [`FailureKind::Stopped`] where `stop` was asked meanwhile.
    pub(crate) async fn take(
        &self,
        patience: Patience,
        stop: &StopSwitch,
        progress: &dyn ProgressSink,
    ) -> Result<Taken, Failure> {
        let mut taken = Taken::AtOnce;
        let mut patient_until = None;
        loop {
            let Some(holder) = self.attempt(stop).await? else { return Ok(taken) };
            let now = self.0.clock.elapsed();
            // A look's time more than the length, so that the look that is decisive happens.
            let look = holder.length / LOOKS;
            let until = *patient_until.get_or_insert_with(|| match patience {
                Patience::OneLength => now + holder.length + look * 2,
                Patience::None => now,
            });
            if now >= until {
                return Err(self.held_by(&holder));
            }
            if std::mem::replace(&mut taken, Taken::AfterWaiting) == Taken::AtOnce {
                progress.tell(Progress::LeaseHeld { holder: holder.to_string() });
            }
            tokio::select! {
                () = tokio::time::sleep(look) => {}
                asked = stop.until(Urgency::AfterStep) => return Err(before_a_report(asked.why)),
            }
        }
    }

    /// Tries once. Who holds it instead, if so.
    async fn attempt(&self, stop: &StopSwitch) -> Result<Option<Holder>, Failure> {
        let mut standing = self.0.standing.lock().await;
        let is_renewed = self.renewal().as_ref().is_some_and(|renewal| !renewal.is_finished());
        if matches!(*standing, Standing::Holding(_)) && !is_renewed {
            // A pass that was dropped left it. Whether it is held still is seen next.
            *standing = Standing::Reaching(Watch::default());
        }
        for _ in 0..REACHES {
            let watch = match &mut *standing {
                Standing::Holding(_) => return Ok(None),
                Standing::Outside(watch) | Standing::Reaching(watch) => watch,
            };
            let (tag, seen) = match self.read().await? {
                // A write of our own whose answer was lost.
                Seen::Held { tag, holder } if holder.id == self.0.id => (tag, holder),
                seen => match watch.judge(seen, self.0.clock.elapsed()) {
                    Judgement::Wait { holder, until: _ } => return Ok(Some(holder)),
                    Judgement::Take { expects } => {
                        let holder = Holder {
                            name: self.0.name.clone(),
                            id: self.0.id.clone(),
                            since: Utc::now(),
                            length: self.0.place.lease,
                            renewals: 0,
                        };
                        *standing = Standing::Reaching(std::mem::take(watch));
                        match self.write(expects.as_deref(), Some(&holder)).await? {
                            Some(tag) => (tag, holder),
                            // Another one came first; whoever it is, is seen next.
                            None => continue,
                        }
                    }
                },
            };
            tracing::info!(key = self.0.key, "the lease is taken");
            *self.renewal() = Some(tokio::spawn(keep(self.clone(), stop.clone())).abort_handle());
            *standing = Standing::Holding(Held { tag, holder: seen });
            return Ok(None);
        }
        Err(Failure::new(
            FailureKind::Refused,
            self.cannot("take"),
            format!("{REACHES} times in a row it was there for the taking, and its store refused the write"),
            "run it again; if that does not help, look whether the store has conditional writes",
        ))
    }

    /// Gives the lease back, if it is held. Whatever goes wrong with that, the others take it over when its length is over.
    /// Where this is dropped, it can be called again.
    pub(crate) async fn release(&self) {
        let mut standing = self.0.standing.lock().await;
        self.end_renewal();
        let known = match &*standing {
            Standing::Outside(_) => return,
            Standing::Holding(held) => Some(held.tag.clone()),
            Standing::Reaching(_) => None,
        };
        let given_back = self.give_back(known).await;
        *standing = Standing::Outside(Watch::default());
        match given_back {
            Ok(Some(_)) => tracing::info!("the lease is free again"),
            Ok(None) => tracing::info!("the lease was not held any more"),
            Err(failure) => {
                tracing::warn!(why = failure.why, "the lease could not be given back; it runs out by itself");
            }
        }
    }

    /// Marks it free, if it is ours. `known` is the tag of our last write, if its outcome is known.
    async fn give_back(&self, known: Option<String>) -> Result<Option<String>, Failure> {
        if let Some(tag) = known
            && let Some(tag) = self.write(Some(&tag), None).await?
        {
            return Ok(Some(tag));
        }
        // A write of our own that was cut off may have gone through.
        match self.read().await? {
            Seen::Held { tag, holder } if holder.id == self.0.id => self.write(Some(&tag), None).await,
            Seen::Absent | Seen::Free { .. } | Seen::Held { .. } => Ok(None),
        }
    }

    /// Gives the lease back, if that is done soon: for whoever has to end at once.
    pub(crate) async fn release_in_haste(&self) {
        if tokio::time::timeout(HASTE, self.release()).await.is_err() {
            tracing::warn!("the lease could not be given back in time; it runs out by itself");
        }
    }

    /// Waits until the lease may be there for the taking, after [`Lease::take`] said that another one holds it.
    pub(crate) async fn until_it_may_be_taken(&self) -> Result<(), Failure> {
        loop {
            let look = {
                let mut standing = self.0.standing.lock().await;
                let watch = match &mut *standing {
                    Standing::Holding(_) => return Ok(()),
                    Standing::Outside(watch) | Standing::Reaching(watch) => watch,
                };
                match watch.judge(self.read().await?, self.0.clock.elapsed()) {
                    Judgement::Take { .. } => return Ok(()),
                    Judgement::Wait { holder, until: _ } => holder.length / LOOKS,
                }
            };
            tokio::time::sleep(look).await;
        }
    }

    /// Whether it is held. Waits for nothing, and makes no call.
    pub(crate) fn sight(&self) -> Sight {
        match self.0.standing.try_lock().as_deref() {
            Ok(Standing::Holding(_)) => Sight::Held,
            Ok(Standing::Outside(_)) => Sight::NotHeld,
            Ok(Standing::Reaching(_)) | Err(_) => Sight::Changing,
        }
    }

    /// Writes it anew. Whether it is still held.
    async fn renew(&self) -> Result<bool, Failure> {
        let mut standing = self.0.standing.lock().await;
        let Standing::Holding(held) = &mut *standing else { return Ok(false) };
        held.holder.renewals += 1;
        if let Some(tag) = self.write(Some(&held.tag), Some(&held.holder)).await? {
            held.tag = tag;
            return Ok(true);
        }
        match self.read().await? {
            Seen::Held { tag, holder } if holder.id == self.0.id => {
                held.tag = tag;
                Ok(true)
            }
            Seen::Absent | Seen::Free { .. } | Seen::Held { .. } => {
                *standing = Standing::Outside(Watch::default());
                Ok(false)
            }
        }
    }

    async fn read(&self) -> Result<Seen, Failure> {
        let Inner { s3, place, .. } = &*self.0;
        read(s3, place).await
    }
    /// Writes it, if nobody else did since: the tag of what is there then, or nothing.
    async fn write(&self, expects: Option<&str>, holder: Option<&Holder>) -> Result<Option<String>, Failure> {
        let Inner { s3, place, key, .. } = &*self.0;
        let content = Secret::from(lease::to_text(holder));
        match s3.write(&place.bucket, key, &content, expects, None).await {
            Ok(version) => Ok(Some(version.tag)),
            Err(error) => match error.kind {
                AwsErrorKind::PreconditionFailed | AwsErrorKind::Conflict => Ok(None),
                // Someone deleted it, which regcred never does.
                AwsErrorKind::NotFound if expects.is_some() => Ok(None),
                AwsErrorKind::NotFound
                | AwsErrorKind::AccessDenied
                | AwsErrorKind::Exists
                | AwsErrorKind::Invalid
                | AwsErrorKind::KeyFailed
                | AwsErrorKind::NoAnswer
                | AwsErrorKind::NoCredentials
                | AwsErrorKind::NotSent
                | AwsErrorKind::Throttled => Err(error.failure(self.cannot("write"))),
            },
        }
    }

    fn cannot(&self, what: &str) -> String {
        let Inner { s3, place, .. } = &*self.0;
        cannot(what, s3, place)
    }

    fn held_by(&self, holder: &Holder) -> Failure {
        let Inner { place, key, .. } = &*self.0;
        Failure::new(
            FailureKind::Leased,
            "another regcred is at work, and nothing was written",
            format!("the lease `s3://{}/{key}` is held by {holder}, who keeps renewing it", place.bucket),
            "wait until it is done, or end it, and run this again",
        )
    }
}

fn key_of(place: &config::State) -> String {
    format!("{}lease.json", place.prefix)
}

fn cannot(what: &str, s3: &S3, place: &config::State) -> String {
    format!("cannot {what} the lease `s3://{}/{}` in {}", place.bucket, key_of(place), s3.place())
}

async fn read(s3: &S3, place: &config::State) -> Result<Seen, Failure> {
    let key = key_of(place);
    match s3.read(&place.bucket, &key).await {
        ObjectRead::Absent => Ok(Seen::Absent),
        ObjectRead::Failed(error) => {
            Err(s3.cannot_read(&error, cannot("read", s3, place), &place.bucket, &key))
        }
        ObjectRead::Present(object) => {
            let text = object.content.as_ref().map(Secret::expose);
            let tag = object.version.tag;
            match text.ok_or(LeaseError::Malformed).and_then(lease::read) {
                Ok(None) => Ok(Seen::Free { tag }),
                Ok(Some(holder)) => Ok(Seen::Held { tag, holder }),
                Err(why) => {
                    let remedy = match why {
                        LeaseError::Malformed | LeaseError::TooLong(_) => {
                            "delete it, when no regcred is at work"
                        }
                        LeaseError::Newer(_) => "use that version here too",
                    };
                    let what = cannot("read", s3, place);
                    Err(Failure::new(FailureKind::Invalid, what, why.to_string(), remedy))
                }
            }
        }
    }
}

/// Who holds the lease, for a person to see.
pub(crate) async fn look(s3: &S3, place: &config::State) -> LeaseSight {
    match read(s3, place).await {
        Ok(Seen::Absent | Seen::Free { .. }) => LeaseSight::Free,
        Ok(Seen::Held { tag: _, holder }) => LeaseSight::Held { holder },
        Err(failure) => LeaseSight::Unknown { failure },
    }
}

/// Renews the lease until it is lost or given back.
async fn keep(lease: Lease, stop: StopSwitch) {
    let Inner { s3, place, .. } = &*lease.0;
    let length = place.lease;
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(length / RENEWALS).await;
        let begun = Instant::now();
        // A call may take longer than the lease is long; its fate is known then by the next one.
        match tokio::time::timeout(length, lease.renew()).await {
            Ok(Ok(true)) => renewed = begun,
            Ok(Ok(false)) => {
                tracing::warn!("another process took the lease");
                return stop.ask(StopReason::LeaseLost, Urgency::AfterStep);
            }
            Ok(Err(failure)) => tracing::warn!(why = failure.why, "the lease could not be renewed"),
            Err(_) => tracing::warn!("the lease could not be renewed in time"),
        }
        if renewed.elapsed() > length.max(Duration::from_secs(1)) {
            return stop.ask(StopReason::LeaseLost, Urgency::AfterStep);
        }
        if let Some(pause) = state::pause(s3, place).await {
            tracing::info!(%pause, "regcred was paused");
            stop.ask(StopReason::Paused, Urgency::AfterStep);
        }
    }
}

/// Who a process is, for people: what it does, and where.
pub(crate) fn process_name(what: &str) -> String {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    format!("{what} on {host} (process {})", std::process::id())
}
