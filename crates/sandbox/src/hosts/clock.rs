//! A host's own time: real time, but while a script runs on it, when only the script's own waits pass.
//!
//! A wait takes no time, so that a script's two minutes of patience are a second; and a script that is slow because the
//! machine is busy is not slow in its own time, so that what it sees depends on no machine.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;

/// Counts from the moment when the host was made.
pub(super) struct Clock(Mutex<Reading>);

struct Reading {
    /// What has passed until `since`.
    passed: Duration,
    since: Instant,
    scripts: u32,
}

impl Reading {
    fn now(&self) -> Duration {
        if self.scripts == 0 { self.passed.saturating_add(self.since.elapsed()) } else { self.passed }
    }

    fn scripts_are(&mut self, scripts: u32) {
        self.passed = self.now();
        self.since = Instant::now();
        self.scripts = scripts;
    }
}

impl Clock {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Reading { passed: Duration::ZERO, since: Instant::now(), scripts: 0 }))
    }

    pub(super) fn now(&self) -> Duration {
        lock(&self.0).now()
    }

    pub(super) fn advance(&self, by: Duration) {
        let mut reading = lock(&self.0);
        reading.passed = reading.passed.saturating_add(by);
    }

    /// A script runs for as long as the value lives.
    pub(super) fn script(&self) -> ScriptTime<'_> {
        let mut reading = lock(&self.0);
        let scripts = reading.scripts + 1;
        reading.scripts_are(scripts);
        ScriptTime(self)
    }
}

pub(super) struct ScriptTime<'a>(&'a Clock);

impl Drop for ScriptTime<'_> {
    fn drop(&mut self) {
        let mut reading = lock(&self.0.0);
        let scripts = reading.scripts - 1;
        reading.scripts_are(scripts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_waits_pass_while_a_script_runs() {
        let clock = Clock::new();
        let (one, other) = (clock.script(), clock.script());
        let begun = clock.now();
        clock.advance(Duration::from_secs(7));
        assert_eq!(clock.now(), begun + Duration::from_secs(7));
        drop(one);
        assert_eq!(clock.now(), begun + Duration::from_secs(7));
        drop(other);
        let ended = clock.now();
        while clock.now() == ended {
            std::hint::spin_loop();
        }
    }
}
