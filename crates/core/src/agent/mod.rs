//! How the ECS agent reads `ECS_ENGINE_AUTH_*` (our own copy of its rules).
