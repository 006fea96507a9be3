//! What the daemon tells Prometheus: how passes end, what differs, how old credentials are, what was asked of AWS.
//!
//! Fed with what exists anyway: each pass's report, and the count of the AWS clients. A name in it is the configuration's,
//! and every label has a closed set of values ([`labels`]); docs/METRICS.md lists them, and a test holds it. It must not
//! hold a fingerprint, a revision, an id of a host, or the text of an error: all of these grow without end.
//!
//! Times are told as points in time and not as spans, as Prometheus asks for
//! (<https://prometheus.io/docs/practices/instrumentation/#timestamps-not-time-since>): a span would stand still with a
//! daemon that hangs.

mod labels;
mod sight;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;
use regcred_core::report::{Failure, Report};

use self::labels::{Closed, Kind, Label, PassOutcome, Reload};
use self::sight::Sight;
use crate::aws::{Attempt, Attempts, Operation};

/// The media type of what [`Metrics::render`] makes.
pub(crate) const CONTENT_TYPE: &str = prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// A pass with nothing to do takes a second, one restart half a minute, and a fleet of thousands hours.
const SECONDS: [f64; 10] = [1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 43_200.0];

/// The metrics of one daemon. Cheap to clone; clones are the same metrics.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    passes: Family<[Label; 1], Counter>,
    durations: Histogram,
    last_pass: Gauge,
    last_success: Gauge,
    corrected: Family<[Label; 1], Counter>,
    reloads: Family<[Label; 1], Counter>,
    reloaded: Gauge,
    lease: Gauge,
    sight: LastSight,
}

impl Metrics {
    /// `attempts` are those of the clients that the passes use.
    pub(crate) fn new(attempts: Attempts) -> Self {
        let mut registry = Registry::with_prefix("regcred");
        let passes = all::<PassOutcome>();
        let corrected = all::<Kind>();
        let reloads = all::<Reload>();
        let durations = Histogram::new(SECONDS);
        let [last_pass, last_success, reloaded, lease] = std::array::from_fn(|_| Gauge::default());
        // What was read at the start is the configuration until one is read again.
        reloaded.set(1);
        let sight = LastSight::default();
        let version = ("version", env!("CARGO_PKG_VERSION"));
        registry.register("build", "The version of regcred that runs", Info::new([version]));
        registry.register("passes", "Passes that ended, by how", passes.clone());
        registry.register("pass_duration_seconds", "How long passes took", durations.clone());
        registry.register(
            "last_pass_timestamp_seconds",
            "When the last pass ended; 0 before the first",
            last_pass.clone(),
        );
        registry.register(
            "last_success_timestamp_seconds",
            "When the last pass ended that left everything as it should be; 0 before the first",
            last_success.clone(),
        );
        registry.register(
            "corrections",
            "Secrets, objects and hosts that passes put right, by kind",
            corrected.clone(),
        );
        registry.register(
            "config_reloads",
            "Configurations that were read again, by whether they were valid",
            reloads.clone(),
        );
        registry.register(
            "config_last_reload_successful",
            "Whether the configuration that was read last is the one in use",
            reloaded.clone(),
        );
        registry.register("lease_held", "Whether this regcred holds the lease", lease.clone());
        registry.register_collector(Box::new(sight.clone()));
        registry.register_collector(Box::new(Tried(attempts)));
        Self(Arc::new(Inner {
            registry,
            passes,
            durations,
            last_pass,
            last_success,
            corrected,
            reloads,
            reloaded,
            lease,
            sight,
        }))
    }

    /// A pass ended, with its report or with why there is none. What the last report told stays until the next one.
    pub(crate) fn pass_ended(
        &self,
        ended_with: Result<&Report, &Failure>,
        began: DateTime<Utc>,
        ended: DateTime<Utc>,
    ) {
        let Inner { passes, durations, last_pass, last_success, corrected, sight, .. } = &*self.0;
        let outcome = match ended_with {
            Ok(report) => {
                let seen = Sight::of(report, ended);
                for (kind, count) in &seen.corrected {
                    corrected
                        .get_or_create(&[kind.label()])
                        .inc_by(u64::try_from(*count).unwrap_or(u64::MAX));
                }
                sight.set(seen);
                PassOutcome::of(report.verdict)
            }
            Err(failure) => PassOutcome::without_report(failure.kind),
        };
        passes.get_or_create(&[outcome.label()]).inc();
        // A clock that was set back in between would give a negative one.
        durations.observe((ended - began).to_std().unwrap_or_default().as_secs_f64());
        last_pass.set(ended.timestamp());
        if outcome == PassOutcome::Converged {
            last_success.set(ended.timestamp());
        }
    }

