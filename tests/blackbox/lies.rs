//! What the third parties are known to get wrong, in one table, and the proof of each of its rows.
//!
//! A test that holds one of them against regcred or the sandbox asks [`can_judge`] before it makes an exact assertion. The
//! table must not rot: for each behaviour it is tried on both whether they have it as AWS has, and what is seen has to be what
//! the table says, so a new version of one of them that learns better, or worse, fails here.

use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::third_party::{Running, ThirdParty};
use crate::tools;

/// What AWS does, as an assertion may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// `GetSecretValue` without a stage answers the version that `UpdateSecretVersionStage` made AWSCURRENT.
    ReadFollowsPromotion,
    /// `BatchGetSecretValue` does, too.
    BatchReadFollowsPromotion,
    /// After a promotion, `PutSecretValue` with the default stage leaves one version that holds AWSCURRENT.
    OneVersionIsCurrent,
    /// The version that loses AWSCURRENT becomes AWSPREVIOUS.
    PreviousFollowsCurrent,
    /// A promotion whose `RemoveFromVersionId` does not hold the stage is an `InvalidParameterException`.
    LostPromotionIsRefused,
    /// AWSPENDING moves from the older version to the newer one.
    OneVersionIsPending,
    /// `PutSecretValue` with a known `ClientRequestToken` and another content is a `ResourceExistsException`.
    TokenIsBoundToContent,
    /// The version that `CreateSecret` makes has the `ClientRequestToken` as its id.
    CreateHonoursToken,
    /// A secret that is not there is a `ResourceNotFoundException` with status 400, as each client error of a JSON service.
    NotFoundIs400,
    /// A write to a secret that is scheduled for deletion is an `InvalidRequestException`.
    DeletedRefusesWrites,
    /// A KMS key that is not there is an error.
    KmsKeyHasToExist,
    /// A `SecretString` of more than 65,536 bytes is refused.
    ValueIsLimited,
    /// `BatchGetSecretValue` takes 20 names at most.
    BatchIsLimited,
    /// `ListSecrets`' filter by name finds prefixes.
    NameFilterIsPrefix,
    /// An operation that does not exist is a client error, so that a client does not try again.
    UnknownOperationIs400,
    /// `PutObject` with `If-None-Match: *` on an object that is there is a 412.
    IfNoneMatchIsRefused,
    /// `PutObject` with an `If-Match` that is not the object's is a 412.
    IfMatchIsRefused,
    /// `PutObject` with `If-Match` on an object that is not there is a 404.
    IfMatchOnAbsentIs404,
    /// Of many writers with the same `If-Match`, one wins.
    IfMatchIsAtomic,
    /// A `PutObject` to a versioned bucket tells the version, and `GetObject` tells it again.
    VersionIdsAreTold,
    /// The root of `GetBucketVersioning`'s document has the name that a client looks for.
    VersioningIsReadable,
    /// An object under SSE-KMS has an `ETag` that is not the MD5 of its content.
    KmsEtagIsNotMd5,
    /// SSE-KMS without a key id takes the account's own key for S3.
    KmsNeedsNoKeyId,
    /// A body that does not fit its checksum is refused.
    ChecksumIsChecked,
    /// `AssumeRole` gives credentials for the role's account, whichever it is.
    RoleIsInItsAccount,
    /// `ListCommandInvocations` is answered.
    InvocationsAreListed,
    /// `ListContainerInstances` honours its filter, on a cluster with instances that registered.
    ContainerInstancesAreFiltered,
}

