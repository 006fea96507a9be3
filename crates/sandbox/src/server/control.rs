//! The control surface below `/_sandbox/`: JSON in, JSON out.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::json;

use super::{Shared, lock};
use crate::faults::Fault;

pub(super) fn answer(shared: &Shared, tail: &str, parts: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
    let (status, body) = match route(shared, tail, &parts.method, body) {
        Ok(body) => (StatusCode::OK, body),
        Err(Wrong { status, text }) => (status, json!({"error": text}).to_string()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

struct Wrong {
    status: StatusCode,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: u64,
}

fn route(shared: &Shared, tail: &str, method: &Method, body: &[u8]) -> Result<String, Wrong> {
    match (method, tail) {
        (&Method::GET, "calls") => Ok(lock(&shared.log).lines()),
        (&Method::DELETE, "calls") => {
            lock(&shared.log).clear();
            Ok(json!({}).to_string())
        }
        (&Method::GET, "faults") => Ok(json!(lock(&shared.faults).list()).to_string()),
        (&Method::PUT, "faults") => {
            let faults: Vec<Fault> = read(body)?;
            lock(&shared.faults).set(faults);
            shared.held.release();
            Ok(json!({}).to_string())
        }
        (&Method::GET, "held") => Ok(json!(shared.held.list()).to_string()),
        (&Method::GET, "time") => Ok(json!({"now": shared.clock.now()}).to_string()),
        (&Method::POST, "time") => {
            let Advance { advance_seconds } = read(body)?;
            shared.clock.advance(Duration::from_secs(advance_seconds));
            Ok(json!({"now": shared.clock.now()}).to_string())
        }
        _ => Err(Wrong {
            status: StatusCode::NOT_FOUND,
            text: format!("no {method} /_sandbox/{tail}; see the documentation of regcred_sandbox::control"),
        }),
    }
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Wrong> {
    serde_json::from_slice(body)
        .map_err(|error| Wrong { status: StatusCode::BAD_REQUEST, text: error.to_string() })
}
