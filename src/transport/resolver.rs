//! Host → addresses: pinned ones, literals, and what getaddrinfo says.
//!
//! getaddrinfo blocks and can't be cancelled, so it runs on threads of its own, one look-up a host at a time;
//! whoever else wants that host waits for the same answer, and a stuck look-up holds up nobody who wants another. An
//! answer is kept for about a minute: getaddrinfo does not tell the record's own time to live.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use dns_lookup::{AddrFamily, AddrInfoHints, LookupErrorKind, SockType};
use surf::http::url::Host;

use crate::config::{Family, Network, Resolve};
use crate::error::{Error, ErrorKind};
use crate::offload::{Lane, unblock};
use crate::sync::lock;
use crate::text;

/// How long an answer is used.
const KEEP: Duration = Duration::from_secs(60);
/// How long it is known that there is no such host: enough that its jobs do not each ask.
const KEEP_FAILURE: Duration = Duration::from_secs(2);
/// How long a failure is kept that may pass: enough for jobs that fail together, and less than the shortest wait before
/// another attempt, which is 500 ms and would be wasted on the old failure.
const KEEP_PASSING_FAILURE: Duration = Duration::from_millis(400);
/// How many hosts are remembered, so that a list of a million hosts needs no more memory than one of a thousand.
const MAX_HOSTS: usize = 1024;

/// Finds the addresses of hosts, and remembers them for a while.
#[derive(Debug)]
pub(super) struct Resolver {
    pinned: Vec<Resolve>,
    family: Family,
    hosts: Arc<Mutex<Hosts>>,
}

type Hosts = HashMap<String, Known>;
type Answer = Result<Arc<[IpAddr]>, NoAddress>;

#[derive(Debug)]
enum Known {
    /// The look-up waits for its turn or is under way. The channel closes when the answer is there; whoever waits for that
    /// has a receiver beside this one.
    Asked(Receiver<()>),
    Answered {
        answer: Answer,
        until: Instant,
    },
}

/// Why there is no address.
#[derive(Debug, Clone)]
struct NoAddress {
    message: String,
    may_pass: bool,
}

impl Resolver {
    pub fn new(network: &Network) -> Self {
        Self { pinned: network.resolve.clone(), family: network.family, hosts: Arc::default() }
    }

    /// The addresses to try for `host`, in the resolver's order; at least one.
    ///
    /// # Errors
    ///
    /// Kind [`Dns`](ErrorKind::Dns) if there is none.
    pub async fn addresses(&self, host: Host<&str>, port: u16) -> Result<Arc<[IpAddr]>, Error> {
        let name = host.to_string();
        let pinned: Vec<IpAddr> =
            self.pinned.iter().filter(|pin| pin.port == port && pin.host == name).map(|pin| pin.address).collect();
        if !pinned.is_empty() {
            return self.of_family(&name, pinned.into());
        }
        match host {
            Host::Ipv4(address) => self.of_family(&name, [IpAddr::V4(address)].into()),
            Host::Ipv6(address) => self.of_family(&name, [IpAddr::V6(address)].into()),
            Host::Domain(_) => self.look_up(name).await,
        }
    }

    /// What is left of given addresses when `-4` or `-6` asks for one family.
    fn of_family(&self, name: &str, addresses: Arc<[IpAddr]>) -> Result<Arc<[IpAddr]>, Error> {
        if addresses.iter().all(|&address| self.family.takes(address)) {
            return Ok(addresses);
        }
        let kept: Arc<[IpAddr]> = addresses.iter().copied().filter(|&address| self.family.takes(address)).collect();
        if kept.is_empty() {
            let message = format!("{} has no address of the family asked for", text::escape(name));
            return Err(Error::new(ErrorKind::Dns, message).hopeless());
        }
        Ok(kept)
    }

