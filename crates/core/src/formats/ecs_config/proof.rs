//! The proof that an edited file does what it is for, by the agent's own rules.

use super::edit::File;
use super::owner::{Held, Owned};
use super::rendering::no_host_key;
use super::{Desired, Foreign, ReadBack, Refusal, Wanted};
use crate::agent::auth::host_of;
use crate::agent::env_file::{ENGINE_AUTH_DATA, ENGINE_AUTH_TYPE};
use crate::agent::{AuthSetting, AuthType, Entry, PullAuth};
use crate::formats::image::image_below;
use crate::server::Server;

/// The file before and after an edit, and what was wanted of it.
pub(super) struct Proof<'a> {
    pub(super) before: &'a File,
    pub(super) after: &'a File,
    /// Of the file before.
    pub(super) owned: &'a Owned<'a>,
    pub(super) auth_type: AuthType,
    pub(super) wanted: &'a [Wanted],
    /// Held servers of which the other type cannot hold what was published.
    pub(super) given_up: &'a [&'a Server],
    pub(super) foreign: Foreign,
}

impl Proof<'_> {
    pub(super) fn hold(&self) -> Result<(), Refusal> {
        let others = |file: &File| file.environment.without(&[ENGINE_AUTH_TYPE, ENGINE_AUTH_DATA]);
        if !others(self.after).is_same(&others(self.before)) {
            return Err(Refusal::NotReadBack(ReadBack::OtherVariables));
        }
        let has_nothing_to_say = self.wanted.iter().all(|wanted| matches!(wanted.desired, Desired::Hold))
            && self.after.map.entries().is_empty();
        if has_nothing_to_say && self.after.auth == self.before.auth {
            return Ok(());
        }
        if let Some(fault) = self.after.environment.start_faults().first() {
            return Err(Refusal::NoStart(*fault));
        }
        if *self.after.auth.auth_type() != AuthSetting::Type(self.auth_type) {
            return Err(Refusal::NotReadBack(ReadBack::AuthType(self.auth_type)));
        }
        for (index, wanted) in self.wanted.iter().enumerate() {
            self.hold_for_server(index, wanted)?;
        }
        match self.foreign {
            Foreign::Keep => self.owned.foreign().try_for_each(|entry| self.hold_for_foreign(entry)),
            Foreign::Prune => Ok(()),
        }
    }

    /// An image of the server surely gets its credential.
    fn hold_for_server(&self, index: usize, Wanted { server, desired }: &Wanted) -> Result<(), Refusal> {
        let Some(image) = image_below(&server.to_string(), &self.after.map) else {
            return Ok(());
        };
        let answer = self.after.map.lookup(&image);
        let is_given = match (desired, self.owned.held(index, server)) {
            (Desired::Publish(credential), _) => {
                answer.certain().is_some_and(|auth| auth.is_login(credential))
            }
            (Desired::Hold, _) if self.after.auth == self.before.auth => true,
            (Desired::Hold, Held::One(_)) if self.given_up.contains(&server) => true,
            (Desired::Hold, Held::One(entry)) => answer.certain() == entry.pull_auth(),
            (Desired::Hold, Held::Nothing | Held::Random) => true,
        };
        if !is_given {
            return Err(if answer.is_random() {
                self.no_host_key(server.host())
            } else {
                Refusal::NotReadBack(ReadBack::Server(server.clone()))
            });
        }
        // The other images of a path's host must not come to depend on chance because of it.
        match image_below(server.host(), &self.after.map) {
            Some(image) if self.is_random_now(&image) => Err(self.no_host_key(server.host())),
            _ => Ok(()),
        }
    }

    /// What images of a foreign key got before, they get still, and it is not left to chance more than it was.
    fn hold_for_foreign(&self, entry: &Entry) -> Result<(), Refusal> {
        let key = entry.normalised_key();
        let Some(image) = image_below(key.trim_end_matches('/'), &self.before.map) else {
            return Ok(());
        };
        let old = self.before.map.lookup(&image);
        if old.candidates().iter().all(|candidate| candidate.key != Some(entry.key())) {
            return Ok(());
        }
        let new = self.after.map.lookup(&image);
        let is_old = |auth: &PullAuth| old.candidates().iter().any(|candidate| candidate.auth == auth);
        if new.candidates().iter().all(|candidate| is_old(candidate.auth)) && !self.is_random_now(&image) {
            Ok(())
        } else if new.is_random() {
            Err(self.no_host_key(host_of(key)))
        } else {
            Err(Refusal::NotReadBack(ReadBack::Foreign { key: entry.key().to_owned() }))
        }
    }

    fn is_random_now(&self, image: &str) -> bool {
        self.after.map.lookup(image).is_random() && !self.before.map.lookup(image).is_random()
    }

    fn no_host_key(&self, host: &str) -> Refusal {
        no_host_key(host, self.wanted, self.owned)
    }
}
