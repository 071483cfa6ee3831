//! What the benches share: a server in a process of its own, the programs to measure, and what a run of one costs.

pub mod process;
pub mod programs;
pub mod server;
pub mod table;
