//! Who calls: access keys, roles, sessions.
//!
//! Each account has one static key, whose id is the account's twelve digits; it is the account's administrator. Roles are
//! data: whom they trust, and what they may do. A session is bound to its role.

mod policy;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use regcred_core::secret::Secret;
use serde::{Deserialize, Serialize};

pub(crate) use policy::Permissions;
pub use policy::{Effect, Statement};

use crate::error::Refusal;
use crate::services::Service;

/// The secret access key of every account's static key. The key id `test` is the default account's.
pub const STATIC_SECRET_KEY: &str = "test";

/// A role: its policies, as data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub account: String,
    /// The name, without a path.
    pub name: String,
    #[serde(default)]
    pub trust: Trust,
    pub statements: Vec<Statement>,
}

/// Who may assume a role.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// Accounts whose principals may; none: the role's own.
    pub accounts: Vec<String>,
    /// `sts:ExternalId` that has to be given.
    pub external_id: Option<String>,
}

/// A role is known by its account and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RoleId {
    account: String,
    name: String,
}

/// Temporary credentials as they are handed out once.
#[derive(Clone, Debug)]
pub(crate) struct SessionKeys {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
    pub(crate) token: Secret,
    pub(crate) expires: DateTime<Utc>,
}

#[derive(Debug)]
struct Session {
    keys: SessionKeys,
    role: RoleId,
    name: String,
}

/// Who signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) principal: Principal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// The account's static key: an administrator.
    Administrator,
    Role {
        name: String,
        session: String,
    },
}

impl Caller {
    pub(crate) fn arn(&self) -> String {
        match &self.principal {
            Principal::Administrator => format!("arn:aws:iam::{}:user/administrator", self.account),
            Principal::Role { name, session } => {
                format!("arn:aws:sts::{}:assumed-role/{name}/{session}", self.account)
            }
        }
    }

