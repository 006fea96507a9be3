//! Counts the requests that the SDK makes, each try of a call by itself: a throttled one that succeeds on its third try is
//! three.
//!
//! An interceptor of every client. It reads what came of a try and must not touch it; it keeps no input, no answer and no
//! resource, only which operation it was. What is not seen here: AssumeRole, which the SDK's credential provider calls by
//! a client of its own, and what a provider asks of the instance metadata service.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime::client::retries::classifiers::run_classifiers_on_ctx;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    FinalizerInterceptorContextRef, InterceptorContext,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::classifiers::{RetryAction, RetryReason};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::ErrorKind;

/// What came of one try of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attempt {
    /// The service did it.
    Answered,
    /// The service was asked too often, as the SDK's own retry rules read its answer.
    Throttled,
    /// The service said no for another reason.
    Refused,
    /// The service failed: 500 and above.
    Failed,
    /// There was no answer: no connection, no credentials to sign with, or no end in time.
    Unanswered,
}

impl Attempt {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 5] =
        [Self::Answered, Self::Throttled, Self::Refused, Self::Failed, Self::Unanswered];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unanswered => "unanswered",
        }
    }

    fn of(context: &InterceptorContext, components: &RuntimeComponents) -> Self {
        if let Some(Ok(_)) = context.output_or_error() {
            return Self::Answered;
        }
        let reason = run_classifiers_on_ctx(components.retry_classifiers(), context);
        if let RetryAction::RetryIndicated(RetryReason::RetryableError {
            kind: ErrorKind::ThrottlingError,
            ..
        }) = reason
        {
            return Self::Throttled;
        }
        match context.response().map(|response| response.status().as_u16()) {
            None => Self::Unanswered,
            Some(500..) => Self::Failed,
            Some(_) => Self::Refused,
        }
    }
}

/// The operations of AWS that regcred calls, by their service.
macro_rules! operations {
    ($($service:literal { $($name:ident)+ })+) => {
        /// An operation of AWS that regcred calls: the set is closed, so that it can be a label of a metric.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Operation {
            $($($name,)+)+
            /// One that is missing in the list above.
            Unlisted,
        }

        impl Operation {
            pub(crate) const ALL: &'static [Self] = &[$($(Self::$name,)+)+ Self::Unlisted];

            /// The service, as IAM's actions begin with it.
            pub(crate) fn service(self) -> &'static str {
                match self {
                    $($(Self::$name)|+ => $service,)+
                    Self::Unlisted => "unlisted",
                }
            }

            /// Its name in the service's API.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $($(Self::$name => stringify!($name),)+)+
                    Self::Unlisted => "Unlisted",
                }
            }
        }
    };
}

operations! {
    "ecs" {
        DeleteAttributes
        DescribeCapacityProviders
        DescribeClusters
        DescribeContainerInstances
        DescribeServices
        DescribeTaskDefinition
        ListClusters
        ListContainerInstances
        ListServices
        PutAttributes
    }
    "kms" {
        DescribeKey
    }
    "s3" {
        DeleteObject
        GetBucketLifecycleConfiguration
        GetBucketVersioning
        GetObject
        GetPublicAccessBlock
        HeadBucket
        ListObjectsV2
        PutObject
    }
    "secretsmanager" {
        BatchGetSecretValue
        CreateSecret
        DescribeSecret
        GetSecretValue
        PutSecretValue
        ReplicateSecretToRegions
        TagResource
        UntagResource
        UpdateSecretVersionStage
    }
    "ssm" {
        DescribeInstanceInformation
        GetDocument
        GetParameter
        ListCommandInvocations
        ListCommands
        SendCommand
    }
}

impl Operation {
    /// `name` and `service` are the SDK's, from the service models: `SendCommand` of `SSM`, `GetSecretValue` of
    /// `Secrets Manager`.
    fn of(metadata: &Metadata) -> Self {
        let service: String =
            metadata.service().chars().filter(|c| *c != ' ').map(|c| c.to_ascii_lowercase()).collect();
        let is_it = |operation: &&Self| operation.service() == service && operation.name() == metadata.name();
        Self::ALL.iter().find(is_it).copied().unwrap_or(Self::Unlisted)
    }
}

/// How often each operation was tried, and what came of it, since the process began. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts(Arc<Mutex<BTreeMap<(Operation, Attempt), u64>>>);

impl Attempts {
    /// What was counted so far. What never happened is not listed.
    pub(crate) fn counts(&self) -> BTreeMap<(Operation, Attempt), u64> {
        self.lock().clone()
    }

    /// All of them.
    pub(crate) fn total(&self) -> u64 {
        self.lock().values().sum()
    }

