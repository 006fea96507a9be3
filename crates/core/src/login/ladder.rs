//! The ladder: what to ask a registry, one question after another, until a credential is proven or refused.
//!
//! 1. `GET /v2/` without a credential says how to log in. A registry that answers 200 here answers everybody so.
//! 2. The identity: a token without a scope, since some servers (Harbor) give a token with an empty grant to a wrong
//!    password that asks with one; then `GET /v2/` with it. Or Basic on `/v2/`, which has just refused nobody.
//!    Without a canary, a token is asked for with nothing too: whoever gives one to everybody may not have looked.
//! 3. Where a canary is named, the sight of its manifest: HEAD, which Docker Hub does not count as a pull.
//! 4. The same without a credential has to fail, or the sight proved nothing.
//!
//! Each question that carries the password is asked once; the first 401 or 403 to it ends the ladder, since wrong tries
//! lock accounts out. The ladder must not know how a question is sent.

use url::Url;

use super::canary::Canary;
use super::challenge::{Challenge, Scheme};
use super::grant::Grant;
use super::realm::{Authority, RealmRules, Standing};
use super::verdict::{
    Accepted, Evidence, Login, NoAnswer, Obstacle, Party, RedirectRefusal, Rejection, RetryAfter, Stage,
};

/// What the ladder stands on.
#[derive(Clone, Debug)]
pub struct Settings {
    pub canary: Option<Canary>,
    pub realms: RealmRules,
    /// Told to token servers as `account`, as clients do.
    pub username: String,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `GET /v2/` of the registry.
    Base(Proof),
    /// `GET` of a token server, which `standing` decides the addresses of. An answer of 200 has a token.
    Token { url: Url, standing: Standing, proof: TokenProof },
    /// `HEAD` of the canary's manifest at the registry.
    Manifest { path: String, proof: Proof },
}

/// What a question to the registry carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Nothing,
    /// The credential, as Basic.
    Password,
    /// The last token, as Bearer.
    Token,
}

/// What a question to a token server carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenProof {
    Nothing,
    Password,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Status(Status),
    /// 200 of a token server.
    Token(Grant),
    /// 200 of a token server, and no token in it.
    NoToken,
    Nothing(NoAnswer),
}

/// The head of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub code: u16,
    pub challenges: Vec<Challenge>,
    pub location: Option<String>,
    pub retry_after: Option<RetryAfter>,
    pub likeness: Likeness,
}

/// What an answer looks like by its headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Likeness {
    /// It says that it is a registry's: `Docker-Distribution-Api-Version`, which most send though the OCI distribution
    /// specification does not ask for it.
    Registry,
    /// It does not, and is `text/html`: the page of a portal, or of another server.
    Page,
    #[default]
    Unsaid,
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    Ask(Box<Ladder>, Ask),
    Ended(Login),
}

/// Where one try stands.
#[derive(Debug)]
pub struct Ladder {
    settings: Settings,
    rung: Rung,
}

/// What was asked last, and what is known by then.
#[derive(Clone, Debug)]
enum Rung {
    /// `/v2/` without a credential.
    Challenge,
    /// The canary without a credential, at a server that answers everybody on `/v2/`, and so.
    OpenCanary { base: Likeness },
    /// `/v2/` with the password.
    Password { control: Control },
    /// A token without a scope.
    Identity { server: Box<TokenServer>, control: Control },
    /// `/v2/` with that token.
    TokenTaken { server: Box<TokenServer>, control: Control },
    /// A token without a scope, without a credential.
    IdentityControl { server: Box<TokenServer> },
    /// A token for the canary.
    PullToken { server: Box<TokenServer>, control: Control },
    /// The canary with the token or the password.
    Pull { way: Way, grant: Grant, control: Control },
    /// A token for the canary, without a credential.
    ControlToken { server: Box<TokenServer> },
    /// The canary without a credential, but with the token that anybody gets, if there are tokens.
    ControlPull { way: Way },
}

/// Whether it is known already that the canary is not shown without a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Control {
    Open,
    Passed,
}

/// How the registry is logged in to.
#[derive(Clone, Debug)]
enum Way {
    Basic,
    Bearer(Box<TokenServer>),
}

/// Where tokens come from, and how far redirects have led.
#[derive(Clone, Debug)]
struct TokenServer {
    /// As the registry named it.
    realm: Url,
    standing: Standing,
    service: Option<String>,
    /// What is asked now: the realm with its parameters, or where that redirected to.
    url: Url,
    redirects: usize,
}

/// Token servers answer at once or send to a path of their own; ten is what clients follow, and is a loop.
const MOST_REDIRECTS: usize = 5;

impl Ladder {
    /// The first question.
    pub fn start(settings: Settings) -> (Self, Ask) {
        (Self { settings, rung: Rung::Challenge }, Ask::Base(Proof::Nothing))
    }

