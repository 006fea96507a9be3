//! The formats that regcred reads and writes, each parsed back before it is trusted.
//!
//! Text in, values out, and the other way round; nothing here knows where a text is kept. No error and no result tells
//! anything of a secret.

pub(crate) mod ascii_json;
pub mod auth_data;
pub mod docker_config;
pub mod ecs_config;
mod image;
pub mod repository_credentials;
