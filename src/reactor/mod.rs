//! TCP connections → whoever waits for one of them is woken when it has something to say.
//!
//! It owns the sockets and the loop that waits for all of them. On Linux a socket is registered once, edge-triggered
//! (epoll(7)), and what it has to say is remembered: a read that would only say `EAGAIN` is not made, and neither is a
//! system call for each wait. Timers, signals and all else are async-io's. Elsewhere sockets are, too.
//!
//! ```text
//!  block_on ─▶ poll the future ─▶ harvest: the kernel's news ─▶ sources ─▶ wakers ─┐
//!                 ▲─────────────────────────────────────────────────────────────────┘
//!  any other executor ─▶ poll a run ─▶ its pulse harvests, and has async-io say when there is more
//! ```

#[cfg(any(target_os = "linux", target_os = "android"))]
mod parker;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod portable;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod pulse;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod source;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod sources;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tcp;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use self::parker::block_on;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub use self::portable::block_on;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use self::portable::{Pulse, Tcp};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::{pulse::Pulse, tcp::Tcp};

/// How much may be moved into a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// So many bytes, at most.
    pub bytes: usize,
    pub fill: Fill,
}

/// What is in a pipe already. A pipe that is full and a connection that has nothing say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    Nothing,
    Something,
}

/// What came of moving bytes from a connection into a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spliced {
    /// So many were moved; none at the stream's end.
    Bytes(usize),
    /// The pipe takes no more.
    Full,
    /// The system does no such thing with this connection; bytes can only be read.
    Refused,
}
