//! The SSM document that a fleet's hosts get: whether it is the one that this regcred carries, before anything is sent.
//!
//! Whoever may change the document runs a script of their own as root on every host, in regcred's name; and one of another
//! version may say what this one does not understand. It must not be created or changed here: that is an operator's to do.

use regcred_core::names::FleetName;
use regcred_core::report::{Failure, FailureKind};
use regcred_core::rollout::Refusal;
use regcred_core::script::{DocumentDifference, document_difference};

use super::command::Mode;
use crate::aws::{AwsError, AwsErrorKind, Clients};
use crate::config::{DocumentCheck, Fleet};

/// deploy/ssm/regcred-refresh.json, as it was when this regcred was built.
const CARRIED: &str = include_str!("../../deploy/ssm/regcred-refresh.json");

/// Which version of the document a command names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DocumentVersion {
    /// Whichever is the default when SSM takes the command.
    Default,
    /// The one that was compared. A version's content never changes, so no other one can come in between.
    Compared(String),
}

/// Why nothing may be sent.
#[derive(Clone, Debug)]
pub(super) struct Unsendable {
    pub refusal: Refusal,
    pub failure: Failure,
}

/// Looks at the document of `fleet`: one GetDocument, none where the operator has one of their own, and one more where it
/// is the wrong one, to tell which command mends that.
pub(super) async fn check(
    clients: &Clients,
    name: &FleetName,
    fleet: &Fleet,
    mode: Mode,
) -> Result<DocumentVersion, Unsendable> {
    match fleet.document_check {
        DocumentCheck::Own => return Ok(DocumentVersion::Default),
        DocumentCheck::Carried => {}
    }
    let what = mode.failed(name);
    let document = fleet.document.as_str();
    let (found, version) = match clients.ssm.document(document, "$DEFAULT").await {
        Ok(found) => found,
        Err(error) => {
            let failure = match error.kind {
                AwsErrorKind::NotFound => missing(&error, document, what),
                _ => error.failure(format!("cannot see whether SSM document `{document}` is regcred's own")),
            };
            return Err(Unsendable { refusal: refusal(&error), failure });
        }
    };
    let Some(difference) = document_difference(CARRIED, &found) else {
        return Ok(DocumentVersion::Compared(version));
    };
    // An update makes a version, and leaves the default as it is: the right one may be there already.
    let latest = match clients.ssm.document(document, "$LATEST").await {
        Ok((content, latest)) if document_difference(CARRIED, &content).is_none() => Some(latest),
        Ok(_) | Err(_) => None,
    };
    let failure = foreign(clients, name, document, what, difference, &version, latest.as_deref());
    Err(Unsendable { refusal: Refusal::ForeignDocument, failure })
}

/// Why no restart could be sent to the hosts of `fleet`, if that is so.
pub(crate) async fn unsendable(clients: &Clients, name: &FleetName, fleet: &Fleet) -> Option<Failure> {
    check(clients, name, fleet, Mode::Apply).await.err().map(|unsendable| unsendable.failure)
}

fn refusal(error: &AwsError) -> Refusal {
    match error.kind {
        AwsErrorKind::NotFound => Refusal::Document,
        AwsErrorKind::AccessDenied | AwsErrorKind::NoCredentials => Refusal::AccessDenied,
        // Not `Throttled`, after which the next host would be tried: the document is the same for all.
        AwsErrorKind::Exists
        | AwsErrorKind::PreconditionFailed
        | AwsErrorKind::Conflict
        | AwsErrorKind::Throttled
        | AwsErrorKind::KeyFailed
        | AwsErrorKind::Invalid
        | AwsErrorKind::NotSent
        | AwsErrorKind::NoAnswer => Refusal::Other(error.code.clone()),
    }
}

/// There is no such document.
pub(super) fn missing(error: &AwsError, document: &str, what: String) -> Failure {
    Failure::new(
        FailureKind::Missing,
        what,
        format!("there is no SSM document `{document}` in {}", error.place),
        format!(
            "aws ssm create-document --name {document} --document-type Command --document-format JSON \
             --content file://deploy/ssm/regcred-refresh.json"
        ),
    )
}

fn foreign(
    clients: &Clients,
    name: &FleetName,
    document: &str,
    what: String,
    difference: DocumentDifference,
    version: &str,
    right: Option<&str>,
) -> Failure {
    let place = clients.ssm.place();
    let why = format!(
        "version {version} of the SSM document `{document}` in {place}, the default, is not the one that this regcred \
         carries: {difference}; it was altered, or belongs to another version of regcred"
    );
    let set_default = |number: &str| {
        format!("aws ssm update-document-default-version --name {document} --document-version {number}")
    };
    let mend = match right {
        Some(number) => set_default(number),
        None => format!(
            "aws ssm update-document --name {document} --document-version '$LATEST' --content \
             file://deploy/ssm/regcred-refresh.json, then {} (the number that it answers)",
            set_default("N")
        ),
    };
    Failure::new(
        FailureKind::Refused,
        what,
        why,
        format!("{mend}; if it is to be another one, set fleets.{name}.document_check to `own`"),
    )
}
