//! The library as other programs use it: a `Fetcher` makes a stream of outcomes out of a stream of jobs.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_lite::future::{block_on, zip};
use futures_lite::{StreamExt, stream};
use smolget::{
    Builder, Checksum, ErrorKind, Existing, Fetcher, Header, Job, Keep, Kept, Limits, Method, OnFailure, Outcome,
    Phase, Resolve,
};
use support::{Gate, Reply, Server, ms};

fn echo_target() -> Server {
    Server::start(|request| Reply::ok(request.target.clone()))
}

fn urls(server: &Server, paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| server.url(path)).collect()
}

/// All outcomes of a run of these URLs.
fn fetch(builder: Builder, urls: Vec<String>) -> Vec<Outcome> {
    let fetcher = builder.build().unwrap();
    block_on(fetcher.fetch(stream::iter(urls)).collect())
}

fn fetch_one(builder: Builder, url: String) -> Outcome {
    let mut outcomes = fetch(builder, vec![url]);
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

fn body(outcome: Outcome) -> Vec<u8> {
    match outcome.into_result().unwrap() {
        Kept::Held(body) => body.into_bytes().unwrap(),
        other => panic!("no body: {other:?}"),
    }
}

fn kind(outcome: &Outcome) -> ErrorKind {
    outcome.result().unwrap_err().kind()
}

#[test]
fn every_job_has_an_outcome_with_its_body() {
    let server = echo_target();
    let outcomes = fetch(Fetcher::builder(), urls(&server, &["/a", "/b", "/c"]));
    let mut bodies: Vec<_> = outcomes.into_iter().map(body).collect();
    bodies.sort();
    assert_eq!(bodies, [b"/a", b"/b", b"/c"]);
}

#[test]
fn an_outcome_says_what_was_done() {
    let server = Server::start(|request| match request.target.as_str() {
        "/start" => Reply::redirect(302, "/end"),
        _ => Reply::ok("body"),
    });
    let outcome = fetch_one(Fetcher::builder(), server.url_as("user:pass@127.0.0.1", "/start"));
    assert_eq!(outcome.url(), server.url_as("user:***@127.0.0.1", "/start"));
    assert!(outcome.final_url().is_some_and(|url| url.ends_with("/end") && !url.contains("pass")));
    assert_eq!((outcome.status(), outcome.attempts(), outcome.redirects()), (Some(200), 1, 1));
    assert_eq!((outcome.bytes(), outcome.file(), outcome.line()), (4, None, None));
    assert!(outcome.is_ok() && outcome.elapsed() < Duration::from_secs(30));
}

#[test]
fn outcomes_come_in_order_of_completion() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/late" => Reply::ok("x").until(&held),
        _ => Reply::ok("x"),
    });
    let fetcher = Fetcher::builder().jobs(2).build().unwrap();
    let mut outcomes = fetcher.fetch(stream::iter(urls(&server, &["/late", "/1", "/2"])));
    block_on(async {
        assert_eq!(outcomes.next().await.unwrap().url(), server.url("/1"));
        assert_eq!(outcomes.next().await.unwrap().url(), server.url("/2"));
        gate.open();
        assert_eq!(outcomes.next().await.unwrap().url(), server.url("/late"));
        assert!(outcomes.next().await.is_none());
    });
}

#[test]
fn outcomes_may_come_in_order_of_input() {
    let server = Server::start(|request| match request.target.as_str() {
        "/0" | "/5" => Reply::ok("x").after(ms(100)),
        _ => Reply::ok("x"),
    });
    let urls: Vec<String> = (0..40).map(|n| server.url(&format!("/{n}"))).collect();
    let fetcher = Fetcher::builder().jobs(4).build().unwrap();
    let outcomes: Vec<Outcome> = block_on(fetcher.fetch_in_order(stream::iter(urls.clone())).collect());
    assert_eq!(outcomes.iter().map(Outcome::url).collect::<Vec<_>>(), urls);
}

