//! The attempt loop against a scripted server, with a clock that is handed in: no test here waits.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use futures_lite::{StreamExt, future, stream};

use super::Fetcher;
use super::clock::{Clock, Wait};
use crate::config::{Config, Existing, Keep, Resolve};
use crate::error::ErrorKind;
use crate::job::Job;
use crate::offload::{Lane, unblock};
use crate::outcome::Outcome;

/// Remembers every wait; ends it at once, or never. Time passes by waits alone.
#[derive(Debug)]
struct TestClock {
    start: Instant,
    waits: Mutex<Vec<Duration>>,
    is_stuck: bool,
}

impl Default for TestClock {
    fn default() -> Self {
        Self { start: Instant::now(), waits: Mutex::default(), is_stuck: false }
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn instant(&self) -> Instant {
        let waited = self.waits.lock().unwrap().iter().sum::<Duration>();
        if self.is_stuck { self.start } else { self.start + waited }
    }

    fn wait(&self, time: Duration) -> Wait {
        self.waits.lock().unwrap().push(time);
        if self.is_stuck { Box::pin(future::pending()) } else { Box::pin(future::ready(())) }
    }

    fn chance(&self) -> f64 {
        1.0
    }
}

/// Answers one connection after the other, each with the next of `replies`.
fn serve(replies: &'static [&'static str]) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for reply in replies {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            socket.write_all(reply.as_bytes()).unwrap();
        }
    });
    (address, server)
}

fn fetch(clock: &Arc<TestClock>, job: Job) -> Outcome {
    let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(clock);
    let fetcher = Fetcher::with_clock(Config::default(), clock).unwrap();
    async_io::block_on(fetcher.fetch(stream::iter([job])).next()).unwrap()
}

fn waits(clock: &TestClock) -> Vec<u64> {
    clock.waits.lock().unwrap().iter().map(Duration::as_secs).collect()
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const ASKS_FOR_7: &str = "HTTP/1.1 503 \r\nContent-Length: 0\r\nRetry-After: 7\r\nConnection: close\r\n\r\n";
const ASKS_FOR_601: &str = "HTTP/1.1 503 \r\nContent-Length: 0\r\nRetry-After: 601\r\nConnection: close\r\n\r\n";
const SAYS_NO: &str = "HTTP/1.1 404 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[test]
fn a_refused_connection_is_tried_four_times_with_growing_waits() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let clock = Arc::new(TestClock::default());
    let outcome = fetch(&clock, Job::new(format!("http://127.0.0.1:{port}/")).unwrap());
    assert_eq!(outcome.result().unwrap_err().kind(), ErrorKind::Connect);
    assert_eq!(outcome.attempts(), 4);
    assert_eq!(waits(&clock), [1, 2, 4]);
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let (address, server) = serve(&[ASKS_FOR_7, OK]);
    let clock = Arc::new(TestClock::default());
    let outcome = fetch(&clock, Job::new(format!("http://{address}/")).unwrap());
    assert!(outcome.is_ok());
    assert_eq!((outcome.attempts(), outcome.bytes()), (2, 2));
    assert_eq!(waits(&clock), [7]);
    server.join().unwrap();
}

#[test]
fn a_server_that_asks_for_too_much_time_gets_none() {
    let (address, server) = serve(&[ASKS_FOR_601]);
    let clock = Arc::new(TestClock::default());
    let outcome = fetch(&clock, Job::new(format!("http://{address}/")).unwrap());
    assert_eq!((outcome.status(), outcome.attempts()), (Some(503), 1));
    assert!(waits(&clock).is_empty());
    server.join().unwrap();
}

#[test]
fn a_mirror_is_asked_when_the_first_has_failed_for_good() {
    let (first, first_server) = serve(&[SAYS_NO]);
    let (mirror, mirror_server) = serve(&[OK]);
    let clock = Arc::new(TestClock::default());
    let mirror = format!("http://{mirror}/m");
    let outcome = fetch(&clock, Job::new(format!("http://{first}/")).unwrap().mirror(&mirror));
    assert!(outcome.is_ok());
    assert_eq!((outcome.attempts(), outcome.final_url()), (2, Some(mirror.as_str())));
    assert!(waits(&clock).is_empty());
    first_server.join().unwrap();
    mirror_server.join().unwrap();
}

#[test]
fn a_stop_ends_the_wait_before_another_attempt() {
    let (address, server) = serve(&[ASKS_FOR_7]);
    let clock: Arc<dyn Clock> = Arc::new(TestClock { is_stuck: true, ..TestClock::default() });
    let fetcher = Fetcher::with_clock(Config::default(), clock).unwrap();
    let mut outcomes = fetcher.fetch(stream::iter([format!("http://{address}/")]));
    let stopper = outcomes.stopper();
    let outcome = async_io::block_on(future::zip(outcomes.next(), async {
        // The server has answered when its thread is done; the wait has begun or is about to.
        unblock(Lane::Disk, move || server.join().unwrap()).await;
        stopper.stop();
    }))
    .0
    .unwrap();
    assert!(outcome.result().unwrap_err().is_interrupted());
    assert_eq!(outcome.attempts(), 1);
}