/// How a third party has one behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As AWS.
    Right,
    /// Not as AWS: what it does instead.
    Wrong(&'static str),
    /// As AWS, but not each time: how often not. Nothing can be asserted about it, nor of a trial of it.
    Flaky(&'static str),
}

struct Row {
    about: Behaviour,
    moto: Verdict,
    ministack: Verdict,
}

const fn row(about: Behaviour, moto: Verdict, ministack: Verdict) -> Row {
    Row { about, moto, ministack }
}

/// moto 5.2.1 and ministack 1.5.33, the versions that tests/requirements.txt pins.
#[rustfmt::skip]
const TABLE: &[Row] = &{
    use Behaviour::*;
    use Verdict::*;
    [
        //                             moto                                                ministack
        row(ReadFollowsPromotion,      Wrong("it answers the old version for ever"),       Right),
        row(BatchReadFollowsPromotion, Wrong("it answers the old version for ever"),       Right),
        row(OneVersionIsCurrent,       Wrong("two versions hold AWSCURRENT"),              Right),
        row(PreviousFollowsCurrent,    Right,                                              Right),
        row(LostPromotionIsRefused,    Right,                                              Right),
        row(OneVersionIsPending,       Right,                                              Wrong("both hold AWSPENDING")),
        row(TokenIsBoundToContent,     Wrong("the version is overwritten"),                Wrong("the version is overwritten")),
        row(CreateHonoursToken,        Right,                                              Wrong("the token is ignored")),
        row(NotFoundIs400,             Wrong("the status is 404"),                         Right),
        row(DeletedRefusesWrites,      Wrong("the write is done"),                         Right),
        row(KmsKeyHasToExist,          Wrong("any key is taken"),                          Wrong("any key is taken")),
        row(ValueIsLimited,            Wrong("any length is taken"),                       Wrong("any length is taken")),
        row(BatchIsLimited,            Wrong("any number is taken"),                       Wrong("any number is taken")),
        row(NameFilterIsPrefix,        Right,                                              Wrong("it finds the text anywhere in a name")),
        row(UnknownOperationIs400,     Wrong("the status is 500, the body is HTML"),       Right),
        row(IfNoneMatchIsRefused,      Right,                                              Right),
        row(IfMatchIsRefused,          Right,                                              Right),
        row(IfMatchOnAbsentIs404,      Right,                                              Right),
        row(IfMatchIsAtomic,           Flaky("one round in 25 of 16 writers had two winners"), Right),
        row(VersionIdsAreTold,         Right,                                              Right),
        row(VersioningIsReadable,      Wrong("the document's root has another name"),      Right),
        row(KmsEtagIsNotMd5,           Wrong("it is the MD5"),                             Wrong("it is the MD5")),
        row(KmsNeedsNoKeyId,           Right,                                              Wrong("it is refused")),
        row(ChecksumIsChecked,         Wrong("any checksum is taken"),                     Right),
        row(RoleIsInItsAccount,        Right,                                              Right),
        row(InvocationsAreListed,      Wrong("the operation is missing"),                  Wrong("the operation is missing")),
        row(ContainerInstancesAreFiltered, Wrong("the filter is ignored"),                 Wrong("no instance can register")),
    ]
};

impl Row {
    fn verdict(&self, who: ThirdParty) -> Verdict {
        match who {
            ThirdParty::Moto => self.moto,
            ThirdParty::Ministack | ThirdParty::EnforcingMinistack => self.ministack,
        }
    }
}

/// Whether an exact assertion about a behaviour can be made against it. If not, the reason is said.
pub(crate) fn can_judge(who: ThirdParty, about: Behaviour) -> bool {
    let row = TABLE.iter().find(|row| row.about == about).expect("each behaviour has its row");
    match row.verdict(who) {
        Verdict::Right => true,
        Verdict::Wrong(why) | Verdict::Flaky(why) => {
            tools::say(&format!("SKIPPED: {about:?} is not asked of {who:?}: {why}."));
            false
        }
    }
}

/// One third party, and the names that one trial uses: no trial sees what another left.
struct Trial<'a> {
    on: &'a Running,
    about: Behaviour,
}

