//! The JSON services: a body held against AWS's model, a handler, an answer held against it.

use std::sync::Arc;

use serde_json::Value;

use super::{Shared, lock};
use crate::error::AwsError;
use crate::model::{Side, model_of};
use crate::services::{Context, Service, ecs, kms, secrets_manager, ssm};

/// Answers one call whose caller is known.
pub(super) fn handle(
    shared: &Arc<Shared>,
    cx: &Context<'_>,
    service: Service,
    operation: &str,
    input: &Value,
) -> Result<Value, AwsError> {
    let model = model_of(service).expect("only the JSON services come here");
    let Some(modelled) = model.operation(operation) else {
        return Err(AwsError::new(
            "UnknownOperationException",
            format!("the sandbox knows no operation {operation} of {}", service.signing_name()),
        ));
    };
    let findings = model.findings(modelled, Side::Request, input);
    if !findings.is_empty() {
        return Err(AwsError::new("ValidationException", findings.join("; ")));
    }
    let answer = dispatch(shared, cx, service, operation, input.clone());
    let impossible = match &answer {
        Ok(value) => model.findings(modelled, Side::Response, value).join("; "),
        Err(error) if modelled.may_answer(&error.code) || is_common(&error.code) => String::new(),
        Err(error) => format!("the error {} of {operation}", error.code),
    };
    if impossible.is_empty() { answer } else { Err(own_fault(&impossible)) }
}

fn dispatch(
    shared: &Arc<Shared>,
    cx: &Context<'_>,
    service: Service,
    operation: &str,
    input: Value,
) -> Result<Value, AwsError> {
    let (account, region) = (&cx.caller.account, &cx.caller.region);
    let keys = lock(&shared.kms).at(account, region).clone();
    let leeway = *lock(&shared.leeway);
    let (answer, deliveries) = {
        let mut regions = lock(&shared.regions);
        if service == Service::SecretsManager {
            secrets_manager::settle(&mut regions, &mut lock(&shared.kms), account, cx.now);
        }
        let regional = regions.at(account, region);
        let answer = match service {
            Service::SecretsManager => secrets_manager::handle(cx, regional, &keys, operation, input),
            Service::Ssm => ssm::handle(cx, regional, &keys, leeway.pages, operation, input),
            Service::Ecs => ecs::handle(cx, regional, leeway, operation, input),
            Service::Kms => kms::handle(cx, &keys, operation, input),
            Service::S3 | Service::Sts => unreachable!("not JSON services"),
        };
        (answer, regional.ssm.take_deliveries())
    };
    shared.deliver(deliveries);
    answer
}

/// Errors that every JSON service may answer besides those of its model.
fn is_common(code: &str) -> bool {
    ["AccessDeniedException", "SerializationException", "ThrottlingException", "ValidationException"]
        .contains(&code)
}

/// A defect of the sandbox, said as loudly as a server can.
fn own_fault(what: &str) -> AwsError {
    AwsError::with_status(
        "InternalFailure",
        http::StatusCode::INTERNAL_SERVER_ERROR,
        format!("a defect of the sandbox: it would have answered what AWS's model does not allow: {what}"),
    )
}
