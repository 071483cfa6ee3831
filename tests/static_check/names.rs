//! A name server for one zone, and the checks of names: from `hosts`, from the server, and from nowhere.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;

use crate::program::{Program, row};
use crate::site::Site;
use crate::{Check, Verdict};

/// What the programs find in `/etc/hosts`.
pub const HOSTS: &str = "127.0.0.1 localhost\n127.0.0.1 hosts.test\n";
/// What the programs find in `/etc/resolv.conf`.
pub const RESOLV_CONF: &str = "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n";

pub const CHECKS: [Check; 6] = [
    ("a name in /etc/hosts", |program, site| found(program, site, "hosts.test")),
    ("a name of the name server", |program, site| found(program, site, "served.test")),
    ("a name that isn't ASCII", |program, site| found(program, site, "b\u{fc}cher.test")),
    ("a name that there isn't", |program, site| not_found(program, site, "gone.test")),
    ("a name without an address", |program, site| not_found(program, site, "empty.test")),
    ("a name server that is silent", silent),
];

/// The length of a message's head (RFC 1035, section 4.1.1).
const HEAD: usize = 12;
/// Codes of answers (RFC 1035, section 4.1.1).
const NO_ERROR: u8 = 0;
const NX_DOMAIN: u8 = 3;

/// A name server, which lasts as long as the process.
pub struct Names;

impl Names {
    /// Answers at port 53 of the loopback.
    pub fn serve() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).expect("the network is of our own");
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((count, from)) = socket.recv_from(&mut query) {
                if let Some(answer) = answer(&query[..count]) {
                    // Whoever has ended reads no answer.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self
    }
}

/// What is said to a query, in the form of RFC 1035, section 4.1: one question, at most one address.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let (name, length) = name(query.get(HEAD..)?)?;
    // Behind the name are the type and the class.
    let question = query.get(HEAD..HEAD + length + 4)?;
    let is_for_v4 = question[length..length + 2] == [0, 1];
    let (code, has_address) = match name.as_str() {
        "silent.test" => return None,
        "served.test" | "xn--bcher-kva.test" => (NO_ERROR, is_for_v4),
        "empty.test" => (NO_ERROR, false),
        _ => (NX_DOMAIN, false),
    };
    let head = [query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, u8::from(has_address), 0, 0, 0, 0];
    // The name is the question's, of type A and class IN, good for a minute, of four bytes.
    let record = [0xc0, HEAD as u8, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1];
    let records: &[u8] = if has_address { &record } else { &[] };
    Some([&head, question, records].concat())
}

/// The name that a question begins with, and how many bytes that takes.
fn name(question: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 0);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_lowercase());
        at += length;
    }
}

fn found(program: &Program, site: &Site, host: &str) -> Verdict {
    let output = program.run(&["--json", "--discard", "--retries", "0", &site.http.url_as(host, "/small")], "")?;
    let row = row(&output)?;
    if row["ok"] == true { Ok(row["bytes"].to_string()) } else { Err(row.to_string()) }
}

fn not_found(program: &Program, site: &Site, host: &str) -> Verdict {
    let output = program.run(&["--json", "--discard", &site.http.url_as(host, "/small")], "")?;
    let row = row(&output)?;
    // One attempt: it is known that there is no such name.
    if row["error"] == "dns" && row["attempts"] == 1 { Ok("dns".to_owned()) } else { Err(row.to_string()) }
}

fn silent(program: &Program, site: &Site) -> Verdict {
    let url = site.http.url_as("silent.test", "/small");
    let output = program.run(&["--json", "--discard", "--retries", "0", "--connect-timeout", "500ms", &url], "")?;
    let row = row(&output)?;
    let is_right = row["error"] == "timeout" && row["phase"] == "dns";
    if is_right { Ok("timeout in dns".to_owned()) } else { Err(row.to_string()) }
}