impl Trial<'_> {
    fn name(&self) -> String {
        format!("{:?}", self.about).to_lowercase()
    }

    /// One call as the account's root. The signature is none: neither asks for one.
    async fn call(
        &self,
        service: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.call_as("000000000000", service, method, path, headers, body).await
    }

    async fn call_as(
        &self,
        access_key_id: &str,
        service: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let scope = format!("{access_key_id}/20260101/eu-west-1/{service}/aws4_request");
        let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let headers = [headers, &[("authorization", signed.as_str())]].concat();
        http::send(&self.on.endpoint, method, path, &headers, body).await.expect("it answers")
    }

    async fn json(&self, service: &str, target: &str, operation: &str, request: Value) -> Answer {
        let target = format!("{target}.{operation}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
        self.call(service, "POST", "/", &headers, request.to_string().as_bytes()).await
    }

    async fn secrets(&self, operation: &str, request: Value) -> Answer {
        self.json("secretsmanager", "secretsmanager", operation, request).await
    }

    async fn put_object(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.call("s3", "PUT", path, headers, body).await
    }

    /// A new secret that holds `one`, with the version id of that.
    async fn secret(&self) -> (String, String) {
        let name = self.name();
        let created = self.secrets("CreateSecret", json!({"Name": name, "SecretString": "one"})).await.json();
        (name, text(&created, "/VersionId"))
    }

    /// A secret whose `two` was made current in the place of `one`.
    async fn promoted(&self) -> (String, String) {
        let (name, one) = self.secret().await;
        let pending = json!({"SecretId": name, "SecretString": "two", "VersionStages": ["AWSPENDING"],
                             "ClientRequestToken": TOKEN});
        let two = text(&self.secrets("PutSecretValue", pending).await.json(), "/VersionId");
        let promotion = json!({"SecretId": name, "VersionStage": "AWSCURRENT", "MoveToVersionId": two,
                               "RemoveFromVersionId": one});
        assert_eq!(self.secrets("UpdateSecretVersionStage", promotion).await.status, 200);
        (name, one)
    }

    /// How many versions of a secret hold a stage.
    async fn holders(&self, name: &str, stage: &str) -> usize {
        let described = self.secrets("DescribeSecret", json!({"SecretId": name})).await.json();
        let stages = described["VersionIdsToStages"].as_object().expect("a secret has versions").values();
        stages.filter(|stages| stages.as_array().is_some_and(|all| all.contains(&json!(stage)))).count()
    }

    /// A new bucket with one object in it; the answer is that object's.
    async fn object(&self) -> (String, Answer) {
        let bucket = format!("/{}", self.name());
        let location = b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
                         </CreateBucketConfiguration>";
        assert_eq!(self.put_object(&bucket, &[], location).await.status, 200);
        let versioning = b"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                           <Status>Enabled</Status></VersioningConfiguration>";
        assert_eq!(self.put_object(&format!("{bucket}?versioning"), &[], versioning).await.status, 200);
        let path = format!("{bucket}/ecs.config");
        let put = self.put_object(&path, &[], b"one").await;
        assert_eq!(put.status, 200);
        (path, put)
    }

    /// Whether it has the behaviour as AWS has it.
    #[expect(clippy::too_many_lines, reason = "one arm a behaviour, each a few lines")]
    async fn is_right(&self) -> bool {
        match self.about {
            Behaviour::ReadFollowsPromotion => {
                let (name, _) = self.promoted().await;
                let read = self.secrets("GetSecretValue", json!({"SecretId": name})).await;
                read.json()["SecretString"] == "two"
            }
            Behaviour::BatchReadFollowsPromotion => {
                let (name, _) = self.promoted().await;
                let read = self.secrets("BatchGetSecretValue", json!({"SecretIdList": [name]})).await;
                read.json()["SecretValues"][0]["SecretString"] == "two"
            }
            Behaviour::OneVersionIsCurrent => {
                let (name, _) = self.promoted().await;
                self.secrets("PutSecretValue", json!({"SecretId": name, "SecretString": "three"})).await;
                self.holders(&name, "AWSCURRENT").await == 1
            }
            Behaviour::PreviousFollowsCurrent => {
                let (name, one) = self.promoted().await;
                let described = self.secrets("DescribeSecret", json!({"SecretId": name})).await.json();
                described["VersionIdsToStages"][one] == json!(["AWSPREVIOUS"])
            }
            Behaviour::LostPromotionIsRefused => {
                let (name, one) = self.promoted().await;
                let again = json!({"SecretId": name, "VersionStage": "AWSCURRENT", "MoveToVersionId": one,
                                   "RemoveFromVersionId": one});
                is_error(&self.secrets("UpdateSecretVersionStage", again).await, "InvalidParameterException")
            }
            Behaviour::OneVersionIsPending => {
                let (name, _) = self.secret().await;
                for value in ["two", "three"] {
                    let pending =
                        json!({"SecretId": name, "SecretString": value, "VersionStages": ["AWSPENDING"]});
                    self.secrets("PutSecretValue", pending).await;
                }
                self.holders(&name, "AWSPENDING").await == 1
            }
            Behaviour::TokenIsBoundToContent => {
                let (name, _) = self.promoted().await;
                let other = json!({"SecretId": name, "SecretString": "other", "ClientRequestToken": TOKEN});
                is_error(&self.secrets("PutSecretValue", other).await, "ResourceExistsException")
            }
            Behaviour::CreateHonoursToken => {
                let new = json!({"Name": self.name(), "SecretString": "one", "ClientRequestToken": TOKEN});
                self.secrets("CreateSecret", new).await.json()["VersionId"] == TOKEN
            }
            Behaviour::NotFoundIs400 => {
                let absent = self.secrets("DescribeSecret", json!({"SecretId": self.name()})).await;
                is_error(&absent, "ResourceNotFoundException")
            }
            Behaviour::DeletedRefusesWrites => {
                let (name, _) = self.secret().await;
                self.secrets("DeleteSecret", json!({"SecretId": name})).await;
                let put =
                    self.secrets("PutSecretValue", json!({"SecretId": name, "SecretString": "two"})).await;
                is_error(&put, "InvalidRequestException")
            }
            Behaviour::KmsKeyHasToExist => {
                let new = json!({"Name": self.name(), "SecretString": "one", "KmsKeyId": "alias/absent"});
                self.secrets("CreateSecret", new).await.status == 400
            }
            Behaviour::ValueIsLimited => {
                let new = json!({"Name": self.name(), "SecretString": "x".repeat(65_537)});
                self.secrets("CreateSecret", new).await.status == 400
            }
            Behaviour::BatchIsLimited => {
                let names: Vec<_> = (0..21).map(|n| format!("{}-{n}", self.name())).collect();
                self.secrets("BatchGetSecretValue", json!({"SecretIdList": names})).await.status == 400
            }
            Behaviour::NameFilterIsPrefix => {
                let (name, _) = self.secret().await;
                let finds = async |text: &str| {
                    let filter = json!({"Filters": [{"Key": "name", "Values": [text]}]});
                    let found = self.secrets("ListSecrets", filter).await.json();
                    found["SecretList"]
                        .as_array()
                        .is_some_and(|all| all.iter().any(|one| one["Name"] == name))
                };
                finds(&name[..6]).await && !finds(&name[6..]).await
            }
            Behaviour::UnknownOperationIs400 => {
                self.secrets("NoSuchOperation", json!({})).await.status == 400
            }
            Behaviour::IfNoneMatchIsRefused => {
                let (path, _) = self.object().await;
                self.put_object(&path, &[("if-none-match", "*")], b"two").await.status == 412
            }
            Behaviour::IfMatchIsRefused => {
                let (path, one) = self.object().await;
                let etag = one.header("etag").expect("an object has an ETag");
                let won = self.put_object(&path, &[("if-match", etag)], b"two").await.status;
                let lost = self.put_object(&path, &[("if-match", etag)], b"three").await.status;
                (won, lost) == (200, 412)
            }
            Behaviour::IfMatchOnAbsentIs404 => {
                let (path, one) = self.object().await;
                let etag = one.header("etag").expect("an object has an ETag");
                self.put_object(&format!("{path}.absent"), &[("if-match", etag)], b"two").await.status == 404
            }
            Behaviour::IfMatchIsAtomic => self.of_many_writers_one_wins().await,
            Behaviour::VersionIdsAreTold => {
                let (path, one) = self.object().await;
                let got = self.call("s3", "GET", &path, &[], b"").await;
                let version = one.header("x-amz-version-id");
                version.is_some() && got.header("x-amz-version-id") == version && got.text() == "one"
            }
            Behaviour::VersioningIsReadable => {
                let (path, _) = self.object().await;
                let bucket = path.trim_end_matches("/ecs.config");
                let told = self.call("s3", "GET", &format!("{bucket}?versioning"), &[], b"").await.text();
                told.contains("<VersioningConfiguration") && told.contains("<Status>Enabled</Status>")
            }
            Behaviour::KmsEtagIsNotMd5 => {
                let (path, _) = self.object().await;
                let kms = [("x-amz-server-side-encryption", "aws:kms"), KMS_KEY];
                let put = self.put_object(&path, &kms, b"one").await;
                put.status == 200
                    && put.header("etag").is_some_and(|etag| etag.trim_matches('"') != MD5_OF_ONE)
            }
            Behaviour::KmsNeedsNoKeyId => {
                let (path, _) = self.object().await;
                self.put_object(&path, &[("x-amz-server-side-encryption", "aws:kms")], b"one").await.status
                    == 200
            }
            Behaviour::ChecksumIsChecked => {
                let (path, _) = self.object().await;
                // The SHA-256 of no content.
                let sum = ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
                self.put_object(&path, &[sum], b"one").await.status == 400
            }
            Behaviour::RoleIsInItsAccount => self.a_role_is_in_its_account().await,
            Behaviour::InvocationsAreListed => {
                self.json("ssm", "AmazonSSM", "ListCommandInvocations", json!({})).await.status == 200
            }
            Behaviour::ContainerInstancesAreFiltered => {
                let ecs = "AmazonEC2ContainerServiceV20141113";
                let cluster = self.name();
                self.json("ecs", ecs, "CreateCluster", json!({"clusterName": cluster})).await;
                let document =
                    json!({"instanceId": "i-0123456789abcdef0", "region": "eu-west-1"}).to_string();
                let register = json!({"cluster": cluster, "instanceIdentityDocument": document});
                let registered = self.json("ecs", ecs, "RegisterContainerInstance", register).await.status;
                let list = json!({"cluster": cluster, "filter": "attribute:absent == none"});
                let listed = self.json("ecs", ecs, "ListContainerInstances", list).await.json();
                registered == 200 && listed["containerInstanceArns"] == json!([])
            }
        }
    }

    /// As many rounds and writers as showed moto's race.
    async fn of_many_writers_one_wins(&self) -> bool {
        let (path, mut last) = self.object().await;
        for _ in 0..25 {
            let headers = [("if-match", last.header("etag").expect("an object has an ETag"))];
            let bodies: Vec<_> = (0..16).map(|writer: u8| [writer]).collect();
            let writers = bodies.iter().map(|body| self.put_object(&path, &headers, body));
            let answers = futures_util::future::join_all(writers).await;
            if answers.iter().filter(|answer| answer.status == 200).count() != 1 {
                return false;
            }
            last = self.put_object(&path, &[], b"one").await;
        }
        true
    }

    async fn a_role_is_in_its_account(&self) -> bool {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let assume = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=regcred\
                      &RoleArn=arn:aws:iam::222222222222:role/regcred";
        let assumed = self.call("sts", "POST", "/", &form, assume.as_bytes()).await.text();
        let Some(key) = between(&assumed, "<AccessKeyId>", "</AccessKeyId>") else { return false };
        let who = b"Action=GetCallerIdentity&Version=2011-06-15";
        let caller = self.call_as(key, "sts", "POST", "/", &form, who).await.text();
        between(&caller, "<Account>", "</Account>") == Some("222222222222")
    }
}

