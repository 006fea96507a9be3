//! The formats that regcred reads and writes, each parsed back before it is trusted.
