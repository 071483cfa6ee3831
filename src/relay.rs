//! A wake-up → the task that waits for it by then, whichever that is.
//!
//! It takes a waker for life: what wakes it need not know who waits, and whoever waits may change.

use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use crate::sync::lock;

/// Passes wake-ups on.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    waiting: Mutex<Option<Waker>>,
}

impl Relay {
    /// From now on this one is woken, once.
    pub fn set(&self, waker: &Waker) {
        let mut waiting = lock(&self.waiting);
        match &mut *waiting {
            Some(old) => old.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Wakes who waits, if somebody does.
    pub fn pass(&self) {
        let waiting = lock(&self.waiting).take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.pass();
    }
}
