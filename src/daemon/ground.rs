//! What the passes of a daemon run on: the configuration and the clients, as one, and replaced as one.

use std::path::{Path, PathBuf};

use regcred_core::report::{Failure, FailureKind};

use crate::aws::{Attempts, Locations, no_region};
use crate::config::Config;
use crate::config::load::{LoadError, Loaded, find_and_load};
use crate::config::problem::Problem;
use crate::lease::{Lease, process_name};
use crate::scope::Scope;

/// A valid configuration, its clients, and its lease.
#[derive(Debug)]
pub(crate) struct Ground {
    pub path: PathBuf,
    pub config: Config,
    pub locations: Locations,
    pub scope: Scope,
    pub lease: Lease,
    pub warnings: Vec<Problem>,
}

/// Why a daemon cannot run on a configuration.
#[derive(Debug)]
pub(crate) enum Unusable {
    Config(LoadError),
    Refused(Failure),
}

impl Ground {
    /// Reads the configuration where it is now. Makes no call of AWS. `attempts` is where the calls of its clients are counted.
    pub(crate) async fn load(path: Option<&Path>, attempts: Attempts) -> Result<Self, Unusable> {
        let Loaded { path, config, warnings } = find_and_load(path).map_err(Unusable::Config)?;
        if config.schedules.is_empty() {
            return Err(Unusable::Refused(Failure::new(
                FailureKind::Invalid,
                format!("cannot run as a daemon on {}", path.display()),
                "it has no schedule, so no pass would ever begin",
                "add one, such as `schedules: { often: { cron: \"*/15 * * * *\" } }`; or run `regcred sync` from a timer",
            )));
        }
        let locations = Locations::load_counted(&config.locations, attempts).await;
        if let Some(name) = locations.without_region() {
            return Err(Unusable::Refused(no_region(name)));
        }
        let scope = Scope::new(&config, &[], &[]).map_err(Unusable::Refused)?;
        let place = &config.state;
        let s3 = &locations.at(&place.location).s3;
        let lease = Lease::new(s3, place, process_name("regcred run")).map_err(Unusable::Refused)?;
        Ok(Self { path, config, locations, scope, lease, warnings })
    }
}
