//! What AWS accepts as a name, and what this program has to demand beyond that.

use url::{Host, Url};

use super::{Flaw, flaw};

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub(super) fn bucket(name: &str) -> Result<(), Flaw> {
    const EXAMPLE: &str = "write the name of the bucket alone, such as `acme-ecs`";
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if name.starts_with("arn:") || name.contains('/') {
        return Err(flaw("an ARN or a URL is no name of a bucket", EXAMPLE));
    }
    if !(3..=63).contains(&name.len()) {
        return Err(flaw("the name of a bucket has 3 to 63 characters", EXAMPLE));
    }
    if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-') {
        return Err(flaw("the name of a bucket has lower-case letters, digits, `-` and `.` only", EXAMPLE));
    }
    if !edge(name.chars().next()) || !edge(name.chars().last()) || name.contains("..") {
        return Err(flaw(
            "the name of a bucket begins and ends with a letter or digit, and has no two dots side by side",
            EXAMPLE,
        ));
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err(flaw("the name of a bucket is no IP address", EXAMPLE));
    }
    let reserved_start = ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix));
    let reserved_end =
        ["-s3alias", "--ol-s3", ".mrap", "--table-s3"].iter().any(|suffix| name.ends_with(suffix));
    if reserved_start || reserved_end {
        return Err(flaw("S3 keeps names of this form for other things than buckets", EXAMPLE));
    }
    if name.ends_with("--x-s3") {
        return Err(flaw(
            "a directory bucket has no versioning, and without versions an overwritten file is lost",
            "use a general purpose bucket",
        ));
    }
    Ok(())
}

/// A key that regcred, the SSM document's `allowedPattern` and the host script all take without quoting.
pub(super) fn object_key(key: &str) -> Result<(), Flaw> {
    const EXAMPLE: &str = "write for example `prod/ecs.config`";
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!_.*()/=@:+,-".contains(c);
    if key.is_empty() || key.len() > 1024 {
        return Err(flaw("a key has 1 to 1024 characters", EXAMPLE));
    }
    if let Some(odd) = key.chars().find(|c| !allowed(*c)) {
        return Err(flaw(
            format!(
                "it has {odd:?}, and may have letters, digits and `!_.*()/=@:+,-` only: it is handed to a shell script \
                 on the hosts, where quotes, spaces, `$`, backticks and backslashes would not stay what they are"
            ),
            EXAMPLE,
        ));
    }
    if key.starts_with('/') || key.split('/').any(|part| matches!(part, "." | "..")) || key.contains("//") {
        return Err(flaw(
            "a leading or doubled `/` and the parts `.` and `..` are tidied away by HTTP clients, which then ask for \
             another object",
            EXAMPLE,
        ));
    }
    Ok(())
}

/// As [`object_key`], for what keys begin with.
pub(super) fn key_prefix(prefix: &str) -> Result<(), Flaw> {
    object_key(prefix)?;
    if !prefix.ends_with('/') {
        return Err(flaw(
            "without a `/` at its end it would also match keys of others, in policies and in lists",
            "add a `/` at its end",
        ));
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>, `Name`
pub(super) fn secret_name(name: &str) -> Result<(), Flaw> {
    const EXAMPLE: &str = "write for example `ecs/registry/dockerhub`";
    if name.starts_with("arn:") {
        return Err(flaw("this is an ARN, and its last seven characters are not part of the name", EXAMPLE));
    }
    if name.is_empty() || name.len() > 512 {
        return Err(flaw("the name of a secret has 1 to 512 characters", EXAMPLE));
    }
    if let Some(odd) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "/_+=.@-".contains(*c))) {
        return Err(flaw(
            format!("it has {odd:?}, and may have letters, digits and `/_+=.@-` only"),
            EXAMPLE,
        ));
    }
    let tail = name.len().checked_sub(7).map(|start| &name[start..]);
    if tail.is_some_and(|tail| tail.starts_with('-') && tail[1..].chars().all(|c| c.is_ascii_alphanumeric()))
    {
        return Err(flaw(
            "it ends in a hyphen and six characters as the end of every secret's ARN does, and Secrets Manager then \
             looks for a secret of the name before them",
            "choose another ending",
        ));
    }
    Ok(())
}