    /// The next question, or the end.
    pub fn next(self, answer: Answer) -> Next {
        let Self { settings, rung } = self;
        match rung {
            Rung::Challenge => challenged(&settings, answer),
            Rung::OpenCanary { base } => open_canary(&settings, base, answer),
            Rung::Password { control } => password(&settings, control, answer),
            Rung::Identity { server, control } => identity(&settings, server, control, answer),
            Rung::TokenTaken { server, control } => token_taken(&settings, server, control, answer),
            Rung::IdentityControl { server } => identity_control(&server, &answer),
            Rung::PullToken { server, control } => pull_token(&settings, server, control, answer),
            Rung::Pull { way, grant, control } => pull(&settings, way, grant, control, answer),
            Rung::ControlToken { server } => control_token(&settings, server, &answer),
            Rung::ControlPull { way } => control_pull(&settings, &way, &answer),
        }
    }
}

fn ask(settings: &Settings, rung: Rung, ask: Ask) -> Next {
    Next::Ask(Box::new(Ladder { settings: settings.clone(), rung }), ask)
}

fn challenged(settings: &Settings, answer: Answer) -> Next {
    match answer {
        Answer::Status(Status { code: 200, likeness, .. }) => match &settings.canary {
            None => open(likeness),
            Some(canary) => {
                let question = Ask::Manifest { path: canary.path(), proof: Proof::Nothing };
                ask(settings, Rung::OpenCanary { base: likeness }, question)
            }
        },
        Answer::Status(Status { code: 401, challenges, .. }) => log_in(settings, &challenges, Control::Open),
        answer => Next::obstacle(answer, Party::Registry),
    }
}

/// A server that answers everybody on `/v2/` is no registry, or one that is open to all.
fn open(base: Likeness) -> Next {
    Next::cannot(match base {
        Likeness::Page => Obstacle::NoRegistry,
        Likeness::Registry | Likeness::Unsaid => Obstacle::OpenToAll,
    })
}

fn open_canary(settings: &Settings, base: Likeness, answer: Answer) -> Next {
    match answer {
        Answer::Status(Status { code: 401, challenges, .. }) => {
            log_in(settings, &challenges, Control::Passed)
        }
        Answer::Status(Status { code: 200 | 403 | 404, .. }) => open(base),
        answer => Next::obstacle(answer, Party::Registry),
    }
}

fn password(settings: &Settings, control: Control, answer: Answer) -> Next {
    match answer {
        Answer::Status(Status { code: 200, likeness: Likeness::Page, .. }) => {
            Next::cannot(Obstacle::NoRegistry)
        }
        // At a registry that answers everybody so, only the canary's sight tells anything.
        Answer::Status(Status { code: 200, .. }) => match &settings.canary {
            None => Next::accepted(Party::Registry, Evidence::Identity),
            Some(canary) => {
                let question = Ask::Manifest { path: canary.path(), proof: Proof::Password };
                ask(settings, Rung::Pull { way: Way::Basic, grant: Grant::Unknown, control }, question)
            }
        },
        Answer::Status(Status { code: status @ (401 | 403), .. }) => {
            Next::rejected(Party::Registry, Stage::Login, status)
        }
        answer => Next::obstacle(answer, Party::Registry),
    }
}

fn identity(settings: &Settings, server: Box<TokenServer>, control: Control, answer: Answer) -> Next {
    match answer {
        Answer::Token(_) => ask(settings, Rung::TokenTaken { server, control }, Ask::Base(Proof::Token)),
        Answer::Status(Status { code: status @ (401 | 403), .. }) => {
            Next::rejected(server.party(), Stage::Login, status)
        }
        answer => follow(settings, *server, answer, TokenProof::Password, |server| Rung::Identity {
            server,
            control,
        }),
    }
}

fn token_taken(settings: &Settings, server: Box<TokenServer>, control: Control, answer: Answer) -> Next {
    match answer {
        Answer::Status(Status { code: 200, likeness: Likeness::Page, .. }) => {
            Next::cannot(Obstacle::NoRegistry)
        }
        Answer::Status(Status { code: 200, .. }) => match &settings.canary {
            None => {
                let server = Box::new(server.asked(None, None));
                let question = server.ask(TokenProof::Nothing);
                ask(settings, Rung::IdentityControl { server }, question)
            }
            Some(canary) => {
                let server = Box::new(server.asked(Some(canary), Some(&settings.username)));
                let question = server.ask(TokenProof::Password);
                ask(settings, Rung::PullToken { server, control }, question)
            }
        },
        Answer::Status(Status { code: status @ (401 | 403), .. }) => {
            Next::cannot(Obstacle::TokenNotTaken { status })
        }
        answer => Next::obstacle(answer, Party::Registry),
    }
}

