//! The binary's own: a command line → a run of the library, reported.
//!
//! Nothing here opens a connection or writes a file; it uses what any other program could use of the library.

mod again;
pub mod args;
pub mod console;
mod deliver;
pub mod descriptors;
pub mod failure;
mod hooks;
mod jobs;
pub mod logging;
mod memory;
mod normalise;
pub mod options;
mod process;
mod progress;
mod proxies;
pub mod report;
mod row;
pub mod run;
mod turns;
mod values;
mod waiting;
mod writer;
