//! What a registry answers to one request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::{Account, ChallengeKind, LoginView, Registry, Visibility};
use crate::server::lock;

type Answer = Response<Full<Bytes>>;

/// Whom a request comes from.
enum Caller {
    Nobody,
    User,
    /// The password is wrong, or the token was never given.
    Refused,
}

impl Registry {
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Answer {
        let path = request.uri().path();
        match (request.method(), path, self.challenge) {
            (&Method::GET, "/v2/", _) => match self.caller(request) {
                Caller::User => error(StatusCode::OK, ""),
                Caller::Nobody | Caller::Refused => self.unauthorized(),
            },
            (&Method::GET, "/token", ChallengeKind::Bearer) => self.token(request),
            (&Method::GET | &Method::HEAD, _, _) => self.manifest(request, path),
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
        }
    }

    fn token<B>(&self, request: &Request<B>) -> Answer {
        let user = match basic(request) {
            // As Harbor has it: who shows nothing gets a token for something only.
            None if !asks_for_something(request) => return error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            None => None,
            Some(shown) if self.logs_in(&shown) => Some(shown.username),
            Some(_) => return error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
        };
        let token = uuid::Uuid::new_v4().to_string();
        lock(&self.inside).tokens.insert(token.clone(), user);
        let mut answer = Response::new(Full::from(
            json!({ "token": token, "access_token": token, "expires_in": 300 }).to_string(),
        ));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    fn manifest<B>(&self, request: &Request<B>, path: &str) -> Answer {
        let name = path.strip_prefix("/v2/").and_then(|rest| rest.rsplit_once("/manifests/"));
        let Some((name, _tag)) = name else { return error(StatusCode::NOT_FOUND, "NAME_UNKNOWN") };
        let visibility =
            self.repositories.iter().find(|repository| repository.name == name).map(|known| known.visibility);
        match (visibility, self.caller(request)) {
            (_, Caller::Refused) | (Some(Visibility::Private) | None, Caller::Nobody) => self.unauthorized(),
            (None, Caller::User) => error(StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            (Some(Visibility::Public), Caller::Nobody | Caller::User)
            | (Some(Visibility::Private), Caller::User) => error(StatusCode::OK, ""),
        }
    }

    fn caller<B>(&self, request: &Request<B>) -> Caller {
        let Some(value) = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
            return Caller::Nobody;
        };
        match self.challenge {
            ChallengeKind::Basic => match basic(request) {
                Some(shown) if self.logs_in(&shown) => Caller::User,
                Some(_) | None => Caller::Refused,
            },
            ChallengeKind::Bearer => {
                let token = value.strip_prefix("Bearer ").unwrap_or_default();
                match lock(&self.inside).tokens.get(token) {
                    // `/v2/` takes anybody's token, and a manifest only its reader's.
                    Some(None) if request.uri().path() != "/v2/" => Caller::Nobody,
                    Some(_) => Caller::User,
                    None => Caller::Refused,
                }
            }
        }
    }

    fn logs_in(&self, shown: &Account) -> bool {
        let mut inside = lock(&self.inside);
        let accepted = inside.accounts.contains(shown);
        inside.logins.push(LoginView { username: shown.username.clone(), accepted });
        accepted
    }

    fn unauthorized(&self) -> Answer {
        let challenge = match self.challenge {
            ChallengeKind::Basic => format!("Basic realm=\"{}\"", self.name),
            ChallengeKind::Bearer => {
                format!("Bearer realm=\"http://{}/token\",service=\"{}\"", self.address, self.name)
            }
        };
        let mut answer = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

fn asks_for_something<B>(request: &Request<B>) -> bool {
    request.uri().query().unwrap_or_default().split('&').any(|pair| pair.starts_with("scope="))
}

fn basic<B>(request: &Request<B>) -> Option<Account> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let pair = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let (username, password) =
        String::from_utf8(pair).ok()?.split_once(':').map(|(u, p)| (u.to_owned(), p.to_owned()))?;
    Some(Account { username, password })
}

fn error(status: StatusCode, code: &str) -> Answer {
    let body =
        if code.is_empty() { String::new() } else { json!({ "errors": [{ "code": code }] }).to_string() };
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    answer
}
