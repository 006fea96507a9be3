//! The last page: every host, as the sandbox knows it.

use std::io;

use regcred_sandbox::client::Client;
use regcred_sandbox::control::{HostView, Presented, PullView};
use regcred_sandbox::hosts::Platform;

use super::workspace::Workspace;

/// One line a host: where it is, how often it was restarted, and what it would pull `image` with.
pub(super) fn table(endpoint: &str, image: &str) -> io::Result<String> {
    let client = Client::new(endpoint);
    let mut hosts = client.hosts().map_err(io::Error::other)?;
    hosts.sort_by(|a, b| (&b.cluster, &a.id).cmp(&(&a.cluster, &b.id)));
    let mut lines =
        vec![format!("{:<22} {:<6} {:<16} {:>8}  harbor", "host", "cluster", "platform", "restarts")];
    for host in hosts {
        let pull = client.pull(&host.id, image).map_err(io::Error::other)?;
        let HostView { id, cluster, platform, restarts, .. } = &host;
        let with = pulls_with(&pull);
        lines.push(format!("{id:<22} {cluster:<6}  {:<16} {restarts:>8}  {with}", name(*platform)));
    }
    Ok(lines.join("\n"))
}

fn name(platform: Platform) -> &'static str {
    match platform {
        Platform::AmazonLinux2023 | Platform::AmazonLinux2 | Platform::AmazonLinux1 => "Amazon Linux",
        Platform::Ubuntu => "Ubuntu",
        Platform::Rhel => "RHEL",
        Platform::PlainDocker => "Docker",
        Platform::Suse => "SUSE",
        Platform::EcsAnywhere => "ECS Anywhere",
        Platform::Bottlerocket => "Bottlerocket",
        Platform::Windows => "Windows",
        Platform::ManagedInstances => "Managed Instance",
    }
}

fn pulls_with(pull: &PullView) -> &'static str {
    match pull {
        PullView::NoAgent => "no agent",
        PullView::Certain(Presented::Anonymous) => "nothing",
        PullView::Certain(Presented::Login { password_sha256, .. }) => {
            if Workspace::is_current(password_sha256) {
                "the new password"
            } else {
                "the old password, which still works"
            }
        }
        PullView::Certain(Presented::Token) => "a token",
        PullView::Random(_) => "one of several, at random",
    }
}
