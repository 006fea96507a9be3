//! What the host script reports: one JSON line.
