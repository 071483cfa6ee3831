//! What a run is to do, validated: nothing after this checks an option again.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::gates::Gates;
use crate::header::Header;
use crate::netrc::Netrc;
use crate::proxy::Proxies;

/// The most workers that a run may have.
pub const MAX_JOBS: usize = 1024;

/// How many workers a run has unless it is told.
pub const DEFAULT_JOBS: usize = 8;

/// The longest time that an option takes: past it, arithmetic on clocks would have to be watched everywhere.
pub const MAX_TIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The fewest attempts a second at one host that can be asked for, and the most.
pub const RATES: RangeInclusive<f64> = 0.001..=1_000_000.0;

/// The product token that goes out as `User-Agent` unless another is set.
pub const USER_AGENT: &str = concat!("smolget/", env!("CARGO_PKG_VERSION"));

/// How every job of a run is fetched and kept. Made by [`Builder`](crate::Builder).
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Workers, so transfers in flight at once: 1 to [`MAX_JOBS`].
    pub jobs: usize,
    pub method: Method,
    pub keep: Keep,
    pub durability: Durability,
    pub user_agent: String,
    pub headers: Vec<Header>,
    pub compression: Compression,
    /// Users and passwords of hosts.
    pub netrc: Netrc,
    pub limits: Limits,
    /// The whole run.
    pub deadline: Option<Duration>,
    /// How long the first job waits for the network to be there.
    pub wait_online: Option<Duration>,
    /// Further attempts after the first at each URL of a job, for what can pass.
    pub retries: u32,
    pub after_cut: AfterCut,
    pub max_redirects: u32,
    pub gates: Gates,
    pub on_failure: OnFailure,
    pub courtesy: Courtesy,
    /// Whether outcomes hold their jobs in the form of a list.
    pub tell_entries: bool,
    pub network: Network,
}

impl Config {
    /// Whether a body that was cut is gone on with.
    pub fn goes_on(&self) -> bool {
        let saves = matches!(self.keep, Keep::Save { .. }) && self.method == Method::Get;
        saves && self.after_cut == AfterCut::GoOn
    }

    /// Whether files are compared with what servers have.
    pub fn syncs(&self) -> bool {
        matches!(self.keep, Keep::Save { existing: Existing::Sync, .. }) && self.method == Method::Get
    }
}

/// How hosts, and whoever else is on the line, are spared, and what of that is asked of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Courtesy {
    /// Transfers at once from one host: 1 to [`MAX_JOBS`].
    pub per_host: Option<usize>,
    /// From one attempt that comes to a host to the next.
    pub interval: Option<Duration>,
    /// Bytes of bodies a second, of all transfers together.
    pub limit_rate: Option<u64>,
    /// Bytes a second that a body has to bring.
    pub min_speed: Option<u64>,
}

/// How the network is reached: all that the transport needs to know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    pub family: Family,
    pub reach: Reach,
    pub resolve: Vec<Resolve>,
    pub trust: Trust,
    pub proxies: Proxies,
}

/// The request method: smolget sends no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Ask for the body.
    #[default]
    Get,
    /// Ask for the head alone.
    Head,
}

/// Whether servers may compress bodies on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// They are not asked to, and a body that is coded all the same is kept as it came.
    #[default]
    Unasked,
    /// They are asked to, with gzip and deflate, and bodies are decoded; one that is coded otherwise fails.
    Asked,
}

/// What becomes of a body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Keep {
    /// Read and count it.
    Count,
    /// Hand it over with the outcome: in memory while it is small, in an unnamed temporary file when it is not.
    #[default]
    Hold,
    /// Save it as a file under a directory, which is made if it is missing.
    Save {
        /// The directory.
        dir: PathBuf,
        /// What to do where the file is there already.
        existing: Existing,
    },
}

/// What to do where a job's file is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Fetch, and replace it when the new body is complete and verified.
    #[default]
    Replace,
    /// Do not fetch.
    Skip,
    /// Ask whether it has changed, and replace it only by another. What servers say for that is remembered in a small file in
    /// the directory, `.smolget-state`, which one run at a time may have. Files are [`Synced`](Durability::Synced) then.
    Sync,
}

/// What a saved file outlives once its outcome is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The end of the program, however it comes. The system writes the file to the disk when it sees fit.
    #[default]
    Written,
    /// A power cut, too: file and folder were synced. Many files share one wait for the disk.
    Synced,
}

/// What becomes of a body that is to be saved and was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterCut {
    /// Nothing is left of it; the next attempt starts from the beginning.
    #[default]
    StartOver,
    /// The part that has come is left in a hidden file, and the next attempt, in this run or a later one, asks for the rest, if
    /// the server has a strong validator for the file.
    GoOn,
}

/// What a failed job does to the rest of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Nothing.
    #[default]
    GoOn,
    /// It stops the run.
    Stop,
}

/// The time limits of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Name look-up, TCP and TLS together.
    pub connect: Duration,
    /// The longest silence: no byte of head or body for this long.
    pub silence: Duration,
    /// The whole attempt, redirects included.
    pub total: Option<Duration>,
}

impl Default for Limits {
    /// 10 s to connect, 30 s of silence, no limit on the whole.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), silence: Duration::from_secs(30), total: None }
    }
}

/// Which addresses of a host are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// Both families, raced after RFC 8305.
    #[default]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

impl Family {
    /// Whether an address is of this family.
    #[must_use]
    pub fn takes(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// Which addresses are connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// All.
    #[default]
    Anywhere,
    /// Only those of the public internet: none that is loopback, private, link-local, multicast, unspecified or reserved
    /// (RFC 6890), nor one that holds such an IPv4 address. For URLs that strangers chose.
    Public,
}

/// An address to use for a host and port, instead of asking the resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolve {
    /// The host as a URL has it, in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Where to connect to.
    pub address: IpAddr,
}

/// Which certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Those below Mozilla's roots, which are built in.
    #[default]
    BuiltIn,
    /// Those below the PEM roots in a file.
    Pem(PathBuf),
    /// Those below the roots in the system's store.
    System,
    /// Any. Whoever is on the way can read and change everything.
    Anything,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            jobs: DEFAULT_JOBS,
            method: Method::default(),
            keep: Keep::default(),
            durability: Durability::default(),
            user_agent: USER_AGENT.to_owned(),
            headers: Vec::new(),
            compression: Compression::default(),
            netrc: Netrc::default(),
            limits: Limits::default(),
            deadline: None,
            wait_online: None,
            retries: 3,
            after_cut: AfterCut::default(),
            max_redirects: 10,
            gates: Gates::default(),
            on_failure: OnFailure::default(),
            courtesy: Courtesy::default(),
            tell_entries: false,
            network: Network::default(),
        }
    }
}
