//! The hosts of a sandbox, and the commands that run on them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use super::cloud::CloudOf;
use super::{Shared, lock};
use crate::hosts::{Cloud, Host, HostSpec};
use crate::services::ssm::Delivery;

/// The hosts, by their ids.
#[derive(Default)]
pub(super) struct Fleet(RwLock<BTreeMap<String, Arc<Host>>>);

impl Fleet {
    pub(super) fn get(&self, id: &str) -> Option<Arc<Host>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Host>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Shared {
    /// Boots a host and makes it known to ECS and SSM. Its cluster is made if there is none.
    pub(super) fn add_host(self: &Arc<Self>, spec: HostSpec) -> io::Result<Arc<Host>> {
        let cloud: Arc<dyn Cloud> = Arc::new(CloudOf::new(self));
        let host = Arc::new(Host::new(spec, cloud)?);
        let spec = host.spec();
        self.fleet
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(spec.id.clone(), Arc::clone(&host));
        let now = self.clock.now();
        let mut regions = lock(&self.regions);
        let regional = regions.at(&spec.account, &spec.region);
        regional.ecs.register(&host, now);
        if host.is_managed_node() {
            regional.ssm.add_node(&host, now);
        }
        Ok(Arc::clone(&host))
    }

    /// Terminates a host: ECS and SSM forget it. `false` when there is none of the id.
    pub(super) fn remove_host(&self, id: &str) -> bool {
        let removed = self.fleet.0.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        let Some(host) = removed else { return false };
        let mut regions = lock(&self.regions);
        let regional = regions.at(&host.spec().account, &host.spec().region);
        regional.ecs.deregister(&host);
        regional.ssm.remove_node(id);
        true
    }

    /// Lets ECS and SSM see what became of a host: a new registration, a way to it that is there again.
    pub(super) fn look_at(self: &Arc<Self>, host: &Arc<Host>) {
        let now = self.clock.now();
        let deliveries = {
            let mut regions = lock(&self.regions);
            let regional = regions.at(&host.spec().account, &host.spec().region);
            regional.ecs.register(host, now);
            regional.ssm.deliver_to(&host.spec().id, now);
            regional.ssm.take_deliveries()
        };
        self.deliver(deliveries);
    }

    /// Runs each script on its host, and what follows from its result.
    pub(super) fn deliver(self: &Arc<Self>, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let shared = Arc::clone(self);
            tokio::spawn(async move { shared.run(delivery).await });
        }
    }

    async fn run(self: Arc<Self>, delivery: Delivery) {
        let workers = Arc::clone(&delivery.workers);
        // Never closed: an error would be a sandbox that ends.
        let Ok(_worker) = workers.acquire().await else { return };
        let (account, region) = (delivery.host.spec().account.clone(), delivery.host.spec().region.clone());
        let may_begin = lock(&self.regions).at(&account, &region).ssm.begin(&delivery, self.clock.now());
        if !may_begin {
            return;
        }
        let result = delivery.host.run(delivery.script(), delivery.timeout()).await;
        let deliveries = {
            let now = self.clock.now();
            let mut regions = lock(&self.regions);
            let regional = regions.at(&account, &region);
            regional.ecs.register(&delivery.host, now);
            regional.ssm.finish(&delivery, result, now);
            regional.ssm.take_deliveries()
        };
        self.deliver(deliveries);
    }
}
