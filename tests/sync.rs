//! `--sync`: what is asked, what is written, and what is remembered between runs.

#![cfg(feature = "cli")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use support::{Folder, Gate, Output, Reply, Request, Server, error};

const STATE: &str = ".smolget-state";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:50:37 GMT";

/// A site whose files a test changes: it answers with 304 as RFC 9110, section 13.2.2, has it.
#[derive(Clone)]
struct Site(Arc<Mutex<Version>>);

#[derive(Clone)]
struct Version {
    body: Vec<u8>,
    etag: Option<String>,
    modified: Option<String>,
}

impl Site {
    fn new(body: impl Into<Vec<u8>>, etag: &str) -> Self {
        Self(Arc::new(Mutex::new(Version { body: body.into(), etag: Some(etag.to_owned()), modified: None })))
    }

    fn set(&self, change: impl FnOnce(&mut Version)) {
        change(&mut self.0.lock().unwrap());
    }

    fn answer(&self, request: &Request) -> Reply {
        let Version { body, etag, modified } = self.0.lock().unwrap().clone();
        let is_same = match (request.field("If-None-Match"), request.field("If-Modified-Since")) {
            (Some(asked), _) => etag.as_deref() == Some(asked),
            (None, Some(asked)) => modified.as_deref() == Some(asked),
            (None, None) => false,
        };
        let reply = if is_same { Reply::status(304) } else { Reply::ok(body) };
        let fields = [("ETag", etag), ("Last-Modified", modified), ("Date", Some(LATER.to_owned()))];
        fields.iter().fold(reply, |reply, (name, value)| match value {
            Some(value) => reply.field(name, value),
            None => reply,
        })
    }

    fn serve(&self) -> Server {
        let site = self.clone();
        Server::start(move |request| site.answer(request))
    }
}

fn sync(folder: &Folder, url: &str) -> Output {
    folder.smolget().args(["--sync", "--json", "--retries", "0"]).arg(url).run()
}

/// A run in which the file is the same: nothing of it is touched.
#[track_caller]
fn leaves_alone(folder: &Folder, url: &str, status: u64) -> Value {
    let about = || {
        let stat = fs::metadata(folder.path().join("a")).unwrap();
        (stat.ino(), stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec(), stat.len())
    };
    let before = about();
    let row = sync(folder, url).exits(0).row();
    assert_eq!(
        (&row["status"], &row["unchanged"], &row["written"]),
        (&status.into(), &true.into(), &0.into()),
        "{row}"
    );
    assert_eq!((&row["bytes"], &row["file"]), (&before.5.into(), &"./a".into()), "{row}");
    assert_eq!(about(), before);
    row
}

/// A run that brings another file.
#[track_caller]
fn replaces(folder: &Folder, url: &str, body: &[u8]) {
    let output = sync(folder, url).exits(0);
    let row = output.row();
    assert_eq!((&row["status"], &row["written"]), (&200.into(), &body.len().into()), "{row}");
    assert!(row.get("unchanged").is_none(), "{row}");
    assert!(output.file("a") == body);
}

fn last(server: &Server) -> Request {
    server.requests().pop().unwrap()
}

fn state(folder: &Folder) -> String {
    fs::read_to_string(folder.path().join(STATE)).unwrap()
}

#[test]
fn an_etag_is_asked_with_as_it_came_and_304_touches_nothing() {
    for etag in ["\"1\"", "W/\"weak,x\""] {
        let site = Site::new("list", etag);
        site.set(|version| version.modified = Some(DATE.to_owned()));
        let (server, folder) = (site.serve(), Folder::new());
        replaces(&folder, &server.url("/a"), b"list");
        assert_eq!(last(&server).field("If-None-Match"), None);
        let noted = state(&folder);
        leaves_alone(&folder, &server.url("/a"), 304);
        assert_eq!(last(&server).field("If-None-Match"), Some(etag));
        assert_eq!(last(&server).field("If-Modified-Since"), None);
        assert_eq!(state(&folder), noted);
        assert_eq!(folder.names(), [STATE, "a"]);
        site.set(|version| (version.body, version.etag) = (b"new".to_vec(), Some("\"2\"".to_owned())));
        replaces(&folder, &server.url("/a"), b"new");
        leaves_alone(&folder, &server.url("/a"), 304);
    }
}