/// The credential was accepted; what is asked here says how much that is worth, and burns no try of the account.
fn identity_control(server: &TokenServer, answer: &Answer) -> Next {
    let evidence = match answer {
        Answer::Token(_) => Evidence::TokenForAll,
        Answer::Status(_) | Answer::NoToken | Answer::Nothing(_) => Evidence::Identity,
    };
    Next::accepted(server.party(), evidence)
}

fn pull_token(settings: &Settings, server: Box<TokenServer>, control: Control, answer: Answer) -> Next {
    let canary = settings.canary();
    match answer {
        Answer::Token(grant) => {
            let question = Ask::Manifest { path: canary.path(), proof: Proof::Token };
            ask(settings, Rung::Pull { way: Way::Bearer(server), grant, control }, question)
        }
        Answer::Status(Status { code: status @ (401 | 403), .. }) => {
            Next::rejected(server.party(), Stage::Pull { canary: canary.clone() }, status)
        }
        answer => follow(settings, *server, answer, TokenProof::Password, |server| Rung::PullToken {
            server,
            control,
        }),
    }
}

fn pull(settings: &Settings, way: Way, grant: Grant, control: Control, answer: Answer) -> Next {
    let canary = settings.canary().clone();
    match answer {
        Answer::Status(Status { code: 200, likeness: Likeness::Page, .. }) => {
            Next::cannot(Obstacle::NoRegistry)
        }
        Answer::Status(Status { code: 200, .. }) => match (control, way) {
            (Control::Passed, way) => Next::accepted(way.party(), Evidence::Pull { canary }),
            (Control::Open, Way::Basic) => {
                let question = Ask::Manifest { path: canary.path(), proof: Proof::Nothing };
                ask(settings, Rung::ControlPull { way: Way::Basic }, question)
            }
            (Control::Open, Way::Bearer(server)) => {
                let server = Box::new(server.asked(Some(&canary), None));
                let question = server.ask(TokenProof::Nothing);
                ask(settings, Rung::ControlToken { server }, question)
            }
        },
        Answer::Status(Status { code: 404, .. }) => match grant {
            Grant::Pull => Next::accepted(way.party(), Evidence::TagMissing { canary }),
            Grant::NotPull => Next::rejected(Party::Registry, Stage::Pull { canary }, 404),
            Grant::Unknown => Next::cannot(Obstacle::CanaryNotFound { canary }),
        },
        Answer::Status(Status { code: status @ (401 | 403), .. }) => {
            Next::rejected(Party::Registry, Stage::Pull { canary }, status)
        }
        answer => Next::obstacle(answer, Party::Registry),
    }
}

fn control_token(settings: &Settings, server: Box<TokenServer>, answer: &Answer) -> Next {
    let canary = settings.canary().clone();
    match answer {
        Answer::Token(_) => {
            let question = Ask::Manifest { path: canary.path(), proof: Proof::Token };
            ask(settings, Rung::ControlPull { way: Way::Bearer(server) }, question)
        }
        Answer::Status(Status { code: 400..=404, .. }) => {
            Next::accepted(server.party(), Evidence::Pull { canary })
        }
        Answer::Status(_) | Answer::NoToken | Answer::Nothing(_) => {
            Next::accepted(server.party(), Evidence::Seen { canary })
        }
    }
}

fn control_pull(settings: &Settings, way: &Way, answer: &Answer) -> Next {
    let canary = settings.canary().clone();
    let evidence = match answer {
        Answer::Status(Status { code: 200, .. }) => Evidence::Public { canary },
        Answer::Status(Status { code: 401 | 403 | 404, .. }) => Evidence::Pull { canary },
        Answer::Status(_) | Answer::Token(_) | Answer::NoToken | Answer::Nothing(_) => {
            Evidence::Seen { canary }
        }
    };
    Next::accepted(way.party(), evidence)
}

/// Takes the first challenge that can be answered, in the registry's own order.
fn log_in(settings: &Settings, challenges: &[Challenge], control: Control) -> Next {
    for challenge in challenges {
        match challenge.scheme {
            Scheme::Basic => {
                return ask(settings, Rung::Password { control }, Ask::Base(Proof::Password));
            }
            Scheme::Bearer => {
                let Some(realm) = challenge.parameter("realm") else { continue };
                let Ok(url) = Url::parse(realm) else { continue };
                let standing = match settings.realms.judge(&url) {
                    Ok(standing) => standing,
                    Err(refusal) => {
                        return Next::cannot(Obstacle::RealmRefused { realm: shown(&url), refusal });
                    }
                };
                let service = challenge.parameter("service").map(str::to_owned);
                let server = TokenServer { realm: url.clone(), standing, service, url, redirects: 0 };
                let server = server.asked(None, Some(&settings.username));
                let question = server.ask(TokenProof::Password);
                return ask(settings, Rung::Identity { server: Box::new(server), control }, question);
            }
            Scheme::Other(_) => {}
        }
    }
    Next::cannot(Obstacle::NoChallenge)
}