#[test]
fn in_order_of_input_a_bad_url_keeps_its_place() {
    let server = echo_target();
    let urls = vec![server.url("/a"), "no url".to_owned(), server.url("/b")];
    let fetcher = Fetcher::builder().build().unwrap();
    let outcomes: Vec<Outcome> = block_on(fetcher.fetch_in_order(stream::iter(urls)).collect());
    assert_eq!(outcomes.iter().map(Outcome::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn a_text_that_is_no_url_is_a_failed_job() {
    let outcome = fetch_one(Fetcher::builder(), "gopher://h/".to_owned());
    assert_eq!((kind(&outcome), outcome.attempts(), outcome.url()), (ErrorKind::Url, 0, "gopher://h/"));
}

#[test]
fn a_job_has_options_of_its_own() {
    let server = Server::start(|request| match request.target.as_str() {
        "/missing" => Reply::status(404),
        target => Reply::ok(target.to_owned()),
    });
    let header = Header::parse("X-A: 1").unwrap();
    let wrong = Checksum::parse(&format!("sha-256={}", "0".repeat(64))).unwrap();
    let jobs = vec![
        Job::new(server.url("/a")).unwrap().header(header),
        Job::new(server.url("/missing")).unwrap().mirror(&server.url("/mirror")),
        Job::new(server.url("/sum")).unwrap().checksum(wrong),
    ];
    let fetcher = Fetcher::builder().build().unwrap();
    let outcomes: Vec<Outcome> = block_on(fetcher.fetch_in_order(stream::iter(jobs)).collect());
    assert_eq!(server.request("/a").field("X-A"), Some("1"));
    assert_eq!(outcomes[1].final_url(), Some(server.url("/mirror").as_str()));
    assert_eq!(kind(&outcomes[2]), ErrorKind::Checksum);
}

#[test]
fn a_large_body_is_held_whole() {
    let content: Vec<u8> = (0..=250).cycle().take(5_000_000).collect();
    let server = Server::always(Reply::ok(content.clone()));
    let outcome = fetch_one(Fetcher::builder(), server.url("/"));
    assert_eq!(outcome.bytes(), 5_000_000);
    assert!(body(outcome) == content);
    let Ok(Kept::Held(held)) = fetch_one(Fetcher::builder(), server.url("/")).into_result() else { panic!("no body") };
    let mut written = Vec::new();
    held.write_to(&mut written).unwrap();
    assert!(written == content);
}

#[test]
fn bodies_may_be_counted_or_saved() {
    let server = echo_target();
    let counted = fetch_one(Fetcher::builder().keep(Keep::Count), server.url("/abc"));
    assert!(matches!(counted.result(), Ok(Kept::Counted { bytes: 4 })), "{counted:?}");
    let folder = tempfile::tempdir().unwrap();
    let save = |existing| Fetcher::builder().keep(Keep::Save { dir: folder.path().join("out"), existing });
    let fetcher = save(Existing::Replace).build().unwrap();
    let outcomes: Vec<Outcome> = block_on(async {
        fetcher.prepare().await.unwrap();
        fetcher.fetch(stream::iter(urls(&server, &["/abc"]))).collect().await
    });
    let file = folder.path().join("out/abc");
    assert_eq!(outcomes[0].file(), Some(file.as_path()));
    assert_eq!(std::fs::read(&file).unwrap(), b"/abc");
    let skipped = fetch_one(save(Existing::Skip), server.url("/abc"));
    assert!(matches!(skipped.result(), Ok(Kept::Skipped { .. })), "{skipped:?}");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_of_prepare() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let keep = Keep::Save { dir: folder.path().join("file/below"), existing: Existing::Replace };
    let fetcher = Fetcher::builder().keep(keep).build().unwrap();
    assert_eq!(block_on(fetcher.prepare()).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn the_builders_options_reach_the_wire() {
    let server = Server::always(Reply::ok("x"));
    let resolve = Resolve { host: "h.test".into(), port: server.port(), address: [127, 0, 0, 1].into() };
    let builder = Fetcher::builder().method(Method::Head).user_agent("me/1\r\n").resolve(resolve);
    let builder = builder.header(Header::parse("X-A: 1").unwrap());
    assert!(fetch_one(builder, server.url_as("h.test", "/")).is_ok());
    let request = server.request("/");
    assert_eq!((request.method.as_str(), request.field("User-Agent")), ("HEAD", Some("me/1")));
    assert_eq!(request.field("X-A"), Some("1"));
}

#[test]
fn limits_are_kept() {
    let server = Server::start(|request| match request.target.as_str() {
        "/silent" => Reply::raw("").hold(),
        "/large" => Reply::ok(vec![b'x'; 1001]),
        "/loop" => Reply::redirect(302, "/loop"),
        _ => Reply::busy(503),
    });
    let silence = Limits { silence: ms(200), ..Limits::default() };
    let timeout = fetch_one(Fetcher::builder().retries(0).limits(silence), server.url("/silent"));
    assert_eq!(timeout.result().unwrap_err().phase(), Some(Phase::Head));
    let large = fetch_one(Fetcher::builder().max_size(1000), server.url("/large"));
    assert_eq!((kind(&large), large.status()), (ErrorKind::TooLarge, Some(200)));
    let moved = fetch_one(Fetcher::builder().max_redirects(2), server.url("/loop"));
    assert_eq!((kind(&moved), server.visits("/loop")), (ErrorKind::Redirect, 3));
    let busy = fetch_one(Fetcher::builder().retries(2), server.url("/busy"));
    assert_eq!((kind(&busy), busy.attempts(), busy.status()), (ErrorKind::Status, 3, Some(503)));
}

#[test]
fn an_error_names_the_url_it_is_about() {
    let server = Server::start(|request| match request.target.as_str() {
        "/start" => Reply::redirect(302, "/end"),
        _ => Reply::status(404),
    });
    let outcome = fetch_one(Fetcher::builder(), server.url("/start"));
    assert_eq!(outcome.result().unwrap_err().url(), Some(server.url("/end").as_str()));
}

#[test]
fn a_run_may_have_one_job_at_once_or_many() {
    for jobs in [1, 5] {
        let gate = Gate::new();
        let server = Server::always(Reply::ok("x").until(&gate));
        let fetcher = Fetcher::builder().jobs(jobs).build().unwrap();
        let urls: Vec<String> = (0..20).map(|n| server.url(&format!("/{n}"))).collect();
        let outcomes = fetcher.fetch(stream::iter(urls));
        std::thread::scope(|scope| {
            let run = scope.spawn(|| block_on(outcomes.collect::<Vec<_>>()));
            server.wait_for_requests(jobs);
            gate.open();
            assert_eq!(run.join().unwrap().len(), 20);
        });
        assert_eq!(server.busiest(), jobs);
    }
}

#[test]
fn the_stream_of_jobs_is_not_read_far_ahead() {
    let server = Server::always(Reply::raw("").hold());
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let url = server.url("/");
    let jobs = stream::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        url.clone()
    });
    let fetcher = Fetcher::builder().jobs(2).build().unwrap();
    let outcomes = fetcher.fetch(jobs.take(1_000_000));
    let stopper = outcomes.stopper();
    let outcomes = std::thread::scope(|scope| {
        let run = scope.spawn(|| block_on(outcomes.collect::<Vec<_>>()));
        server.wait_for_requests(2);
        stopper.stop();
        run.join().unwrap()
    });
    let taken = taken.load(Ordering::SeqCst);
    assert!(taken < 1000, "{taken} jobs were taken for two workers");
    assert_eq!(outcomes.len(), taken);
}

#[test]
fn a_stopped_run_has_an_outcome_for_each_job_that_was_taken() {
    let server = Server::start(|request| match request.target.as_str() {
        "/done" => Reply::ok("x"),
        _ => Reply::raw("").hold(),
    });
    let fetcher = Fetcher::builder().jobs(1).build().unwrap();
    let mut outcomes = fetcher.fetch(stream::iter(urls(&server, &["/done", "/held", "/never"])));
    let stopper = outcomes.stopper();
    block_on(async {
        assert!(outcomes.next().await.unwrap().is_ok());
        let stop = async {
            // Polled beside the run: by the time this is, the run has been as well.
            smol::unblock(move || std::thread::sleep(ms(100))).await;
            stopper.stop();
        };
        let (rest, ()) = zip(outcomes.collect::<Vec<_>>(), stop).await;
        assert!(!rest.is_empty() && rest.iter().all(|o| o.result().is_err_and(|e| e.is_interrupted())), "{rest:?}");
    });
    assert_eq!(server.visits("/never"), 0);
}

#[test]
fn a_run_that_is_dropped_hangs_up() {
    let server = Server::start(|request| match request.target.as_str() {
        "/done" => Reply::ok("x"),
        _ => Reply::raw("").hold(),
    });
    {
        let fetcher = Fetcher::builder().jobs(2).build().unwrap();
        let mut outcomes = fetcher.fetch(stream::iter(urls(&server, &["/held", "/done"])));
        assert!(block_on(outcomes.next()).unwrap().is_ok());
    }
    server.wait_for_hang_up();
}

#[test]
fn a_failure_may_stop_the_run() {
    let server = Server::start(|request| match request.target.as_str() {
        "/bad" => Reply::status(404),
        _ => Reply::ok("x"),
    });
    let paths = ["/bad", "/a", "/b"];
    let stopped = fetch(Fetcher::builder().jobs(1).on_failure(OnFailure::Stop), urls(&server, &paths));
    assert_eq!(kind(&stopped[0]), ErrorKind::Status);
    assert!(stopped[1..].iter().all(|outcome| kind(outcome) == ErrorKind::Interrupted));
    let went_on = fetch(Fetcher::builder().jobs(1), urls(&server, &paths));
    assert_eq!(went_on.iter().filter(|outcome| outcome.is_ok()).count(), 2);
}

#[test]
fn a_run_has_a_deadline() {
    let server = Server::always(Reply::raw("").hold());
    let outcomes = fetch(Fetcher::builder().jobs(1).deadline(ms(300)), urls(&server, &["/1", "/2"]));
    let kinds: Vec<ErrorKind> = outcomes.iter().map(kind).collect();
    assert_eq!(kinds[0], ErrorKind::Timeout(Phase::Deadline));
    assert!(kinds[1..].iter().all(|kind| *kind == ErrorKind::Interrupted));
}

#[test]
fn traffic_counts_bodies_as_they_arrive() {
    let server = Server::always(Reply::ok(vec![b'x'; 1000]));
    let fetcher = Fetcher::builder().build().unwrap();
    let outcomes = fetcher.fetch(stream::iter(urls(&server, &["/a", "/b"])));
    let traffic = outcomes.traffic();
    assert_eq!(block_on(outcomes.collect::<Vec<_>>()).len(), 2);
    assert_eq!((traffic.take(), traffic.take()), (2000, 0));
}

#[test]
fn runs_of_one_fetcher_may_go_on_side_by_side() {
    let server = echo_target();
    let fetcher = Fetcher::builder().build().unwrap();
    let run = |path| fetcher.fetch(stream::iter(vec![server.url(path); 20])).collect::<Vec<_>>();
    let (one, two) = block_on(zip(run("/1"), run("/2")));
    assert!(one.len() == 20 && two.len() == 20 && one.iter().chain(&two).all(Outcome::is_ok));
}

#[test]
fn a_run_of_no_jobs_ends() {
    assert!(fetch(Fetcher::builder(), Vec::new()).is_empty());
}

#[cfg(feature = "tls")]
#[test]
fn roots_that_cannot_be_read_are_an_error_of_build() {
    let trust = smolget::Trust::Pem("/does/not/exist.pem".into());
    assert_eq!(Fetcher::builder().trust(trust).build().unwrap_err().kind(), ErrorKind::Tls);
}

#[cfg(feature = "tls")]
#[test]
fn a_fetcher_trusts_whom_it_is_told_to() {
    let authority = support::tls::Authority::new();
    let server = authority.identity(&["127.0.0.1"]).serve(|_| Reply::ok("x"));
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, authority.pem()).unwrap();
    assert!(fetch_one(Fetcher::builder().trust(smolget::Trust::Pem(roots)), server.url("/")).is_ok());
    assert_eq!(kind(&fetch_one(Fetcher::builder(), server.url("/"))), ErrorKind::Tls);
}

#[test]
fn a_job_that_waits_at_the_front_of_an_ordered_run_stops_none_but_those_too_far_ahead() {
    let server = Server::start(|request| match (request.target.as_str(), request.visit) {
        ("/0", 1) => Reply::status(500).field("Retry-After", "1"),
        _ => Reply::ok("x"),
    });
    let other = Server::always(Reply::ok("x"));
    let host = |n| if n % 2 == 0 { &server } else { &other };
    let urls: Vec<String> = (0..60).map(|n| host(n).url(&format!("/{n}"))).collect();
    let fetcher = Fetcher::builder().jobs(2).per_host(1).build().unwrap();
    let outcomes: Vec<Outcome> = block_on(fetcher.fetch_in_order(stream::iter(urls.clone())).collect());
    assert!(outcomes.iter().all(Outcome::is_ok));
    assert!(outcomes.iter().map(Outcome::url).eq(urls));
}

#[test]
fn limits_out_of_range_are_brought_into_it() {
    let debug = |builder: smolget::Builder| format!("{builder:?}");
    let builder = Fetcher::builder;
    assert_eq!(debug(builder().per_host(0)), debug(builder().per_host(1)));
    assert_eq!(debug(builder().rate(f64::NAN)), debug(builder().rate(*smolget::RATES.start())));
    assert_eq!(debug(builder().rate(f64::INFINITY)), debug(builder().rate(*smolget::RATES.end())));
    assert_eq!(debug(builder().limit_rate(0)), debug(builder().limit_rate(1)));
}
