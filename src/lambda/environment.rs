//! What one execution environment keeps from an invocation to the next: the clients, and the configuration that they are of.
//!
//! A configuration that is not valid fails the invocation, whatever was read before. Were the last good one kept, what a function
//! does would hang on how old its environment is: a warm one would go on by what nobody can look at any more, and the error would
//! show hours later, in a new one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use regcred_core::names::LocationName;
use regcred_core::report::Failure;

use super::error::LambdaError;
use super::log;
use super::place::ConfigPlace;
use crate::aws::{Clients, Locations};
use crate::config::load::{LoadError, parse};
use crate::config::names::AMBIENT;
use crate::config::{Config, Location, env};
use crate::lease::{Lease, process_name};

#[derive(Debug)]
pub(super) struct Environment {
    place: Result<ConfigPlace, Failure>,
    /// The function's own: its role, in its Region.
    own: Clients,
    ready: Option<Ready>,
}

/// What a pass is run on.
#[derive(Debug)]
pub(super) struct Ready {
    text: String,
    pub(super) config: Config,
    pub(super) locations: Locations,
    /// As this environment sees it. Kept, so that a holder that is seen dead by one invocation is dead for the next.
    pub(super) lease: Lease,
    /// When the last pass over everything began that left nothing undone.
    pub(super) settled: Option<DateTime<Utc>>,
}

impl Environment {
    /// Makes no call: what fails fails in an invocation, which tells whoever sent it.
    pub(super) async fn new() -> Self {
        let place = std::env::var(env::CONFIG).ok();
        let name = LocationName::new(AMBIENT);
        let here = Location { region: None, role: None, endpoint_url: None };
        let own = Locations::load(&BTreeMap::from([(name.clone(), here)])).await;
        Self { place: ConfigPlace::read(place.as_deref()), own: own.at(&name).clone(), ready: None }
    }

    /// The configuration as it is now. The clients stay as long as the locations are the same ones: a new set would take on every
    /// role anew.
    pub(super) async fn ready(&mut self) -> Result<&mut Ready, LambdaError> {
        let place = self.place.as_ref().map_err(Failure::clone)?;
        let text = place.text(&self.own).await?;
        let last = self.ready.take();
        let ready = match last {
            Some(last) if last.text == text => last,
            last => {
                let (config, warnings) = parse(&text, place.folder())
                    .map_err(|problems| LoadError::Invalid { path: place.to_string().into(), problems })?;
                for warning in &warnings {
                    log::warning(&warning.in_file(place));
                }
                let locations = match last {
                    Some(last) if last.config.locations == config.locations => last.locations,
                    Some(_) | None => Locations::load(&config.locations).await,
                };
                let name = process_name(&format!(
                    "Lambda {}",
                    std::env::var(env::AWS_LAMBDA_FUNCTION_NAME).unwrap_or_default()
                ));
                let lease = Lease::new(&locations.at(&config.state.location).s3, &config.state, name)?;
                Ready { text, config, locations, lease, settled: None }
            }
        };
        Ok(self.ready.insert(ready))
    }
}