    /// `UserId` of GetCallerIdentity.
    pub(crate) fn user_id(&self) -> String {
        match &self.principal {
            Principal::Administrator => format!("AIDA{}ADMIN", self.account),
            Principal::Role { session, .. } => format!("AROA{}ROLE:{session}", self.account),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Identity {
    default_account: String,
    roles: HashMap<RoleId, Role>,
    sessions: HashMap<String, Session>,
    /// What an instance profile's role may do that nobody declared.
    host_statements: Vec<Statement>,
    /// The roles of instance profiles.
    host_roles: HashSet<RoleId>,
}

impl Identity {
    pub(crate) fn new(default_account: String, roles: Vec<Role>, host_statements: Vec<Statement>) -> Self {
        let mut identity = Self {
            default_account,
            roles: HashMap::new(),
            sessions: HashMap::new(),
            host_statements,
            host_roles: HashSet::new(),
        };
        for role in roles {
            identity.declare(role);
        }
        identity
    }

    /// Adds a role, or replaces the one of its name.
    pub(crate) fn declare(&mut self, role: Role) {
        self.roles.insert(RoleId { account: role.account.clone(), name: role.name.clone() }, role);
    }

    /// The secret key that a request has to be signed with, and who it then is.
    pub(crate) fn recognise(
        &self,
        access_key: &str,
        token: Option<&str>,
        region: &str,
        now: DateTime<Utc>,
    ) -> Result<(Secret, Caller), Refusal> {
        if let Some(session) = self.sessions.get(access_key) {
            if token != Some(session.keys.token.expose()) {
                return Err(Refusal::WrongToken);
            }
            if session.keys.expires <= now {
                return Err(Refusal::Expired);
            }
            let principal =
                Principal::Role { name: session.role.name.clone(), session: session.name.clone() };
            let caller =
                Caller { account: session.role.account.clone(), region: region.to_owned(), principal };
            return Ok((session.keys.secret_access_key.clone(), caller));
        }
        let account = match access_key {
            "test" => self.default_account.as_str(),
            id if is_account(id) => id,
            _ => return Err(Refusal::UnknownKey),
        };
        let caller = Caller {
            account: account.to_owned(),
            region: region.to_owned(),
            principal: Principal::Administrator,
        };
        Ok((Secret::from(STATIC_SECRET_KEY), caller))
    }

    /// What the caller may do, as of now.
    pub(crate) fn permissions(&self, caller: &Caller) -> Permissions {
        match &caller.principal {
            Principal::Administrator => Permissions::Everything,
            Principal::Role { name, .. } => {
                let id = RoleId { account: caller.account.clone(), name: name.clone() };
                let statements = self.roles.get(&id).map(|role| role.statements.clone());
                Permissions::Stated(statements.unwrap_or_default())
            }
        }
    }

    /// A session of `role` for a caller that it trusts.
    pub(crate) fn assume(
        &mut self,
        caller: &Caller,
        role_arn: &str,
        session: &str,
        external_id: Option<&str>,
        lifetime: Duration,
        now: DateTime<Utc>,
    ) -> Result<SessionKeys, Refusal> {
        let denied = || Refusal::Denied {
            caller: caller.arn(),
            action: "sts:AssumeRole".into(),
            resource: role_arn.to_owned(),
        };
        let id = RoleId::from_arn(role_arn).ok_or_else(denied)?;
        let trust = &self.roles.get(&id).ok_or_else(denied)?.trust;
        let trusts = if trust.accounts.is_empty() {
            caller.account == id.account
        } else {
            trust.accounts.contains(&caller.account)
        };
        let external_id_matches =
            trust.external_id.as_deref().is_none_or(|wanted| external_id == Some(wanted));
        if !trusts || !external_id_matches || !self.permissions(caller).allow("sts:AssumeRole", role_arn) {
            return Err(denied());
        }
        Ok(self.open_session(id, session.to_owned(), lifetime, now))
    }

    /// A session of an instance profile's role, which is declared with the hosts' statements if nobody did.
    pub(crate) fn mint(&mut self, account: &str, role: &str, now: DateTime<Utc>) -> SessionKeys {
        // Six hours, as IMDS hands them out.
        const LIFETIME: Duration = Duration::from_hours(6);
        self.host_role(account, role);
        let id = RoleId { account: account.to_owned(), name: role.to_owned() };
        self.open_session(id, HOST_SESSION.to_owned(), LIFETIME, now)
    }

    /// The caller that a host's role is, without a session: what a host in memory reads objects as.
    pub(crate) fn host_caller(&mut self, account: &str, region: &str, role: &str) -> Caller {
        self.host_role(account, role);
        let principal = Principal::Role { name: role.to_owned(), session: HOST_SESSION.to_owned() };
        Caller { account: account.to_owned(), region: region.to_owned(), principal }
    }

    /// Whether the caller is the role of an instance profile.
    pub(crate) fn is_host(&self, caller: &Caller) -> bool {
        match &caller.principal {
            Principal::Administrator => false,
            Principal::Role { name, .. } => {
                let id = RoleId { account: caller.account.clone(), name: name.clone() };
                self.host_roles.contains(&id)
            }
        }
    }

    fn host_role(&mut self, account: &str, role: &str) {
        let id = RoleId { account: account.to_owned(), name: role.to_owned() };
        self.host_roles.insert(id.clone());
        if !self.roles.contains_key(&id) {
            self.declare(Role {
                account: account.to_owned(),
                name: role.to_owned(),
                // EC2 assumes it, and nobody else.
                trust: Trust { accounts: vec!["ec2.amazonaws.com".into()], external_id: None },
                statements: self.host_statements.clone(),
            });
        }
    }

    fn open_session(
        &mut self,
        role: RoleId,
        name: String,
        lifetime: Duration,
        now: DateTime<Utc>,
    ) -> SessionKeys {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let keys = SessionKeys {
            access_key_id: format!("ASIA{}", random()[..16].to_uppercase()),
            secret_access_key: Secret::new(random()),
            token: Secret::new(format!("sandbox-session-{}{}", random(), random())),
            expires: now + lifetime,
        };
        self.sessions.insert(keys.access_key_id.clone(), Session { keys: keys.clone(), role, name });
        keys
    }
}

/// The session name of hosts' own credentials. EC2 names it after the instance; here all hosts of a role are one.
const HOST_SESSION: &str = "i-host";

impl RoleId {
    fn from_arn(arn: &str) -> Option<Self> {
        let (account, path) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
        let name = path.strip_prefix("role/")?.rsplit('/').next()?;
        (is_account(account) && !name.is_empty())
            .then(|| Self { account: account.to_owned(), name: name.to_owned() })
    }
}

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The IAM action of an operation.
pub(crate) fn action(service: Service, operation: &str) -> String {
    // S3's names differ: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
    let name = match (service, operation) {
        (Service::S3, "HeadObject") => "GetObject",
        (Service::S3, "HeadBucket" | "ListObjectsV2") => "ListBucket",
        (Service::S3, "ListObjectVersions") => "ListBucketVersions",
        (Service::S3, "GetBucketLifecycleConfiguration") => "GetLifecycleConfiguration",
        (Service::S3, "PutBucketLifecycleConfiguration") => "PutLifecycleConfiguration",
        (Service::S3, "GetPublicAccessBlock") => "GetBucketPublicAccessBlock",
        (Service::S3, "PutPublicAccessBlock") => "PutBucketPublicAccessBlock",
        (Service::S3, "ListBuckets") => "ListAllMyBuckets",
        (_, operation) => operation,
    };
    format!("{}:{name}", service.signing_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_session_is_known_with_its_token_and_until_it_expires() {
        let mut identity = Identity::new("111111111111".into(), Vec::new(), Vec::new());
        let now = DateTime::UNIX_EPOCH;
        let keys = identity.mint("222222222222", "hosts", now);
        let token = Some(keys.token.expose());
        let recognise = |token, now| {
            identity.recognise(&keys.access_key_id, token, "eu-west-1", now).map(|(_, caller)| caller)
        };
        assert_eq!(recognise(token, now).map(|caller| caller.account), Ok("222222222222".into()));
        assert_eq!(recognise(None, now).map(|_| ()), Err(Refusal::WrongToken));
        assert_eq!(recognise(Some("other"), now).map(|_| ()), Err(Refusal::WrongToken));
        assert!(recognise(token, now + 5 * HOUR).is_ok());
        assert_eq!(recognise(token, now + 6 * HOUR).map(|_| ()), Err(Refusal::Expired));
    }

    #[test]
    fn an_accounts_id_is_its_access_key_and_test_is_the_default_ones() {
        let identity = Identity::new("111111111111".into(), Vec::new(), Vec::new());
        let account = |key: &str| {
            let known = identity.recognise(key, None, "eu-west-1", DateTime::UNIX_EPOCH);
            known.map(|(_, caller)| caller.account)
        };
        assert_eq!(account("333333333333"), Ok("333333333333".into()));
        assert_eq!(account("test"), Ok("111111111111".into()));
        assert_eq!(account("33333333333"), Err(Refusal::UnknownKey));
    }
}
