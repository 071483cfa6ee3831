//! `--continue`: what was cut goes on where it stopped, and never becomes a mix of two versions.

#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use support::{Folder, Gate, Output, Reply, Request, Server, error};

const LENGTH: usize = 1 << 20;

/// What the server has now.
#[derive(Clone)]
struct Version {
    body: Vec<u8>,
    etag: Option<&'static str>,
    /// How much of a body is sent before the connection is cut.
    cut: usize,
}

fn content(seed: usize) -> Vec<u8> {
    (0..LENGTH).map(|n| (n * 31 / 7 + n / 1000 * seed + seed) as u8).collect()
}

/// A server as RFC 9110 has it, whose connections are cut.
struct Site {
    server: Server,
    version: Arc<Mutex<Version>>,
    folder: Folder,
}

impl Site {
    fn new(cut: usize) -> Self {
        Self::with(Version { body: content(1), etag: Some("\"1\""), cut }, |version, request| version.answer(request))
    }

    fn with(version: Version, answer: impl Fn(&Version, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let version = Arc::new(Mutex::new(version));
        let shared = version.clone();
        let server = Server::start(move |request| answer(&shared.lock().unwrap().clone(), request));
        Self { server, version, folder: Folder::new() }
    }

    fn set(&self, change: impl FnOnce(&mut Version)) {
        change(&mut self.version.lock().unwrap());
    }

    /// A run with these options.
    fn run(&self, options: &[&str]) -> Output {
        let list = format!("{}\n out=a\n", self.server.url("/a"));
        self.folder.smolget().args(["--json", "--retries", "0"]).args(options).input(list).run()
    }

    /// A run that is cut; a part is left.
    #[track_caller]
    fn is_cut(&self) -> Vec<String> {
        assert_eq!(error(&self.run(&["-c"]).exits(1).row()), "truncated");
        self.folder.names()
    }

    /// A run that comes to its end, with nothing left but the file.
    #[track_caller]
    fn arrives(&self, options: &[&str]) -> Output {
        let output = self.run(&[&["-c"], options].concat()).exits(0);
        let expected = self.version.lock().unwrap().body.clone();
        assert!(output.file("a") == expected, "the file is another");
        assert_eq!(output.row()["bytes"], expected.len());
        let left: Vec<_> = self.folder.names().into_iter().filter(|name| name != ".smolget-state").collect();
        assert_eq!(left, ["a"]);
        output
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.server.requests().iter().map(|request| request.field("Range").map(str::to_owned)).collect()
    }
}

impl Version {
    fn answer(&self, request: &Request) -> Reply {
        let first =
            request.field("Range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let first = first.filter(|_| request.field("If-Range").is_none_or(|etag| Some(etag) == self.etag));
        match first {
            Some(first) if first >= self.body.len() => {
                self.tagged(Reply::status(416).field("Content-Range", format!("bytes */{}", self.body.len())))
            }
            Some(first) => self.part(first, first),
            None => self.tagged(self.cut(Reply::status(200), 0)),
        }
    }

    /// A 206 that says that it begins at one place, and begins at another.
    fn part(&self, told: usize, first: usize) -> Reply {
        let range = format!("bytes {told}-{}/{}", self.body.len() - 1, self.body.len());
        self.tagged(self.cut(Reply::status(206), first)).field("Content-Range", range)
    }

    /// The body from a place on, as far as the connection lasts.
    fn cut(&self, reply: Reply, first: usize) -> Reply {
        let rest = self.body[first..].to_vec();
        let length = rest.len();
        if length <= self.cut { reply.body(rest) } else { reply.body(&rest[..self.cut]).length(length as u64).close() }
    }

    fn tagged(&self, reply: Reply) -> Reply {
        match self.etag {
            Some(etag) => reply.field("ETag", etag),
            None => reply,
        }
    }
}

#[test]
fn what_was_cut_goes_on_from_run_to_run_and_arrives_exact() {
    let site = Site::new(200_000);
    for _ in 0..5 {
        let names = site.is_cut();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names.iter().all(|name| name.starts_with(".smolget-")), "{names:?}");
    }
    site.arrives(&[]);
    let expected = (0..6).map(|n| (n > 0).then(|| format!("bytes={}-", n * 200_000)));
    assert_eq!(site.ranges(), expected.collect::<Vec<_>>());
    assert!(site.server.requests()[1..].iter().all(|request| request.field("If-Range") == Some("\"1\"")));
}

#[test]
fn behind_a_redirect_to_another_origin_that_is_asked_for_the_rest() {
    let site = Site::new(400_000);
    let location = site.server.url("/a");
    let door = Server::start(move |_| Reply::redirect(302, &location).field("ETag", "\"1\""));
    let list = format!("{}\n out=a\n", door.url("/"));
    let run = site.folder.smolget().args(["--json", "-c", "--retries", "1"]).input(list).run().exits(0);
    assert!(run.file("a") == content(1) && site.folder.names() == ["a"]);
    assert_eq!((&run.row()["attempts"], &run.row()["redirects"]), (&3.into(), &1.into()));
    let rest = |first: usize| Some(format!("bytes={first}-"));
    assert_eq!(site.ranges(), [None, rest(400_000), rest(800_000)]);
    assert!(door.requests().len() == 3 && door.requests().iter().all(|request| request.field("Range").is_none()));
}

#[test]
fn it_goes_on_within_a_run_and_what_gets_on_uses_up_no_retries() {
    let site = Site::new(400_000);
    let list = format!("{}\n out=a\n", site.server.url("/a"));
    let output = site.folder.smolget().args(["--json", "-c", "--retries", "1"]).input(list).run().exits(0);
    assert_eq!(output.row()["attempts"], 3);
    assert!(output.file("a") == content(1));
    assert_eq!(site.folder.names(), ["a"]);
}

#[test]
fn without_a_strong_validator_it_starts_from_the_beginning() {
    for etag in [None, Some("W/\"1\"")] {
        let site = Site::new(200_000);
        site.set(|version| version.etag = etag);
        assert!(site.is_cut().is_empty());
        site.set(|version| version.cut = LENGTH);
        site.arrives(&[]);
        assert_eq!(site.ranges(), [None, None]);
    }
}

#[test]
fn another_version_is_fetched_whole() {
    let site = Site::new(300_000);
    site.is_cut();
    site.set(|version| (version.body, version.etag, version.cut) = (content(2), Some("\"2\""), 500_000));
    site.is_cut();
    site.set(|version| version.cut = LENGTH);
    site.arrives(&[]);
    let expected = [None, Some("bytes=300000-"), Some("bytes=500000-")];
    assert_eq!(site.ranges(), expected.map(|range| range.map(str::to_owned)));
}

#[test]
fn no_part_is_left_where_the_file_is_another_by_now_and_short() {
    let site = Site::new(300_000);
    site.is_cut();
    site.set(|version| (version.body, version.etag) = (b"short".to_vec(), Some("\"2\"")));
    site.arrives(&[]);
}

#[test]
fn what_does_not_fit_the_part_is_not_joined_to_it() {
    type Answer = fn(&Version, &Request) -> Reply;
    let answers: [Answer; 8] = [
        // No heed paid to If-Range, and the version is told.
        |version, _| Version { etag: Some("\"2\""), ..version.clone() }.part(300_000, 300_000),
        |version, _| Version { etag: None, ..version.clone() }.part(300_000, 300_000),
        // Another start, or another length.
        |version, _| version.part(299_999, 299_999),
        |version, _| version.part(0, 0),
        |version, _| version.tagged(Reply::status(206).body("x")).field("Content-Range", "bytes 300000-300000/300001"),
        |version, _| version.tagged(Reply::status(206).body("x")).field("Content-Range", "bytes 300000-300000/*"),
        // A coding, and no range at all.
        |version, _| version.part(300_000, 300_000).field("Content-Encoding", "gzip"),
        |version, _| version.tagged(Reply::status(416).field("Content-Range", "bytes */17")),
    ];
    for answer in answers {
        let version = Version { body: content(1), etag: Some("\"1\""), cut: 300_000 };
        let site = Site::with(version, move |version, request| match request.field("Range") {
            Some(_) => answer(version, request),
            None => version.answer(request),
        });
        site.is_cut();
        site.set(|version| version.cut = LENGTH);
        let row = site.arrives(&[]).row();
        assert_eq!((&row["status"], &row["attempts"]), (&200.into(), &1.into()));
        assert_eq!(site.ranges(), [None, Some("bytes=300000-".to_owned()), None]);
    }
}

#[test]
fn a_server_that_pays_no_heed_to_ranges_sends_the_whole() {
    let version = Version { body: content(1), etag: Some("\"1\""), cut: 300_000 };
    let site = Site::with(version, |version, _| version.tagged(version.cut(Reply::status(200), 0)));
    site.is_cut();
    site.is_cut();
    site.set(|version| version.cut = LENGTH);
    site.arrives(&[]);
}

#[test]
fn a_part_that_is_the_whole_is_complete() {
    // Chunked: how long it is was not said, and the last chunk is missing.
    let body = content(1);
    let all = body.clone();
    let version = Version { body, etag: Some("\"1\""), cut: LENGTH };
    let site = Site::with(version, move |version, request| match request.visit {
        1 => {
            let head = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n";
            Reply::raw([head.as_bytes(), &all, b"\r\n"].concat()).close()
        }
        _ => version.answer(request),
    });
    site.is_cut();
    let row = site.arrives(&["--sync"]).row();
    assert_eq!((&row["status"], &row["bytes"]), (&416.into(), &LENGTH.into()));
}

/// A site that is cut once, and then answers a request for the rest so.
fn cut_once(answer: impl Fn(&Version) -> Reply + Send + Sync + 'static) -> Site {
    let version = Version { body: content(1), etag: Some("\"1\""), cut: 300_000 };
    let site = Site::with(version, move |version, request| match request.field("Range") {
        Some(_) => answer(version),
        None => version.answer(request),
    });
    site.is_cut();
    site
}

#[test]
fn a_304_that_nobody_asked_for_leaves_the_part_and_is_not_ok() {
    let site = cut_once(|version| version.tagged(Reply::status(304)));
    let left = site.folder.names();
    for options in [&["-c"][..], &["-c", "--sync"]] {
        let row = site.run(options).exits(1).row();
        assert_eq!((error(&row), row["status"].as_u64()), ("protocol", Some(304)));
    }
    assert!(left.iter().all(|name| site.folder.names().contains(name)), "{left:?}");
    // A question of the user's own is theirs to judge.
    assert_eq!(site.run(&["-c", "-H", "Range: bytes=5-"]).exits(0).row()["status"], 304);
    assert!(left.iter().all(|name| site.folder.names().contains(name)), "{left:?}");
}

#[test]
fn a_file_that_is_gone_takes_its_part_with_it_and_one_that_may_come_back_does_not() {
    for (status, is_gone) in [(404, true), (410, true), (403, false), (503, false)] {
        let site = cut_once(move |_| Reply::status(status));
        assert_eq!(error(&site.run(&["-c"]).exits(1).row()), "status");
        assert_eq!(site.folder.names().is_empty(), is_gone, "{status}");
    }
}

#[test]
fn a_file_that_is_passed_over_leaves_no_part() {
    let site = Site::new(300_000);
    site.is_cut();
    site.folder.write("a", "whole");
    assert_eq!(site.run(&["--skip-existing"]).exits(0).row()["skipped"], true);
    assert_eq!(site.folder.names().len(), 3);
    site.run(&["-c", "--skip-existing"]).exits(0);
    assert_eq!(site.folder.names(), ["a"]);
}

#[test]
fn the_page_that_a_416_comes_with_is_not_taken_for_the_file() {
    let site = Site::with(Version { body: content(1), etag: Some("\"1\""), cut: LENGTH }, |version, request| {
        match request.field("Range") {
            None => {
                let head = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n";
                Reply::raw([head.as_bytes(), &version.body, b"\r\n"].concat()).close()
            }
            Some(_) => version.answer(request).body("<html>416</html>").field("Content-Type", "text/html"),
        }
    });
    site.is_cut();
    assert_eq!(site.arrives(&["--not-html"]).row()["status"], 416);
}

#[test]
fn a_checksum_is_of_the_whole() {
    let hex = |body: &[u8]| Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (seed, ok) in [(1, true), (2, false)] {
        let site = Site::new(600_000);
        let list = format!("{}\n out=a\n checksum=sha-256={}\n", site.server.url("/a"), hex(&content(seed)));
        let run = || site.folder.smolget().args(["--json", "-c", "--retries", "0"]).input(list.clone()).run().row();
        assert_eq!(error(&run()), "truncated");
        site.set(|version| version.cut = LENGTH);
        let row = run();
        assert_eq!((row["ok"].as_bool(), error(&row)), (Some(ok), if ok { "" } else { "checksum" }));
        // What can come to nothing is not gone on with.
        assert_eq!(site.folder.names(), if ok { vec!["a"] } else { vec![] });
    }
}

#[test]
fn a_part_that_does_not_come_to_its_checksum_is_fetched_anew_in_the_same_run() {
    let site = Site::new(300_000);
    site.is_cut();
    // It keeps its ETag, and is another all the same.
    site.set(|version| (version.body, version.cut) = (content(2), LENGTH));
    let hex: String = Sha256::digest(content(2)).iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{}\n out=a\n checksum=sha-256={hex}\n", site.server.url("/a"));
    let run = site.folder.smolget().args(["--json", "-c", "--retries", "0"]).input(list).run().exits(0);
    assert!(run.file("a") == content(2));
    assert_eq!((run.row()["attempts"].as_u64(), run.row()["status"].as_u64()), (Some(1), Some(200)));
    assert_eq!(site.ranges(), [None, Some("bytes=300000-".to_owned()), None]);
    assert_eq!(site.folder.names(), ["a"]);
}

#[test]
fn a_part_that_begins_as_a_page_is_not_gone_on_with_where_pages_are_refused() {
    for start in ["\n<!DOCTYPE html>", "list "] {
        let site = Site::new(300_000);
        let page = [start.as_bytes(), &content(1)].concat();
        site.set(|version| version.body = page.clone());
        site.is_cut();
        site.set(|version| version.cut = LENGTH * 2);
        let is_page = start != "list ";
        let output = site.run(&["-c", "--not-html"]);
        assert_eq!(error(&output.row()), if is_page { "rejected" } else { "" });
        assert_eq!(site.folder.names().is_empty(), is_page);
        assert_eq!(site.ranges()[1].is_none(), is_page);
    }
}

#[test]
fn a_part_is_read_before_the_rest_is_asked_for() {
    // Whoever reads it later finds it changed, and has to fetch all of it.
    let part = Arc::new(Mutex::new(None::<PathBuf>));
    let to_change = part.clone();
    let version = Version { body: content(1), etag: Some("\"1\""), cut: 300_000 };
    let site = Site::with(version, move |version, request| {
        if let Some(part) = to_change.lock().unwrap().take() {
            fs::File::options().write(true).open(part).unwrap().write_all_at(b"changed", 0).unwrap();
        }
        version.answer(request)
    });
    let name = site.is_cut().into_iter().find(|name| name.ends_with(".rest")).unwrap();
    *part.lock().unwrap() = Some(site.folder.path().join(name));
    site.set(|version| version.cut = LENGTH);
    let hex: String = Sha256::digest(content(1)).iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{}\n out=a\n checksum=sha-256={hex}\n", site.server.url("/a"));
    let row = site.folder.smolget().args(["--json", "-c", "--retries", "0"]).input(list).run().exits(0).row();
    assert_eq!(row["status"], 206);
}

#[test]
fn a_run_that_is_killed_or_stopped_leaves_what_it_had() {
    for signal in [Signal::KILL, Signal::TERM] {
        let gate = Gate::new();
        let held = gate.clone();
        let version = Version { body: content(1), etag: Some("\"1\""), cut: LENGTH };
        let site = Site::with(version, move |version, request| match request.visit {
            1 => version
                .tagged(Reply::status(200).body(&version.body[..500_000]).length(LENGTH as u64))
                .then_until(&held),
            _ => version.answer(request),
        });
        let list = format!("{}\n out=a\n", site.server.url("/a"));
        let run = site.folder.smolget().args(["-c"]).input(list).start();
        support::eventually("some of it is on the disk", || {
            site.folder.files().values().any(|content| content.len() >= 64 << 10)
        });
        run.signal(signal);
        run.wait();
        gate.open();
        // Others sweep only what nobody goes on with.
        site.folder.smolget().args(["-i", "/dev/null"]).run().exits(0);
        site.arrives(&[]);
        let range = site.ranges()[1].clone().expect("the rest was asked for");
        assert!(range != "bytes=0-", "{range}");
    }
}

#[test]
fn a_body_that_is_not_asked_for_any_more_or_is_refused_leaves_no_part() {
    let site = Site::new(300_000);
    site.is_cut();
    assert_eq!(error(&site.run(&["-c", "--max-size", "500k"]).exits(1).row()), "too_large");
    assert!(site.folder.names().is_empty());
}

#[test]
fn without_it_nothing_is_left_and_a_part_that_is_there_is_not_used() {
    let site = Site::new(300_000);
    assert_eq!(error(&site.run(&[]).exits(1).row()), "truncated");
    assert!(site.folder.names().is_empty());
    site.is_cut();
    site.set(|version| version.cut = LENGTH);
    let output = site.run(&[]).exits(0);
    assert!(output.file("a") == content(1));
    assert_eq!(site.ranges(), [None, None, None]);
}

#[test]
fn a_request_with_other_fields_or_of_another_url_starts_from_the_beginning() {
    let site = Site::new(300_000);
    site.is_cut();
    site.set(|version| version.cut = LENGTH);
    site.arrives(&["-H", "Accept-Language: de"]);
    assert_eq!(site.ranges(), [None, None]);
    let output = site.run(&["-c", "-H", "Range: bytes=5-"]);
    assert_eq!(error(&output.row()), "protocol");
}

#[test]
fn what_is_compared_goes_on_too_and_is_remembered() {
    let site = Site::new(300_000);
    site.folder.write("a", content(7));
    assert_eq!(error(&site.run(&["-c", "--sync"]).exits(1).row()), "truncated");
    assert!(fs::read(site.folder.path().join("a")).unwrap() == content(7));
    site.set(|version| version.cut = LENGTH);
    let row = site.arrives(&["--sync"]).row();
    assert_eq!((&row["status"], &row["written"]), (&206.into(), &LENGTH.into()));
    let row = site.run(&["--sync", "-c"]).exits(0).row();
    assert_eq!((&row["unchanged"], &row["written"]), (&true.into(), &0.into()), "{row}");
}

#[test]
fn what_is_as_the_old_file_so_far_goes_on_too() {
    let site = Site::new(300_000);
    let old = [&content(1)[..600_000], &content(2)[600_000..]].concat();
    site.folder.write("a", &old);
    for part in ["300000", "600000", "900000"] {
        assert_eq!(error(&site.run(&["-c", "--sync"]).exits(1).row()), "truncated");
        assert!(fs::read(site.folder.path().join("a")).unwrap() == old);
        let length = site.folder.files().iter().find(|(name, _)| name.ends_with(".rest")).map(|(_, part)| part.len());
        assert_eq!(length.map(|length| length.to_string()).as_deref(), Some(part));
    }
    assert_eq!(site.arrives(&["--sync"]).row()["status"], 206);
    // What is short is compared from the start again, so that no disk has to write it.
    site.set(|version| (version.etag, version.cut) = (Some("\"2\""), 10_000));
    assert_eq!(error(&site.run(&["-c", "--sync"]).exits(1).row()), "truncated");
    assert_eq!(site.folder.names(), [".smolget-state", "a"]);
}

#[test]
fn what_becomes_the_same_as_the_old_file_is_not_put_in_its_place() {
    let site = Site::new(LENGTH);
    let file = site.folder.path().join("a");
    let identity = || fs::metadata(&file).map(|found| (found.ino(), found.mtime(), found.mtime_nsec())).unwrap();
    site.arrives(&["--sync"]);
    let before = identity();
    // The same bytes under another tag, cut once; then others.
    for (body, etag, is_same) in [(content(1), "\"2\"", true), (content(2), "\"3\"", false)] {
        site.set(|version| (version.body, version.etag, version.cut) = (body, Some(etag), 300_000));
        assert_eq!(error(&site.run(&["-c", "--sync"]).exits(1).row()), "truncated");
        site.set(|version| version.cut = LENGTH);
        let row = site.arrives(&["--sync"]).row();
        assert_eq!((&row["status"], row["unchanged"] == true), (&206.into(), is_same), "{row}");
        assert_eq!((row["written"] == 0, identity() == before), (is_same, is_same), "{row}");
        site.arrives(&["--sync"]);
        assert_eq!(site.server.requests().last().unwrap().field("If-None-Match"), Some(etag));
    }
}

#[test]
fn two_runs_at_one_file_both_bring_it_whole() {
    let gate = Gate::new();
    let held = gate.clone();
    let version = Version { body: content(1), etag: Some("\"1\""), cut: LENGTH };
    let site = Site::with(version, move |version, request| match request.visit {
        1 => {
            let (start, rest) = version.body.split_at(500_000);
            let reply = version.tagged(Reply::status(200).body(start).length(LENGTH as u64));
            reply.then_until(&held).then(rest)
        }
        _ => version.answer(request),
    });
    let list = format!("{}\n out=a\n", site.server.url("/a"));
    let first = site.folder.smolget().args(["-c", "--json"]).input(list).start();
    support::eventually("some of it is on the disk", || {
        site.folder.files().values().any(|content| content.len() >= 64 << 10)
    });
    let second = site.run(&["-c"]).exits(0);
    assert!(second.file("a") == content(1));
    gate.open();
    first.wait().exits(0);
    site.arrives(&[]);
}

#[test]
fn of_two_versions_that_take_turns_never_a_mix_arrives() {
    for n in 0..100_usize {
        let versions = [(content(1), "\"1\""), (content(2), "\"2\"")];
        let (first, etag) = versions[0].clone();
        // Cut at another place each time, in the middle of a change, with servers that heed If-Range and ones that don't.
        let site =
            Site::with(Version { body: first, etag: Some(etag), cut: 70_000 + n * 7919 }, move |version, request| {
                let heeds = n % 2 == 0;
                match request
                    .field("Range")
                    .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
                {
                    Some(first) if !heeds => version.part(first, first),
                    _ => version.answer(request),
                }
            });
        site.is_cut();
        let (body, etag) = versions[1 - n % 3 / 2].clone();
        site.set(|version| *version = Version { body, etag: Some(etag), cut: LENGTH });
        site.arrives(&[]);
    }
}
