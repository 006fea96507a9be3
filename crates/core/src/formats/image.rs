//! An image to ask the agent's rules about, so that what was rendered is proven for what will be pulled.

use crate::agent::{AuthMap, Entry};

/// An image below `repository` (a host, or a host and a path) that belongs to no longer key of the map: those have their own. None, if the longer keys
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