    /// The configuration was read again, and is in use.
    pub(crate) fn config_accepted(&self) {
        self.0.reloads.get_or_create(&[Reload::Accepted.label()]).inc();
        self.0.reloaded.set(1);
    }

    /// The configuration was read again, and the one before stays in use.
    pub(crate) fn config_rejected(&self) {
        self.0.reloads.get_or_create(&[Reload::Rejected.label()]).inc();
        self.0.reloaded.set(0);
    }

    /// This regcred holds the lease from now on.
    pub(crate) fn lease_taken(&self) {
        self.0.lease.set(1);
    }

    /// It holds it no more, or another one does.
    pub(crate) fn lease_left(&self) {
        self.0.lease.set(0);
    }

    /// The text that Prometheus scrapes, of [`CONTENT_TYPE`].
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0.registry).expect("a String takes every text");
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// A counter for each value of a label, from 0 on: a counter that appears with its first count has no rate.
fn all<C: Closed>() -> Family<[Label; 1], Counter> {
    let family = Family::<[Label; 1], Counter>::default();
    for value in C::ALL {
        drop(family.get_or_create(&[value.label()]));
    }
    family
}

/// What the last report told. Set as a whole, so that no scrape sees half of one, and a fleet that left the configuration
/// leaves the metrics too.
#[derive(Clone, Debug, Default)]
struct LastSight(Arc<Mutex<Option<Sight>>>);

impl LastSight {
    fn set(&self, sight: Sight) {
        *self.lock() = Some(sight);
    }

    /// It is only ever replaced as a whole.
    fn lock(&self) -> MutexGuard<'_, Option<Sight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for LastSight {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sight = self.lock();
        let Some(Sight { drift, corrected: _, credentials, fleets, revocable, paused }) = &*sight else {
            return Ok(());
        };
        gauges(
            &mut encoder,
            "drift",
            "What was not as it should be when the last pass ended, by kind.",
            drift.iter().map(|(kind, count)| ([kind.label()], *count)),
        )?;
        gauges(
            &mut encoder,
            "credential_state",
            "1 at the state of the credential that a registry's source holds.",
            credentials
                .iter()
                .flat_map(|(name, credential)| states(labels::registry(name), credential.state)),
        )?;
        gauges(
            &mut encoder,
            "credential_published_timestamp_seconds",
            "Since when a registry's published credential is there.",
            credentials
                .iter()
                .filter_map(|(name, each)| Some(([labels::registry(name)], each.published?.timestamp()))),
        )?;
        gauges(
            &mut encoder,
            "credential_expiry_timestamp_seconds",
            "When a registry's credential ends, if its source says so.",
            credentials
                .iter()
                .filter_map(|(name, each)| Some(([labels::registry(name)], each.expires?.timestamp()))),
        )?;
        gauges(
            &mut encoder,
            "fleet_state",
            "1 at how a fleet stood when the last pass ended.",
            fleets.iter().flat_map(|(name, fleet)| states(labels::fleet(name), fleet.state)),
        )?;
        gauges(
            &mut encoder,
            "hosts",
            "Hosts that the last pass had to look at, by how they stood when it ended.",
            fleets.iter().flat_map(|(name, fleet)| {
                fleet.hosts.iter().map(|(state, count)| ([labels::fleet(name), state.label()], *count))
            }),
        )?;
        gauges(
            &mut encoder,
            "old_password_revocable",
            "Whether everything is known to hold what is published, so that what was before may be revoked.",
            [([], i64::from(*revocable))],
        )?;
        gauges(
            &mut encoder,
            "paused",
            "Whether the last pass found that a person paused regcred.",
            [([], i64::from(*paused))],
        )
    }
}

/// One sample for each state: 1 at the one that holds.
fn states<C: Closed + PartialEq>(of: Label, state: C) -> impl Iterator<Item = ([Label; 2], i64)> {
    C::ALL.iter().map(move |each| ([of.clone(), each.label()], i64::from(*each == state)))
}

fn gauges<const N: usize, V>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = ([Label; N], V)>,
) -> fmt::Result
where
    ConstGauge<V>: EncodeMetric,
{
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in samples {
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// What the AWS clients tried.
#[derive(Debug)]
struct Tried(Attempts);

impl Collector for Tried {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests to AWS, each try of a call by itself, by what came of it.";
        let mut family = encoder.encode_descriptor("aws_attempts", help, None, ConstCounter::<u64>::TYPE)?;
        for ((operation, attempt), count) in self.0.counts() {
            let labels = attempt_labels(operation, attempt);
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn attempt_labels(operation: Operation, attempt: Attempt) -> [Label; 3] {
    [
        ("service", operation.service().to_owned()),
        ("operation", operation.name().to_owned()),
        ("outcome", attempt.word().to_owned()),
    ]
}
