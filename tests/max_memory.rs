//! `--max-memory`: fewer transfers at once where memory is short, and never more memory than it names.

#![cfg(all(feature = "cli", target_os = "linux"))]

mod support;

use support::{Gate, Reply, Running, Server, eventually, smolget};

/// The least that the program says it takes, in KiB.
fn least() -> u64 {
    let refused = smolget().args(["--max-memory", "1k", "http://127.0.0.1:1/"]).run().exits(2);
    let (_, told) = refused.stderr.split_once("takes at least ").unwrap();
    told.split('k').next().unwrap().parse().unwrap()
}

/// The peak of a run's memory so far, in KiB.
fn peak(running: &Running) -> u64 {
    let status = running.seen_by_linux();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// A response that takes as much memory as one can: a head of nearly 64 KiB, and a body after it.
fn heavy() -> Reply {
    (0..30).fold(Reply::ok(vec![b'x'; 300_000]), |reply, n| reply.field(&format!("X-{n}"), "a".repeat(2000)))
}

#[test]
fn what_would_be_too_little_for_one_worker_is_refused_and_the_least_is_enough() {
    let server = Server::always(Reply::ok("x"));
    // A debugging build takes more or less of its code in from run to run.
    let enough = format!("{}k", least() + 512);
    let run = smolget().args(["--discard", "-j64", "--max-memory", &enough]);
    run.args((0..20).map(|n| server.url(&format!("/{n}")))).run().exits(0);
    assert!(server.busiest() <= 4, "{}", server.busiest());
}

#[test]
fn a_run_stays_below_it_though_every_server_does_its_worst() {
    let gate = Gate::new();
    let last = gate.clone();
    let server = Server::start(move |request| if request.target == "/last" { heavy().until(&last) } else { heavy() });
    let limit = least() + 2048;
    let list: String = (0..40).map(|n| server.url(&format!("/{n}\n"))).chain([server.url("/last\n")]).collect();
    let run = smolget().args(["-i", "-", "-j64", "--max-memory", &format!("{limit}k")]).input(list);
    let running = run.start();
    eventually("only the last is under way", || server.requests().len() == 41);
    let peak = peak(&running);
    gate.open();
    running.wait().exits(0);
    assert!(peak < limit, "{peak} of {limit} KiB");
    assert!((2..64).contains(&server.busiest()), "{}", server.busiest());
}
