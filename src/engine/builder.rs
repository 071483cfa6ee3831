//! Options → a [`Fetcher`]: each is checked here, and nowhere after.

use std::time::Duration;

use super::Fetcher;
#[cfg(feature = "compressed")]
use crate::config::Compression;
use crate::config::{
    AfterCut, Config, Durability, Family, Keep, Limits, MAX_JOBS, MAX_TIME, Method, OnFailure, RATES, Reach, Resolve,
    Trust,
};
use crate::error::Error;
use crate::gates::Gates;
use crate::header::Header;
use crate::netrc::Netrc;
use crate::proxy::Proxies;

/// Sets up a [`Fetcher`]; made by [`Fetcher::builder`]. Values out of range are brought into it, as each setter says.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    config: Config,
}

impl Builder {
    /// How many workers there are, so how many transfers are in flight at once: 1 to [`MAX_JOBS`];
    /// [`DEFAULT_JOBS`](crate::DEFAULT_JOBS) unless set.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.config.jobs = jobs.clamp(1, MAX_JOBS);
        self
    }

    /// The request method; `GET` unless set.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.config.method = method;
        self
    }

    /// What becomes of the bodies; they are handed over with the outcome unless set.
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Self {
        self.config.keep = keep;
        self
    }

    /// What saved files outlive; the end of the program unless set. Only files that [`keep`](Self::keep) saves are meant.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.config.durability = durability;
        self
    }

    /// The `User-Agent`; [`USER_AGENT`](crate::USER_AGENT) unless set. Control characters in it are dropped.
    #[must_use]
    pub fn user_agent(mut self, product: impl Into<String>) -> Self {
        self.config.user_agent = product.into();
        self.config.user_agent.retain(|c| !c.is_control());
        self
    }

    /// Adds a header to every request, in place of the one that would be sent anyway. When a redirect leaves the origin it
    /// stays behind, unless it is `Accept`, `Accept-Language` or `User-Agent`.
    #[must_use]
    pub fn header(mut self, header: Header) -> Self {
        self.config.headers.push(header);
        self
    }

    /// Users and passwords for hosts; none unless set. A URL's own go before them, and so does an `Authorization` header. They are
    /// sent as Basic credentials to hosts that jobs name, and over TLS also to those that a redirect leads to.
    #[must_use]
    pub fn netrc(mut self, netrc: Netrc) -> Self {
        self.config.netrc = netrc;
        self
    }

    /// The time limits of an attempt, each at most [`MAX_TIME`]; [`Limits::default`] unless set. A limit of zero has passed
    /// before it starts.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        let Limits { connect, silence, total } = limits;
        let total = total.map(|total| total.min(MAX_TIME));
        self.config.limits = Limits { connect: connect.min(MAX_TIME), silence: silence.min(MAX_TIME), total };
        self
    }

    /// The longest time for the whole run, at most [`MAX_TIME`]; none unless set. What is in flight then fails with
    /// [`Phase::Deadline`](crate::Phase::Deadline), what has not begun is interrupted.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.config.deadline = Some(deadline.min(MAX_TIME));
        self
    }

    /// How long to wait before the first job until its host, or the proxy before that, takes a connection or refuses one, for
    /// runs that may start before the network is there; what this machine refuses itself is waited for; at most [`MAX_TIME`], not at all unless set. When the time is over the run goes on all the
    /// same. It is no part of any job's time, but of the [`deadline`](Self::deadline).
    #[must_use]
    pub fn wait_online(mut self, time: Duration) -> Self {
        self.config.wait_online = Some(time.min(MAX_TIME));
        self
    }

    /// Further attempts after the first at each URL of a job, for what can pass; 3 unless set.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.config.retries = retries;
        self
    }

    /// What becomes of a body that was cut; nothing unless set. Only files that [`keep`](Self::keep) saves are meant.
    #[must_use]
    pub fn after_cut(mut self, after_cut: AfterCut) -> Self {
        self.config.after_cut = after_cut;
        self
    }

    /// How many redirects an attempt follows; 10 unless set. With 0 a redirect is the result, and a failure.
    #[must_use]
    pub fn max_redirects(mut self, redirects: u32) -> Self {
        self.config.max_redirects = redirects;
        self
    }

    /// Whether servers may compress bodies on their way; they are not asked to unless set. A body is then counted, limited and
    /// digested as it is kept, decoded; one that is not what it says fails with kind
    /// [`Encoding`](crate::ErrorKind::Encoding). Where the feature `compressed` is off there is no such setting.
    #[cfg(feature = "compressed")]
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.config.compression = compression;
        self
    }

    /// The longest body that is taken, in bytes; no limit unless set. A longer one fails, with 0 every one that has a byte.
    #[must_use]
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.config.gates.max_size = Some(bytes);
        self
    }

    /// What every body has to be like to be kept, in place of what was set before, [`max_size`](Self::max_size) too; anything is
    /// unless set. A job's own [`gates`](crate::Job::gates) go before these.
    #[must_use]
    pub fn gates(mut self, gates: Gates) -> Self {
        self.config.gates = gates;
        self
    }

    /// How many transfers are in flight at once from one host, 1 to [`MAX_JOBS`]; no limit but that of all
    /// [`jobs`](Self::jobs) unless set. A host is what a job's URL or mirror names, or a redirect, with its scheme and port.
    /// Others' jobs overtake those that wait for their turn, some 256 jobs ahead at most.
    #[must_use]
    pub fn per_host(mut self, transfers: usize) -> Self {
        self.config.courtesy.per_host = Some(transfers.clamp(1, MAX_JOBS));
        self
    }

    /// How many attempts are begun a second at one host, within [`RATES`]; no limit unless set. They are spread evenly. A host is
    /// as for [`per_host`](Self::per_host): an attempt that is redirected to another counts there, too, and the further requests
    /// at one host do not.
    #[must_use]
    pub fn rate(mut self, attempts_a_second: f64) -> Self {
        // What is no number is neither greater nor less, and becomes the least.
        let rate =
            if attempts_a_second > *RATES.start() { attempts_a_second.min(*RATES.end()) } else { *RATES.start() };
        self.config.courtesy.interval = Some(Duration::from_secs_f64(rate.recip()));
        self
    }

    /// How many bytes of bodies arrive a second, of all transfers together, at least 1; no limit unless set. The transfers have
    /// equal shares, as far as their servers keep up. What counts of a coded body is what is sent. What the system's buffers hold may have
    /// come from the network sooner.
    #[must_use]
    pub fn limit_rate(mut self, bytes_a_second: u64) -> Self {
        self.config.courtesy.limit_rate = Some(bytes_a_second.max(1));
        self
    }

    /// How many bytes a second a body has to bring, as a mean over 30 s; no limit unless set. A slower one fails as a timeout of
    /// its [`Body`](crate::Phase::Body), and is tried again. Time that [`limit_rate`](Self::limit_rate) takes is not counted.
    #[must_use]
    pub fn min_speed(mut self, bytes_a_second: u64) -> Self {
        self.config.courtesy.min_speed = Some(bytes_a_second);
        self
    }

    /// What a failed job does to the rest of the run; nothing unless set.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.config.on_failure = on_failure;
        self
    }

    /// Has outcomes hold their jobs as they would stand in a list, to be fed in again: [`Outcome::entry`](crate::Outcome::entry).
    /// They do not unless set.
    #[must_use]
    pub fn tell_entries(mut self) -> Self {
        self.config.tell_entries = true;
        self
    }

    /// Which addresses are used; those of both families unless set.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.config.network.family = family;
        self
    }

    /// Which addresses are connected to; all unless set. It goes for every hop and mirror, and for addresses that
    /// [`resolve`](Self::resolve) names; a job for which none is left fails with kind [`Connect`](crate::ErrorKind::Connect).
    #[must_use]
    pub fn reach(mut self, reach: Reach) -> Self {
        self.config.network.reach = reach;
        self
    }

    /// Adds an address to use for a host and port instead of asking the resolver.
    #[must_use]
    pub fn resolve(mut self, resolve: Resolve) -> Self {
        self.config.network.resolve.push(resolve);
        self
    }

    /// Which certificates are believed; those below Mozilla's roots unless set.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.config.network.trust = trust;
        self
    }

    /// Which requests go through which proxy; none unless set. The environment is not asked. A proxy looks hosts up itself:
    /// [`resolve`](Self::resolve) and [`family`](Self::family) then go for the proxy's own host.
    #[must_use]
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.config.network.proxies = proxies;
        self
    }

    /// Reads the roots that [`trust`](Self::trust) names and makes the fetcher. Nothing is sent and no file made.
    ///
    /// # Errors
    ///
    /// Kind [`Tls`](crate::ErrorKind::Tls) if the roots can't be read or there is none among them, and
    /// [`Url`](crate::ErrorKind::Url) if the headers can't be sent together: two of them are `Host`. Kind
    /// [`Connect`](crate::ErrorKind::Connect) if there is a proxy and [`reach`](Self::reach) is [`Reach::Public`]: what a proxy
    /// connects to can't be known.
    pub fn build(self) -> Result<Fetcher, Error> {
        Fetcher::new(self.config)
    }
}
