//! The names that a configuration gives to things, each a type of its own so that one is never taken for another.

use std::borrow::Borrow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }
    };
}

name! {
    /// A registry of the configuration, e.g. `dockerhub`.
    RegistryName
}
name! {
    /// An account and a Region, and the role to use there.
    LocationName
}
name! {
    /// An S3-stored ecs.config.
    EcsConfigName
}
name! {
    /// The container instances that read one ecs.config.
    FleetName
}
name! {
    /// A schedule of the daemon's passes.
    ScheduleName
}
name! {
    /// A maintenance window, in which hosts may be restarted.
    WindowName
}
