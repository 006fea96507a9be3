//! A token server of the distribution project's protocol, for a real registry: it signs what its clients may do.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;

use crate::certificates::Identity;
use crate::docker_registry::{ISSUER, SERVICE};
use crate::scripted::{Heard, Reply};

/// Users, passwords, and the repository that each may pull besides what everybody may.
pub(super) const ROBOT: (&str, &str, Option<&str>) =
    ("robot", "harbor-password-of-last-year", Some("team/app"));
/// One that may log in and no more.
pub(super) const STRANGER: (&str, &str, Option<&str>) = ("stranger", "knows-the-word", None);
/// What everybody may pull.
pub(super) const PUBLIC: &str = "team/open";

/// Answers one request for a token. A wrong password is refused; no password gets what everybody may.
pub(super) fn answer(heard: &Heard, issuer: &Identity) -> Reply {
    let own = match heard.authorization() {
        None => None,
        Some(shown) => {
            let user = [ROBOT, STRANGER].into_iter().find(|(name, password, _)| {
                shown == format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
            });
            let Some((_, _, own)) = user else { return Reply::new(401, &[], "") };
            own
        }
    };
    let url = url::Url::parse(&format!("http://x{}", heard.target)).expect("a target follows a host");
    let scope = url.query_pairs().find(|(name, _)| name == "scope");
    let asked =
        scope.as_ref().and_then(|(_, scope)| scope.strip_prefix("repository:")?.strip_suffix(":pull"));
    let access: Vec<_> = asked
        .into_iter()
        .filter(|name| *name == PUBLIC || Some(*name) == own)
        .map(|name| json!({ "type": "repository", "name": name, "actions": ["pull"] }))
        .collect();
    let token = sign(&json!(access), issuer);
    Reply::new(200, &[("Content-Type", "application/json")], &json!({ "token": token }).to_string())
}

/// A JWT, signed by RS256 (distribution, `docs/spec/auth/jwt.md`).
fn sign(access: &serde_json::Value, issuer: &Identity) -> String {
    let now = chrono::Utc::now().timestamp();
    let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = json!({ "typ": "JWT", "alg": "RS256", "x5c": [STANDARD.encode(issuer.certificate_der())] });
    let claims = json!({
        "iss": ISSUER, "sub": "", "aud": SERVICE, "jti": "1",
        "iat": now, "nbf": now - 60, "exp": now + 300, "access": access,
    });
    let signed = format!("{}.{}", encode(head), encode(claims));
    let key = any_supported_type(&issuer.key_der()).expect("aws-lc-rs signs by RSA");
    let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).expect("every RSA key can do this");
    let signature = signer.sign(signed.as_bytes()).expect("the key is a key");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
