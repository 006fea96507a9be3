//! One AWS call: what it is, who makes it, what strikes it, what comes of it, how it is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::silence::Dropped;
use super::{Shared, json, lock};
use crate::call_log::Record;
use crate::control::HeldCall;
use crate::error::{AwsError, Refusal};
use crate::faults::{Effect, Origin, Subject};
use crate::identity::Caller;
use crate::model::{Side, model_of};
use crate::services::s3::xml::escape;
use crate::services::s3::{self, Route};
use crate::services::{Context, Pending, Service, sts};
use crate::sigv4::Signature;

/// What a request is.
#[derive(Debug)]
pub(super) struct Target {
    service: Service,
    operation: String,
    payload: Result<Payload, AwsError>,
}

#[derive(Debug)]
enum Payload {
    Json(Value),
    Form(BTreeMap<String, String>),
    S3(Route),
}

impl Target {
    fn of(parts: &Parts, body: &[u8]) -> Self {
        if let Some(target) = header(&parts.headers, "x-amz-target") {
            let Some((service, operation)) = Service::of_target(target) else {
                // Whose it would be is unknown; it is answered in the JSON services' form.
                let error = AwsError::new(
                    "UnknownOperationException",
                    format!("the sandbox has no service of the target {target}"),
                );
                return Self { service: Service::Ssm, operation: target.to_owned(), payload: Err(error) };
            };
            let payload = serde_json::from_slice(body)
                .map(Payload::Json)
                .map_err(|_| AwsError::new("SerializationException", "the body is not JSON"));
            return Self { service, operation: operation.to_owned(), payload };
        }
        let is_form = header(&parts.headers, "content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if is_form && parts.uri.path() == "/" {
            let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
            let operation = form.get("Action").cloned().unwrap_or_default();
            return Self { service: Service::Sts, operation, payload: Ok(Payload::Form(form)) };
        }
        let route = Route::of(parts);
        let operation = match &route {
            Ok(route) => route.operation.name().to_owned(),
            Err(_) => format!("{} {}", parts.method, parts.uri.path()),
        };
        Self { service: Service::S3, operation, payload: route.map(Payload::S3) }
    }

    /// For S3: bucket and key.
    fn place(&self) -> (Option<String>, Option<String>) {
        match &self.payload {
            Ok(Payload::S3(route)) => (route.bucket.clone(), route.key.clone()),
            Ok(Payload::Json(_) | Payload::Form(_)) | Err(_) => (None, None),
        }
    }
}

/// What the faults do to one call.
#[derive(Debug, Default)]
struct Struck {
    instead: Option<AwsError>,
    before: Option<Silence>,
    after: Option<Silence>,
    delay: Duration,
    how: How,
}

/// How a call is done that is done.
#[derive(Clone, Copy, Debug, Default)]
struct How {
    late: TimeDelta,
    pending: Pending,
}

#[derive(Clone, Copy, Debug)]
enum Silence {
    Drop,
    Hold,
}

impl Struck {
    fn by(effects: Vec<Effect>, caller: Option<&Caller>, target: &Target) -> Self {
        let service = target.service;
        let mut struck = Self::default();
        for effect in effects {
            match effect {
                Effect::Throttle => struck.instead = Some(Refusal::Throttled.by(service)),
                Effect::Deny => {
                    struck.instead = Some(
                        Refusal::Denied {
                            caller: caller.map_or_else(String::new, Caller::arn),
                            action: crate::identity::action(service, &target.operation),
                            resource: "*".into(),
                        }
                        .by(service),
                    );
                }
                Effect::Error { code, status } => {
                    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                    let message = "a fault of the sandbox".into();
                    struck.instead = Some(AwsError { code: code.into(), message, status });
                }
                Effect::Conflict => {
                    struck.instead = Some(AwsError::with_status(
                        "ConditionalRequestConflict",
                        StatusCode::CONFLICT,
                        "The conditional request cannot succeed due to a conflicting operation against this resource.",
                    ));
                }
                Effect::DelayMs(millis) => struck.delay += Duration::from_millis(millis),
                Effect::DropBefore => struck.before = Some(Silence::Drop),
                Effect::HoldBefore => struck.before = Some(Silence::Hold),
                Effect::DropAfter => struck.after = Some(Silence::Drop),
                Effect::HoldAfter => struck.after = Some(Silence::Hold),
                Effect::TooManyPending => struck.how.pending = Pending::OverQuota,
                Effect::LateVisibilityMs(millis) => {
                    struck.how.late += TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX / 2));
                }
            }
        }
        struck
    }
}