/// As a `ClientRequestToken` has to be, 32 to 64 characters.
const TOKEN: &str = "11111111-2222-3333-4444-555555555555";
const MD5_OF_ONE: &str = "f97c5d29941bfb1b2fdab0874906ab82";
const KMS_KEY: (&str, &str) = (
    "x-amz-server-side-encryption-aws-kms-key-id",
    "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555",
);

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).expect("the answer has that text").to_owned()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

/// Whether it is an error of that type, as a JSON service says it. Status and type are both part of that.
fn is_error(answer: &Answer, error: &str) -> bool {
    let body = answer.json();
    let said = body["__type"].as_str().or(answer.header("x-amzn-errortype")).unwrap_or_default();
    answer.status == 400 && said.rsplit('#').next().is_some_and(|name| name == error)
}

async fn hold_against_the_table(who: ThirdParty, test: &str) {
    let Some(running) = who.start(test).await else { return };
    let mut differences = Vec::new();
    for row in TABLE {
        let is_right = Trial { on: &running, about: row.about }.is_right().await;
        match (row.verdict(who), is_right) {
            (Verdict::Right, true) | (Verdict::Wrong(_), false) | (Verdict::Flaky(_), _) => {}
            (verdict, is_right) => differences.push((row.about, verdict, is_right)),
        }
    }
    assert_eq!(
        differences,
        [],
        "of {who:?}: the behaviour, what the table says, and whether it was seen as AWS has it"
    );
}

#[tokio::test]
async fn moto_is_wrong_where_the_table_says_so_and_nowhere_else() {
    hold_against_the_table(ThirdParty::Moto, "moto_is_wrong_where_the_table_says_so_and_nowhere_else").await;
}

#[tokio::test]
async fn ministack_is_wrong_where_the_table_says_so_and_nowhere_else() {
    hold_against_the_table(
        ThirdParty::Ministack,
        "ministack_is_wrong_where_the_table_says_so_and_nowhere_else",
    )
    .await;
}

#[test]
fn what_is_known_to_be_wrong_is_not_judged_and_the_rest_is() {
    assert!(!can_judge(ThirdParty::Moto, Behaviour::ReadFollowsPromotion));
    assert!(can_judge(ThirdParty::Ministack, Behaviour::ReadFollowsPromotion));
    assert!(!can_judge(ThirdParty::Moto, Behaviour::IfMatchIsAtomic));
}