    async fn look_up(&self, name: String) -> Result<Arc<[IpAddr]>, Error> {
        loop {
            match self.known_or_ask(&name) {
                Known::Answered { answer, .. } => {
                    return answer.map_err(|failure| failure.into_error(&name));
                }
                // Nothing is ever sent: the look-up drops its end when it is done.
                Known::Asked(done) => drop(done.recv().await),
            }
        }
    }

    /// What is known of a host. If that is nothing, a look-up is begun.
    fn known_or_ask(&self, name: &str) -> Known {
        let mut hosts = lock(&self.hosts);
        match hosts.get(name) {
            Some(Known::Asked(done)) if !done.is_closed() => return Known::Asked(done.clone()),
            Some(Known::Answered { answer, until }) if *until > Instant::now() => {
                return Known::Answered { answer: answer.clone(), until: *until };
            }
            // Nothing, or too old, or a look-up that broke off: it closed the channel and left no answer.
            _ => {}
        }
        make_room(&mut hosts);
        let (begun, done) = async_channel::bounded(1);
        hosts.insert(name.to_owned(), Known::Asked(done.clone()));
        // Where no thread can be made the look-up is done in `begin`, and needs the lock.
        drop(hosts);
        self.begin(name.to_owned(), begun);
        Known::Asked(done)
    }

    fn begin(&self, name: String, begun: Sender<()>) {
        log::debug!("looking up {}", text::escape(&name));
        let (hosts, family) = (Arc::clone(&self.hosts), self.family);
        // Whoever waits may give up; what is under way then is of use to the next one.
        unblock(Lane::LookUp, move || {
            if is_wanted(&hosts, &name, &begun) {
                let answer = ask(&name, family);
                let until = Instant::now() + keep(&answer);
                lock(&hosts).insert(name, Known::Answered { answer, until });
            }
        })
        .detach();
    }
}

/// Whether anybody waits for a look-up whose turn has come. If not, it is forgotten: where name servers are silent, the
/// look-ups of jobs that have long given up would stand before those of jobs that still wait.
fn is_wanted(hosts: &Mutex<Hosts>, name: &str, begun: &Sender<()>) -> bool {
    let mut hosts = lock(hosts);
    // Receivers are made under the lock, so none comes between the count and the removal.
    let is_wanted = begun.receiver_count() > 1;
    if !is_wanted {
        hosts.remove(name);
    }
    is_wanted
}

fn keep(answer: &Answer) -> Duration {
    match answer {
        Ok(_) => KEEP,
        Err(failure) if failure.may_pass => KEEP_PASSING_FAILURE,
        Err(_) => KEEP_FAILURE,
    }
}

/// Forgets old answers when there are many; look-ups under way stay, somebody waits for them.
fn make_room(hosts: &mut Hosts) {
    if hosts.len() < MAX_HOSTS {
        return;
    }
    let now = Instant::now();
    hosts.retain(|_, known| matches!(known, Known::Answered { until, .. } if *until > now) || is_asked(known));
    if hosts.len() >= MAX_HOSTS {
        hosts.retain(|_, known| is_asked(known));
    }
}

fn is_asked(known: &Known) -> bool {
    matches!(known, Known::Asked(done) if !done.is_closed())
}

/// Asks the system. Blocks for as long as that takes: 30 s and more where name servers don't answer.
fn ask(name: &str, family: Family) -> Answer {
    let family = match family {
        Family::Any => 0,
        Family::V4 => AddrFamily::Inet.into(),
        Family::V6 => AddrFamily::Inet6.into(),
    };
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), address: family, ..AddrInfoHints::default() };
    let found = dns_lookup::getaddrinfo(Some(name), None, Some(hints)).map_err(|error| {
        let may_pass = !matches!(error.kind(), LookupErrorKind::NoName | LookupErrorKind::NoData);
        // What std makes of the error ends in the C library's own words for it.
        NoAddress { message: std::io::Error::from(error).to_string(), may_pass }
    })?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.flatten().map(|info| info.sockaddr.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(NoAddress { message: "the answer holds no address".to_owned(), may_pass: false });
    }
    Ok(addresses.into())
}

