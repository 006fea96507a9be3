//! AWS by its own SDK: what a test puts there before regcred comes, and reads back afterwards. For the sandbox and the third
//! parties alike.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_secretsmanager::types::Tag;
use aws_sdk_ssm::types::ParameterType;
use aws_smithy_types::retry::RetryConfig;

use crate::tools::AwsEnvironment;

/// The clients of one caller at one endpoint. They try each call once: a refusal is what a test wants to see.
pub(crate) struct Aws {
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
    pub(crate) ecs: aws_sdk_ecs::Client,
}

impl Aws {
    pub(crate) fn new(environment: &AwsEnvironment<'_>) -> Self {
        let AwsEnvironment { endpoint, region, access_key_id, secret_access_key } = *environment;
        let credentials = Credentials::new(access_key_id, secret_access_key, None, None, "a test");
        // hyper closes a connection that was idle for 30 seconds, perhaps just as the next call is sent on it.
        let idle = Duration::from_secs(5);
        let http = aws_smithy_http_client::Builder::new().pool_idle_timeout(idle).build_http();
        macro_rules! config {
            ($sdk:ident) => {
                $sdk::config::Builder::new()
                    .behavior_version($sdk::config::BehaviorVersion::v2026_01_12())
                    .region($sdk::config::Region::new(region.to_owned()))
                    .credentials_provider(credentials.clone())
                    .endpoint_url(endpoint)
                    .http_client(http.clone())
                    .retry_config(RetryConfig::disabled())
            };
        }
        Self {
            secrets: aws_sdk_secretsmanager::Client::from_conf(config!(aws_sdk_secretsmanager).build()),
            s3: aws_sdk_s3::Client::from_conf(config!(aws_sdk_s3).force_path_style(true).build()),
            ssm: aws_sdk_ssm::Client::from_conf(config!(aws_sdk_ssm).build()),
            ecs: aws_sdk_ecs::Client::from_conf(config!(aws_sdk_ecs).build()),
        }
    }

    /// The AWSCURRENT value of a secret, and the version's id; `None` if there is no such secret.
    pub(crate) async fn secret(&self, name: &str) -> Option<(String, String)> {
        match self.secrets.get_secret_value().secret_id(name).send().await {
            Ok(answer) => Some((answer.secret_string?, answer.version_id?)),
            Err(error) => {
                let error = error.into_service_error();
                assert!(error.is_resource_not_found_exception(), "{error:?}");
                None
            }
        }
    }

    /// Makes a secret that regcred did not make.
    pub(crate) async fn create_secret(&self, name: &str, value: &str, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build());
        let call = self.secrets.create_secret().name(name).secret_string(value);
        call.set_tags(Some(tags.collect())).send().await.expect("the name is free");
    }

    /// Makes a secret that regcred reads, or gives it another value.
    pub(crate) async fn put_secret(&self, name: &str, value: &str) {
        if self.secret(name).await.is_none() {
            return self.create_secret(name, value, &[]).await;
        }
        let call = self.secrets.put_secret_value().secret_id(name).secret_string(value);
        call.send().await.expect("the secret is there");
    }

    /// Makes a SecureString, or gives it another value.
    pub(crate) async fn put_parameter(&self, name: &str, value: &str) {
        let call = self.ssm.put_parameter().name(name).value(value).overwrite(true);
        call.r#type(ParameterType::SecureString).send().await.expect("the name is good");
    }

    /// Makes a version of an SSM document, and tells its number. The default one stays.
    pub(crate) async fn update_document(&self, name: &str, content: &str) -> String {
        let call = self.ssm.update_document().name(name).content(content).document_version("$LATEST");
        let answer = call.send().await.expect("the document is there, and the content another one");
        let description = answer.document_description.expect("an update tells what it made");
        description.document_version.expect("each version has a number")
    }

    pub(crate) async fn set_default_document_version(&self, name: &str, number: &str) {
        let call = self.ssm.update_document_default_version().name(name).document_version(number);
        call.send().await.expect("the version is there");
    }

    /// Takes back what is recorded of a container instance.
    pub(crate) async fn delete_revision(&self, cluster: &str, arn: &str) {
        use aws_sdk_ecs::types::{Attribute, TargetType};
        let attribute = Attribute::builder().name("regcred.revision").target_id(arn);
        let attribute = attribute.target_type(TargetType::ContainerInstance).build().expect("it has a name");
        let call = self.ecs.delete_attributes().cluster(cluster).attributes(attribute);
        call.send().await.expect("the container instance is there");
    }

    /// Records something of a container instance.
    pub(crate) async fn put_attribute(&self, cluster: &str, arn: &str, name: &str, value: &str) {
        use aws_sdk_ecs::types::{Attribute, TargetType};
        let attribute = Attribute::builder().name(name).value(value).target_id(arn);
        let attribute = attribute.target_type(TargetType::ContainerInstance).build().expect("it has a name");
        let call = self.ecs.put_attributes().cluster(cluster).attributes(attribute);
        call.send().await.expect("the container instance is there");
    }

    /// The current text of an object, and its version's id.
    pub(crate) async fn object(&self, bucket: &str, key: &str) -> (String, Option<String>) {
        let answer = self.s3.get_object().bucket(bucket).key(key).send().await.expect("the object is there");
        let version = answer.version_id;
        let body = answer.body.collect().await.expect("loopback cuts nothing off").into_bytes();
        (String::from_utf8(body.to_vec()).expect("what regcred writes is text"), version)
    }

    pub(crate) async fn put_object(&self, bucket: &str, key: &str, content: &str) {
        let body = ByteStream::from(content.as_bytes().to_vec());
        self.s3.put_object().bucket(bucket).key(key).body(body).send().await.expect("the bucket is there");
    }

    /// The keys of a bucket's objects.
    pub(crate) async fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.s3.list_objects_v2().bucket(bucket).send().await.expect("the bucket is there");
        listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect()
    }

    /// Makes a bucket, with versioning on.
    pub(crate) async fn create_bucket(&self, bucket: &str, region: &str) {
        use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(region))
            .build();
        self.s3
            .create_bucket()
            .bucket(bucket)
            .create_bucket_configuration(place)
            .send()
            .await
            .expect("the name is free");
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        self.s3
            .put_bucket_versioning()
            .bucket(bucket)
            .versioning_configuration(on)
            .send()
            .await
            .expect("the bucket is there");
    }
}
