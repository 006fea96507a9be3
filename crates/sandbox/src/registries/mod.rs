//! Container registries on loopback: each on a port of its own, with accounts, repositories, and one of the two ways to log
//! in that there are.
//!
//! They speak the distribution project's protocol as far as logging in and looking at a manifest go
//! (<https://distribution.github.io/distribution/spec/auth/token/>), and refuse the rest. As on Docker Hub, an anonymous
//! caller is given a token as well, and a wrong password is always refused.

mod answer;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::server::lock;

/// A registry that is there from the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrySeed {
    /// What the control surface calls it.
    pub name: String,
    /// The port on 127.0.0.1; 0 takes a free one.
    #[serde(default)]
    pub port: u16,
    #[serde(default)]
    pub challenge: ChallengeKind,
    #[serde(default)]
    pub accounts: Vec<Account>,
    #[serde(default)]
    pub repositories: Vec<Repository>,
}

/// How a registry lets its clients log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengeKind {
    /// By a token of its own token server, as Docker Hub and most do.
    #[default]
    Bearer,
    /// By the password itself, as a registry with an htpasswd file does.
    Basic,
}

/// A user that may log in. The sandbox's passwords protect nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub username: String,
    pub password: String,
}

/// A repository with every tag that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    pub name: String,
    pub visibility: Visibility,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    Public,
    /// Any account may pull.
    Private,
}

/// A registry as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryView {
    pub name: String,
    /// `http://127.0.0.1:PORT`
    pub endpoint: String,
    /// Each time that a password was shown to it, in order.
    pub logins: Vec<LoginView>,
}

/// One time that a password was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginView {
    pub username: String,
    pub accepted: bool,
}

/// All registries of a sandbox.
#[derive(Debug, Default)]
pub(crate) struct Registries(BTreeMap<String, Arc<Registry>>);

/// One registry.
#[derive(Debug)]
struct Registry {
    name: String,
    address: SocketAddr,
    challenge: ChallengeKind,
    repositories: Vec<Repository>,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    accounts: Vec<Account>,
    logins: Vec<LoginView>,
    /// To whom each token was given; `None` is anybody.
    tokens: BTreeMap<String, Option<String>>,
}

/// A registry that is not served yet.
pub(crate) struct Unserved {
    listener: std::net::TcpListener,
    registry: Arc<Registry>,
}

impl Registries {
    /// Takes a port for each. They answer once they are [`Unserved::serve`]d.
    pub(crate) fn bind(seeds: Vec<RegistrySeed>) -> io::Result<(Self, Vec<Unserved>)> {
        let mut all = BTreeMap::new();
        let mut unserved = Vec::new();
        for RegistrySeed { name, port, challenge, accounts, repositories } in seeds {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            listener.set_nonblocking(true)?;
            let registry = Arc::new(Registry {
                name: name.clone(),
                address: listener.local_addr()?,
                challenge,
                repositories,
                inside: Mutex::new(Inside { accounts, ..Inside::default() }),
            });
            all.insert(name, Arc::clone(&registry));
            unserved.push(Unserved { listener, registry });
        }
        Ok((Self(all), unserved))
    }

    pub(crate) fn views(&self) -> Vec<RegistryView> {
        self.0.values().map(|registry| registry.view()).collect()
    }

    /// Replaces the accounts of a registry; tokens that were given stay good, as they do. Whether there is one is returned.
    pub(crate) fn set_accounts(&self, name: &str, accounts: Vec<Account>) -> bool {
        self.0.get(name).map(|registry| lock(&registry.inside).accounts = accounts).is_some()
    }

    /// Forgets what was logged. Whether there is such a registry is returned.
    pub(crate) fn clear_logins(&self, name: &str) -> bool {
        self.0.get(name).map(|registry| lock(&registry.inside).logins.clear()).is_some()
    }
}

impl Unserved {
    /// Answers from now on, until the runtime ends.
    pub(crate) fn serve(self) -> io::Result<()> {
        let Self { listener, registry } = self;
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let registry = Arc::clone(&registry);
                tokio::spawn(async move {
                    let service = service_fn(move |request: http::Request<Incoming>| {
                        let answer = registry.answer(&request);
                        async move { Ok::<_, std::convert::Infallible>(answer) }
                    });
                    let served = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                    // An error is a connection that the client closed.
                    drop(served);
                });
            }
        });
        Ok(())
    }
}

impl Registry {
    fn view(&self) -> RegistryView {
        RegistryView {
            name: self.name.clone(),
            endpoint: format!("http://{}", self.address),
            logins: lock(&self.inside).logins.clone(),
        }
    }
}
