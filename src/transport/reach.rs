//! The addresses of a host → those that may be connected to.
//!
//! Judged is what is connected to, never how it was spelled: a name that resolves to an address of this network, a number
//! that the URL's rules read as one, an IPv4 address inside an IPv6 one, and the target of a redirect are all the same here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::config::Reach;
use crate::error::{Error, ErrorKind};

/// What is left of a host's addresses; at least one.
///
/// # Errors
///
/// Kind [`Connect`](ErrorKind::Connect) if none of them may be connected to; another attempt would not help.
pub(super) fn admit(reach: Reach, addresses: Arc<[IpAddr]>, port: u16) -> Result<Arc<[IpAddr]>, Error> {
    let refused = match reach {
        Reach::Anywhere => None,
        Reach::Public => addresses.iter().find_map(|&address| Some((address, inward(address)?))),
    };
    let Some((address, what)) = refused else { return Ok(addresses) };
    let admitted: Arc<[IpAddr]> = addresses.iter().copied().filter(|&address| inward(address).is_none()).collect();
    if admitted.is_empty() {
        let message = format!("no connection to port {port}: --deny-private refuses {address}, which is {what}");
        return Err(Error::new(ErrorKind::Connect, message).hopeless());
    }
    Ok(admitted)
}

/// What an address is, if it does not lead to the public internet.
fn inward(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => inward_v4(address),
        IpAddr::V6(address) => inward_v6(address),
    }
}

/// After the registry of special-purpose addresses (RFC 6890): whatever is not globally reachable.
fn inward_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, 0, 0, 0] => Some("unspecified"),
        [127, ..] => Some("loopback"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some("private"),
        // RFC 6598: between a provider and its customers.
        [100, 64..=127, ..] => Some("private"),
        [169, 254, ..] => Some("link-local"),
        [224..=239, ..] => Some("multicast"),
        // This network; protocol assignments; 6to4 relays (RFC 7526); documentation; benchmarks; the rest, broadcast included.
        [0, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [198, 18..=19, ..]
        | [240..=255, ..] => Some("reserved"),
        _ => None,
    }
}

fn inward_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(inner) = embedded(address) {
        return inward_v4(inner);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        // Unique local (RFC 4193), site-local (RFC 3879), a translator's own network (RFC 8215).
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] | [0x64, 0xff9b, 1, ..] => Some("private"),
        // Only 2000::/3 is given out; not public in it are protocol assignments and documentation (RFC 3849, RFC 9637).
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("reserved"),
        [0x2000..=0x3fff, ..] => None,
        _ => Some("reserved"),
    }
}

/// The IPv4 address that packets to an IPv6 one end at: mapped and compatible (RFC 4291), translated (RFC 2765),
/// behind a translator (RFC 6052), behind a 6to4 router (RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        // Compatible, but for `::` and `::1`.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => (high, low),
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => (high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(address: &str) -> Option<&'static str> {
        inward(address.parse().unwrap())
    }

    #[test]
    fn addresses_of_every_kind_of_network_that_is_not_public_are_told_by_name() {
        for (what, addresses) in [
            ("unspecified", "0.0.0.0 :: ::ffff:0.0.0.0"),
            ("loopback", "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 ::127.0.0.1 ::ffff:0:127.0.0.1"),
            ("loopback", "64:ff9b::7f00:1 2002:7f00:1::1"),
            ("private", "10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255"),
            ("private", "fc00::1 fdff::1 fec0::1 64:ff9b:1::1 ::ffff:10.0.0.1 64:ff9b::a00:1 2002:c0a8:1::"),
            ("link-local", "169.254.0.1 169.254.169.254 fe80::1 febf::1 ::ffff:169.254.169.254"),
            ("multicast", "224.0.0.1 239.255.255.255 ff02::1 ::ffff:224.0.0.1"),
            ("reserved", "0.1.2.3 192.0.0.1 192.0.2.1 192.88.99.1 198.51.100.1 203.0.113.1 198.18.0.1 198.19.255.255"),
            ("reserved", "240.0.0.1 255.255.255.255 2001::1 2001:db8::1 3fff::1 100::1 4000::1 5f00::1"),
        ] {
            for address in addresses.split(' ') {
                assert_eq!(is(address), Some(what), "{address}");
            }
        }
    }

    #[test]
    fn addresses_just_beside_those_are_public() {
        for address in "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
                        169.253.0.1 172.15.0.1 172.32.0.1 192.0.1.0 192.167.0.1 198.17.0.1 198.20.0.1 203.0.112.1 \
                        223.255.255.255 2001:200::1 2001:4860::1 2606::1 3ffe::1 ::ffff:1.1.1.1 64:ff9b::101:101 \
                        2002:101:101::1"
            .split_whitespace()
        {
            assert_eq!(is(address), None, "{address}");
        }
    }

    #[test]
    fn of_a_host_with_both_only_the_public_addresses_are_left() {
        let addresses = |text: &str| -> Arc<[IpAddr]> { text.split(' ').map(|one| one.parse().unwrap()).collect() };
        let mixed = addresses("127.0.0.1 1.1.1.1 ::1 2606::1");
        assert_eq!(*admit(Reach::Public, Arc::clone(&mixed), 80).unwrap(), *addresses("1.1.1.1 2606::1"));
        assert_eq!(*admit(Reach::Anywhere, Arc::clone(&mixed), 80).unwrap(), *mixed);
        let error = admit(Reach::Public, addresses("::ffff:127.0.0.1 10.0.0.1"), 81).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        let message = "no connection to port 81: --deny-private refuses ::ffff:127.0.0.1, which is loopback";
        assert_eq!(error.to_string(), message);
    }
}
