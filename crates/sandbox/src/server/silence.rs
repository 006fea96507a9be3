//! Calls that get no answer: dropped, or held until their caller gives up.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::control::HeldCall;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault closed the connection")]
pub(crate) struct Dropped;

/// The calls that are held now, by their number.
#[derive(Debug, Default)]
pub(crate) struct Held {
    calls: Mutex<BTreeMap<u64, HeldCall>>,
    released: Notify,
}

impl Held {
    pub(crate) fn list(&self) -> Vec<HeldCall> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Holds a call until its caller goes away or all are released.
    pub(crate) async fn hold(&self, call: HeldCall) -> Dropped {
        // Asked for before the call is listed, so that a release in between is not missed.
        let released = self.released.notified();
        let number = call.number;
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(number, call);
        let _entry = Entry { held: self, number };
        released.await;
        Dropped
    }

    /// Closes the connections of all held calls.
    pub(crate) fn release(&self) {
        self.released.notify_waiters();
    }
}

/// Takes the call off the list, also when the caller was killed.
struct Entry<'a> {
    held: &'a Held,
    number: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.held.calls.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}
