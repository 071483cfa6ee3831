//! The parts by themselves: what each costs in time and in allocations, at a named size, beside the least that it could.
//!
//! `make micro`, or `make micro ARGS=list` for some. divan tells of each the fastest, slowest, median and mean run, and the
//! allocations of one. Rows called `baseline…` are what others, or plain code, take for the same. The codec is no part of the
//! library that others see: only `make micro` lets it in (`--cfg benching`), and `cargo bench` leaves it out.

#[cfg(benching)]
mod codec;
mod engine;
mod list;
mod rows;

use divan::AllocProfiler;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    if !cfg!(benching) {
        eprintln!("micro: without the codec and the encoder of requests; make micro has them");
    }
    divan::main();
}
