//! What the kernel tells of other processes. Linux alone.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How long a process may take to be gone that was killed: it dies when it is next given the processor, on a machine that is
/// busy with a build.
const DEATH: Duration = Duration::from_secs(10);

/// Whether a process, by its id as a program wrote it, is gone or waits to be reaped; if not yet, a while is waited for that.
pub(crate) async fn is_gone(id: &str) -> bool {
    let until = Instant::now() + DEATH;
    let runs =
        || fs::read_to_string(format!("/proc/{}/stat", id.trim())).is_ok_and(|stat| !stat.contains(") Z "));
    while runs() {
        if Instant::now() > until {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// The processes of a group that still run, by id; one that only waits to be reaped does not.
pub(crate) fn in_group(group: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("Linux has /proc");
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| {
        // proc(5): `pid (command) state ppid pgrp …`; the command may hold anything, a parenthesis too.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let state = fields.next();
        state.is_some_and(|state| state != "Z") && fields.nth(1) == Some(group.to_string().as_str())
    })
    .collect()
}

/// On which addresses the processes of a group listen for TCP, as `address:port`; of IPv6, as the kernel writes it.
pub(crate) fn listening(group: u32) -> Vec<String> {
    let open: Vec<String> = in_group(group)
        .into_iter()
        .filter_map(|id| fs::read_dir(format!("/proc/{id}/fd")).ok())
        .flatten()
        .filter_map(|entry| Some(fs::read_link(entry.ok()?.path()).ok()?.to_string_lossy().into_owned()))
        .collect();
    let mut addresses = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            // 0A is LISTEN in include/net/tcp_states.h.
            if fields[3] == "0A" && open.contains(&format!("socket:[{}]", fields[9])) {
                addresses.push(readable(fields[1]));
            }
        }
    }
    addresses.sort();
    addresses.dedup();
    addresses
}

/// `0100007F:1F90` is 127.0.0.1:8080: the address in the machine's order of bytes.
fn readable(address: &str) -> String {
    let parse = |(host, port): (&str, &str)| {
        let host = Ipv4Addr::from(u32::from_str_radix(host, 16).ok()?.to_ne_bytes());
        Some(format!("{host}:{}", u16::from_str_radix(port, 16).ok()?))
    };
    address.split_once(':').and_then(parse).unwrap_or_else(|| address.to_owned())
}
