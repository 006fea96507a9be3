//! A registry that speaks the OCI distribution protocol, which all do: sends what
//! [`regcred_core::login::Ladder`] asks.
//!
//! This file must not decide anything about an answer; it reads heads and tokens, and hands them on.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use regcred_core::credential::Credential;
use regcred_core::login::ladder::TokenProof;
use regcred_core::login::realm::{Standing, Transport};
use regcred_core::login::verdict::RetryAfter;
use regcred_core::login::{
    Answer, Ask, Authority, Canary, Challenge, Grant, Ladder, Likeness, Login, Next, NoAnswer, Proof,
    RealmRules, Settings, Status,
};
use regcred_core::secret::Secret;
use regcred_core::server::Server;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

use super::Registry;
use crate::config::{Verification, span};
use crate::http::{self, CaFileError, Client, HttpError, Limits, Request, Trust};

/// A registry that is asked over HTTP.
pub(super) struct Distribution {
    endpoint: Url,
    trust: Trust,
    /// For a whole try.
    timeout: Duration,
    canary: Option<Canary>,
    realms: RealmRules,
}

impl Distribution {
    pub(super) fn new(server: &Server, verification: &Verification) -> Result<Self, CaFileError> {
        let Verification { canary, unreachable: _, realm_hosts, ca_file, endpoint, timeout } = verification;
        let named = match server {
            Server::DockerHub => None,
            Server::Other { host, path: _ } => Authority::parse(host),
        };
        Ok(Self {
            endpoint: endpoint.clone(),
            trust: match ca_file {
                Some(path) => Trust::with_file(path)?,
                None => Trust::system(),
            },
            timeout: *timeout,
            canary: canary.clone(),
            realms: RealmRules {
                own: Authority::of(endpoint).into_iter().chain(named).collect(),
                listed: realm_hosts.clone(),
                transport: match endpoint.scheme() {
                    "http" => Transport::Loopback,
                    _ => Transport::Tls,
                },
            },
        })
    }
}

#[async_trait]
impl Registry for Distribution {
    async fn check_login(&self, credential: &Credential) -> Login {
        let settings = Settings {
            canary: self.canary.clone(),
            realms: self.realms.clone(),
            username: credential.username().to_owned(),
        };
        let mut asking = Asking {
            registry: self,
            password: basic(credential),
            token: None,
            deadline: Instant::now() + self.timeout,
        };
        let (mut ladder, mut ask) = Ladder::start(settings);
        loop {
            // Not the URL: after a redirect, its path is whatever a server that knows the password put there.
            tracing::debug!(registry = %self.endpoint, question = word(&ask), "asking");
            let answer = match asking.ask(&ask).await {
                Ok(answer) => answer,
                Err(error) => Answer::Nothing(no_answer(error, self.timeout)),
            };
            match ladder.next(answer) {
                Next::Ask(next, question) => (ladder, ask) = (*next, question),
                Next::Ended(login) => return login,
            }
        }
    }
}

/// One try: what may be shown to the servers, and until when.
struct Asking<'a> {
    registry: &'a Distribution,
    password: Secret,
    /// The last one that a token server gave.
    token: Option<Secret>,
    deadline: Instant,
}

/// What a manifest may come as: without these, a registry may convert or hide it (OCI distribution, "Pulling manifests").
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

