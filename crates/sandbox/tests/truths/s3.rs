//! S3.

use std::thread;

use regcred_sandbox::{KeySeed, Options};

use crate::world::{ACCOUNT, REGION, World, bucket};

const FAILED: (u16, &str) = (412, "PreconditionFailed");

fn is(refusal: (u16, String), expected: (u16, &str)) {
    assert_eq!((refusal.0, refusal.1.as_str()), expected);
}

#[test]
fn a_condition_decides_a_write() {
    let world = World::with_bucket("conditions");
    let put = |headers: &[(&str, &str)], body: &str| world.admin.put("/acme/k", headers, body);
    is(put(&[("if-match", "\"absent\"")], "0").refusal(), (404, "NoSuchKey"));
    let first = put(&[("if-none-match", "*")], "1");
    assert_eq!(first.status, 200);
    is(put(&[("if-none-match", "*")], "2").refusal(), FAILED);
    let etag = first.header("etag").unwrap();
    let second = put(&[("if-match", etag)], "2");
    assert_eq!(second.status, 200);
    is(put(&[("if-match", etag)], "3").refusal(), FAILED);
    assert_eq!(world.admin.get("/acme/k").text, "2");
    // Behind a delete marker there is nothing to match, and nothing in the way.
    assert_eq!(world.admin.s3("DELETE", "/acme/k", &[], b"").status, 204);
    let etag = second.header("etag").unwrap();
    is(put(&[("if-match", etag)], "4").refusal(), (404, "NoSuchKey"));
    assert_eq!(put(&[("if-none-match", "*")], "4").status, 200);
}

/// moto: 1 round of 25 has two winners, LocalStack 6.
#[test]
fn of_many_writers_with_one_condition_one_wins() {
    let world = World::with_bucket("cas");
    for round in 0..25 {
        let etag = world.admin.put("/acme/k", &[], &format!("{round}")).header("etag").unwrap().to_owned();
        let winners: usize = thread::scope(|scope| {
            let writers: Vec<_> = (0..16)
                .map(|writer| {
                    let (admin, etag) = (world.admin.clone(), etag.clone());
                    scope.spawn(move || {
                        let body = format!("{round}-{writer}");
                        admin.put("/acme/k", &[("if-match", &etag)], &body).status
                    })
                })
                .collect();
            writers.into_iter().map(|writer| usize::from(writer.join().unwrap() == 200)).sum()
        });
        assert_eq!(winners, 1, "round {round}");
    }
}

/// moto: the ETag is the MD5 also under a KMS key.
#[test]
fn an_etag_is_no_digest_under_a_kms_key() {
    let key = |enabled| KeySeed {
        alias: "alias/k".into(),
        account: ACCOUNT.into(),
        region: REGION.into(),
        enabled,
    };
    let options = Options { keys: vec![key(true)], buckets: vec![bucket("acme")], ..Options::default() };
    let world = World::start("etag", options);
    let encryption = "x-amz-server-side-encryption";
    let key_id = "x-amz-server-side-encryption-aws-kms-key-id";
    let md5 = "\"900150983cd24fb0d6963f7d28e17f72\"";
    assert_eq!(world.admin.put("/acme/plain", &[], "abc").header("etag"), Some(md5));
    let encrypted = world.admin.put("/acme/kms", &[(encryption, "aws:kms"), (key_id, "alias/k")], "abc");
    assert_ne!(encrypted.header("etag"), Some(md5));
    let read = world.admin.get("/acme/kms");
    assert_eq!((read.header(encryption), read.header(key_id)), (Some("aws:kms"), Some("alias/k")));
    assert_eq!(world.admin.get("/acme/plain").header(encryption), Some("AES256"));

    let absent = world.admin.put("/acme/kms", &[(encryption, "aws:kms"), (key_id, "alias/absent")], "abc");
    is(absent.refusal(), (400, "KMS.NotFoundException"));
    world.control.put("PUT", "keys", &key(false)).unwrap();
    is(world.admin.get("/acme/kms").refusal(), (400, "KMS.DisabledException"));
}

/// moto takes any.
#[test]
fn a_checksum_that_is_not_the_bodys_is_refused() {
    let world = World::with_bucket("checksums");
    let put = |header: &str, value: &str| world.admin.put("/acme/k", &[(header, value)], "hello world");
    is(put("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==").refusal(), (400, "BadDigest"));
    is(put("x-amz-checksum-crc32", "AAAAAA==").refusal(), (400, "BadDigest"));
    is(put("x-amz-checksum-sha256", "AAAA").refusal(), (400, "BadDigest"));
    assert_eq!(put("content-md5", "XrY7u+Ae7tCTyyK7j1rNww==").status, 200);
    assert_eq!(put("x-amz-checksum-crc32", "DUoRhQ==").status, 200);
    let read = world.admin.s3("GET", "/acme/k", &[("x-amz-checksum-mode", "ENABLED")], b"");
    assert_eq!(read.header("x-amz-checksum-crc32"), Some("DUoRhQ=="));
}

