//! What happened in a pass, per item and overall.