/// Answers a request as AWS would, or as the faults say.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let target = Target::of(parts, &body);
    let number = lock(&shared.log).next_number();
    let caller = shared.recognise(parts, &body, target.service);
    let struck = shared.strike(&target, caller.as_ref().ok());
    if let Some(silence) = struck.before {
        shared.record(number, &target, caller.as_ref().ok(), None);
        return Err(shared.fall_silent(silence, number, &target, false).await);
    }
    let made = match (&caller, struck.instead) {
        (Err(refusal), _) => Err(refusal.by(target.service)),
        (Ok(_), Some(error)) => Err(error),
        (Ok(caller), None) => shared.perform(caller, &target, &parts.headers, body, struck.how),
    };
    shared.record(number, &target, caller.as_ref().ok(), Some(&made));
    if !struck.delay.is_zero() {
        tokio::time::sleep(struck.delay).await;
    }
    if let Some(silence) = struck.after {
        return Err(shared.fall_silent(silence, number, &target, true).await);
    }
    Ok(render(target.service, parts.method == http::Method::HEAD, made))
}

/// What a call came to, before it is put into a protocol's form.
enum Made {
    Json(Value),
    Xml(String),
    S3(s3::Answer),
}

impl Shared {
    /// Who signed the request.
    fn recognise(&self, parts: &Parts, body: &[u8], service: Service) -> Result<Caller, Refusal> {
        let signature = Signature::read(&parts.headers)?.ok_or(Refusal::Unsigned)?;
        let token = header(&parts.headers, "x-amz-security-token");
        let now = Utc::now();
        let (secret_key, caller) =
            lock(&self.identity).recognise(&signature.access_key, token, &signature.region, now)?;
        signature.check(parts, body, service, &secret_key, now)?;
        Ok(caller)
    }

    fn strike(&self, target: &Target, caller: Option<&Caller>) -> Struck {
        let (_, key) = target.place();
        let subject = Subject {
            service: target.service,
            operation: &target.operation,
            account: caller.map(|caller| caller.account.as_str()),
            key: key.as_deref(),
            origin: self.origin(caller),
        };
        let effects = lock(&self.faults).strike(subject);
        Struck::by(effects, caller, target)
    }

    fn origin(&self, caller: Option<&Caller>) -> Origin {
        match caller {
            Some(caller) if lock(&self.identity).is_host(caller) => Origin::Host,
            Some(_) | None => Origin::Controller,
        }
    }

    /// Does what is asked.
    fn perform(
        self: &Arc<Self>,
        caller: &Caller,
        target: &Target,
        headers: &HeaderMap,
        body: Bytes,
        how: How,
    ) -> Result<Made, AwsError> {
        let permissions = lock(&self.identity).permissions(caller);
        let now = self.clock.now();
        let How { late, pending } = how;
        let cx = Context { caller, permissions: &permissions, now, visible_from: now + late, pending };
        match target.payload.as_ref().map_err(Clone::clone)? {
            Payload::Json(input) => {
                json::handle(self, &cx, target.service, &target.operation, input).map(Made::Json)
            }
            Payload::Form(form) => {
                let mut identity = lock(&self.identity);
                sts::handle(&mut identity, caller, &target.operation, form.clone(), Utc::now()).map(Made::Xml)
            }
            Payload::S3(route) => {
                let keys = lock(&self.kms).at(&caller.account, &caller.region).clone();
                let call = s3::Call { route, headers, body };
                s3::handle(&cx, &mut lock(&self.s3), &keys, &call).map(Made::S3)
            }
        }
    }

    /// A host's read without HTTP: the same faults, policy, handler and record as over the wire. A fault that would keep the
    /// answer from it is an error here.
    pub(super) fn get_object_as(
        self: &Arc<Self>,
        caller: &Caller,
        bucket: &str,
        key: &str,
    ) -> Result<s3::Answer, AwsError> {
        let target = Target {
            service: Service::S3,
            operation: "GetObject".into(),
            payload: Ok(Payload::S3(Route::to_object(bucket, key))),
        };
        let number = lock(&self.log).next_number();
        let struck = self.strike(&target, Some(caller));
        let silenced = || AwsError::with_status("RequestTimeout", StatusCode::REQUEST_TIMEOUT, "no answer");
        if struck.before.is_some() {
            self.record(number, &target, Some(caller), None);
            return Err(silenced());
        }
        let made = match struck.instead {
            Some(error) => Err(error),
            None => self.perform(caller, &target, &HeaderMap::new(), Bytes::new(), struck.how),
        };
        self.record(number, &target, Some(caller), Some(&made));
        match made? {
            _ if struck.after.is_some() => Err(silenced()),
            Made::S3(answer) => Ok(answer),
            Made::Json(_) | Made::Xml(_) => unreachable!("S3 answers in S3's form"),
        }
    }

