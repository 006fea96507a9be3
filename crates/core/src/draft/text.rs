//! The draft as YAML, with what a person has to know beside each part of it.

use std::fmt;

use super::{Clusters, Draft, Holds, LeftOut, Object, ObjectName, Origin, Registry, Source};

/// What the one ecs.config and the one fleet are called.
const NAME: &str = "hosts";

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registries, left_out, object, clusters, region } = self;
        f.write_str(
            "# A first configuration of regcred, drafted from what was found. `TODO` marks what only you can tell. No secret is in it:\n\
             # each registry says where its credential is read. config/full.yaml has all keys, docs/CONFIG.md explains them.\n\
             #\n\
             #   regcred check     is it valid?\n\
             #   regcred doctor    is everything there that it needs?\n\
             #   regcred plan      what would be done? Writes nothing.\n\n\
             # Where regcred keeps what it has to remember: a bucket, or a prefix in one, that hosts cannot read.\n\
             state: { bucket: change-me-regcred }    # TODO: the name of yours\n\n",
        )?;
        let now =
            region.as_deref().map_or_else(String::new, |region| format!(" ({region} when this was drafted)"));
        write!(
            f,
            "# Account and Region are those of the environment{now}. To name them, or to act in several:\n\
             # locations:\n\
             #   eu: {{ region: eu-west-1, role_arn: \"arn:aws:iam::111111111111:role/regcred\" }}\n\n\
             registries:\n"
        )?;
        for registry in registries {
            self.registry(registry, f)?;
        }
        for LeftOut { key, found_in, why } in left_out {
            writeln!(f, "  # left out: {} in {}: {why}", quoted(key, '`'), origin(*found_in))?;
        }
        match object {
            Some(object) => self.object(object, f),
            None => without_object(clusters, f),
        }
    }
}

impl Draft {
    fn registry(&self, registry: &Registry, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Registry { name, server, source, found_in } = registry;
        if found_in.is_empty() {
            f.write_str("  # TODO: no registry was found, so this is an example.\n")?;
        } else {
            let places: Vec<&str> = found_in.iter().map(|each| origin(*each)).collect();
            writeln!(f, "  # found in {}", places.join(" and "))?;
        }
        writeln!(f, "  {name}:\n    server: {}", yaml(&server.to_string()))?;
        match source {
            Source::DockerConfig { path, holds } => {
                match holds {
                    Ok(Holds::Itself) => {}
                    Ok(Holds::InHelper(helper)) => {
                        writeln!(
                            f,
                            "    # The file names a helper: docker-credential-{helper} has to be where regcred runs."
                        )?;
                    }
                    Err(why) => {
                        let (why, remedy) = (printable(&why.to_string()), printable(&why.remedy()));
                        writeln!(f, "    # TODO: the file is no use for it now: {why}. To do: {remedy}.")?;
                    }
                }
                writeln!(f, "    source: {{ docker_config: {{ path: {} }} }}", yaml(path))?;
            }
            Source::Variables => {
                let variable = variable(name.as_str());
                writeln!(
                    f,
                    "    # TODO: where is it read? Set these two variables where regcred runs, or name another source: docs/sources.\n    \
                     source: {{ env: {{ username: {variable}_USERNAME, password: {variable}_PASSWORD }} }}"
                )?;
            }
        }
        let secret = format!("secret: {{ name: {} }}", yaml(&format!("ecs/registry/{name}")));
        if self.object.is_some() && self.of_object().contains(&registry) {
            write!(
                f,
                "    # For tasks that name a secret in `repositoryCredentials`, as on Fargate:\n    # {secret}\n"
            )
        } else {
            write!(
                f,
                "    # What tasks name in `repositoryCredentials`: `regcred snippet {name}` prints it.\n    {secret}\n"
            )
        }
    }

    fn object(&self, object: &Object, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Object { name: ObjectName { bucket, key }, is_barren } = object;
        f.write_str(
            "\n# The file that hosts read. Its two ECS_ENGINE_AUTH_* lines alone are regcred's; entries of registries that are not\n\
             # listed stay as they are.\n",
        )?;
        if *is_barren {
            let object = printable(&format!("s3://{bucket}/{key}"));
            writeln!(f, "# Agents find no credential in it now: `regcred lint {object}` says why.")?;
        }
        let listed: Vec<String> = self.of_object().iter().map(|each| yaml(each.name.as_str())).collect();
        writeln!(
            f,
            "ecs_configs:\n  {NAME}: {{ bucket: {}, key: {}, registries: [{}] }}\n",
            yaml(bucket),
            yaml(key),
            listed.join(", ")
        )?;
        fleets(&self.clusters, "", f)
    }
}

fn without_object(clusters: &Clusters, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(
        "\n# For hosts whose agents read an ecs.config in S3 (`regcred init --ecs-config s3://BUCKET/KEY` drafts it from the object):\n\
         # ecs_configs:\n\
         #   hosts: { bucket: BUCKET, key: KEY, registries: [REGISTRY] }\n",
    )?;
    fleets(clusters, "# ", f)
}

/// The one fleet; `before` each line stands what makes a comment of it.
fn fleets(clusters: &Clusters, before: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (before, listed) = match clusters {
        Clusters::Seen { with_hosts, without: _ } if !with_hosts.is_empty() => (before, with_hosts.clone()),
        // None to be named: what a fleet looks like is told all the same.
        Clusters::Seen { .. } | Clusters::NotSeen => ("# ", vec!["CLUSTER".to_owned()]),
    };
    match clusters {
        Clusters::NotSeen => f.write_str("# TODO: the clusters of the account could not be seen.\n")?,
        Clusters::Seen { with_hosts, without } => {
            if with_hosts.is_empty() {
                f.write_str(
                    "# No cluster here has a container instance, so there is no agent to restart.\n",
                )?;
            } else {
                f.write_str(
                    "# The hosts whose agents are restarted, one first and then at most so many of a cluster at a time. These are all\n\
                     # clusters with container instances: TODO, leave those that read this very file.\n",
                )?;
            }
            if !without.is_empty() {
                writeln!(f, "# Without container instances: {}.", without.join(", "))?;
            }
        }
    }
    let listed: Vec<String> = listed.iter().map(|name| yaml(name)).collect();
    writeln!(f, "{before}fleets:\n{before}  {NAME}:\n{before}    ecs_config: {NAME}")?;
    writeln!(f, "{before}    clusters: [{}]", listed.join(", "))?;
    writeln!(f, "{before}    max_unavailable: 10%\n{before}    max_errors: 0")
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::DockerConfig => "Docker's configuration",
        Origin::EcsConfig => "the ecs.config",
    }
}

/// A text as YAML has it between double quotes, where JSON's escapes mean what they mean in JSON.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn quoted(text: &str, quote: char) -> String {
    format!("{quote}{}{quote}", printable(text))
}

/// In one line of a comment: whatever could end the line is escaped.
fn printable(text: &str) -> String {
    let is_odd = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    text.chars().flat_map(|c| if is_odd(c) { c.escape_unicode().collect() } else { vec![c] }).collect()
}

/// What the variables of a registry begin with.
fn variable(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    let plain: String = plain.collect();
    if plain.starts_with(|c: char| c.is_ascii_digit()) { format!("REGISTRY_{plain}") } else { plain }
}