/// The whole ARN of a secret. One without its last six characters is not found from another account
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_examples_cross.html>).
pub(super) fn secret_arn(arn: &str) -> Result<(), Flaw> {
    if secret_of_arn(arn).is_some_and(|name| !name.is_empty()) {
        return Ok(());
    }
    Err(flaw(
        "the ARN of a secret has a Region, an account, `secret`, and the name with a hyphen and six characters behind it",
        "write it as `aws secretsmanager describe-secret` shows it",
    ))
}

/// The name in the ARN of a secret.
pub(super) fn secret_of_arn(arn: &str) -> Option<&str> {
    let parts: Vec<_> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "secretsmanager", region, account, "secret", name]
            if partition.starts_with("aws") && !region.is_empty() && is_account(account) =>
        {
            let (name, tail) = name.rsplit_once('-')?;
            (tail.len() == 6 && tail.chars().all(|c| c.is_ascii_alphanumeric())).then_some(name)
        }
        _ => None,
    }
}

/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html>, and with it `:version`,
/// `:label`, or the ARN.
pub(super) fn parameter_name(name: &str) -> Result<(), Flaw> {
    const EXAMPLE: &str = "write for example `/registries/harbor`";
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/:".contains(c);
    if name.is_empty() || name.len() > 1011 + 128 {
        return Err(flaw("the name of a parameter has 1 to 1011 characters", EXAMPLE));
    }
    if let Some(odd) = name.chars().find(|c| !allowed(*c)) {
        return Err(flaw(
            format!(
                "it has {odd:?}, and may have letters, digits and `_.-/` only, and a `:` before a version"
            ),
            EXAMPLE,
        ));
    }
    if name.starts_with("/aws/reference/secretsmanager/") {
        return Err(flaw(
            "this is a secret of Secrets Manager by another name",
            "write `secrets_manager: { secret: … }`",
        ));
    }
    if name.starts_with("arn:") {
        let parts: Vec<_> = name.splitn(6, ':').collect();
        let is_arn = matches!(parts.as_slice(), ["arn", partition, "ssm", region, account, resource]
            if partition.starts_with("aws") && !region.is_empty() && is_account(account)
                && resource.starts_with("parameter/"));
        if !is_arn {
            return Err(flaw("the ARN of a parameter has a Region, an account and `parameter/…`", EXAMPLE));
        }
        return Ok(());
    }
    if name.matches(':').count() > 1 || name.contains("//") || name.ends_with('/') {
        return Err(flaw("it has a second `:`, a doubled `/`, or one at its end", EXAMPLE));
    }
    Ok(())
}

/// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id>
pub(super) fn kms_key(key: &str) -> Result<(), Flaw> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/_-:".contains(c);
    let is_id = |id: &str| {
        let hex = id.strip_prefix("mrk-").unwrap_or(id);
        matches!(hex.len(), 32 | 36) && hex.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
    };
    let is_arn = |arn: &str| {
        let parts: Vec<_> = arn.splitn(6, ':').collect();
        matches!(parts.as_slice(), ["arn", partition, "kms", _, account, resource]
            if partition.starts_with("aws") && is_account(account)
                && (resource.starts_with("key/") || resource.starts_with("alias/")))
    };
    let is_alias = |alias: &str| alias.strip_prefix("alias/").is_some_and(|name| !name.is_empty());
    if key.chars().all(allowed) && (is_alias(key) || is_id(key) || is_arn(key)) {
        return Ok(());
    }
    Err(flaw(
        "a KMS key is named by `alias/…`, by its id, or by the ARN of either",
        "write for example `alias/regcred`",
    ))
}

/// The Region as endpoints are made of it: `eu-west-1`, `us-gov-west-1`, `us-iso-east-1`.
pub(super) fn region(region: &str) -> Result<(), Flaw> {
    let mut parts = region.rsplit('-');
    let number = parts.next().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let words: Vec<_> = parts.collect();
    let spelled = words.iter().all(|word| word.len() > 1 && word.bytes().all(|b| b.is_ascii_lowercase()));
    if number && spelled && (2..=3).contains(&words.len()) {
        return Ok(());
    }
    Err(flaw("a Region has words and a number with hyphens between", "write for example `eu-west-1`"))
}

