//! What the integration tests share: a scripted server, ports that take no connection, and a harness around the binary.

// Every test file is a program of its own that includes all of this and uses a part.
#![allow(dead_code, unused_imports)]

pub mod ports;
pub mod proxy;
pub mod reply;
#[cfg(feature = "cli")]
pub mod run;
pub mod server;
#[cfg(feature = "cli")]
pub mod terminal;
#[cfg(feature = "tls")]
pub mod tls;

use std::thread;
use std::time::{Duration, Instant};

pub use ports::Port;
pub use reply::{Gate, Reply, chunks};
#[cfg(feature = "cli")]
pub use run::{Folder, Output, Run, Running, assert_harmless, error, fields, smolget};
pub use server::{Request, Server};

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Waits until something is so that nothing announces; half a minute in vain fails the test.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        thread::sleep(ms(1));
    }
}
