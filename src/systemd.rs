//! What systemd is told, by sd_notify's protocol: lines in a datagram to the socket that `$NOTIFY_SOCKET` names
//! (<https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>).
//!
//! Of our own, since the crate `sd-notify` does not know abstract sockets, which some container runtimes hand on. Whoever
//! runs without systemd has no socket, and nothing is told. What cannot be sent is no reason to end: it is logged.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::config::env;

/// The connection to the service manager; none where there is no `$NOTIFY_SOCKET`.
#[derive(Debug)]
pub(crate) struct Systemd {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice<'a> {
    /// The start is over. Also what ends a reload.
    Ready,
    /// The configuration is read again. `Ready` has to follow.
    Reloading,
    /// The end has begun.
    Stopping,
    /// The loop came round.
    Watchdog,
    /// A line for `systemctl status`. What stands after a line break is left out.
    Status(&'a str),
}

impl Systemd {
    /// As the environment of this process has it.
    pub(crate) fn of_environment() -> Self {
        Self::new(
            std::env::var_os(env::NOTIFY_SOCKET),
            std::env::var(env::WATCHDOG_USEC).ok().as_deref(),
            std::env::var(env::WATCHDOG_PID).ok().as_deref(),
        )
    }

    fn new(socket: Option<OsString>, watchdog: Option<&str>, process: Option<&str>) -> Self {
        let socket = socket.filter(|name| !name.is_empty()).and_then(|name| {
            connect(&name)
                .inspect_err(|error| tracing::warn!(%error, "systemd's $NOTIFY_SOCKET cannot be reached"))
                .ok()
        });
        // Inherited by children, for whom it is not meant.
        let is_ours = process.is_none_or(|id| id.parse() == Ok(std::process::id()));
        let watchdog = watchdog.filter(|_| is_ours).and_then(|micros| micros.parse().ok());
        Self { socket, watchdog: watchdog.filter(|micros| *micros > 0).map(Duration::from_micros) }
    }

    /// How often [`Notice::Watchdog`] has to come: at half of the time that systemd gives, as its manual asks for
    /// (`sd_watchdog_enabled(3)`). `None` where nobody watches.
    pub(crate) fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|given| given / 2)
    }

    /// Tells all of them in one datagram.
    pub(crate) fn notify(&self, notices: &[Notice<'_>]) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(lines(notices).as_bytes()) {
            tracing::warn!(%error, "systemd was not told");
        }
    }
}

fn lines(notices: &[Notice<'_>]) -> String {
    let mut text = String::new();
    for notice in notices {
        match notice {
            Notice::Ready => text.push_str("READY=1\n"),
            Notice::Reloading => {
                let now = clock_gettime(ClockId::Monotonic);
                let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
                // `Type=notify-reload` takes a reload without the time for a mistake.
                writeln!(text, "RELOADING=1\nMONOTONIC_USEC={micros}").expect("a String takes every text");
            }
            Notice::Stopping => text.push_str("STOPPING=1\n"),
            Notice::Watchdog => text.push_str("WATCHDOG=1\n"),
            Notice::Status(said) => {
                // A line break would begin a notice of its own.
                let line = said.lines().next().unwrap_or_default();
                writeln!(text, "STATUS={line}").expect("a String takes every text");
            }
        }
    }
    text
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address(name)?)?;
    // A manager that does not read must not stop the loop.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A path, or, behind an `@`, a name in Linux's abstract namespace.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        if let Some(name) = name.as_bytes().strip_prefix(b"@") {
            return SocketAddr::from_abstract_name(name);
        }
    }
    SocketAddr::from_pathname(name)
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt as _;

    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 4096];
        let read = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..read].to_vec()).unwrap()
    }

    #[test]
    fn tells_a_socket_in_the_file_system_and_an_abstract_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("regcred-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        for (name, manager) in [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
            (format!("@{name}").into(), UnixDatagram::bind_addr(&abstract_address).unwrap()),
        ] {
            let systemd = Systemd::new(Some(name), None, None);
            systemd.notify(&[Notice::Ready, Notice::Status("two fleets")]);
            assert_eq!(received(&manager), "READY=1\nSTATUS=two fleets\n");
            systemd.notify(&[Notice::Stopping]);
            assert_eq!(received(&manager), "STOPPING=1\n");
            systemd.notify(&[Notice::Watchdog]);
            assert_eq!(received(&manager), "WATCHDOG=1\n");
        }
    }

    #[test]
    fn a_reload_tells_the_time_of_the_monotonic_clock() {
        let micros = |text: &str| -> u128 {
            let rest = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
            rest.strip_suffix('\n').unwrap().parse().unwrap()
        };
        let (first, second) = (micros(&lines(&[Notice::Reloading])), micros(&lines(&[Notice::Reloading])));
        assert!(first > 0 && second >= first && second - first < 60_000_000, "{first} {second}");
    }

    #[test]
    fn a_status_of_two_lines_smuggles_nothing_in() {
        assert_eq!(lines(&[Notice::Status("a\nSTOPPING=1")]), "STATUS=a\n");
    }

    #[test]
    fn the_watchdog_is_fed_twice_as_often_as_asked_and_only_if_it_is_ours() {
        let own = std::process::id().to_string();
        let half_a_minute = Some(Duration::from_secs(30));
        for (usec, pid, expected) in [
            (Some("60000000"), None, half_a_minute),
            (Some("60000000"), Some(own.as_str()), half_a_minute),
            (Some("60000000"), Some("1"), None),
            (Some("60000000"), Some("none"), None),
            (Some("0"), None, None),
            (Some("soon"), None, None),
            (None, Some(own.as_str()), None),
        ] {
            assert_eq!(Systemd::new(None, usec, pid).watchdog_interval(), expected, "{usec:?} {pid:?}");
        }
    }

    #[test]
    fn without_systemd_and_with_one_that_is_gone_nothing_happens() {
        for socket in [None, Some(OsString::new()), Some("/nowhere/notify".into())] {
            Systemd::new(socket, None, None).notify(&[Notice::Ready]);
        }
        // Tests have no service manager.
        assert_eq!(Systemd::of_environment().watchdog_interval(), None);
    }
}
