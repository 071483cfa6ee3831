//! Hosts and addresses: `--resolve`, `-4`, `-6`, and what no connection can be made to.

#![cfg(feature = "cli")]

mod support;

use std::net::Ipv6Addr;

use support::{Port, Reply, Server, error, smolget};

#[test]
fn a_resolved_host_is_connected_to_at_its_address() {
    let server = Server::always(Reply::ok("x"));
    let run = |args: &[&str], url: &str| smolget().args(["--json", "--discard"]).args(args).arg(url).run();
    run(&["--resolve", &server.resolve("h.test")], &server.url_as("h.test", "/")).exits(0);
    run(&["--resolve", &server.resolve("H.Test")], &server.url_as("h.TEST", "/upper")).exits(0);
    let host = format!("h.test:{}", server.port());
    assert_eq!(server.request("/").field("Host"), Some(host.as_str()));
}

#[test]
fn several_hosts_may_be_resolved() {
    let (one, two) = (Server::always(Reply::ok("1")), Server::always(Reply::ok("2")));
    let run = smolget().args(["--discard", "--resolve", &one.resolve("h.test"), "--resolve", &two.resolve("h.test")]);
    run.args([one.url_as("h.test", "/"), two.url_as("h.test", "/")]).run().exits(0);
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
}

#[test]
fn a_host_may_be_looked_up() {
    let server = Server::always(Reply::ok("x"));
    smolget().args(["--discard", "-4"]).arg(server.url_as("localhost", "/")).run().exits(0);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_host_that_can_have_no_address_is_a_dns_failure() {
    // No name has a label this long, so no resolver needs to be asked.
    let url = format!("http://{}.invalid/", "x".repeat(64));
    let row = smolget().args(["--json", "--retries", "0"]).arg(&url).run().exits(1).row();
    assert_eq!((error(&row), row.get("status")), ("dns", None));
}

#[test]
fn only_addresses_of_the_family_are_used() {
    let four = Server::always(Reply::ok("x"));
    let six = Server::start_at(Ipv6Addr::LOCALHOST.into(), |_| Reply::ok("x"));
    let run =
        |family: &str, url: String| smolget().args(["--json", "--discard", "--retries", "0", family]).arg(url).run();
    run("-4", four.url("/")).exits(0);
    run("-6", six.url("/")).exits(0);
    assert_eq!(error(&run("-6", four.url("/")).exits(1).row()), "dns");
    assert_eq!(error(&run("-4", six.url("/")).exits(1).row()), "dns");
    assert_eq!(six.request("/").field("Host"), Some(format!("[::1]:{}", six.port()).as_str()));
}

#[test]
fn a_resolved_address_of_the_other_family_is_none() {
    let server = Server::always(Reply::ok("x"));
    let run = |family: &str| {
        let args = ["--json", "--discard", "--retries", "0", "--resolve", &server.resolve("h.test"), family];
        smolget().args(args).arg(server.url_as("h.test", "/")).run()
    };
    run("-4").exits(0);
    assert_eq!(error(&run("-6").exits(1).row()), "dns");
}

#[test]
fn a_host_that_is_not_ascii_goes_out_as_punycode() {
    let server = Server::always(Reply::ok("x"));
    let run = smolget().args(["--discard", "--json", "--resolve", &server.resolve("xn--bcher-kva.test")]);
    let url = server.url_as("bücher.test", "/");
    let row = run.arg(&url).run().exits(0).row();
    let host = format!("xn--bcher-kva.test:{}", server.port());
    assert_eq!((server.request("/").field("Host"), &row["url"]), (Some(host.as_str()), &url.into()));
}

#[test]
fn a_port_that_refuses_is_a_connect_failure() {
    let port = Port::refusing();
    let row = smolget().args(["--json", "--retries", "0"]).arg(port.url("/")).run().exits(1).row();
    assert_eq!((error(&row), &row["attempts"], row.get("status")), ("connect", &1.into(), None));
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_build_without_tls_says_so() {
    let server = Server::always(Reply::ok("x"));
    let url = server.url("/").replace("http:", "https:");
    let row = smolget().arg("--json").arg(url).run().exits(1).row();
    assert_eq!((error(&row), server.requests().len()), ("tls", 0));
}

#[test]
fn with_deny_private_no_spelling_of_an_address_leads_into_this_machine() {
    let four = Server::always(Reply::ok("x"));
    let six = Server::start_at(Ipv6Addr::LOCALHOST.into(), |_| Reply::ok("x"));
    let run = |args: &[&str], url: &str| smolget().args(["--json", "--discard"]).args(args).arg(url).run();
    let resolve = four.resolve("h.test");
    for (server, host, args) in [
        (&four, "127.0.0.1", &[] as &[&str]),
        (&four, "2130706433", &[]),
        (&four, "0x7f.1", &[]),
        (&four, "0177.0.0.1", &[]),
        (&four, "0.0.0.0", &[]),
        (&four, "[::ffff:127.0.0.1]", &[]),
        (&four, "localhost", &["-4"]),
        (&four, "h.test", &["--resolve", &resolve]),
        (&six, "[::1]", &[]),
    ] {
        let url = server.url_as(host, "/");
        let before = server.connections();
        let output = run(&[args, &["--deny-private"]].concat(), &url).exits(1);
        let (row, port) = (output.row(), server.port());
        assert_eq!((error(&row), &row["attempts"]), ("connect", &1.into()), "{url}");
        let message = row["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("no connection to port {port}: --deny-private refuses ")), "{message}");
        assert_eq!(server.connections(), before, "{url}");
        // The twin: it is the option that keeps them apart.
        run(args, &url).exits(0);
        assert_eq!(server.connections(), before + 1, "{url}");
    }
}

#[test]
fn a_mirror_that_deny_private_refuses_is_passed_over_like_one_that_is_down() {
    let server = Server::always(Reply::ok("x"));
    let list = format!("http://10.0.0.1/\t{}\n", server.url("/"));
    let row = smolget().args(["--json", "--discard", "--deny-private"]).input(list).run().exits(1).row();
    assert_eq!((error(&row), &row["attempts"]), ("connect", &2.into()));
    assert!(row["message"].as_str().unwrap().contains("127.0.0.1, which is loopback"), "{row}");
    assert_eq!(server.connections(), 0);
}