#[test]
fn a_date_is_asked_with_where_there_is_no_etag() {
    let site = Site::new("list", "");
    site.set(|version| (version.etag, version.modified) = (None, Some(DATE.to_owned())));
    let (server, folder) = (site.serve(), Folder::new());
    replaces(&folder, &server.url("/a"), b"list");
    leaves_alone(&folder, &server.url("/a"), 304);
    assert_eq!(last(&server).field("If-Modified-Since"), Some(DATE));
    assert_eq!(last(&server).field("If-None-Match"), None);
}

#[test]
fn the_same_bytes_are_not_written_again_small_or_large() {
    for length in [0, 1, 64 << 10, (64 << 10) + 1, 1 << 20] {
        for chunked in [false, true] {
            let body = vec![b'x'; length];
            let reply = Reply::ok(body.clone());
            let server = Server::always(if chunked { reply.chunked(30_000) } else { reply });
            let folder = Folder::new();
            replaces(&folder, &server.url("/a"), &body);
            let row = leaves_alone(&folder, &server.url("/a"), 200);
            assert_eq!(row["bytes"], length);
            assert_eq!(folder.names(), [STATE, "a"]);
        }
    }
}

#[test]
fn a_body_that_parts_from_the_old_file_anywhere_comes_whole() {
    let old: Vec<u8> = (0..300_000).map(|n| (n % 251) as u8).collect();
    let mut versions = vec![old[..0].to_vec(), old[..1].to_vec(), old[..65_536].to_vec(), old[..200_000].to_vec()];
    versions.push([&old[..], b"more"].concat());
    for at in [0, 1, 65_535, 65_536, 100_000, 299_999] {
        let mut other = old.clone();
        other[at] ^= 1;
        versions.push(other);
    }
    for version in versions {
        for chunked in [false, true] {
            let folder = Folder::new();
            folder.write("a", &old);
            let reply = Reply::ok(version.clone());
            let server = Server::always(if chunked { reply.chunked(7000) } else { reply });
            replaces(&folder, &server.url("/a"), &version);
            assert_eq!(folder.names(), [STATE, "a"]);
        }
    }
}