/// The ARN of an IAM role.
pub(super) fn role_arn(arn: &str) -> Result<(), Flaw> {
    if role_account(arn).is_some() {
        return Ok(());
    }
    Err(flaw(
        "the ARN of a role has a partition, a twelve-digit account and `role/…`",
        "write for example `arn:aws:iam::111111111111:role/regcred`",
    ))
}

/// The account of a role, if `arn` is a role's.
pub(super) fn role_account(arn: &str) -> Option<&str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_/-".contains(c);
    let parts: Vec<_> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, resource]
            if partition.starts_with("aws")
                && is_account(account)
                && resource
                    .strip_prefix("role/")
                    .is_some_and(|name| !name.is_empty() && name.chars().all(allowed)) =>
        {
            Some(account)
        }
        _ => None,
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>, `ExternalId`
pub(super) fn external_id(id: &str) -> Result<(), Flaw> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-\\".contains(c);
    if (2..=1224).contains(&id.len()) && id.chars().all(allowed) {
        return Ok(());
    }
    Err(flaw(
        "an external id has 2 to 1224 letters, digits and `_+=,.@:/-`",
        "write the one that the trust policy of the role asks for",
    ))
}

/// Secrets travel to an endpoint in clear text inside of the connection, so only a loopback one may do without TLS. The
/// hosts are told it too: no more is accepted than the `allowedPattern` of the SSM document's `Endpoint` takes.
pub(super) fn endpoint_url(text: &str) -> Result<(), Flaw> {
    const EXAMPLE: &str = "write for example `https://proxy.example.com` or `http://127.0.0.1:4566`";
    let url = Url::parse(text).map_err(|_| flaw("this is no URL", EXAMPLE))?;
    let loopback = match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(_)) => return Err(flaw("the host script takes no IPv6 address", EXAMPLE)),
        None => false,
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(flaw("a username or password in a URL would be a secret in the configuration", EXAMPLE));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(flaw(
            "an endpoint is a scheme, a host and a port; the AWS SDK makes up the rest",
            EXAMPLE,
        ));
    }
    if text != url.as_str().trim_end_matches('/') {
        return Err(flaw(
            "it has a `/` at its end, capitals, or the port that its scheme has anyway",
            EXAMPLE,
        ));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => Err(flaw("secrets would cross the network in clear text", "use `https://`")),
        _ => {
            Err(flaw("an endpoint begins with `https://`, or with `http://` on a loopback address", EXAMPLE))
        }
    }
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html>, `Name`, or the ARN of a
/// shared document.
pub(super) fn document(name: &str) -> Result<(), Flaw> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    if (3..=128).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(flaw(
        "the name of an SSM document has 3 to 128 letters, digits and `_-.`",
        "write for example `regcred-refresh`",
    ))
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/managing-secrets_tagging.html>
pub(super) fn tag(key: &str, value: &str) -> Result<(), Flaw> {
    const EXAMPLE: &str = "write for example `team: platform`";
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        return Err(flaw("the key of a tag has 1 to 128 characters, and its value at most 256", EXAMPLE));
    }
    if !key.chars().chain(value.chars()).all(allowed) {
        return Err(flaw("a tag has letters, digits, spaces and `_.:/=+-@` only", EXAMPLE));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(flaw("tags that begin with `aws:` are AWS's own", EXAMPLE));
    }
    if key.starts_with("regcred") {
        return Err(flaw("tags that begin with `regcred` tell what regcred owns", EXAMPLE));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(judge: fn(&str) -> Result<(), Flaw>, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(judge(text).is_ok(), "{text}: {}", judge(text).unwrap_err().why);
        }
        for text in bad {
            assert!(judge(text).is_err(), "{text}");
        }
    }

    #[test]
    fn buckets_are_named_as_s3_wants_them() {
        hold(
            bucket,
            &["abc", "acme-ecs", "acme.ecs.eu", "1a2", &"a".repeat(63)],
            &[
                "",
                "ab",
                &"a".repeat(64),
                "Acme",
                "acme_ecs",
                "-acme",
                "acme-",
                "a..b",
                ".abc",
                "192.168.5.4",
                "xn--acme",
                "sthree-acme",
                "acme-s3alias",
                "acme--x-s3",
                "s3://acme",
                "arn:aws:s3:::acme",
            ],
        );
    }

    #[test]
    fn a_key_is_plain_text_to_every_shell_and_http_client() {
        let shell = [
            "'", "\"", "`", "$", "\\", " ", ";", "&", "|", "<", "?", "[", "{", "~", "#", "%", "\n", "é", "\0",
        ];
        let odd: Vec<String> = shell.iter().map(|c| format!("a{c}b")).collect();
        let odd: Vec<&str> = odd.iter().map(String::as_str).collect();
        hold(
            object_key,
            &["ecs.config", "prod/ecs.config", "a!_.*()/=@:+,-Z9", "..a/b..", &"k".repeat(1024)],
            &odd,
        );
        hold(object_key, &[], &["", "/a", "a//b", "./a", "a/../b", "a/..", &"k".repeat(1025)]);
        hold(key_prefix, &["regcred/", "a/b/"], &["regcred", "/", "", "a//"]);
    }

    #[test]
    fn secrets_are_named_so_that_secrets_manager_finds_them_again() {
        hold(
            secret_name,
            &["ecs/registry/dockerhub", "a", "a-b", "-abcde", "x-abcdefg", "x-abc_ef", "a+b=c@d.e"],
            &["", "x-abc123", "ecs/ghcr-AbCdEf", "a b", "a:b", "arn:aws:secretsmanager:x", &"n".repeat(513)],
        );
    }

    #[test]
    fn keys_roles_and_regions_are_told_from_other_texts() {
        hold(
            kms_key,
            &[
                "alias/regcred",
                "alias/aws/secretsmanager",
                "1234abcd-12ab-34cd-56ef-1234567890ab",
                "mrk-1234abcd12ab34cd56ef1234567890ab",
                "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "arn:aws-cn:kms:cn-north-1:111111111111:alias/x",
            ],
            &[
                "",
                "alias/",
                "regcred",
                "alias/a b",
                "arn:aws:kms:eu-west-1:1:key/x",
                "arn:aws:iam::111111111111:role/x",
            ],
        );
        hold(
            region,
            &["eu-west-1", "us-gov-west-1", "us-iso-east-1", "cn-north-1", "ap-southeast-10"],
            &["", "eu", "eu-west", "EU-west-1", "eu-west-1a", "eu--1", "eu_west_1", "1"],
        );
        hold(
            role_arn,
            &["arn:aws:iam::111111111111:role/regcred", "arn:aws-us-gov:iam::111111111111:role/path/to/x"],
            &[
                "",
                "regcred",
                "arn:aws:iam::1111:role/x",
                "arn:aws:iam::111111111111:user/x",
                "arn:aws:iam::111111111111:role/",
            ],
        );
        hold(external_id, &["ab", "a:b/c"], &["", "a", "a b", "ü1"]);
        hold(
            document,
            &["regcred-refresh", "arn:aws:ssm:eu-west-1:111111111111:document/x"],
            &["", "ab", "a b", "a'b"],
        );
    }

    #[test]
    fn secrets_do_not_cross_a_network_in_clear_text() {
        hold(
            endpoint_url,
            &["https://proxy.example.com", "https://x:8443", "http://127.0.0.1:4566", "http://localhost:1"],
            &[
                "",
                "localhost:4566",
                "http://10.0.0.1",
                "http://localhost.example.com",
                "https://user:pass@x",
                "https://x/path",
                "https://x/?a",
                "ftp://x",
                "https://x/",
                "https://x:443",
                "HTTPS://x",
                "https://[::1]",
            ],
        );
    }

    #[test]
    fn tags_leave_alone_what_is_aws_own_or_regcreds() {
        for (key, value, good) in [
            ("team", "platform", true),
            ("Größe", "10 km", true),
            ("aws:x", "", false),
            ("AWS:x", "", false),
            ("regcred:owner", "", false),
            ("", "x", false),
            ("a", "b;c", false),
        ] {
            assert_eq!(tag(key, value).is_ok(), good, "{key}");
        }
    }
}
