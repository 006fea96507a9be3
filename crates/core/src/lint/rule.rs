//! The rules: what each is called, and how bad it is. `docs/LINT.md` has one heading for each.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The agent does not start, or a credential is not used as it is meant.
    Error,
    /// It works today, by luck or by half.
    Warning,
    /// Harmless to agents; other readers of the file may see it otherwise.
    Note,
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident = $id:literal, $severity:ident;)+) => {
        /// Something in a file that agents do not read as it is meant. The names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)+
        }

        impl Rule {
            pub const ALL: &'static [Self] = &[$(Self::$rule,)+];

            /// The name of the rule, which never changes.
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$rule => $id,)+
                }
            }

            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$rule => Severity::$severity,)+
                }
            }
        }
    };
}

rules! {
    /// The file begins with a byte order mark, which becomes a part of its first variable's name.
    ByteOrderMark = "byte-order-mark", Error;
    /// A line ends with CR alone, so the next one is a part of it.
    CarriageReturn = "carriage-return", Error;
    /// Lines end with CR LF: agents do not mind, `docker run --env-file` takes the CR for a part of the value.
    Crlf = "crlf", Note;
    /// A NUL byte, with which no process can be started.
    NulByte = "nul-byte", Error;
    /// Bytes that are no UTF-8, each of which becomes U+FFFD.
    NotUtf8 = "not-utf8", Error;
    /// A variable of 131,072 bytes or more, with which Linux starts no process.
    LineTooLong = "line-too-long", Error;
    /// A line of 65,536 bytes or more, which `docker run --env-file` does not read.
    LineTooLongForDocker = "line-too-long-for-docker", Warning;
    /// All variables together are more than Linux starts a process with.
    EnvironmentTooLarge = "environment-too-large", Error;
    /// A line begins with '=': Docker creates no container with a variable without a name.
    NoName = "no-name", Error;
    /// A line without '=', which is no variable.
    NoEquals = "no-equals", Warning;
    /// `export` becomes a part of the name; systemd writes such a line, secret and all, into the journal.
    Export = "export", Error;
    /// White space before '=' becomes a part of the name.
    SpaceBeforeEquals = "space-before-equals", Error;
    /// A name that no variable has.
    OddName = "odd-name", Warning;
    /// A name that is nearly one that the agent reads.
    MisspeltName = "misspelt-name", Error;
    /// Quotes become a part of the value.
    QuotedValue = "quoted-value", Error;
    /// A comment behind a value becomes a part of it.
    InlineComment = "inline-comment", Error;
    /// A backslash at the end of a line continues it for systemd alone.
    Continuation = "continuation", Error;
    /// A variable is set more than once, and only the last line counts.
    RepeatedVariable = "repeated-variable", Warning;
    /// The last line has no end, so what is appended is glued to it.
    NoFinalNewline = "no-final-newline", Warning;
    /// A configuration that names no cluster: agents join `default`.
    NoCluster = "no-cluster", Note;
    /// Data without a type: no credential is used, and nothing is logged.
    TypeMissing = "type-missing", Error;
    /// A type that the agent does not know: no credential is used.
    UnknownType = "unknown-type", Error;
    /// The type is not the one that the data is written for.
    WrongType = "wrong-type", Error;
    /// A type without data.
    DataMissing = "data-missing", Error;
    /// The data is spread over several lines, of which only the first is read.
    MultiLineData = "multi-line-data", Error;
    /// The data is no JSON: all of it is dropped.
    NotJson = "not-json", Error;
    /// The data is JSON, but no object: all of it is dropped.
    NotAnObject = "not-an-object", Error;
    /// An entry that is no object takes all others with it.
    EntryNotAnObject = "entry-not-an-object", Error;
    /// A field that is no text takes all entries with it.
    FieldNotAString = "field-not-a-string", Error;
    /// The data has characters outside of ASCII, which not every reader takes for the same.
    NonAscii = "non-ascii", Note;
    /// A key stands twice, and only the last entry counts.
    RepeatedEntry = "repeated-entry", Warning;
    /// The entries are wrapped in `auths`, which the agent takes for a registry.
    AuthsWrapper = "auths-wrapper", Error;
    /// A credential helper of Docker's, which the agent does not ask.
    CredentialHelper = "credential-helper", Error;
    /// A setting of Docker's client, which the agent takes for a registry.
    DockerConfigMember = "docker-config-member", Warning;
    /// Docker Hub under another key than the one that the agent looks for.
    DeadHubKey = "dead-hub-key", Error;
    /// Keys that are one to the agent, which takes any of them.
    SameKey = "same-key", Error;
    /// Keys with a path, and none for their host alone.
    PathWithoutHost = "path-without-host", Warning;
    /// A key that no image can have as its host.
    NoRegistryHost = "no-registry-host", Error;
    /// A host with capital letters, which are compared byte for byte.
    UpperCaseHost = "upper-case-host", Warning;
    /// A key that ends with '/' is used in place of the one without.
    ShadowedHostKey = "shadowed-host-key", Warning;
    /// A key for ECR, to which ECS gives tokens of its own.
    EcrKey = "ecr-key", Note;
    /// An entry without username and password.
    NoLogin = "no-login", Error;
    /// An entry without `auth`, the one field that type `dockercfg` has.
    NoAuth = "no-auth", Error;
    /// What `auth` holds has no ':' between username and password.
    NoColon = "no-colon", Error;
    /// `auth` is base64 with the alphabet of URLs.
    Base64UrlSafe = "base64-url-safe", Error;
    /// `auth` is base64 without its padding.
    Base64Unpadded = "base64-unpadded", Error;
    /// `auth` is no base64.
    Base64Invalid = "base64-invalid", Error;
    /// A username with ':', where type `dockercfg` ends it.
    ColonInUsername = "colon-in-username", Error;
    /// An identity token, for which type `dockercfg` has no place.
    IdentityToken = "identity-token", Error;
    /// A server address other than the host, by which Docker 29 and later leave the entry out.
    ServerAddress = "server-address", Error;
    /// A line break in a username or password, which is sent to the registry.
    LineBreak = "line-break", Error;
    /// A NUL in a username or password, as old versions of Docker padded them.
    NulInLogin = "nul-in-login", Error;
    /// A username or password that is no UTF-8, whose bytes are replaced.
    LoginNotUtf8 = "login-not-utf8", Error;
    /// A username without a password, or the other way round.
    HalfALogin = "half-a-login", Warning;
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl JsonSchema for Rule {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let ids: Vec<&str> = Self::ALL.iter().copied().map(Self::id).collect();
        json_schema!({ "description": "A rule of docs/LINT.md.", "type": "string", "enum": ids })
    }
}
