//! How many jobs are in flight at once.

#![cfg(feature = "cli")]

mod support;

use support::{Gate, Reply, Running, Server, ms, smolget};

/// A run of this many jobs that are all held by the gate.
fn held(server: &Server, jobs: usize, args: &[&str]) -> Running {
    let list: String = (0..jobs).map(|n| server.url(&format!("/{n}\n"))).collect();
    smolget().args(["-i", "-", "--json", "--discard"]).args(args).input(list).start()
}

#[test]
fn exactly_as_many_are_in_flight_as_there_are_workers() {
    for (args, workers) in [(&[][..], 8), (&["-j1"], 1), (&["-j", "3"], 3), (&["--jobs=64"], 64)] {
        let gate = Gate::new();
        let server = Server::always(Reply::ok("x").until(&gate));
        let running = held(&server, 100, args);
        server.wait_for_requests(workers);
        // Whoever would start one more has had the time to.
        std::thread::sleep(ms(100));
        assert_eq!(server.requests().len(), workers);
        gate.open();
        assert_eq!(running.wait().exits(0).rows().len(), 100);
        assert_eq!(server.busiest(), workers);
    }
}

#[test]
fn redirects_and_retries_take_no_further_worker() {
    let server = Server::start(|request| match (request.target.as_bytes()[1] % 2, request.visit) {
        (0, 1) => Reply::busy(503).after(ms(5)),
        (1, 1) => Reply::redirect(302, format!("/2{}", request.target)).after(ms(5)),
        _ => Reply::ok("x").after(ms(5)),
    });
    let running = held(&server, 30, &["-j3"]);
    running.wait().exits(0);
    assert!((2..=3).contains(&server.busiest()), "{}", server.busiest());
}

#[test]
fn one_slow_host_does_not_hold_the_others() {
    let gate = Gate::new();
    let slow = Server::always(Reply::ok("x").until(&gate));
    let fast = Server::always(Reply::ok("x"));
    let urls = (0..50).map(|n| fast.url(&format!("/{n}")));
    let run = smolget().args(["--json", "--discard", "-j2"]).arg(slow.url("/")).args(urls);
    let mut running = run.start();
    for _ in 0..50 {
        assert_ne!(running.row()["url"], slow.url("/"));
    }
    gate.open();
    assert_eq!(running.row()["url"], slow.url("/"));
    running.wait().exits(0);
}

#[test]
fn more_workers_than_jobs_do_no_harm() {
    let server = Server::always(Reply::ok("x"));
    let output = held(&server, 3, &["-j1024"]).wait().exits(0);
    assert_eq!((output.rows().len(), server.requests().len()), (3, 3));
}
