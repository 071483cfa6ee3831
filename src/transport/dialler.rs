//! A host, or the proxy before it → a TCP connection, within a time limit: look-up, the addresses that may be connected to,
//! the first of them to answer.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_io::Timer;
use surf::Url;
use surf::http::url::Host;

use super::lead::Lead;
use super::pool::Pool;
use super::resolver::Resolver;
use super::{dial, reach, tunnel};
use crate::config::{Network, Reach};
use crate::error::{Error, ErrorKind, Phase};
use crate::proxy::{Proxies, Proxy};
use crate::race::{Guard, Race};
use crate::reactor::Tcp;
use crate::spare::{self, is_out_of_descriptors};
use crate::text::{escape, seconds};

/// Makes connections.
#[derive(Debug)]
pub(crate) struct Dialler {
    resolver: Resolver,
    reach: Reach,
    proxies: Proxies,
    /// Whose idle connections make room for new ones.
    pool: Arc<Pool>,
}

/// A connection on its way.
type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Tcp, Error>> + Send + 'a>>;

impl Dialler {
    pub(super) fn new(network: &Network, pool: Arc<Pool>) -> Self {
        Self { resolver: Resolver::new(network), reach: network.reach, proxies: network.proxies.clone(), pool }
    }

    /// The proxy that requests for a URL go through.
    pub(super) fn proxy(&self, url: &Url) -> Option<&Arc<Proxy>> {
        self.proxies.of(url)
    }

    /// Connects to a URL's host, or to the proxy before it, and hangs up. One that refuses is there as well, unless it is this
    /// machine itself: that tells nothing of a network, and what listens here may be about to start.
    ///
    /// # Errors
    ///
    /// Why it can't be reached, or not within this time.
    pub async fn knock(&self, url: &Url, within: Duration) -> Result<(), Error> {
        let place = match self.proxies.of(url) {
            Some(proxy) => Some((proxy.host(), proxy.port)),
            None => url.host().zip(url.port_or_known_default()),
        };
        let (host, port) = place.ok_or_else(|| Error::new(ErrorKind::Url, "the URL names no host"))?;
        let budget = &mut Budget::new(within);
        match self.host(budget, host.clone(), port).await {
            Err(error) if is_refused(&error) => {
                // It was asked for just now, and so is at hand.
                let addresses = budget.spend(Phase::Dns, self.resolver.addresses(host, port)).await??;
                if is_remote(&addresses) { Ok(()) } else { Err(error) }
            }
            connected => connected.map(drop),
        }
    }

    /// A connection that leads to a host.
    pub(super) async fn socket(&self, budget: &mut Budget, host: Host<&str>, lead: &Lead) -> Result<Tcp, Error> {
        match lead {
            Lead::Direct(origin) => self.host(budget, host, origin.port).await,
            Lead::Forward(proxy) | Lead::Tunnel(proxy, _) => {
                let through = self.through(budget, proxy, host, lead).await;
                through.map_err(|error| error.behind(format_args!("proxy {proxy}")))
            }
        }
    }

    /// Connects to a proxy, and by way of it to the host if the lead goes there. The host is not looked up here.
    async fn through(&self, budget: &mut Budget, proxy: &Proxy, host: Host<&str>, lead: &Lead) -> Result<Tcp, Error> {
        let mut socket = self.host(budget, proxy.host(), proxy.port).await?;
        if let Lead::Tunnel(_, origin) = lead {
            let open = Box::pin(tunnel::open(&mut socket, proxy, host, origin.port));
            budget.spend(Phase::Connect, open).await??;
        }
        Ok(socket)
    }

    /// Looks a host up and connects to it.
    ///
    /// Behind a pointer: three ways lead here, and each would have all of it in the program once more.
    fn host<'a>(&'a self, budget: &'a mut Budget, host: Host<&'a str>, port: u16) -> Connecting<'a> {
        Box::pin(async move {
            let look_up = self.resolver.addresses(host.clone(), port);
            let addresses = reach::admit(self.reach, budget.spend(Phase::Dns, look_up).await??, port)?;
            log::debug!("{}: connecting to {addresses:?}", escape(&host.to_string()));
            let dial = self.dial(&addresses, port);
            budget.spend(Phase::Connect, dial).await?.map_err(|error| connect_error(error, port))
        })
    }

    /// Connects. Where the process is out of descriptors, an idle connection makes room, or another transfer that ends.
    async fn dial(&self, addresses: &[IpAddr], port: u16) -> io::Result<Tcp> {
        loop {
            match dial::dial(addresses, port).await {
                Err(error) if is_out_of_descriptors(&error) => {
                    if !self.pool.evict() {
                        Timer::after(spare::PAUSE).await;
                    }
                }
                dialled => return dialled,
            }
        }
    }
}

/// The time limit that the steps of connecting share.
pub(super) struct Budget {
    limit: Duration,
    timer: Timer,
}

/// What is left of a budget, for one step.
pub(super) struct Spent<'a> {
    budget: &'a mut Budget,
    phase: Phase,
}

impl Budget {
    pub fn new(limit: Duration) -> Self {
        Self { limit, timer: Timer::after(limit) }
    }

    /// The step's output, if there is time enough left for it.
    pub fn spend<F: Future>(&mut self, phase: Phase, step: F) -> Race<F, Spent<'_>> {
        Race::new(step, Spent { budget: self, phase })
    }
}

impl Guard for Spent<'_> {
    type End = Error;

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        Pin::new(&mut self.budget.timer).poll(cx).map(|_| connect_timeout(self.phase, self.budget.limit))
    }
}

fn connect_timeout(phase: Phase, limit: Duration) -> Error {
    let step = match phase {
        Phase::Dns => "no answer to the name look-up",
        Phase::Tls => "no end of the TLS handshake",
        _ => "no TCP connection",
    };
    let message = format!("{step} within {}; raise --connect-timeout to wait longer", seconds(limit));
    Error::new(ErrorKind::Timeout(phase), message)
}

/// Whether whoever is there takes no connection.
fn is_refused(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Whether none of these addresses is one by which a machine means itself.
fn is_remote(addresses: &[IpAddr]) -> bool {
    let mut addresses = addresses.iter().map(IpAddr::to_canonical);
    !addresses.any(|address| address.is_loopback() || address.is_unspecified())
}

fn connect_error(error: io::Error, port: u16) -> Error {
    Error::new(ErrorKind::Connect, format!("no connection to port {port}: {error}")).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_itself_by_whatever_address() {
        let is_remote = |addresses: &[&str]| {
            let addresses: Vec<_> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            is_remote(&addresses)
        };
        for here in ["127.0.0.1", "127.1.2.3", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"] {
            assert!(!is_remote(&[here]), "{here}");
            assert!(!is_remote(&["192.0.2.1", here]), "{here}");
        }
        assert!(is_remote(&["192.0.2.1", "2001:db8::1", "10.0.0.1", "::ffff:10.0.0.1"]));
    }
}
