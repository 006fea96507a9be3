//! What a pass would do, and why, as data that holds no secret.