/// What a token server answered besides a token and a refusal: a redirect is followed to a place that is as good as the
/// realm, anything else is an obstacle.
fn follow(
    settings: &Settings,
    server: TokenServer,
    answer: Answer,
    proof: TokenProof,
    rung: impl FnOnce(Box<TokenServer>) -> Rung,
) -> Next {
    let Answer::Status(Status { code: 301 | 302 | 303 | 307 | 308, location: Some(location), .. }) = &answer
    else {
        return Next::obstacle(answer, server.party());
    };
    let Ok(to) = server.url.join(location) else { return Next::obstacle(answer, server.party()) };
    let refuse = |refusal| {
        // Whoever chose this URL has seen the password, and can have put it anywhere in there.
        let known = Authority::of(&to).filter(|host| {
            settings.realms.names(host) || Authority::of(&server.realm).is_some_and(|realm| realm == *host)
        });
        let to = known.map(|host| host.to_string());
        Next::cannot(Obstacle::RedirectRefused { from: server.host(), to, refusal })
    };
    if server.redirects == MOST_REDIRECTS {
        return refuse(RedirectRefusal::TooMany);
    }
    match settings.realms.judge(&to) {
        Err(why) => refuse(RedirectRefusal::Realm { why: why.into() }),
        Ok(_) if Authority::of(&to) != Authority::of(&server.url) || to.scheme() != server.url.scheme() => {
            refuse(RedirectRefusal::OtherHost)
        }
        Ok(standing) => {
            let server = TokenServer { url: to, standing, redirects: server.redirects + 1, ..server };
            let question = server.ask(proof);
            ask(settings, rung(Box::new(server)), question)
        }
    }
}

/// A URL as it may be shown: without user, password, query and fragment.
fn shown(url: &Url) -> String {
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    format!("{}://{authority}{}", url.scheme(), url.path())
}

impl Settings {
    fn canary(&self) -> &Canary {
        self.canary.as_ref().expect("a rung above the identity is reached with a canary alone")
    }
}

impl TokenServer {
    fn host(&self) -> String {
        Authority::of(&self.realm).map_or_else(String::new, |authority| authority.to_string())
    }

    fn party(&self) -> Party {
        Party::TokenServer { host: self.host() }
    }

    fn ask(&self, proof: TokenProof) -> Ask {
        Ask::Token { url: self.url.clone(), standing: self.standing, proof }
    }

    /// The realm with these parameters. What its own query says stays (distribution, `docs/spec/auth/token.md`).
    fn asked(self, canary: Option<&Canary>, account: Option<&str>) -> Self {
        let mut url = self.realm.clone();
        url.set_fragment(None);
        let own: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        let scope = canary.map(Canary::scope);
        let parameters = [
            ("service", self.service.as_deref()),
            ("scope", scope.as_deref()),
            ("account", account),
            ("client_id", Some("regcred")),
        ];
        for (name, value) in parameters {
            // Scopes add up; of the others the realm's own word stands.
            if let Some(value) = value
                && (name == "scope" || !own.iter().any(|known| known == name))
            {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        Self { url, redirects: 0, ..self }
    }
}

impl Way {
    fn party(&self) -> Party {
        match self {
            Self::Basic => Party::Registry,
            Self::Bearer(server) => server.party(),
        }
    }
}

impl Next {
    fn accepted(by: Party, evidence: Evidence) -> Self {
        Self::Ended(Login::Accepted(Accepted { by, evidence }))
    }

    fn rejected(by: Party, stage: Stage, status: u16) -> Self {
        Self::Ended(Login::Rejected(Rejection { by, stage, status }))
    }

    fn cannot(obstacle: Obstacle) -> Self {
        Self::Ended(Login::CannotTell(obstacle))
    }

    /// An answer that says nothing of the credential.
    fn obstacle(answer: Answer, by: Party) -> Self {
        Self::cannot(match answer {
            Answer::Nothing(why) => Obstacle::NoAnswer { from: by, why },
            Answer::Status(Status { code: 429, retry_after, .. }) => Obstacle::Throttled { by, retry_after },
            Answer::Status(Status { code: status @ 500.., .. }) => Obstacle::ServerError { by, status },
            Answer::Status(Status { code: status, .. }) => Obstacle::Unexpected { by, status },
            Answer::NoToken => Obstacle::NoToken { by },
            Answer::Token(_) => Obstacle::Unexpected { by, status: 200 },
        })
    }
}

#[cfg(test)]
mod tests;
