//! Rules of `fleets`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regcred_core::names::{EcsConfigName, FleetName, LocationName};
use regcred_core::order::{Order, Place};
use regcred_core::rollout::MaxUnavailable;

use super::{Bounds, Rules, aws};
use crate::config::problem::KeyPath;
use crate::config::{Config, DocumentCheck, Fleet, raw, span};

const POLL_INTERVAL: Bounds = Bounds {
    least: Duration::from_millis(100),
    most: Duration::from_mins(1),
    why: "asking more often is throttled by SSM, and asking more seldom leaves the next hosts waiting",
};

const SETTLE_INTERVAL: Bounds = Bounds {
    least: Duration::from_millis(100),
    most: Duration::from_mins(5),
    why: "two samples side by side see the same connection, and two far apart hold up the hosts after it",
};

const SETTLE_TIMEOUT: Bounds = Bounds {
    least: Duration::from_millis(200),
    most: Duration::from_mins(30),
    why: "an agent registers within a minute or two, and one that took half an hour is not well",
};

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html>, `TimeoutSeconds`, begins at
/// 30. What counts is the time until a host begins; how long the script may then take is in the SSM document.
const COMMAND_TIMEOUT: Bounds = Bounds {
    least: Duration::from_secs(30),
    most: Duration::from_hours(1),
    why: "SSM takes no less than 30 seconds, and a host that did not begin within an hour is better left to the next pass",
};

impl Rules<'_, '_> {
    pub(super) fn fleets(&mut self) -> BTreeMap<FleetName, Fleet> {
        let raw = self.raw;
        raw.fleets
            .iter()
            .filter_map(|(name, raw)| Some((FleetName::new(name), self.fleet(name, raw)?)))
            .collect()
    }

    fn fleet(&mut self, name: &str, raw: &raw::Fleet) -> Option<Fleet> {
        let path = KeyPath::top("fleets").key(name);
        let raw::Fleet {
            ecs_config,
            location,
            clusters,
            tags,
            instances,
            max_unavailable,
            max_errors,
            after,
            windows,
            document,
            document_check,
            poll_interval,
            settle_interval,
            settle_timeout,
            command_timeout,
        } = raw;
        let named = self.own_name(name, &path);
        let declared: Vec<&str> = self.raw.ecs_configs.keys().map(String::as_str).collect();
        let referred =
            self.refer("`ecs.config`", "ecs_configs", ecs_config, &declared, &path.key("ecs_config"));
        let location = match (location, self.raw.ecs_configs.get(ecs_config)) {
            (Some(given), _) => self.location(Some(given), &path.key("location")),
            // Where the `ecs.config` lacks its location, that is told there, once.
            (None, Some(read)) => self.known_location(read.location.as_deref()),
            (None, None) => None,
        };
        let windows = self.windows_of(windows, &path.key("windows"));
        let members = self.members(clusters.as_deref(), tags.as_ref(), instances.as_deref(), &path);
        let earlier = self.after(name, after, &path.key("after"));
        let max_unavailable = self.max_unavailable(max_unavailable, &path.key("max_unavailable"));
        let documented = self.hold(
            &path.key("document"),
            "this cannot be the name of an SSM document",
            aws::document(document),
        );
        let poll_interval = self.span(poll_interval, &path.key("poll_interval"), &POLL_INTERVAL);
        let settle_interval = self.span(settle_interval, &path.key("settle_interval"), &SETTLE_INTERVAL);
        let settle_timeout = self.span(settle_timeout, &path.key("settle_timeout"), &SETTLE_TIMEOUT);
        let command_timeout = self.span(command_timeout, &path.key("command_timeout"), &COMMAND_TIMEOUT);
        if let (Some(interval), Some(timeout)) = (settle_interval, settle_timeout)
            && timeout < interval * 2
        {
            self.error(
                &path.key("settle_timeout"),
                "a host could never be proven in this time",
                format_args!("it takes two samples that are {} apart", span::format(interval)),
                "make `settle_timeout` several times as long as `settle_interval`, twice at least",
            );
        }
        if command_timeout.is_some_and(|timeout| timeout.subsec_millis() != 0) {
            self.error(
                &path.key("command_timeout"),
                "this is not a whole number of seconds",
                "SSM counts in seconds",
                "write for example `10m`",
            );
        }
        named.and(referred).and(documented)?;
        Some(Fleet {
            ecs_config: EcsConfigName::new(ecs_config),
            location: location?,
            members: members?,
            max_unavailable: max_unavailable?,
            max_errors: *max_errors,
            after: earlier?,
            windows: windows?,
            document: document.clone(),
            document_check: match document_check {
                raw::DocumentCheck::Carried => DocumentCheck::Carried,
                raw::DocumentCheck::Own => DocumentCheck::Own,
            },
            poll_interval: poll_interval?,
            settle_interval: settle_interval?,
            settle_timeout: settle_timeout?,
            command_timeout: command_timeout?,
        })
    }

    fn after(&mut self, own: &str, names: &[String], path: &KeyPath) -> Option<BTreeSet<FleetName>> {
        let declared: Vec<&str> = self.raw.fleets.keys().map(String::as_str).collect();
        let mut kept = Some(());
        for (index, name) in names.iter().enumerate() {
            let path = path.index(index);
            if name == own {
                self.error(
                    &path,
                    "a fleet cannot come after itself",
                    "it would wait for its own end",
                    "remove it from the list",
                );
                kept = None;
                continue;
            }
            kept = self.refer("fleet", "fleets", name, &declared, &path).and(kept);
        }
        kept.map(|()| names.iter().map(FleetName::new).collect())
    }

    /// Fleets that wait for each other would none of them ever begin.
    pub(super) fn fleets_have_an_order(&mut self, config: &Config) {
        let place = |fleet: &Fleet| Place {
            after: fleet.after.clone(),
            location: fleet.location.clone(),
            ecs_config: fleet.ecs_config.clone(),
        };
        let order = Order::new(config.fleets.iter().map(|(name, fleet)| (name.clone(), place(fleet))));
        let Some(ring) = order.ring() else { return };
        let [first, ..] = ring.as_slice() else { return };
        let names: Vec<String> = ring.iter().chain([first]).map(|name| format!("`{name}`")).collect();
        self.error(
            &KeyPath::top("fleets").key(first.as_str()).key("after"),
            "these fleets wait for each other",
            format_args!("{}: each comes after the next one, so that none could begin", names.join(", ")),
            "take one of them out of the `after` of another",
        );
    }

    /// As [`Rules::location`], telling nothing.
    fn known_location(&self, given: Option<&str>) -> Option<LocationName> {
        let names = self.location_names();
        let only = || (names.len() == 1).then(|| names[0]);
        given.filter(|name| names.contains(name)).or_else(only).map(Into::into)
    }

    fn max_unavailable(&mut self, text: &str, path: &KeyPath) -> Option<MaxUnavailable> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let limit = match text.strip_suffix('%') {
            Some(number) if digits(number) => {
                number.parse().ok().filter(|percent| (1..=100).contains(percent)).map(MaxUnavailable::Percent)
            }
            None if digits(text) => text.parse().ok().filter(|count| *count > 0).map(MaxUnavailable::Count),
            Some(_) | None => None,
        };
        if limit.is_none() {
            self.error(
                path,
                "this is not a limit",
                "it is a count of at least 1, or a percentage from 1% to 100% of a cluster's hosts; with 0 no host \
                 could ever be restarted",
                "write for example `10%` or `2`",
            );
        }
        limit
    }
}
