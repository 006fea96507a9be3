//! The one endpoint: connections in, answers out.

mod call;
mod cloud;
mod control;
mod fleet;
mod host_view;
mod json;
mod silence;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::call_log::CallLog;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::identity::Identity;
use crate::leeway::Leeway;
use crate::options::{ClusterSeed, DocumentSeed, KeySeed, Options, ParameterSeed};
use crate::registries::{Registries, RegistryView};
use crate::services::Regions;
use crate::services::kms::Kms;
use crate::services::s3::S3;
use fleet::Fleet;
use silence::{Dropped, Held};

/// A running sandbox. It ends when it is stopped or dropped.
pub struct Sandbox {
    address: SocketAddr,
    registries: Vec<RegistryView>,
    server: Option<Server>,
}

/// The thread that serves, with a runtime of its own: so that a sandbox can be started from a plain test as well as from
/// async code, and is gone as a whole, hosts' folders and all, when the thread has ended.
struct Server {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// What all connections share. Each lock is held for one step of one call, and never two of them where a host may be asked.
pub(crate) struct Shared {
    endpoint: String,
    clock: Clock,
    identity: Mutex<Identity>,
    faults: Mutex<Faults>,
    log: Mutex<CallLog>,
    kms: Mutex<Kms>,
    regions: Mutex<Regions>,
    s3: Mutex<S3>,
    held: Held,
    fleet: Fleet,
    leeway: Mutex<Leeway>,
    registries: Registries,
}

/// The largest body that is read: an ecs.config is a thousand times smaller.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

impl Sandbox {
    /// Serves an endpoint on 127.0.0.1 until it is stopped.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("regcred-sandbox")
            .enable_all()
            .build()?;
        let mut options = options;
        let (registries, unserved) = Registries::bind(std::mem::take(&mut options.registries))?;
        let views = registries.views();
        let shared = Shared::new(options, address, registries)?;
        let listener = {
            let _inside = runtime.enter();
            for registry in unserved {
                registry.serve()?;
            }
            TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    never = accept(listener, shared) => match never {},
                    // Told to, or the sandbox is dropped.
                    _ = stopped => {}
                }
            });
        };
        let thread = thread::Builder::new().name("regcred-sandbox".into()).spawn(serve)?;
        Ok(Self { address, registries: views, server: Some(Server { stop, thread }) })
    }

    /// Where the registry of this name is reached: `http://127.0.0.1:PORT`.
    ///
    /// # Panics
    /// If it is not one of those that the sandbox was started with.
    pub fn registry(&self, name: &str) -> &str {
        let known = self.registries.iter().find(|registry| registry.name == name);
        &known.unwrap_or_else(|| panic!("no registry is named {name}")).endpoint
    }

    /// What `AWS_ENDPOINT_URL` is to be set to.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it: connections are cut, scripts that run are killed, hosts' folders are removed. Takes milliseconds.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let Some(Server { stop, thread }) = self.server.take() else { return };
        // Both fail only where the thread has ended by a panic, which was said when it happened.
        let _ = stop.send(());
        let _ = thread.join();
    }
}

impl Shared {
    fn new(options: Options, address: SocketAddr, registries: Registries) -> io::Result<Arc<Self>> {
        let Options {
            port: _,
            default_account,
            call_log,
            buckets,
            objects,
            clusters,
            hosts,
            documents,
            parameters,
            keys,
            roles,
            registries: _,
            host_statements,
        } = options;
        let shared = Arc::new(Self {
            endpoint: format!("http://{address}"),
            clock: Clock::default(),
            identity: Mutex::new(Identity::new(default_account, roles, host_statements)),
            faults: Mutex::default(),
            log: Mutex::new(CallLog::open(call_log.as_deref())?),
            kms: Mutex::default(),
            regions: Mutex::default(),
            s3: Mutex::default(),
            held: Held::default(),
            fleet: Fleet::default(),
            leeway: Mutex::default(),
            registries,
        });
        for KeySeed { alias, account, region, enabled } in keys {
            lock(&shared.kms).at(&account, &region).set(&alias, enabled);
        }
        for bucket in buckets {
            lock(&shared.s3).seed(bucket, Utc::now());
        }
        for object in objects {
            lock(&shared.s3).seed_object(object, Utc::now())?;
        }
        for ClusterSeed { name, account, region } in clusters {
            lock(&shared.regions).at(&account, &region).ecs.create_cluster(&name);
        }
        for DocumentSeed { name, account, region, content } in documents {
            let mut regions = lock(&shared.regions);
            let made = regions.at(&account, &region).ssm.seed_document(&name, content, Utc::now());
            made.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.message))?;
        }
        for ParameterSeed { name, account, region, kind, value } in parameters {
            let mut regions = lock(&shared.regions);
            regions.at(&account, &region).ssm.seed_parameter(name, kind, value, Utc::now());
        }
        for host in hosts {
            shared.add_host(host)?;
        }
        Ok(shared)
    }
}

/// A panic in one call is that call's; the state of the others is still what it was between two steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, Arc::clone(&shared)));
            }
            // The peer was gone already, or we are out of file descriptors, which a moment may give back.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers to small requests: waiting for more to send costs 40 ms each.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(move |request: http::Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { respond(&shared, request).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // An error is a connection that the client closed, or that a fault dropped.
    drop(served);
}

async fn respond(
    shared: &Arc<Shared>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        return Err(Dropped);
    };
    let body = body.to_bytes();
    match parts.uri.path().strip_prefix("/_sandbox/").map(str::to_owned) {
        Some(tail) => Ok(control::answer(shared, &tail, &parts, &body)),
        None => call::answer(shared, &parts, body).await,
    }
}
