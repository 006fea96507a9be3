//! Rules of `daemon`.

use std::net::SocketAddr;

use super::Rules;
use crate::config::problem::{End, KeyPath};
use crate::config::{Daemon, raw};

/// Written where the daemon's endpoints would be, if there are to be none.
const NOWHERE: &str = "none";

impl Rules<'_, '_> {
    pub(super) fn daemon(&mut self) -> Option<Daemon> {
        let raw::Daemon { listen } = &self.raw.daemon;
        let path = KeyPath::top("daemon").key("listen");
        if listen == NOWHERE {
            return Some(Daemon { listen: None });
        }
        let Ok(address) = listen.parse::<SocketAddr>() else {
            self.error(
                &path,
                "this is not an address to listen on",
                "it has to be an IP address and a port; a name could mean another address tomorrow",
                "write for example `127.0.0.1:9464`, `[::1]:9464`, or `none`",
            );
            return None;
        };
        if !address.ip().is_loopback() {
            self.findings.warning(
                &path,
                End::Value,
                "others than this machine can read the daemon's endpoints",
                "there is no login and no TLS, and the metrics name every registry and fleet",
                "let a firewall or a security group admit the scraper alone, or write `127.0.0.1:9464`",
            );
        }
        Some(Daemon { listen: Some(address) })
    }
}
