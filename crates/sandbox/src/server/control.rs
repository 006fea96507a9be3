//! The control surface, as [`crate::control`] documents it: routes and what they do.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::host_view::pull;
use super::{Shared, lock};
use crate::control::{Advance, OwningService, SecretView, StatusChange, Time};
use crate::faults::Fault;
use crate::hosts::{Behaviour, Host, HostSpec};
use crate::identity::Role;
use crate::leeway::Leeway;
use crate::options::KeySeed;
use crate::registries::Account;

/// Answers a request below `/_sandbox/`; `tail` is what follows.
pub(super) fn answer(shared: &Arc<Shared>, tail: &str, parts: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
    if let Some((id, tail)) = tail.strip_prefix("host/").and_then(|rest| rest.split_once('/')) {
        return match shared.fleet.get(id) {
            Some(host) => host.handle(tail, parts, body).map(|body| Full::new(Bytes::from(body))),
            None => render(Err(Wrong::no_host(id))),
        };
    }
    render(route(shared, tail, parts, body))
}

fn render(answer: Result<String, Wrong>) -> Response<Full<Bytes>> {
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(Wrong { status, text }) => (status, json!({"error": text}).to_string()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

/// Why a request was not done.
struct Wrong {
    status: StatusCode,
    text: String,
}

impl Wrong {
    fn no_host(id: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: format!("there is no host {id}") }
    }

    fn bad(error: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: error.to_string() }
    }
}

fn route(shared: &Arc<Shared>, tail: &str, parts: &Parts, body: &[u8]) -> Result<String, Wrong> {
    if let Some(rest) = tail.strip_prefix("hosts/") {
        let (id, verb) = rest.split_once('/').unwrap_or((rest, ""));
        let host = shared.fleet.get(id).ok_or_else(|| Wrong::no_host(id))?;
        return on_host(shared, &host, verb, parts, body);
    }
    if let Some((name, what)) = tail.strip_prefix("registries/").and_then(|rest| rest.split_once('/')) {
        let known = match (&parts.method, what) {
            (&Method::PUT, "accounts") => shared.registries.set_accounts(name, read::<Vec<Account>>(body)?),
            (&Method::DELETE, "logins") => shared.registries.clear_logins(name),
            (method, _) => return Err(no_route(method, tail)),
        };
        let none = || Wrong { status: StatusCode::NOT_FOUND, text: format!("there is no registry {name}") };
        return if known { Ok(DONE.into()) } else { Err(none()) };
    }
    match (&parts.method, tail) {
        (&Method::GET, "hosts") => {
            said(&shared.fleet.all().iter().map(|host| shared.view(host)).collect::<Vec<_>>())
        }
        (&Method::POST, "hosts") => {
            let host = shared.add_host(read::<HostSpec>(body)?).map_err(Wrong::bad)?;
            said(&shared.view(&host))
        }
        (&Method::GET, "faults") => said(&lock(&shared.faults).list()),
        (&Method::PUT, "faults") => {
            lock(&shared.faults).set(read::<Vec<Fault>>(body)?);
            shared.held.release();
            Ok(DONE.into())
        }
        (&Method::GET, "held") => said(&shared.held.list()),
        (&Method::GET, "calls") => Ok(lock(&shared.log).lines()),
        (&Method::DELETE, "calls") => {
            lock(&shared.log).clear();
            Ok(DONE.into())
        }
        (&Method::GET, "time") => said(&Time { now: shared.clock.now() }),
        (&Method::POST, "time") => {
            let Advance { seconds } = read(body)?;
            let by = Duration::from_secs(seconds);
            shared.clock.advance(by);
            for host in shared.fleet.all() {
                host.advance(by);
            }
            said(&Time { now: shared.clock.now() })
        }
        (&Method::PUT, "keys") => {
            let KeySeed { alias, account, region, enabled } = read(body)?;
            lock(&shared.kms).at(&account, &region).set(&alias, enabled);
            Ok(DONE.into())
        }
        (&Method::PUT, "roles") => {
            lock(&shared.identity).declare(read::<Role>(body)?);
            Ok(DONE.into())
        }
        (&Method::GET, "secrets") => said(&secrets(shared)),
        (&Method::PUT, "secrets/owning-service") => {
            let OwningService { account, region, name, owning_service } = read(body)?;
            let mut regions = lock(&shared.regions);
            if regions.at(&account, &region).secrets.set_owning_service(&name, owning_service) {
                Ok(DONE.into())
            } else {
                Err(Wrong { status: StatusCode::NOT_FOUND, text: format!("there is no secret {name}") })
            }
        }
        (&Method::GET, "registries") => said(&shared.registries.views()),
        (&Method::GET, "leeway") => said(&*lock(&shared.leeway)),
        (&Method::PUT, "leeway") => {
            *lock(&shared.leeway) = read::<Leeway>(body)?;
            Ok(DONE.into())
        }
        (method, _) => Err(no_route(method, tail)),
    }
}

fn on_host(
    shared: &Arc<Shared>,
    host: &Arc<Host>,
    verb: &str,
    parts: &Parts,
    body: &[u8],
) -> Result<String, Wrong> {
    match (&parts.method, verb) {
        (&Method::GET, "") => return said(&shared.view(host)),
        (&Method::DELETE, "") => {
            shared.remove_host(&host.spec().id);
            return Ok(DONE.into());
        }
        (&Method::GET, "config") => {
            return Ok(host.config().map(|config| config.expose().to_owned()).unwrap_or_default());
        }
        (&Method::GET, "pull") => {
            let query = parts.uri.query().unwrap_or("").as_bytes();
            let image = form_urlencoded::parse(query).find(|(name, _)| name == "image");
            let (_, image) = image.ok_or_else(|| Wrong::bad("which image? give ?image=…"))?;
            return said(&pull(host, &image));
        }
        (&Method::POST, "stop") => host.stop_agent(),
        (&Method::POST, "start") => host.start_agent(),
        (&Method::POST, "break") => host.set_behaviour(Behaviour::ScriptBreaks { exit_code: 1 }),
        (&Method::POST, "behaviour") => host.set_behaviour(read(body)?),
        (&Method::POST, "status") => {
            let StatusChange { status } = read(body)?;
            let mut regions = lock(&shared.regions);
            regions.at(&host.spec().account, &host.spec().region).ecs.set_status(host, status);
        }
        (&Method::PUT, "config") => {
            host.write_config(body).map_err(Wrong::bad)?;
        }
        (method, _) => return Err(no_route(method, &format!("hosts/{}/{verb}", host.spec().id))),
    }
    shared.look_at(host);
    Ok(DONE.into())
}

fn no_route(method: &Method, tail: &str) -> Wrong {
    let text = format!(
        "there is no {method} /_sandbox/{tail}; the module `control` of the sandbox lists what there is"
    );
    Wrong { status: StatusCode::NOT_FOUND, text }
}

fn secrets(shared: &Shared) -> Vec<SecretView> {
    let regions = lock(&shared.regions);
    let views = regions.all().flat_map(|(account, region, regional)| {
        regional.secrets.metadata(region).map(move |described| SecretView {
            account: account.to_owned(),
            region: region.to_owned(),
            described,
        })
    });
    views.collect()
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Wrong> {
    serde_json::from_slice(body).map_err(Wrong::bad)
}

fn said(value: &impl Serialize) -> Result<String, Wrong> {
    serde_json::to_string(value)
        .map_err(|error| Wrong { status: StatusCode::INTERNAL_SERVER_ERROR, text: error.to_string() })
}

/// What is answered when there is nothing to say.
const DONE: &str = "{}";