impl Asking<'_> {
    async fn ask(&mut self, ask: &Ask) -> Result<Answer, HttpError> {
        match ask {
            Ask::Base(proof) => {
                let request = self.shown(Request::get(self.at("/v2/")), *proof);
                self.send(request, &http::anywhere).await.map(|answer| Answer::Status(status(&answer)))
            }
            Ask::Manifest { path, proof } => {
                let mut request = self.shown(Request::head(self.at(path)), *proof);
                for kind in MANIFESTS {
                    request = request.header(ACCEPT, kind);
                }
                self.send(request, &http::anywhere).await.map(|answer| Answer::Status(status(&answer)))
            }
            Ask::Token { url, standing, proof } => self.token(url, *standing, *proof).await,
        }
    }

    async fn token(&mut self, url: &Url, standing: Standing, proof: TokenProof) -> Result<Answer, HttpError> {
        self.token = None;
        let request = match proof {
            TokenProof::Nothing => Request::get(url.clone()),
            TokenProof::Password => with(Request::get(url.clone()), &self.password),
        };
        let answer = self.send(request, &|address| standing.admits(address.ip())).await?;
        if answer.status() != 200 {
            return Ok(Answer::Status(status(&answer)));
        }
        let Ok(Tokens { token, access_token }) = answer.body().await?.json::<Tokens>() else {
            return Ok(Answer::NoToken);
        };
        // What no header can carry is no token.
        let is_token =
            |token: &Secret| !token.is_empty() && token.expose().bytes().all(|b| b.is_ascii_graphic());
        let given = token.into_iter().chain(access_token).map(Secret::new).find(is_token);
        let Some(token) = given else { return Ok(Answer::NoToken) };
        let repository = self.registry.canary.as_ref().map_or("", Canary::repository);
        let grant = Grant::of(&token, repository);
        self.token = Some(token);
        Ok(Answer::Token(grant))
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.registry.endpoint.clone();
        url.set_path(path);
        url
    }

    /// With what the registry itself is to be shown.
    fn shown(&self, request: Request, proof: Proof) -> Request {
        match (proof, &self.token) {
            (Proof::Nothing, _) | (Proof::Token, None) => request,
            (Proof::Password, _) => with(request, &self.password),
            (Proof::Token, Some(token)) => with(request, &bearer(token)),
        }
    }

    async fn send(&self, request: Request, admits: http::Admits<'_>) -> Result<http::Answer, HttpError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let answer =
            Client::new(self.registry.trust.clone(), Limits::within(left)).send(request, admits).await;
        match &answer {
            Ok(answer) => tracing::debug!(status = answer.status().as_u16(), "answered"),
            Err(error) => tracing::debug!(%error, "not answered"),
        }
        answer
    }
}

/// What a token server gives; one of the two, or both and the same (distribution, `docs/spec/auth/token.md`).
#[derive(Deserialize)]
struct Tokens {
    token: Option<String>,
    access_token: Option<String>,
}

fn basic(credential: &Credential) -> Secret {
    let pair = Zeroizing::new(format!("{}:{}", credential.username(), credential.secret().expose()));
    let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    Secret::new(format!("Basic {}", *encoded))
}

fn with(request: Request, authorization: &Secret) -> Request {
    request
        .secret_header(AUTHORIZATION, authorization)
        .expect("base64 and a judged token have no control character")
}

fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.expose()))
}

fn status(answer: &http::Answer) -> Status {
    const X_RETRY_AFTER: HeaderName = HeaderName::from_static("x-retry-after");
    let headers = answer.headers();
    let challenges = texts(headers, WWW_AUTHENTICATE);
    let first = |name| texts(headers, name).into_iter().next();
    Status {
        code: answer.status().as_u16(),
        challenges: Challenge::read_all(challenges.iter().map(String::as_str)),
        location: first(LOCATION),
        retry_after: first(X_RETRY_AFTER)
            .or_else(|| first(RETRY_AFTER))
            .and_then(|text| RetryAfter::read(&text)),
        likeness: likeness(headers),
    }
}

fn likeness(headers: &HeaderMap) -> Likeness {
    const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
    let is_page = |kind: &String| {
        kind.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("text/html"))
    };
    if headers.contains_key(API_VERSION) {
        Likeness::Registry
    } else if texts(headers, CONTENT_TYPE).iter().any(is_page) {
        Likeness::Page
    } else {
        Likeness::Unsaid
    }
}

fn texts(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

/// What a question is called in a log.
fn word(ask: &Ask) -> &'static str {
    match ask {
        Ask::Base(_) => "base",
        Ask::Token { .. } => "token",
        Ask::Manifest { .. } => "manifest",
    }
}

/// What the ladder is told of a request that failed.
fn no_answer(error: HttpError, timeout: Duration) -> NoAnswer {
    match error {
        HttpError::Resolve { host, source: _ } => NoAnswer::Resolve { host },
        HttpError::Refused { host, address } => NoAnswer::refused(host, address.ip()),
        HttpError::Plaintext(address) => NoAnswer::Plaintext { address: address.ip().to_string() },
        HttpError::Connect { address, source } => {
            NoAnswer::Connect { address: address.to_string(), why: said(&source) }
        }
        HttpError::Tls { host: _, source } => NoAnswer::Tls { why: said(&source) },
        HttpError::TimedOut(_) => NoAnswer::TimedOut { limit: span::format(timeout) },
        HttpError::NoHost | HttpError::Scheme(_) | HttpError::TooLarge(_) => {
            NoAnswer::Protocol { why: error.to_string() }
        }
        HttpError::CutOff(_) => NoAnswer::CutOff,
        HttpError::Protocol(source) => NoAnswer::Protocol { why: source.to_string() },
    }
}

/// An error of the system, in its own words; those of TLS are inside one.
fn said(error: &io::Error) -> String {
    error.get_ref().map_or_else(|| error.kind().to_string(), ToString::to_string)
}
