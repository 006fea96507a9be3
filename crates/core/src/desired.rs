//! What every target should hold.