#[test]
fn a_stream_with_a_trailer_is_unpacked_and_checked() {
    let world = World::with_bucket("trailer");
    let put = |sum: &str| {
        let body = format!("b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n");
        let headers = [
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "11"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ];
        world.admin.s3("PUT", "/acme/k", &headers, body.as_bytes())
    };
    assert_eq!(put("DUoRhQ==").status, 200);
    assert_eq!(world.admin.get("/acme/k").text, "hello world");
    is(put("AAAAAA==").refusal(), (400, "BadDigest"));
}

#[test]
fn versions_stay_and_are_read_by_their_ids() {
    let world = World::with_bucket("versions");
    let versions: Vec<String> = ["1", "2"]
        .iter()
        .map(|body| world.admin.put("/acme/k", &[], body).header("x-amz-version-id").unwrap().to_owned())
        .collect();
    let marker = world.admin.s3("DELETE", "/acme/k", &[], b"");
    assert_eq!(marker.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(world.admin.get(&format!("/acme/k?versionId={}", versions[0])).text, "1");
    is(world.admin.get("/acme/k").refusal(), (404, "NoSuchKey"));
    let marker = marker.header("x-amz-version-id").unwrap();
    is(world.admin.get(&format!("/acme/k?versionId={marker}")).refusal(), (405, "MethodNotAllowed"));
    let listed = world.admin.get("/acme?versions").text;
    assert_eq!(listed.matches("<VersionId>").count(), 3);
    assert_eq!(listed.matches("<DeleteMarker>").count(), 1);
}

#[test]
fn a_bucket_says_whether_it_is_versioned() {
    let mut off = bucket("off");
    off.versioned = false;
    let world =
        World::start("versioning", Options { buckets: vec![bucket("on"), off], ..Options::default() });
    assert_eq!(world.admin.get("/on?versioning").element("Status"), "Enabled");
    assert_eq!(world.admin.get("/off?versioning").element("Status"), "");
    assert_eq!(world.admin.put("/off/k", &[], "1").header("x-amz-version-id"), None);
    let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(world.admin.put("/off?versioning", &[], body).status, 200);
    assert_eq!(world.admin.get("/off?versioning").element("Status"), "Enabled");
    assert!(world.admin.put("/off/k", &[], "2").header("x-amz-version-id").is_some());
    assert_eq!(world.admin.get("/off/k?versionId=null").text, "1");
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let world = World::with_bucket("not-modified");
    let etag = world.admin.put("/acme/k", &[], "1").header("etag").unwrap().to_owned();
    let again = world.admin.s3("GET", "/acme/k", &[("if-none-match", &etag)], b"");
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    let changed = world.admin.s3("GET", "/acme/k", &[("if-none-match", "\"other\"")], b"");
    assert_eq!((changed.status, changed.text.as_str()), (200, "1"));
    let head = world.admin.s3("HEAD", "/acme/k", &[], b"");
    assert_eq!((head.header("content-length"), head.text.as_str()), (Some("1"), ""));
}

#[test]
fn a_bucket_is_its_accounts_and_in_its_region() {
    let world = World::with_bucket("bucket-owner");
    let stranger = world.admin.as_key("222222222222", "test", None);
    is(stranger.get("/acme/k").refusal(), (403, "AccessDenied"));
    is(world.admin.in_region("us-east-1").get("/acme/k").refusal(), (301, "PermanentRedirect"));
    is(world.admin.get("/absent/k").refusal(), (404, "NoSuchBucket"));
    let constraint = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
                      </CreateBucketConfiguration>";
    is(stranger.put("/acme", &[], constraint).refusal(), (409, "BucketAlreadyExists"));
    assert_eq!(stranger.put("/other", &[], constraint).status, 200);
}

#[test]
fn listings_group_by_a_delimiter_and_go_on_behind_a_token() {
    let world = World::with_bucket("listing");
    for key in ["a", "dir/1", "dir/2", "z"] {
        world.admin.put(&format!("/acme/{key}"), &[], key);
    }
    let first = world.admin.get("/acme?list-type=2&delimiter=%2F&max-keys=2");
    assert_eq!(first.element("KeyCount"), "2");
    assert_eq!(first.element("CommonPrefixes"), "<Prefix>dir/</Prefix>");
    let token = first.element("NextContinuationToken");
    let second =
        world.admin.get(&format!("/acme?list-type=2&delimiter=%2F&max-keys=2&continuation-token={token}"));
    assert_eq!((second.element("Key"), second.element("IsTruncated")), ("z".into(), "false".into()));
}
