//! Rules of `replicate_to`, the Regions that a secret is copied to.

use regcred_core::names::{LocationName, RegistryName};
use regcred_core::partition;
use regcred_core::replica::key_elsewhere;

use super::locations::are_one_account;
use super::{Rules, aws};
use crate::config::problem::KeyPath;
use crate::config::{Config, Location};

/// A secret in a Region: as it is written, or as Secrets Manager copies it.
struct Place<'a> {
    registry: &'a RegistryName,
    name: &'a str,
    /// Where it is written.
    location: &'a LocationName,
    settings: &'a Location,
    region: &'a str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Written,
    /// By its place in the list.
    Copied(usize),
}

impl Rules<'_, '_> {
    /// `path` is that of the secret.
    pub(super) fn replica_regions(
        &mut self,
        regions: &[String],
        kms_key: Option<&str>,
        path: &KeyPath,
    ) -> Option<()> {
        let list = path.key("replicate_to");
        let mut kept = Some(());
        for (index, region) in regions.iter().enumerate() {
            let path = list.index(index);
            kept = self.hold(&path, "this is not an AWS Region", aws::region(region)).and(kept);
            if regions[..index].contains(region) {
                let why = "there is one copy in a Region";
                self.error(&path, "this Region is listed twice", why, "remove one of the two");
                kept = None;
            }
        }
        if !regions.is_empty() && kms_key.is_some_and(|key| key_elsewhere(key).is_none()) {
            self.error(
                &path.key("kms_key"),
                "this key cannot encrypt copies in other Regions",
                "a key is in one Region, and each copy is encrypted by one of its own",
                "name an alias that each of these Regions has, or a multi-Region key (`mrk-…`)",
            );
            kept = None;
        }
        kept
    }

    /// A copy where the same secret is written, or copied to, from elsewhere could never be made.
    pub(super) fn copies_are_in_nobodys_way(&mut self, config: &Config) {
        let places = places(config);
        for (n, place) in places.iter().enumerate() {
            let Kind::Copied(index) = place.kind else { continue };
            let path = KeyPath::top("registries").key(place.registry.as_str());
            let path = path.key("secret").key("replicate_to").index(index);
            let home = place.settings.region.as_deref();
            if home.is_some_and(|home| partition::of_region(home) != partition::of_region(place.region)) {
                self.error(
                    &path,
                    format!("no secret in location `{}` can be copied to this Region", place.location),
                    "it is of another partition of AWS, and nothing is copied between these",
                    "publish the secret there by a location of its own",
                );
                continue;
            }
            let twin = places.iter().enumerate().find(|(m, other)| {
                (*m < n || other.kind == Kind::Written)
                    && *m != n
                    && other.name == place.name
                    && other.region == place.region
                    && are_one_account(place.settings, other.settings)
            });
            let Some((_, twin)) = twin else { continue };
            let what = match twin.kind {
                Kind::Written => {
                    format!("location `{}` has the secret in this Region already", twin.location)
                }
                Kind::Copied(_) => {
                    format!("the secret in location `{}` is copied to this Region already", twin.location)
                }
            };
            self.error(
                &path,
                what,
                "a copy cannot be made where a secret of its name is, and is written to by nobody",
                "remove this Region here, or that location from `locations`",
            );
        }
    }
}

/// Every place whose Region is known.
fn places(config: &Config) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    for (registry, settings) in &config.registries {
        let Some(secret) = &settings.secret else { continue };
        for location in &secret.locations {
            let Some(settings) = config.locations.get(location) else { continue };
            let place =
                |region, kind| Place { registry, name: &secret.name, location, settings, region, kind };
            places.extend(settings.region.as_deref().map(|region| place(region, Kind::Written)));
            let copies = secret.replicate_to.iter().enumerate();
            places.extend(copies.map(|(index, region)| place(region, Kind::Copied(index))));
        }
    }
    places
}
