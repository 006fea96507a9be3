//! A host as control shows it: what its own, ECS's and S3's state say together.

use std::sync::Arc;

use regcred_core::agent::{AuthSetting, EffectiveAuth, PullAuth};
use sha2::{Digest, Sha256};

use super::{Shared, lock};
use crate::control::{HostView, LoadedView, Presented, PullView};
use crate::hosts::{AgentView, Host, HostSpec, Ping};
use crate::sigv4::hex;

impl Shared {
    fn loaded(&self, account: &str, auth: &EffectiveAuth) -> LoadedView {
        LoadedView {
            auth_type: match auth.auth_type() {
                AuthSetting::Type(auth_type) => Some(*auth_type),
                AuthSetting::Off | AuthSetting::Unknown(_) => None,
            },
            object: lock(&self.s3).version_with(account, auth),
        }
    }

    pub(super) fn view(&self, host: &Arc<Host>) -> HostView {
        let HostSpec { id, account, region, cluster, platform, life, .. } = host.spec();
        let AgentView { container_instance_arn, connected, running_tasks, restarts, .. } = host.agent();
        let (attributes, last_output) = {
            let mut regions = lock(&self.regions);
            let regional = regions.at(account, region);
            let last_output = regional.ssm.last_output(id).map(str::to_owned);
            (regional.ecs.recorded(host, self.clock.now()), last_output)
        };
        HostView {
            id: id.clone(),
            account: account.clone(),
            region: region.clone(),
            cluster: cluster.clone(),
            platform: *platform,
            life: *life,
            behaviour: host.behaviour(),
            online: match host.ping() {
                Ping::Online => true,
                Ping::ConnectionLost => false,
            },
            agent_connected: connected,
            container_instance_arn,
            restarts,
            running_tasks,
            loaded: host.loaded().map(|auth| self.loaded(account, &auth)),
            attributes,
            last_output,
        }
    }
}

/// What a pull of an image would use on a host now.
pub(super) fn pull(host: &Host, image: &str) -> PullView {
    let Some(map) = host.pulls_with() else { return PullView::NoAgent };
    let answer = map.lookup(image);
    match answer.certain() {
        Some(auth) => PullView::Certain(presented(auth)),
        None => PullView::Random(answer.candidates().iter().map(|each| presented(each.auth)).collect()),
    }
}

fn presented(auth: &PullAuth) -> Presented {
    match auth {
        PullAuth::Anonymous => Presented::Anonymous,
        PullAuth::Login(login) => Presented::Login {
            username: login.username.clone(),
            password_sha256: hex(&Sha256::digest(login.password.expose())),
        },
        PullAuth::Token { username: _, token: _ } => Presented::Token,
    }
}
