//! The check of a request's Signature Version 4.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>. Header signatures only:
//! nothing that regcred or its hosts do is presigned.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use regcred_core::secret::Secret;
use sha2::{Digest, Sha256};

use crate::error::Refusal;
use crate::services::Service;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// AWS's own limit of S3; the JSON services say five minutes, which a busy test machine may exceed.
const SKEW: TimeDelta = TimeDelta::minutes(15);

/// RFC 3986's unreserved characters stay, all else is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// What S3 lets a signature say of a body in place of its digest.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
pub(crate) const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// What an `Authorization` header claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) access_key: String,
    date: String,
    pub(crate) region: String,
    service: String,
    signed_headers: Vec<String>,
    /// Sixty-four hexadecimal digits.
    digits: String,
}

impl Signature {
    /// Reads the header; `Ok(None)` when there is none.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let Some(value) = headers.get(http::header::AUTHORIZATION) else { return Ok(None) };
        let value = value.to_str().map_err(|_| Refusal::Malformed("not text"))?;
        let fields = value.strip_prefix(ALGORITHM).ok_or(Refusal::Malformed("another algorithm"))?;
        let field = |name: &str| {
            fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let credential = field("Credential").ok_or(Refusal::Malformed("no Credential"))?;
        let mut scope = credential.rsplitn(5, '/');
        let (Some("aws4_request"), Some(service), Some(region), Some(date), Some(access_key)) =
            (scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
        else {
            return Err(Refusal::Malformed("Credential has no scope"));
        };
        let signed_headers = field("SignedHeaders").ok_or(Refusal::Malformed("no SignedHeaders"))?;
        let signature = field("Signature").ok_or(Refusal::Malformed("no Signature"))?;
        Ok(Some(Self {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            digits: signature.to_owned(),
        }))
    }

    /// Whether `secret_key` signed this request for `service` at about `now`.
    pub(crate) fn check(
        &self,
        parts: &Parts,
        body: &[u8],
        service: Service,
        secret_key: &Secret,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        if self.service != service.signing_name() {
            return Err(Refusal::WrongScope(self.service.clone()));
        }
        let stamp = header(&parts.headers, "x-amz-date").ok_or(Refusal::Malformed("no x-amz-date"))?;
        let signed_at = NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ")
            .map_err(|_| Refusal::Malformed("x-amz-date"))?
            .and_utc();
        if (now - signed_at).abs() > SKEW || !stamp.starts_with(&self.date) {
            return Err(Refusal::Skewed);
        }
        if !self.signed_headers.iter().any(|name| name == "host") {
            return Err(Refusal::Malformed("host is not signed"));
        }
        let payload = payload_digest(&parts.headers, body, service)?;
        let canonical = self.canonical_request(parts, &payload, service);
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let to_sign = format!("{ALGORITHM}\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let mut key = format!("AWS4{}", secret_key.expose()).into_bytes();
        for part in [&self.date, &self.region, &self.service, "aws4_request"] {
            key = mac(&key, part);
        }
        if hex(&mac(&key, &to_sign)) == self.digits { Ok(()) } else { Err(Refusal::WrongSignature) }
    }

    fn canonical_request(&self, parts: &Parts, payload: &str, service: Service) -> String {
        let path = match service {
            // S3 signs the path as it is sent, once encoded; all others encode what is sent again.
            Service::S3 => encode(&decode(parts.uri.path()), ENCODED_IN_PATH),
            Service::SecretsManager | Service::Ssm | Service::Ecs | Service::Kms | Service::Sts => {
                encode(parts.uri.path(), ENCODED_IN_PATH)
            }
        };
        let mut query: Vec<(String, String)> = parts
            .uri
            .query()
            .unwrap_or("")
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (encode(&decode(name), ENCODED), encode(&decode(value), ENCODED))
            })
            .collect();
        query.sort();
        let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut lines = vec![parts.method.to_string(), path, query.join("&")];
        lines.extend(
            self.signed_headers
                .iter()
                .map(|name| format!("{name}:{}", canonical_values(&parts.headers, name))),
        );
        lines.extend([String::new(), self.signed_headers.join(";"), payload.to_owned()]);
        lines.join("\n")
    }
}

/// What the body's line of the canonical request is, once it is known to be true.
fn payload_digest(headers: &HeaderMap, body: &[u8], service: Service) -> Result<String, Refusal> {
    let actual = || hex(&Sha256::digest(body));
    match (service, header(headers, "x-amz-content-sha256")) {
        // S3 demands the header, of curl too.
        (Service::S3, None) => Err(Refusal::Malformed("no x-amz-content-sha256")),
        (Service::S3, Some(claim @ (UNSIGNED_PAYLOAD | UNSIGNED_TRAILER))) => Ok(claim.to_owned()),
        (_, None) => Ok(actual()),
        (_, Some(claim)) if claim == actual() => Ok(claim.to_owned()),
        (_, Some(_)) => Err(Refusal::WrongBody),
    }
}

fn canonical_values(headers: &HeaderMap, name: &str) -> String {
    let values: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|value| {
            String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect();
    values.join(",")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn encode(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
        text
    })
}
