//! Where AWS leaves room, how this one fills it.

use serde::{Deserialize, Serialize};

use crate::paging::Pages;
use crate::services::ecs::MissingAttribute;

/// What AWS does not promise, and a client may not rely on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Leeway {
    pub missing_attribute: MissingAttribute,
    pub pages: Pages,
}
