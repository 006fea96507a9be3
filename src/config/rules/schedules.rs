//! Rules of `schedules` and `windows`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use regcred_core::names::{ScheduleName, WindowName};
use regcred_core::schedule::{Expression, Jitter, Meeting, Schedule, Window};

use super::{Bounds, Rules};
use crate::config::problem::{End, KeyPath};
use crate::config::{Config, raw, suggest};

const JITTER: Bounds = Bounds {
    least: Duration::from_secs(1),
    most: Duration::from_hours(6),
    why: "it is there to spread what would begin in the same second, not to choose another time of the day",
};

const LENGTH: Bounds = Bounds {
    least: Duration::from_secs(1),
    most: Duration::from_hours(7 * 24),
    why: "a window that is longer than a week is always open",
};

impl Rules<'_, '_> {
    pub(super) fn schedules(&mut self) -> BTreeMap<ScheduleName, Schedule> {
        let raw = self.raw;
        raw.schedules
            .iter()
            .filter_map(|(name, raw)| Some((ScheduleName::new(name), self.schedule(name, raw)?)))
            .collect()
    }

    fn schedule(&mut self, name: &str, raw: &raw::Schedule) -> Option<Schedule> {
        let raw::Schedule { cron, time_zone, jitter } = raw;
        let path = KeyPath::top("schedules").key(name);
        let named = self.own_name(name, &path);
        let expression = self.expression(cron, &path.key("cron"));
        let zone = self.zone(time_zone, &path.key("time_zone"));
        let jitter = match jitter {
            None => Some(Jitter::NONE),
            Some(text) => self.span(text, &path.key("jitter"), &JITTER).map(|most| {
                let raw::State { bucket, prefix, lease: _, location: _ } = &self.raw.state;
                let most = TimeDelta::from_std(most).expect("six hours are few");
                Jitter::of(&format!("{bucket}/{prefix}{name}"), most)
            }),
        };
        named?;
        Some(Schedule::new(expression?, zone?, jitter?))
    }

    pub(super) fn windows(&mut self) -> BTreeMap<WindowName, Window> {
        let raw = self.raw;
        raw.windows
            .iter()
            .filter_map(|(name, raw)| Some((WindowName::new(name), self.window(name, raw)?)))
            .collect()
    }

    fn window(&mut self, name: &str, raw: &raw::Window) -> Option<Window> {
        let raw::Window { opens, time_zone, length } = raw;
        let path = KeyPath::top("windows").key(name);
        let named = self.own_name(name, &path);
        let opens = self.expression(opens, &path.key("opens"));
        let zone = self.zone(time_zone, &path.key("time_zone"));
        let length = self.span(length, &path.key("length"), &LENGTH);
        if !self.raw.fleets.values().any(|fleet| fleet.windows.iter().any(|named| named == name)) {
            self.findings.warning(
                &path,
                End::Key,
                "no fleet has this window",
                "it holds nothing back: hosts are restarted at any time",
                "list it under `windows` of a fleet, or remove it",
            );
        }
        named?;
        let length = TimeDelta::from_std(length?).expect("a week is short");
        Some(Window { opens: opens?, zone: zone?, length })
    }

    /// The windows that a fleet lists.
    pub(super) fn windows_of(&mut self, listed: &[String], path: &KeyPath) -> Option<Vec<WindowName>> {
        let declared: Vec<&str> = self.raw.windows.keys().map(String::as_str).collect();
        let mut seen = BTreeSet::new();
        let mut all = Some(Vec::new());
        for (index, name) in listed.iter().enumerate() {
            let path = path.index(index);
            let known = self.refer("window", "windows", name, &declared, &path);
            if known.is_some() && !seen.insert(name) {
                self.error(&path, format!("`{name}` is listed twice"), "once is enough", "remove one");
            }
            all = all.zip(known).map(|(mut all, ())| {
                all.push(WindowName::new(name));
                all
            });
        }
        all
    }

    /// Refuses a fleet whose hosts no pass of the daemon could ever restart.
    pub(super) fn windows_are_met(&mut self, config: &Config) {
        if config.schedules.is_empty() {
            return;
        }
        for (name, fleet) in config.fleets.iter().filter(|(_, fleet)| !fleet.windows.is_empty()) {
            let is_met = |window| match config.windows[window].meeting(&config.schedules, Utc::now()) {
                Meeting::At { .. } => true,
                Meeting::Never => false,
            };
            // A window that broke a rule of its own is told there.
            if fleet.windows.iter().any(|window| !config.windows.contains_key(window) || is_met(window)) {
                continue;
            }
            self.error(
                &KeyPath::top("fleets").key(name.as_str()).key("windows"),
                "no pass ever begins while one of these windows is open",
                "no entry of `schedules` is due then, in the next eight years, so these hosts would never be restarted",
                "add a schedule that is due within a window, such as one every quarter of an hour",
            );
        }
    }

    fn expression(&mut self, text: &str, path: &KeyPath) -> Option<Expression> {
        Expression::parse(text)
            .map_err(|flaw| {
                let to_do = flaw.remedy();
                self.error(path, "this is no schedule", flaw, to_do);
            })
            .ok()
    }

    fn zone(&mut self, text: &str, path: &KeyPath) -> Option<Tz> {
        let zone = text.parse::<Tz>().ok();
        if zone.is_none() {
            let to_do = match suggest::nearest(text, TZ_VARIANTS.iter().map(|zone| zone.name())) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write a name of the IANA database, such as `Europe/Berlin`, or `UTC`".to_owned(),
            };
            self.error(path, "this is not a time zone", "the IANA database has none of that name", to_do);
        }
        zone
    }
}