impl NoAddress {
    fn into_error(self, name: &str) -> Error {
        let message = format!("no address for {}: {}", text::escape(name), text::escape(&self.message));
        let error = Error::new(ErrorKind::Dns, message);
        if self.may_pass { error } else { error.hopeless() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(network: &Network, host: &str) -> Result<Arc<[IpAddr]>, Error> {
        let host = Host::parse(host).unwrap();
        let host = match &host {
            Host::Domain(name) => Host::Domain(name.as_str()),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        };
        crate::reactor::block_on(Resolver::new(network).addresses(host, 80))
    }

    #[test]
    fn a_pinned_address_needs_no_resolver() {
        let address = IpAddr::from([127, 0, 0, 9]);
        let pin = Resolve { host: "name.invalid".to_owned(), port: 80, address };
        let network = Network { resolve: vec![pin], ..Network::default() };
        assert_eq!(*addresses(&network, "name.invalid").unwrap(), [address]);
        assert_eq!(addresses(&network, "other.invalid").unwrap_err().kind(), ErrorKind::Dns);
    }

    #[test]
    fn a_literal_of_the_wrong_family_is_no_address() {
        let network = Network { family: Family::V6, ..Network::default() };
        assert_eq!(addresses(&network, "127.0.0.1").unwrap_err().kind(), ErrorKind::Dns);
        assert_eq!(*addresses(&network, "[::1]").unwrap(), [IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]);
    }

    #[test]
    fn localhost_is_looked_up_once_and_remembered() {
        let resolver = Resolver::new(&Network { family: Family::V4, ..Network::default() });
        let ask = || crate::reactor::block_on(resolver.addresses(Host::Domain("localhost"), 80)).unwrap();
        assert_eq!(*ask(), [IpAddr::from([127, 0, 0, 1])]);
        assert!(matches!(resolver.known_or_ask("localhost"), Known::Answered { .. }));
        assert_eq!(*ask(), [IpAddr::from([127, 0, 0, 1])]);
    }

    #[test]
    fn a_look_up_that_broke_off_is_done_again() {
        let resolver = Resolver::new(&Network { family: Family::V4, ..Network::default() });
        let (begun, done) = async_channel::bounded(1);
        lock(&resolver.hosts).insert("localhost".to_owned(), Known::Asked(done));
        drop(begun);
        let found = crate::reactor::block_on(resolver.addresses(Host::Domain("localhost"), 80)).unwrap();
        assert_eq!(*found, [IpAddr::from([127, 0, 0, 1])]);
    }

    #[test]
    fn a_look_up_that_nobody_waits_for_is_not_begun() {
        let hosts = Mutex::<Hosts>::default();
        let (begun, done) = async_channel::bounded(1);
        lock(&hosts).insert("host".to_owned(), Known::Asked(done.clone()));
        assert!(is_wanted(&hosts, "host", &begun));
        assert!(lock(&hosts).contains_key("host"));
        drop(done);
        assert!(!is_wanted(&hosts, "host", &begun));
        assert!(lock(&hosts).is_empty());
    }

    #[test]
    fn a_failure_that_may_pass_is_forgotten_before_the_next_attempt() {
        let failure = |may_pass| keep(&Err(NoAddress { message: String::new(), may_pass }));
        assert!(failure(true) < Duration::from_millis(500));
        assert_eq!(failure(false), Duration::from_secs(2));
        assert_eq!(keep(&Ok([].into())), Duration::from_secs(60));
    }

    #[test]
    fn what_is_remembered_stays_bounded() {
        let mut hosts = Hosts::new();
        let until = Instant::now() + KEEP;
        for n in 0..MAX_HOSTS {
            let answer = Ok([IpAddr::from([127, 0, 0, 1])].into());
            hosts.insert(n.to_string(), Known::Answered { answer, until });
        }
        let (_begun, done) = async_channel::bounded(1);
        hosts.insert("asked".to_owned(), Known::Asked(done));
        make_room(&mut hosts);
        assert_eq!(hosts.len(), 1);
    }
}
