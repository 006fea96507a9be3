//! Restarting a fleet: which hosts are next, as a pure function.
