//! The text of an option's value → the value, or `None` for what it does not take. Pure: names no option, tells nothing.

use std::net::IpAddr;
use std::time::Duration;

use smolget::{MAX_TIME, RATES, Resolve};

/// A whole number: digits and nothing else.
pub fn whole(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Bytes a second: a size above 0.
pub fn speed(text: &str) -> Option<u64> {
    smolget::parse_size(text).filter(|bytes| *bytes > 0)
}

/// A time above 0 and up to [`MAX_TIME`]: seconds, or a number with `ms`, `s`, `m` or `h`. The number may have a fraction;
/// what is below a billionth of its unit is dropped.
pub fn time(text: &str) -> Option<Duration> {
    // "ms" stands before the letters that it is made of.
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let with_unit = units.iter().find_map(|(suffix, millis)| Some((text.strip_suffix(suffix)?, *millis)));
    let (number, millis): (&str, u64) = with_unit.unwrap_or((text, 1000));
    let (units, fraction) = number.split_once('.').unwrap_or((number, ""));
    if units.is_empty() && fraction.is_empty() {
        return None;
    }
    let units = if units.is_empty() { 0 } else { whole(units)? };
    let time = Duration::from_millis(units.checked_mul(millis)?);
    // Below a billion times 3,600,000: far from overflow.
    let time = time.checked_add(Duration::from_nanos(billionths(fraction)? * millis / 1000))?;
    Some(time).filter(|time| !time.is_zero() && *time <= MAX_TIME)
}

/// A number of attempts a second, within [`RATES`]: digits, with a fraction or without.
pub fn rate(text: &str) -> Option<f64> {
    let (whole_part, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole_part = u32::try_from(whole(whole_part)?).ok()?;
    let fraction = u32::try_from(billionths(fraction)?).ok()?;
    let rate = f64::from(whole_part) + f64::from(fraction) / 1e9;
    Some(rate).filter(|rate| RATES.contains(rate))
}

/// The digits after the point, as billionths.
fn billionths(digits: &str) -> Option<u64> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let padded = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// `HOST:PORT:ADDR`. The host becomes what a URL makes of it: lower case, punycode. IPv6 addresses may stand in brackets;
/// as a host they must.
pub fn resolve(text: &str) -> Option<Resolve> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':')? };
    let (host, rest) = text.split_at_checked(end)?;
    let (port, address) = rest.strip_prefix(':')?.split_once(':')?;
    let port = u16::try_from(whole(port)?).ok().filter(|port| *port > 0)?;
    Some(Resolve { host: url_host(host)?, port, address: ip(address)? })
}

fn url_host(text: &str) -> Option<String> {
    if text.contains(['/', '\\', '?', '#', '@']) {
        return None;
    }
    let url = smolget::parse_url(&format!("http://{text}/")).ok()?;
    url.host_str().map(str::to_owned)
}

fn ip(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_a_unit_and_maybe_a_fraction() {
        for (text, nanos) in [
            ("1", 1_000_000_000),
            ("1.5", 1_500_000_000),
            (".5", 500_000_000),
            ("2.", 2_000_000_000),
            ("500ms", 500_000_000),
            ("0.5ms", 500_000),
            ("2s", 2_000_000_000),
            ("2m", 120_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("0.000000001", 1),
            ("0.1234567899", 123_456_789),
        ] {
            assert_eq!(time(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        assert_eq!(time("87600h"), Some(MAX_TIME));
        for bad in [
            "",
            ".",
            "s",
            "ms",
            "0",
            "0.0000000001",
            "-1",
            "+1",
            "1e3",
            "inf",
            "nan",
            "1d",
            "1 s",
            "1.5.5",
            "1.-5",
            "1S",
            "87600.1h",
            "18446744073709551615h",
            "99999999999999999999",
            "1µs",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_rate_is_a_number_with_or_without_a_fraction() {
        for (text, attempts) in [("5", 5.0), ("0.2", 0.2), ("2.", 2.0), ("0.001", 0.001), ("1000000", 1e6)] {
            assert!(rate(text).is_some_and(|rate| (rate - attempts).abs() < 1e-9), "{text}");
        }
        for bad in ["", ".", ".5", "0", "0.0009", "1000000.1", "-1", "+1", "1e3", "1/s", "inf", "nan", "4294967296"] {
            assert_eq!(rate(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_resolve_names_host_port_and_address() {
        for (text, host, port, address) in [
            ("example.org:443:127.0.0.1", "example.org", 443, "127.0.0.1"),
            ("Example.ORG:80:::1", "example.org", 80, "::1"),
            ("h:80:[2001:db8::1]", "h", 80, "2001:db8::1"),
            ("[::1]:8080:127.0.0.1", "[::1]", 8080, "127.0.0.1"),
            ("bücher.example:80:10.0.0.1", "xn--bcher-kva.example", 80, "10.0.0.1"),
        ] {
            let resolve = resolve(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((resolve.host.as_str(), resolve.port), (host, port));
            assert_eq!(resolve.address, address.parse::<IpAddr>().unwrap());
        }
        for bad in [
            "",
            "h",
            "h:80",
            "h:80:",
            ":80:1.2.3.4",
            "h:0:1.2.3.4",
            "h:65536:1.2.3.4",
            "h:http:1.2.3.4",
            "h:80:name",
            "h:80:[1.2.3.4]",
            "h:80:[::1",
            "[::1:80:1.2.3.4",
            "u@h:80:1.2.3.4",
            "h/a:80:1.2.3.4",
            "h:+80:1.2.3.4",
        ] {
            assert_eq!(resolve(bad), None, "{bad}");
        }
    }
}