    /// Those that were throttled.
    pub(crate) fn throttled(&self) -> u64 {
        let counts = self.lock();
        counts.iter().filter(|((_, attempt), _)| *attempt == Attempt::Throttled).map(|(_, count)| count).sum()
    }

    /// As if this had been counted.
    #[cfg(test)]
    pub(crate) fn with(counts: &[(Operation, Attempt, u64)]) -> Self {
        let counts = counts.iter().map(|(operation, attempt, count)| ((*operation, *attempt), *count));
        Self(Arc::new(Mutex::new(counts.collect())))
    }

    fn count(&self, operation: Operation, attempt: Attempt) {
        *self.lock().entry((operation, attempt)).or_default() += 1;
    }

    /// A number that a panic left is a number.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Operation, Attempt), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "attempts"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().map_or(Operation::Unlisted, Operation::of);
        self.count(operation, Attempt::of(context.inner(), components));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use aws_config::retry::RetryConfig;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::aws::Locations;

    #[test]
    fn no_operation_is_listed_twice_and_the_sdks_names_are_found() {
        let mut seen = BTreeSet::new();
        for operation in Operation::ALL {
            assert!(seen.insert((operation.service(), operation.name())), "{operation:?}");
        }
        let of = |name: &'static str, service: &'static str| Operation::of(&Metadata::new(name, service));
        assert_eq!(of("GetSecretValue", "Secrets Manager"), Operation::GetSecretValue);
        assert_eq!(of("SendCommand", "SSM"), Operation::SendCommand);
        assert_eq!(of("GetObject", "SSM"), Operation::Unlisted);
    }

    /// A call that is written below `src/aws` and not listed would be counted as `Unlisted`.
    #[test]
    fn every_operation_that_is_called_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/aws");
        let mut called = BTreeSet::new();
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        for file in files.filter(|file| !file.ends_with("attempts.rs")) {
            let source = std::fs::read_to_string(file).unwrap();
            let source: String = source.split_whitespace().collect();
            for caller in ["self.client.", "self.sender."] {
                for (at, _) in source.match_indices(caller) {
                    let call = &source[at + caller.len()..];
                    let name = call
                        .split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_')
                        .next()
                        .unwrap();
                    called.insert(name.to_owned());
                }
            }
        }
        let snake = |name: &str| -> String {
            let words = name.char_indices().map(|(at, c)| match c {
                'A'..='Z' if at > 0 => format!("_{}", c.to_ascii_lowercase()),
                _ => c.to_ascii_lowercase().to_string(),
            });
            words.collect()
        };
        let listed: BTreeSet<String> = Operation::ALL
            .iter()
            .filter(|operation| **operation != Operation::Unlisted)
            .map(|operation| snake(operation.name()))
            .collect();
        assert_eq!(listed, called);
    }

    /// Answers one request on each connection: the `n`th with the `n`th answer, the last one from then on.
    async fn answering(answers: &'static [&'static str]) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for n in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = vec![0; 16 * 1024];
                let _ = stream.read(&mut bytes).await.unwrap();
                stream.write_all(answers[n.min(answers.len() - 1)].as_bytes()).await.unwrap();
            }
        });
        format!("http://{address}")
    }

    const DENIED: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 34\r\n\r\n\
                          {\"__type\":\"AccessDeniedException\"} ";
    const THROTTLED: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 32\r\n\r\n\
                             {\"__type\":\"ThrottlingException\"} ";
    const FAILED: &str = "HTTP/1.1 500 Oh\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    const CLUSTERS: &str =
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 18\r\n\r\n{\"clusterArns\":[]}";

    #[tokio::test]
    async fn each_try_counts_by_what_came_of_it() {
        for (answers, expected) in [
            (&[CLUSTERS][..], vec![(Attempt::Answered, 1)]),
            (&[DENIED][..], vec![(Attempt::Refused, 1)]),
            (
                &[THROTTLED, FAILED, CLUSTERS][..],
                vec![(Attempt::Answered, 1), (Attempt::Throttled, 1), (Attempt::Failed, 1)],
            ),
            // A closed connection may not be closed the next time; a server of another kind stays one.
            (&[""][..], vec![(Attempt::Unanswered, 3)]),
            (&["not http"][..], vec![(Attempt::Unanswered, 1)]),
        ] {
            let endpoint = answering(answers).await;
            let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
            let locations = Locations::at_endpoint_trying("here", "eu-west-1", &endpoint, retries);
            let name = "here".into();
            let _ = locations.at(&name).ecs.clusters().await;
            let counts: Vec<_> = locations
                .attempts()
                .counts()
                .into_iter()
                .map(|((operation, attempt), count)| {
                    assert_eq!(operation, Operation::ListClusters);
                    (attempt, count)
                })
                .collect();
            assert_eq!(counts, expected, "{answers:?}");
        }
    }
}
