//! Fetch many URLs over HTTP(S) with bounded concurrency, on small machines.
//!
//! A fixed number of workers takes jobs from a bounded channel, as many as there is work in hand for: that is the limit
//! that others build with a semaphore. Every job ends in exactly one [`Outcome`], whatever the network, the server or the disk does:
//!
//! ```no_run
//! use futures_lite::{StreamExt, future::block_on, stream};
//! use smolget::Fetcher;
//!
//! let fetcher = Fetcher::builder().jobs(4).build()?;
//! let urls = ["http://example.org/a", "http://example.org/b"];
//! let mut outcomes = fetcher.fetch(stream::iter(urls));
//! block_on(async {
//!     while let Some(outcome) = outcomes.next().await {
//!         match outcome.result() {
//!             Ok(_) => println!("{}: {} bytes", outcome.url(), outcome.bytes()),
//!             Err(error) => println!("{}: {}: {error}", outcome.url(), error.kind().name()),
//!         }
//!     }
//! });
//! # Ok::<(), smolget::Error>(())
//! ```
//!
//! In scope: HTTP/1.1 over TCP and TLS, redirects, retries, mirrors, time limits, lists of jobs, bodies to files, to
//! memory or to nothing. Out of scope, by design: HTTP/2, cookies, recursion, uploads, any scheme but http and https.

#[cfg(any(test, benching))]
#[doc(hidden)]
pub mod benching;
mod bypass;
mod config;
mod credentials;
mod engine;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod gates;
mod grammar;
mod header;
pub mod input;
mod job;
mod netrc;
mod offload;
mod outcome;
mod output;
mod proxy;
mod race;
mod reactor;
mod relay;
mod secret;
mod spare;
mod sync;
pub mod text;
mod transport;
mod url;

pub use config::{
    AfterCut, Compression, DEFAULT_JOBS, Durability, Existing, Family, Keep, Limits, MAX_JOBS, MAX_TIME, Method,
    OnFailure, RATES, Reach, Resolve, Trust, USER_AGENT,
};
pub use engine::{Builder, Fetcher, Outcomes, Stopper, Traffic};
pub use error::{Error, ErrorKind, Phase};
pub use gates::{Gates, Pages, Ratio, parse_size};
pub use header::Header;
pub use job::{Checksum, Entry, Job, Rejected};
pub use netrc::Netrc;
pub use outcome::{Body, Kept, Outcome};
pub use proxy::{Proxies, Proxy};
pub use reactor::block_on;
pub use url::parse_url;

// The code in the README is compiled with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
