//! Lists are streams: jobs start while the list is still being written, and memory does not grow with its length.

#![cfg(feature = "cli")]

mod support;

use support::{Reply, Running, Server, ms, smolget};

/// How much more memory a long list may take than a short one, in KiB: what the allocator's luck makes of it. Lists are so
/// long that a URL kept for each job would be more.
const SLACK: u64 = 256;

fn start(args: &[&str]) -> Running {
    smolget().args(["-i", "-", "--json"]).args(args).open_input().start()
}

#[test]
fn a_job_starts_when_the_next_line_comes() {
    let server = Server::always(Reply::ok("x"));
    let mut running = start(&["--discard"]);
    running.feed(&server.url("/1\n"));
    running.feed(&server.url("/2\n"));
    assert_eq!(running.row()["line"], 1);
    running.feed(&server.url("/3\n"));
    assert_eq!(running.row()["line"], 2);
    assert_eq!(running.wait().exits(0).rows().len(), 3);
}

#[test]
fn a_job_starts_when_a_blank_line_comes() {
    let server = Server::always(Reply::ok("x"));
    let mut running = start(&["--discard"]);
    for n in 1..=3 {
        running.feed(&server.url(&format!("/{n}\n\n")));
        assert_eq!(running.row()["url"], server.url(&format!("/{n}")));
    }
    running.wait().exits(0);
}

#[test]
fn a_job_starts_at_the_end_of_the_input() {
    let server = Server::always(Reply::ok("x"));
    let mut running = start(&["--discard"]);
    running.feed(&server.url("/1"));
    running.end_input();
    assert_eq!(running.row()["line"], 1);
    running.wait().exits(0);
}

#[test]
fn options_may_come_late() {
    let server = Server::always(Reply::ok("x"));
    let mut running = start(&[]);
    running.feed(&server.url("/1\n"));
    std::thread::sleep(ms(100));
    running.feed(" out=");
    std::thread::sleep(ms(100));
    running.feed("late\n");
    running.feed(&server.url("/2\n"));
    assert_eq!(running.row()["file"], "./late");
    assert_eq!(running.wait().exits(0).folder.names(), ["2", "late"]);
}

#[test]
fn a_line_is_not_a_line_before_its_end() {
    let server = Server::always(Reply::ok("x"));
    let mut running = start(&["--discard"]);
    let (start, end) = (server.url("/on"), "e\n\n");
    running.feed(&start);
    std::thread::sleep(ms(100));
    running.feed(end);
    assert_eq!(running.row()["url"], server.url("/one"));
    running.wait().exits(0);
}

/// The peak memory of a run of that many jobs, which ends with this exit status, in KiB.
fn peak(server: &Server, jobs: usize, args: &[&str], code: i32) -> u64 {
    let mut running = start(args);
    let list: String = (0..jobs).map(|n| server.url(&format!("/{n}\n"))).collect();
    running.feed(&list);
    running.feed("\n");
    for _ in 0..jobs {
        running.row();
    }
    // All is done, and the process is still there: it waits for more.
    let peak = running.peak_memory();
    running.wait().exits(code);
    peak
}

/// The memory of a long run may not be above that of a short one. What is so by the allocator's luck is not so each time.
#[track_caller]
fn assert_flat(measure: impl Fn() -> [u64; 2]) {
    let mut seen = Vec::new();
    let is_flat = (0..3).any(|_| {
        let [short, long] = measure();
        seen.push([short, long]);
        long <= short + SLACK
    });
    assert!(is_flat, "KiB of a short run and a long one, each time: {seen:?}");
}

#[test]
fn memory_does_not_grow_with_the_list() {
    let server = Server::always(Reply::ok(vec![b'x'; 100]));
    assert_flat(|| [2_000, 12_000].map(|jobs| peak(&server, jobs, &["--discard"], 0)));
}

#[test]
fn memory_does_not_grow_with_failures() {
    let server = Server::always(Reply::status(404));
    assert_flat(|| [1_000, 9_000].map(|jobs| peak(&server, jobs, &["--discard", "-q"], 1)));
}

#[test]
fn memory_does_not_grow_with_a_body() {
    let server = Server::start(|request| Reply::ok(vec![b'x'; request.target[1..].parse().unwrap()]));
    let peak = |args: &[&str], path: &str| {
        let mut running = start(args);
        running.feed(&server.url(&format!("{path}\n\n")));
        running.row();
        let peak = running.peak_memory();
        running.wait().exits(0);
        peak
    };
    for args in [&["--discard"][..], &[]] {
        assert_flat(|| ["/2000000", "/20000000"].map(|path| peak(args, path)));
    }
}

#[test]
fn a_list_is_not_read_far_ahead_of_the_jobs() {
    let peak = |lines: usize| {
        let server = Server::always(Reply::raw("").hold());
        let list: String = (0..lines).map(|n| server.url(&format!("/{n}\n"))).collect();
        let running = smolget().args(["-i", "-", "--discard", "-j2"]).input(list).start();
        server.wait_for_requests(2);
        // Whoever would read on has had the time to.
        std::thread::sleep(ms(300));
        let peak = running.peak_memory();
        running.signal(rustix::process::Signal::TERM);
        running.wait().exits(143);
        peak
    };
    assert_flat(|| [100, 20_000].map(peak));
}