    async fn fall_silent(&self, silence: Silence, number: u64, target: &Target, done: bool) -> Dropped {
        match silence {
            Silence::Drop => Dropped,
            Silence::Hold => {
                let Target { service, operation, payload: _ } = target;
                let call = HeldCall { number, service: *service, operation: operation.clone(), done };
                self.held.hold(call).await
            }
        }
    }

    /// Writes the call down. `None` for what was made of it: it was never looked at.
    fn record(
        &self,
        number: u64,
        target: &Target,
        caller: Option<&Caller>,
        made: Option<&Result<Made, AwsError>>,
    ) {
        let (bucket, key) = target.place();
        let service = target.service;
        let request = match &target.payload {
            Ok(Payload::Json(input)) => shown(service, &target.operation, Side::Request, input),
            Ok(Payload::Form(_) | Payload::S3(_)) | Err(_) => json!({}),
        };
        let (status, response) = match made {
            None => (None, Value::Null),
            Some(Err(error)) => {
                (Some(error.status.as_u16()), json!({"__type": error.code, "message": error.message}))
            }
            Some(Ok(Made::Json(value))) => {
                (Some(200), shown(service, &target.operation, Side::Response, value))
            }
            Some(Ok(Made::Xml(_))) => (Some(200), json!({})),
            Some(Ok(Made::S3(answer))) => (Some(answer.status.as_u16()), json!({})),
        };
        lock(&self.log).push(Record {
            number,
            service,
            operation: target.operation.clone(),
            status,
            request,
            response,
            account: caller.map(|caller| caller.account.clone()),
            region: caller.map(|caller| caller.region.clone()),
            caller: caller.map(Caller::arn),
            bucket,
            key,
        });
    }
}

/// One side of a call as the log shows it.
fn shown(service: Service, operation: &str, side: Side, value: &Value) -> Value {
    match (service, model_of(service).and_then(|model| Some((model, model.operation(operation)?)))) {
        (Service::SecretsManager, Some((model, operation))) => model.redacted(operation, side, value),
        // A parameter of a command is shown, and must be no secret; a parameter that is kept may be one.
        (Service::Ssm, Some((model, modelled))) if ["GetParameter", "PutParameter"].contains(&operation) => {
            model.redacted(modelled, side, value)
        }
        // Nobody knows what is a secret in there.
        (Service::SecretsManager, None) => json!({}),
        (Service::Ssm | Service::Ecs | Service::Kms | Service::Sts | Service::S3, _) => value.clone(),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The answer in its protocol's form.
fn render(service: Service, is_head: bool, made: Result<Made, AwsError>) -> Response<Full<Bytes>> {
    let request_id = uuid::Uuid::new_v4().to_string();
    let (status, mut headers, body) = match made {
        Ok(Made::Json(value)) => (StatusCode::OK, content_type(JSON), Bytes::from(value.to_string())),
        Ok(Made::Xml(text)) => (StatusCode::OK, content_type(XML), Bytes::from(text)),
        Ok(Made::S3(s3::Answer { status, headers, body })) => (status, headers, body),
        Err(error) => error_form(service, is_head, &error, &request_id),
    };
    let request_id = HeaderValue::try_from(request_id).expect("a UUID is a header's value");
    headers.insert("x-amzn-requestid", request_id.clone());
    headers.insert("x-amz-request-id", request_id);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

const JSON: &str = "application/x-amz-json-1.1";
const XML: &str = "application/xml";

fn content_type(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static(value))])
}

fn error_form(
    service: Service,
    is_head: bool,
    error: &AwsError,
    request_id: &str,
) -> (StatusCode, HeaderMap, Bytes) {
    let AwsError { code, message, status } = error;
    match service {
        Service::SecretsManager | Service::Ssm => {
            let body = json!({"__type": code, "Message": message});
            (*status, content_type(JSON), Bytes::from(body.to_string()))
        }
        Service::Ecs | Service::Kms => {
            let body = json!({"__type": code, "message": message});
            (*status, content_type(JSON), Bytes::from(body.to_string()))
        }
        Service::Sts => {
            let body = format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                 <Code>{code}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                escape(message)
            );
            (*status, content_type(XML), Bytes::from(body))
        }
        // An answer to HEAD has no body, and so no code.
        Service::S3 if is_head => (*status, content_type(XML), Bytes::new()),
        Service::S3 => {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{}</Message>\
                 <RequestId>{request_id}</RequestId></Error>",
                escape(message)
            );
            (*status, content_type(XML), Bytes::from(body))
        }
    }
}