fn saver(dir: &Path, jobs: usize) -> Fetcher {
    let keep = Keep::Save { dir: dir.to_owned(), existing: Existing::Replace };
    Fetcher::builder().keep(keep).jobs(jobs).build().unwrap()
}

#[test]
fn small_files_are_saved_together_and_each_fails_alone() {
    const JOBS: usize = 100;
    let (address, server) = serve(&[OK; JOBS]);
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("7")).unwrap();
    let jobs = stream::iter((0..JOBS).map(move |n| format!("http://{address}/{n}")));
    let outcomes: Vec<_> = async_io::block_on(saver(dir.path(), 1).fetch(jobs).collect());
    server.join().unwrap();
    assert_eq!(outcomes.len(), JOBS);
    for outcome in outcomes {
        let name = outcome.url().rsplit('/').next().unwrap();
        match outcome.result() {
            Ok(_) => assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"ok"),
            Err(error) => assert_eq!((name, error.kind()), ("7", ErrorKind::Io)),
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), JOBS);
}

#[test]
fn a_long_body_is_saved_whole_or_not_at_all() {
    const LENGTH: usize = 1_000_000;
    let body: String = (0..LENGTH).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\nConnection: close\r\n\r\n");
    for sent in [LENGTH, LENGTH - 1, LENGTH / 2, 300_000] {
        let reply: &'static str = format!("{head}{}", &body[..sent]).leak();
        let (address, server) = serve(vec![reply].leak());
        let dir = tempfile::tempdir().unwrap();
        let keep = Keep::Save { dir: dir.path().to_owned(), existing: Existing::Replace };
        let fetcher = Fetcher::builder().keep(keep).retries(0).build().unwrap();
        let outcome = async_io::block_on(fetcher.fetch(stream::iter([format!("http://{address}/a")])).next()).unwrap();
        server.join().unwrap();
        if sent == LENGTH {
            assert_eq!(outcome.bytes(), LENGTH as u64);
            assert!(fs::read_to_string(dir.path().join("a")).unwrap() == body);
        } else {
            let error = outcome.result().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }
}

#[test]
fn a_small_file_does_not_wait_for_a_job_that_is_stuck() {
    let (address, server) = serve(&[OK]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let urls = [format!("http://{}/stuck", silent.local_addr().unwrap()), format!("http://{address}/a")];
    let mut outcomes = saver(dir.path(), 2).fetch(stream::iter(urls));
    let outcome = async_io::block_on(outcomes.next()).unwrap();
    assert!(outcome.is_ok() && outcome.url().ends_with("/a"), "{outcome:?}");
    assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"ok");
    server.join().unwrap();
}

#[test]
fn outcomes_can_be_sent_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<super::Outcomes>();
}

/// Fetches two jobs of a port after a wait for the network of at most `limit` seconds.
fn fetch_online(clock: &Arc<TestClock>, limit: u64, host: &str, port: u16) -> Vec<Outcome> {
    let mut config = Config { wait_online: Some(Duration::from_secs(limit)), retries: 0, ..Config::default() };
    config.network.resolve.push(Resolve { host: "h.test".to_owned(), port, address: [127, 0, 0, 1].into() });
    let fetcher = Fetcher::with_clock(config, Arc::<TestClock>::clone(clock)).unwrap();
    let job = Job::new(format!("http://{host}:{port}/")).unwrap();
    async_io::block_on(fetcher.fetch(stream::iter([job.clone(), job])).collect())
}

#[test]
fn the_first_job_waits_for_its_host_in_growing_steps_and_then_all_begin() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let clock = Arc::new(TestClock::default());
    let outcomes = fetch_online(&clock, 30, "127.0.0.1", port);
    assert!(outcomes.iter().all(|outcome| outcome.attempts() == 1 && !outcome.is_ok()));
    // Of the last wait, what the knocks themselves have left of the 30 s.
    let waits = waits(&clock);
    assert_eq!(waits[..5], [1, 2, 4, 8, 8]);
    assert!(waits.len() == 6 && waits[5] < 8, "{waits:?}");
}

#[test]
fn a_host_that_is_there_is_not_waited_for() {
    let (address, server) = serve_after_a_knock();
    let clock = Arc::new(TestClock::default());
    assert!(fetch_online(&clock, 30, "127.0.0.1", address.port()).iter().all(Outcome::is_ok));
    assert!(waits(&clock).is_empty());
    server.join().unwrap();
}

#[test]
fn a_machine_that_refuses_itself_is_waited_for_whatever_it_is_called() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    for host in ["h.test", "localhost", "127.1.2.3", "0.0.0.0"] {
        let clock = Arc::new(TestClock::default());
        let outcomes = fetch_online(&clock, 30, host, port);
        assert!(outcomes.iter().all(|outcome| outcome.attempts() == 1 && !outcome.is_ok()), "{outcomes:?}");
        assert!(!waits(&clock).is_empty(), "{host}");
    }
}

/// Takes one connection that says nothing, then two requests.
fn serve_after_a_knock() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        assert_eq!(listener.accept().unwrap().0.read(&mut [0]).unwrap(), 0);
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.read(&mut [0; 1024]).unwrap();
            socket.write_all(OK.as_bytes()).unwrap();
        }
    });
    (address, server)
}
