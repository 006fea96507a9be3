//! An image to ask the agent's rules about, so that what was rendered is proven for what will be pulled.

use crate::agent::AuthMap;
use crate::agent::Entry;
use crate::server::Server;

/// What images of this server begin with.
pub(super) fn repository(server: &Server) -> String {
    match server {
        Server::DockerHub => "docker.io".to_owned(),
        Server::Other { host, path: None } => host.clone(),
        Server::Other { host, path: Some(path) } => format!("{host}/{path}"),
    }
}

/// An image below `repository` that belongs to no longer key of the map: those have their own. None, if the longer keys
/// leave no image to it.
pub(super) fn image_below(repository: &str, map: &AuthMap) -> Option<String> {
    // An image's name begins with one of these, and a key that is a prefix of it goes on with the same.
    ('a'..='z').chain('0'..='9').map(|first| format!("{repository}/{first}-image/of:it")).find(|image| {
        map.entries()
            .iter()
            .map(Entry::normalised_key)
            .all(|key| key.len() <= repository.len() + "/".len() || !image.starts_with(key))
    })
}