#[test]
fn a_file_from_before_is_compared_and_its_validators_are_kept_from_then_on() {
    let site = Site::new("list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    folder.write("a", "list");
    leaves_alone(&folder, &server.url("/a"), 200);
    leaves_alone(&folder, &server.url("/a"), 304);
    site.set(|version| version.etag = Some("\"2\"".to_owned()));
    leaves_alone(&folder, &server.url("/a"), 200);
    leaves_alone(&folder, &server.url("/a"), 304);
    assert_eq!(state(&folder).lines().count(), 2 + 2);
}

#[test]
fn a_file_that_is_gone_or_was_changed_is_fetched_again() {
    let site = Site::new("list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    let file = folder.path().join("a");
    replaces(&folder, &server.url("/a"), b"list");
    fs::remove_file(&file).unwrap();
    replaces(&folder, &server.url("/a"), b"list");
    for change in ["lost", "longer than it was"] {
        fs::write(&file, change).unwrap();
        replaces(&folder, &server.url("/a"), b"list");
        assert_eq!(last(&server).field("If-None-Match"), None);
    }
    // Also where the time is the old one.
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, "lost").unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
    replaces(&folder, &server.url("/a"), b"list");
    fs::remove_file(&file).unwrap();
    let elsewhere = folder.write("elsewhere", "list");
    symlink(&elsewhere, &file).unwrap();
    replaces(&folder, &server.url("/a"), b"list");
    assert!(fs::symlink_metadata(&file).unwrap().is_file() && elsewhere.exists());
}

#[test]
fn a_file_that_was_only_touched_or_copied_is_not_fetched_again() {
    let site = Site::new("list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    let file = folder.path().join("a");
    replaces(&folder, &server.url("/a"), b"list");
    fs::File::options().write(true).open(&file).unwrap().set_modified(SystemTime::now()).unwrap();
    leaves_alone(&folder, &server.url("/a"), 304);
    let copy = folder.write("copy", "list");
    fs::rename(copy, &file).unwrap();
    leaves_alone(&folder, &server.url("/a"), 304);
    // What it is known by now was noted, so it was read once.
    let noted = state(&folder);
    assert_eq!(noted.lines().count(), 2 + 3);
    leaves_alone(&folder, &server.url("/a"), 304);
    assert_eq!(state(&folder), noted);
}

#[test]
fn a_validator_goes_to_no_other_resource() {
    let site = Site::new("list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    replaces(&folder, &server.url("/a"), b"list");
    for url in [server.url("/b/a"), server.url("/a?x"), server.url_as("localhost", "/a"), server.url("/a")] {
        let resolve = server.resolve("localhost");
        let output = folder.smolget().args(["--sync", "--json", "--resolve", &resolve]).arg(&url).run().exits(0);
        assert_eq!(last(&server).field("If-None-Match"), None, "{url}");
        // The bytes are the same, so the file is left as it is, and noted for this one.
        assert_eq!((&output.row()["status"], &output.row()["unchanged"]), (&200.into(), &true.into()));
    }
    leaves_alone(&folder, &server.url("/a"), 304);
}

#[test]
fn a_validator_goes_only_with_the_fields_that_it_came_for() {
    let site = Site::new("list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    let run = |options: &[&str]| {
        folder.smolget().arg("--sync").args(options).arg(server.url("/a")).run().exits(0);
        last(&server).field("If-None-Match").is_some()
    };
    assert!(!run(&[]) && run(&[]));
    assert!(!run(&["-H", "Accept-Language: de"]) && run(&["-H", "Accept-Language: de"]));
    assert!(!run(&[]) && run(&[]) && run(&["-j", "3"]));
}

#[test]
fn behind_a_redirect_the_question_goes_to_where_the_file_came_from() {
    let site = Site::new("list", "\"1\"");
    let target = Arc::new(Mutex::new("/v1/a"));
    let (answers, to) = (site.clone(), target.clone());
    let server = Server::start(move |request| match request.target.as_str() {
        "/a" => Reply::redirect(302, *to.lock().unwrap()).field("ETag", "\"1\""),
        _ => answers.answer(request),
    });
    let folder = Folder::new();
    replaces(&folder, &server.url("/a"), b"list");
    leaves_alone(&folder, &server.url("/a"), 304);
    let asked: Vec<_> = server.requests().iter().map(|r| r.field("If-None-Match").map(str::to_owned)).collect();
    assert_eq!(asked, [None, None, None, Some("\"1\"".to_owned())]);
    *target.lock().unwrap() = "/v2/a";
    site.set(|version| version.body = b"other".to_vec());
    replaces(&folder, &server.url("/a"), b"other");
    assert_eq!(last(&server).field("If-None-Match"), None);
}

#[test]
fn behind_a_redirect_to_another_origin_too() {
    let site = Site::new("list", "\"1\"");
    let answers = site.clone();
    let end = Server::start(move |request| answers.answer(request));
    let location = end.url("/v1/a");
    let door = Server::start(move |_| Reply::redirect(302, &location).field("ETag", "\"1\""));
    let folder = Folder::new();
    replaces(&folder, &door.url("/a"), b"list");
    leaves_alone(&folder, &door.url("/a"), 304);
    let asked = |server: &Server| -> Vec<_> {
        server.requests().iter().map(|request| request.field("If-None-Match").map(str::to_owned)).collect()
    };
    assert_eq!((asked(&door), asked(&end)), (vec![None, None], vec![None, Some("\"1\"".to_owned())]));
}

#[test]
fn a_mirror_is_asked_only_for_what_came_from_it() {
    let site = Site::new("list", "\"1\"");
    let broken = Arc::new(Mutex::new("/m"));
    let (answers, is_broken) = (site.clone(), broken.clone());
    let server = Server::start(move |request| match request.target == *is_broken.lock().unwrap() {
        true => Reply::status(404),
        false => answers.answer(request),
    });
    let folder = Folder::new();
    let run = || {
        let list = format!("{}\t{}\n out=a\n", server.url("/a"), server.url("/m"));
        folder.smolget().args(["--sync", "--json"]).input(list).run().exits(0).row()
    };
    run();
    *broken.lock().unwrap() = "/a";
    assert_eq!(run()["status"], 200);
    assert_eq!(server.requests().iter().filter(|r| r.field("If-None-Match").is_some()).count(), 1);
    assert_eq!(run()["status"], 304);
    assert_eq!(last(&server).target, "/m");
}

#[test]
fn a_question_of_the_users_own_is_the_only_one() {
    let site = Site::new("list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    replaces(&folder, &server.url("/a"), b"list");
    let own = ["--sync", "--json", "-H", "If-None-Match: \"1\""];
    let row = folder.smolget().args(own).arg(server.url("/a")).run().exits(0).row();
    assert_eq!(last(&server).fields("If-None-Match").len(), 1);
    assert_eq!((row["status"].as_u64(), row.get("unchanged"), row.get("file")), (Some(304), None, None), "{row}");
    let own = ["--sync", "--json", "-H", "If-Modified-Since: x"];
    folder.smolget().args(own).arg(server.url("/a")).run().exits(0);
    assert_eq!(last(&server).field("If-None-Match"), None);
}

#[test]
fn a_304_that_nobody_asked_for_brings_no_file_and_is_not_ok() {
    let server = Server::always(Reply::status(304).field("ETag", "\"1\""));
    let folder = Folder::new();
    let row = sync(&folder, &server.url("/a")).exits(1).row();
    assert_eq!((row["status"].as_u64(), error(&row)), (Some(304), "protocol"), "{row}");
    assert_eq!(folder.names(), [STATE]);
}

#[test]
fn a_304_for_another_version_than_was_asked_about_has_the_whole_asked_for() {
    for (told, is_same) in [("\"1\"", true), ("W/\"1\"", true), ("\"2\"", false)] {
        let server = Server::start(move |request| match request.field("If-None-Match") {
            Some(_) => Reply::status(304).field("ETag", told),
            None if request.visit == 1 => Reply::ok("list").field("ETag", "\"1\""),
            None => Reply::ok("new").field("ETag", "\"2\""),
        });
        let folder = Folder::new();
        replaces(&folder, &server.url("/a"), b"list");
        if is_same {
            leaves_alone(&folder, &server.url("/a"), 304);
        } else {
            replaces(&folder, &server.url("/a"), b"new");
        }
    }
}

#[test]
fn a_checksum_is_held_to_also_where_nothing_has_changed() {
    let site = Site::new("list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    let of = |text: &str| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (digest, other) = (of("list"), of("another"));
    let run = |hex: &str| {
        let list = format!("{}\n checksum=sha-256={hex}\n", server.url("/a"));
        folder.smolget().args(["--sync", "--json"]).input(list).run().row()
    };
    assert_eq!(run(&digest)["written"], 4);
    assert_eq!(run(&digest)["status"], 304);
    assert_eq!(error(&run(&other)), "checksum");
    assert_eq!(last(&server).field("If-None-Match"), None);
    assert_eq!(run(&digest)["status"], 304);
}

#[test]
fn a_body_that_is_refused_leaves_file_and_memory_as_they_were() {
    let site = Site::new("a long list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    replaces(&folder, &server.url("/a"), b"a long list");
    let noted = state(&folder);
    site.set(|version| (version.body, version.etag) = (b"short".to_vec(), Some("\"2\"".to_owned())));
    let output = folder.smolget().args(["--sync", "--json", "--min-ratio", "0.5"]).arg(server.url("/a")).run().exits(1);
    assert_eq!(error(&output.row()), "rejected");
    assert!(output.row().get("written").is_none());
    assert_eq!((output.file("a"), state(&folder)), (b"a long list".to_vec(), noted));
    assert_eq!(last(&server).field("If-None-Match"), Some("\"1\""));
    site.set(|version| version.etag = Some("\"1\"".to_owned()));
    leaves_alone(&folder, &server.url("/a"), 304);
}

#[test]
fn a_file_that_may_not_be_read_is_replaced() {
    for length in [4, 100_000] {
        let site = Site::new(vec![b'x'; length], "\"1\"");
        let (server, folder) = (site.serve(), Folder::new());
        let file = folder.write("a", vec![b'x'; length]);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        // Root may read it.
        let is_root = fs::read(&file).is_ok();
        let row = sync(&folder, &server.url("/a")).exits(0).row();
        assert_eq!((&row["status"], &row["written"]), (&200.into(), &(if is_root { 0 } else { length }).into()));
        // What is remembered does not change that it can't be read.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        sync(&folder, &server.url("/a")).exits(0);
    }
}

#[test]
fn a_body_that_is_cut_leaves_all_as_it_was() {
    let server = Server::start(|request| match request.visit {
        1 => Reply::ok("list").field("ETag", "\"1\""),
        2 => Reply::ok(vec![b'x'; 100_000]).length(200_000).close(),
        _ => Reply::status(304),
    });
    let folder = Folder::new();
    replaces(&folder, &server.url("/a"), b"list");
    assert_eq!(error(&sync(&folder, &server.url("/a")).exits(1).row()), "truncated");
    assert_eq!(folder.names(), [STATE, "a"]);
    leaves_alone(&folder, &server.url("/a"), 304);
}

#[test]
fn files_in_folders_are_told_apart_and_a_thousand_are_left_alone() {
    let server = Server::start(|request| {
        let etag = format!("\"{}\"", request.target);
        let reply =
            if request.field("If-None-Match") == Some(&etag) { Reply::status(304) } else { Reply::ok(etag.clone()) };
        reply.field("ETag", etag)
    });
    let list: String = (0..1000).map(|n| format!("{}\n out={}/{n}\n", server.url(&format!("/{n}")), n % 7)).collect();
    let folder = Folder::new();
    let run = || folder.smolget().args(["--sync", "--json", "-j", "16"]).input(list.clone()).run().exits(0);
    let first = run();
    assert!(first.rows().iter().all(|row| row["status"] == 200 && row["written"].as_u64() > Some(0)));
    let before = folder.files();
    assert_eq!((before.len(), first.summary().ok), (1001, 1000));
    let second = run();
    assert!(second.rows().iter().all(|row| row["status"] == 304 && row["unchanged"] == true && row["written"] == 0));
    assert_eq!(server.requests().len(), 2000);
    assert!(folder.files() == before);
    let summary = second.summary();
    assert_eq!((summary.ok, summary.skipped, summary.bytes), (1000, 0, 0));
}

#[test]
fn the_state_is_for_the_owner_alone_and_holds_no_url() {
    let site = Site::new("list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    let url = server.url("/a?token=secret").replace("http://", "http://u:secret@");
    sync(&folder, &url).exits(0);
    let mode = fs::metadata(folder.path().join(STATE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let noted = state(&folder);
    assert!(noted.starts_with("smolget-state 1\n") && noted.contains("\ta\t"), "{noted}");
    assert!(!noted.contains("secret") && !noted.contains("127.0.0.1"), "{noted}");
}

#[test]
fn what_is_damaged_is_fetched_once_more_and_the_rest_is_not() {
    let site = Site::new("list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    replaces(&folder, &server.url("/a"), b"list");
    let noted = state(&folder);
    fs::write(folder.path().join(STATE), &noted[..noted.len() - 5]).unwrap();
    leaves_alone(&folder, &server.url("/a"), 200);
    leaves_alone(&folder, &server.url("/a"), 304);
}

#[test]
fn what_is_no_state_of_ours_ends_the_run_before_anything_is_fetched() {
    let server = Server::always(Reply::ok("x"));
    for (content, told) in [
        ("smolget-state 2\n", "is of a later smolget, in format 2; without it everything is fetched once more"),
        ("shopping list\n", "is no state file of smolget"),
    ] {
        let folder = Folder::new();
        folder.write(STATE, content);
        let output = sync(&folder, &server.url("/a")).exits(3);
        assert!(output.stderr.contains(&format!("`./{STATE}` {told}")), "{}", output.stderr);
        assert_eq!(state(&folder), content);
    }
    let folder = Folder::new();
    let elsewhere = folder.write("elsewhere", "");
    symlink(&elsewhere, folder.path().join(STATE)).unwrap();
    sync(&folder, &server.url("/a")).exits(3);
    assert_eq!((fs::read(elsewhere).unwrap(), server.requests().len()), (Vec::new(), 0));
}

#[test]
fn a_second_run_in_the_folder_is_refused_while_the_first_goes_on_and_others_are_not() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/a" => Reply::ok("x").until(&held),
        _ => Reply::ok("x"),
    });
    let folder = Folder::new();
    let first = folder.smolget().args(["--sync", "--json"]).arg(server.url("/a")).start();
    server.wait_for_requests(1);
    let second = sync(&folder, &server.url("/b")).exits(3);
    let told = "another run with --sync is at work in `.`; wait until it is done, or give this one another --dir";
    assert!(second.stderr.contains(told), "{}", second.stderr);
    folder.smolget().arg(server.url("/c")).run().exits(0);
    folder.smolget().args(["--sync", "-d", "other"]).arg(server.url("/b")).run().exits(0);
    gate.open();
    first.wait().exits(0);
    assert_eq!(server.visits("/b"), 1);
    sync(&folder, &server.url("/b")).exits(0);
}

#[test]
fn what_a_run_without_it_has_replaced_in_between_is_fetched_again() {
    let site = Site::new("list", "\"1\"");
    let (server, folder) = (site.serve(), Folder::new());
    replaces(&folder, &server.url("/a"), b"list");
    let other = Server::always(Reply::ok("else"));
    folder.smolget().arg(other.url("/a")).run().exits(0);
    replaces(&folder, &server.url("/a"), b"list");
    assert_eq!(last(&server).field("If-None-Match"), None);
}

#[test]
fn without_files_there_is_nothing_to_compare() {
    let folder = Folder::new();
    for other in ["--discard", "--stdout", "--head", "--skip-existing"] {
        let output = folder.smolget().args(["--sync", other]).arg("http://127.0.0.1:1/").run().exits(2);
        assert!(output.stderr.contains(&format!("--sync and {other} exclude each other")), "{}", output.stderr);
    }
    assert!(folder.names().is_empty());
}
