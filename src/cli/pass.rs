//! What `plan`, `sync` and `status` begin with: the configuration, the clients, the scope.

use std::path::Path;

use super::Stop;
use super::arguments::ScopeArguments;
use super::output::Output;
use crate::aws::{Locations, no_region};
use crate::config::Config;
use crate::config::load::{Loaded, find_and_load};
use crate::scope::Scope;

/// Everything that a pass is run on.
pub(crate) struct Ground {
    pub config: Config,
    pub locations: Locations,
    pub scope: Scope,
}

pub(crate) async fn prepare(
    path: Option<&Path>,
    arguments: &ScopeArguments,
    output: Output,
) -> Result<Ground, Stop> {
    let Loaded { path, config, warnings } = find_and_load(path).map_err(Stop::Config)?;
    for warning in &warnings {
        output.note(warning.in_file(&path.display()));
    }
    let scope = Scope::new(&config, &arguments.registry, &arguments.fleet).map_err(Stop::Usage)?;
    let locations = Locations::load(&config.locations).await;
    if let Some(name) = locations.without_region() {
        return Err(Stop::Usage(no_region(name)));
    }
    Ok(Ground { config, locations, scope })
}
