//! Rules of `clusters`, `tags` and `instances`, which tell the hosts of a fleet.

use std::collections::BTreeMap;

use regcred_core::host::HostId;

use super::Rules;
use super::locations::are_one_place;
use crate::config::problem::{End, KeyPath};
use crate::config::{ClusterPattern, Config, Fleet, Members};

/// The most values of one tag, as Run Command has it
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/send-commands-multiple.html>).
const VALUES: usize = 5;

/// How long the name and a value of a tag may be
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Tag.html>).
const NAME_LENGTH: usize = 128;
const VALUE_LENGTH: usize = 256;

impl Rules<'_, '_> {
    /// The one key of three that tells the hosts of the fleet at `path`.
    pub(super) fn members(
        &mut self,
        clusters: Option<&[String]>,
        tags: Option<&BTreeMap<String, Vec<String>>>,
        instances: Option<&[String]>,
        path: &KeyPath,
    ) -> Option<Members> {
        match (clusters, tags, instances) {
            (Some(clusters), None, None) => {
                self.clusters(clusters, &path.key("clusters")).map(Members::Clusters)
            }
            (None, Some(tags), None) => self.member_tags(tags, &path.key("tags")).map(Members::Tags),
            (None, None, Some(ids)) => self.instances(ids, &path.key("instances")).map(Members::Instances),
            (None, None, None) => {
                self.error(
                    path,
                    "it is not said which hosts these are",
                    "a fleet is told by exactly one of `clusters`, `tags` and `instances`",
                    "add `clusters:` with names of ECS clusters, `tags:` with tags of managed nodes, or `instances:` with ids",
                );
                None
            }
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                self.error(
                    path,
                    "it is said in several ways which hosts these are",
                    "a fleet is told by exactly one of `clusters`, `tags` and `instances`",
                    "keep one of them, or make a fleet of each",
                );
                None
            }
        }
    }

    fn clusters(&mut self, raw: &[String], path: &KeyPath) -> Option<Vec<ClusterPattern>> {
        if raw.is_empty() {
            self.error(
                path,
                "no cluster is listed",
                "a fleet without one has no hosts",
                "list names of clusters; `*` and `?` stand for other characters",
            );
            return None;
        }
        let mut patterns: Vec<ClusterPattern> = Vec::new();
        for (index, text) in raw.iter().enumerate() {
            match ClusterPattern::parse(text) {
                Ok(pattern) => {
                    if patterns.contains(&pattern) {
                        self.findings.warning(
                            &path.index(index),
                            End::Value,
                            format!("`{pattern}` is listed twice"),
                            "once is enough",
                            "remove one of the two",
                        );
                    }
                    patterns.push(pattern);
                }
                Err(why) => self.error(
                    &path.index(index),
                    "this cannot be the name of a cluster",
                    why,
                    "write the name and not the ARN; `*` and `?` stand for other characters",
                ),
            }
        }
        (patterns.len() == raw.len()).then_some(patterns)
    }

    fn member_tags(
        &mut self,
        raw: &BTreeMap<String, Vec<String>>,
        path: &KeyPath,
    ) -> Option<BTreeMap<String, Vec<String>>> {
        if raw.is_empty() {
            self.error(
                path,
                "no tag is listed",
                "every managed node of the account would be meant",
                "write the name of a tag and its values, for example `ecs: [prod]`",
            );
            return None;
        }
        let mut is_whole = true;
        for (name, values) in raw {
            let path = path.key(name);
            if !is_tag_text(name, NAME_LENGTH) {
                self.findings.error(
                    &path,
                    End::Key,
                    "this cannot be the name of a tag",
                    format_args!("it has 1 to {NAME_LENGTH} letters, digits, spaces and `_.:/=+-@`"),
                    "write it as the tag is called, without `tag:`",
                );
                is_whole = false;
            }
            is_whole &= self.tag_values(values, &path).is_some();
        }
        is_whole.then(|| raw.clone())
    }

    fn tag_values(&mut self, values: &[String], path: &KeyPath) -> Option<()> {
        if values.is_empty() || values.len() > VALUES {
            self.error(
                path,
                if values.is_empty() { "no value is listed" } else { "these are too many values" },
                format_args!("a tag is held against 1 to {VALUES} values, of which a node has to have one"),
                "list the values, or split the fleet",
            );
            return None;
        }
        let mut is_whole = true;
        for (index, value) in values.iter().enumerate() {
            let path = path.index(index);
            if !is_tag_text(value, VALUE_LENGTH) {
                self.error(
                    &path,
                    "this cannot be the value of a tag",
                    format_args!("it has 1 to {VALUE_LENGTH} letters, digits, spaces and `_.:/=+-@`"),
                    "write the value as it is; SSM finds no node by an empty one",
                );
                is_whole = false;
            } else if values[..index].contains(value) {
                self.listed_twice(value, &path);
            }
        }
        is_whole.then_some(())
    }

    fn instances(&mut self, raw: &[String], path: &KeyPath) -> Option<Vec<HostId>> {
        if raw.is_empty() {
            self.error(
                path,
                "no instance is listed",
                "a fleet without one has no hosts",
                "list ids of hosts: `i-…`, or `mi-…` of hybrid nodes",
            );
            return None;
        }
        let mut ids: Vec<HostId> = Vec::new();
        let mut is_whole = true;
        for (index, text) in raw.iter().enumerate() {
            let path = path.index(index);
            match HostId::parse(text) {
                Ok(id) if ids.contains(&id) => self.listed_twice(text, &path),
                Ok(id) => ids.push(id),
                Err(_) => {
                    self.error(
                        &path,
                        "this is not the id of an instance",
                        "SSM knows `i-` and 8 or 17 characters, and `mi-` and 17",
                        "write the id and not a name or an ARN; hosts can be told by `tags` too",
                    );
                    is_whole = false;
                }
            }
        }
        is_whole.then_some(ids)
    }

    fn listed_twice(&mut self, text: &str, path: &KeyPath) {
        self.findings.warning(
            path,
            End::Value,
            format!("`{text}` is listed twice"),
            "once is enough",
            "remove one of the two",
        );
    }

    /// A host obeys the limits of one fleet and reads one `ecs.config`.
    pub(super) fn clusters_are_in_one_fleet(&mut self, config: &Config) {
        let all: Vec<_> = config
            .fleets
            .iter()
            .flat_map(|(name, fleet)| {
                let patterns = match &fleet.members {
                    Members::Clusters(patterns) => patterns.as_slice(),
                    Members::Tags(_) | Members::Instances(_) => &[],
                };
                patterns.iter().enumerate().map(move |(i, pattern)| (name, fleet, i, pattern))
            })
            .collect();
        for (n, (name, fleet, index, pattern)) in all.iter().enumerate() {
            let twin = all[..n].iter().find(|(other_name, other, _, other_pattern)| {
                name != other_name && share_a_place(config, fleet, other) && pattern.intersects(other_pattern)
            });
            let Some((other_name, _, _, other_pattern)) = twin else { continue };
            let what = match (pattern.as_exact(), other_pattern.as_exact()) {
                (Some(cluster), _) | (None, Some(cluster)) => {
                    format!("cluster `{cluster}` is in fleet `{other_name}` too")
                }
                (None, None) => format!(
                    "`{pattern}`, and `{other_pattern}` of fleet `{other_name}`, can mean one cluster"
                ),
            };
            self.error(
                &KeyPath::top("fleets").key(name.as_str()).key("clusters").index(*index),
                what,
                "its hosts would be restarted for both in turn, and the limits of neither would hold",
                "let each cluster be meant by one fleet only",
            );
        }
    }

    /// As [`Rules::clusters_are_in_one_fleet`], of hosts that are told by their ids.
    pub(super) fn instances_are_in_one_fleet(&mut self, config: &Config) {
        let all: Vec<_> = config
            .fleets
            .iter()
            .flat_map(|(name, fleet)| {
                let ids = match &fleet.members {
                    Members::Instances(ids) => ids.as_slice(),
                    Members::Clusters(_) | Members::Tags(_) => &[],
                };
                ids.iter().map(move |id| (name, fleet, id))
            })
            .collect();
        for (n, (name, fleet, id)) in all.iter().enumerate() {
            let twin = all[..n].iter().find(|(other_name, other, other_id)| {
                name != other_name && id == other_id && share_a_place(config, fleet, other)
            });
            let Some((other_name, _, _)) = twin else { continue };
            self.error(
                &KeyPath::top("fleets").key(name.as_str()).key("instances"),
                format!("`{id}` is in fleet `{other_name}` too"),
                "it would be restarted for both in turn, and the limits of neither would hold",
                "let each host be meant by one fleet only",
            );
        }
    }
}

fn share_a_place(config: &Config, fleet: &Fleet, other: &Fleet) -> bool {
    let place = |fleet: &Fleet| config.locations.get(&fleet.location);
    fleet.location == other.location
        || place(fleet).zip(place(other)).is_some_and(|(a, b)| are_one_place(a, b))
}

/// Whether AWS takes it as the name or a value of a tag.
fn is_tag_text(text: &str, longest: usize) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    (1..=longest).contains(&text.chars().count()) && text.chars().all(allowed)
}
