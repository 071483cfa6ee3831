//! What hosts are asked of, and who waits for whom: a host that is slow, busy or gone holds up nobody but itself.

#![cfg(feature = "cli")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;
use support::{Folder, Gate, Port, Reply, Server, error, eventually, ms, smolget};

#[test]
fn a_retry_that_waits_holds_no_worker() {
    let server = Server::start(|request| match (request.target.as_str(), request.visit) {
        ("/busy", 1) => Reply::status(500),
        _ => Reply::ok("x"),
    });
    let urls = ["/busy", "/1", "/2"].map(|path| server.url(path));
    let output = smolget().args(["--json", "--discard", "-j1"]).args(&urls).run().exits(0);
    let order: Vec<_> = output.rows().iter().map(|row| row["url"].as_str().unwrap().to_owned()).collect();
    assert_eq!(order, [&urls[1][..], &urls[2], &urls[0]]);
    assert_eq!(output.row_of(&urls[0])["attempts"], 2);
    let targets: Vec<_> = server.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/busy", "/1", "/2", "/busy"]);
}

#[test]
fn a_host_that_asks_to_be_left_alone_is_and_others_go_on() {
    for status in [429, 503] {
        let busy = Server::start(move |request| match request.visit {
            1 if request.target == "/1" => Reply::status(status).field("Retry-After", "1"),
            _ => Reply::ok("x"),
        });
        let other = Server::always(Reply::ok("x"));
        let urls: Vec<_> = (1..=5).map(|n| busy.url(&format!("/{n}"))).chain([other.url("/")]).collect();
        let output = smolget().args(["--json", "--discard", "-j1"]).args(&urls).run().exits(0);
        let rows = output.rows();
        // The other host is served first, and no request disturbs the one that asked for rest.
        assert_eq!(rows[0]["url"], urls[5]);
        assert!(rows[0]["ms"].as_u64().unwrap() < 900, "{rows:?}");
        assert!(output.took >= ms(990), "{:?}", output.took);
        assert_eq!(busy.requests().iter().map(|r| r.target.as_str()).collect::<Vec<_>>()[..2], ["/1", "/1"]);
        assert_eq!(output.row_of(&urls[0])["attempts"], 2);
        assert!(rows.iter().all(|row| row["url"] == urls[0] || row["attempts"] == 1));
    }
}

#[test]
fn the_host_that_asks_to_be_left_alone_is_and_not_the_one_that_led_there() {
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let noted = arrivals.clone();
    let second = Server::start(move |request| {
        noted.lock().unwrap().push(Instant::now());
        match (request.target.as_str(), request.visit) {
            ("/busy", 1) => Reply::status(429).field("Retry-After", "1"),
            _ => Reply::ok("x"),
        }
    });
    let busy = second.url("/busy");
    let first = Server::start(move |request| match request.target.as_str() {
        "/moved" => Reply::redirect(302, &busy),
        _ => Reply::ok("x"),
    });
    let urls = [first.url("/moved"), first.url("/1"), second.url("/2")];
    let output = smolget().args(["--json", "--discard", "-j1"]).args(&urls).run().exits(0);
    let rows = output.rows();
    // The one that led there goes on meanwhile, and no other request disturbs the one that asked for rest.
    assert_eq!(rows[0]["url"], urls[1]);
    assert!(rows[0]["ms"].as_u64().unwrap() < 900, "{rows:?}");
    assert_eq!(second.requests()[0].target, "/busy");
    let arrivals = arrivals.lock().unwrap();
    assert!(arrivals.len() == 3 && arrivals[1] - arrivals[0] >= ms(990), "{arrivals:?}");
    assert_eq!((&output.row_of(&urls[0])["attempts"], first.visits("/moved")), (&2.into(), 2));
    assert_eq!((&output.row_of(&urls[2])["attempts"], second.visits("/busy")), (&1.into(), 2));
}

#[test]
fn a_status_without_a_wish_to_be_left_alone_holds_no_other_up() {
    let server = Server::start(|request| match (request.target.as_str(), request.visit) {
        ("/1", 1) => Reply::status(503),
        _ => Reply::ok("x"),
    });
    let urls = ["/1", "/2", "/3"].map(|path| server.url(path));
    let rows = smolget().args(["--json", "--discard", "-j1"]).args(&urls).run().exits(0).rows();
    assert_eq!(rows.last().unwrap()["url"], urls[0]);
}

#[test]
fn a_host_that_is_gone_fails_ten_thousand_urls_soon_each_with_a_row() {
    const URLS: usize = 10_000;
    let port = Port::refusing();
    let good = Server::always(Reply::ok("x"));
    let list: String = (0..URLS).map(|n| port.url(&format!("/{n}\n"))).chain([good.url("/\n")]).collect();
    let output = smolget().args(["-i", "-", "-q", "--json", "--discard"]).input(list).run().exits(1);
    let mut rows = output.rows();
    assert_eq!(rows.len(), URLS + 1);
    assert_eq!(output.row_of(&good.url("/"))["ok"], true);
    rows.retain(|row| row["ok"] == false);
    assert!(rows.iter().all(|row| error(row) == "connect"));
    let untried = |row: &&Value| row["message"].as_str().unwrap().contains("this was not tried");
    assert!(rows.iter().filter(untried).count() > URLS - 300);
    // Whoever was tried to the end has made all attempts.
    assert!(rows.iter().filter(|row| !untried(row)).all(|row| row["attempts"] == 4));
    assert!(output.took < ms(30_000), "{:?}", output.took);
}

#[test]
fn few_urls_of_a_host_that_is_gone_are_all_tried() {
    let port = Port::refusing();
    let urls: Vec<_> = (0..4).map(|n| port.url(&format!("/{n}"))).collect();
    let output = smolget().args(["--json", "--discard", "--retries", "1"]).args(&urls).run().exits(1);
    for row in output.rows() {
        assert_eq!((error(&row), &row["attempts"]), ("connect", &2.into()), "{row}");
    }
}

#[test]
fn the_mirrors_of_a_host_that_is_gone_are_asked_without_delay() {
    let port = Port::refusing();
    let good = Server::always(Reply::ok("x"));
    let line = |n| format!("{}\t{}\n", port.url(&format!("/{n}")), good.url(&format!("/{n}")));
    let list: String = (0..1000).map(line).collect();
    let run = smolget().args(["-i", "-", "--json", "--discard", "--retries", "1"]).input(list);
    let output = run.run().exits(0);
    let rows = output.rows();
    assert_eq!(rows.len(), 1000);
    assert!(rows.iter().all(|row| row["final_url"].as_str().is_some_and(|url| url.starts_with(&good.url("/")))));
    assert!(rows.iter().filter(|row| row["attempts"] == 1).count() > 900);
}

#[test]
fn a_host_that_never_answers_holds_no_other_up() {
    const HOSTS: usize = 20;
    let good: Vec<_> = (0..HOSTS).map(|_| Server::always(Reply::ok("x").after(ms(20)))).collect();
    let silent = Server::silent();
    let group = |server: &Server| (0..10).map(|n| server.url(&format!("/{n}\n"))).collect::<String>();
    let took = |list: String| {
        let started = Instant::now();
        let mut running = smolget().args(["-i", "-", "--json", "--discard", "-j8"]).input(list).start();
        let rows: Vec<_> = (0..HOSTS * 10).map(|_| running.row()).collect();
        assert!(rows.iter().all(|row| row["ok"] == true));
        (started.elapsed(), running)
    };
    let (without, running) = took(good.iter().map(group).collect());
    running.wait().exits(0);
    // In front, where it comes first to every worker, and in the middle of the list.
    for at in [0, 10] {
        let mut groups: Vec<_> = good.iter().map(group).collect();
        groups.insert(at, group(&silent));
        let (with, running) = took(groups.concat());
        // One worker of eight is with the silent host: 8/7 of the time, and some for the machine.
        assert!(with < without * 12 / 10 + ms(100), "{with:?} with it, {without:?} without");
        running.signal(Signal::TERM);
        assert_eq!(running.wait().exits(143).rows().len(), (HOSTS + 1) * 10);
    }
}

#[test]
fn a_url_that_hangs_does_not_take_its_host_down() {
    let server = |request: &support::Request| match request.target.as_str() {
        "/hang" => Reply::raw("").hold(),
        _ => Reply::ok("x"),
    };
    // It is asked for first, and another host has tickets all the while.
    let some = Server::start(server);
    let other = Server::always(Reply::ok("x").after(ms(300)));
    let urls = ["/hang".to_owned()].into_iter().chain((1..=20).map(|n| format!("/{n}"))).map(|path| some.url(&path));
    let list: Vec<_> = urls.chain((0..12).map(|n| other.url(&format!("/{n}")))).collect();
    let args = ["--json", "--discard", "--timeout", "1s", "--retries", "1", "--per-host", "1"];
    let output = smolget().args(args).args(&list).run().exits(1);
    let failed: Vec<_> = output.rows().into_iter().filter(|row| row["ok"] == false).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!((&failed[0]["url"], error(&failed[0])), (&some.url("/hang").into(), "timeout"));
    assert_eq!((&failed[0]["attempts"], some.visits("/hang")), (&2.into(), 2));
}

#[test]
fn urls_that_hang_at_a_host_that_has_answered_fail_after_their_own_retries() {
    let server = Server::start(|request| match request.target.starts_with("/hang") {
        true => Reply::raw("").hold(),
        false => Reply::ok("x"),
    });
    // Nine attempts that hang, one after another: more than a host is granted that can't be reached.
    let paths =
        ["/0", "/hang/1", "/hang/2", "/hang/3"].map(str::to_owned).into_iter().chain((1..=30).map(|n| format!("/{n}")));
    let urls: Vec<_> = paths.map(|path| server.url(&path)).collect();
    let args = ["--json", "--discard", "-j1", "--timeout", "500ms", "--retries", "2"];
    let output = smolget().args(args).args(&urls).run().exits(1);
    for row in output.rows() {
        let hangs = row["url"].as_str().unwrap().contains("/hang");
        assert_eq!((&row["ok"], &row["attempts"]), (&(!hangs).into(), &if hangs { 3 } else { 1 }.into()), "{row}");
    }
}

#[test]
fn a_host_that_is_slow_to_answer_first_gets_all_workers_then() {
    let gate = Gate::new();
    let server = Server::always(Reply::ok("x").until(&gate));
    let list: String = (0..1000).map(|n| server.url(&format!("/{n}\n"))).collect();
    let running = smolget().args(["-i", "-", "--json", "--discard", "-j8"]).input(list).start();
    server.wait_for_requests(8);
    gate.open();
    assert_eq!(running.wait().exits(0).rows().len(), 1000);
}

#[test]
fn files_are_named_in_the_lists_order_whatever_is_overtaken() {
    let first = Server::start(|request| match request.visit {
        1 => Reply::status(503).field("Retry-After", "1"),
        _ => Reply::ok("first"),
    });
    let second = Server::always(Reply::ok("second"));
    let urls = [first.url("/a"), first.url("/f"), second.url("/f")];
    let output = smolget().args(["--json", "-j1"]).args(&urls).run().exits(0);
    assert_eq!((output.file("f"), output.file("f.1")), (b"first".to_vec(), b"second".to_vec()));
}

#[test]
fn a_run_that_is_stopped_has_a_row_for_each_job_that_waits() {
    let busy = Server::always(Reply::status(503).field("Retry-After", "300"));
    let urls: Vec<_> = (0..20).map(|n| busy.url(&format!("/{n}"))).collect();
    for (args, kinds) in [(&["--deadline", "500ms"][..], ["timeout", "interrupted"]), (&[], ["interrupted"; 2])] {
        let running = smolget().args(["--json", "--discard", "-j2"]).args(args).args(&urls).start();
        if args.is_empty() {
            std::thread::sleep(ms(300));
            running.signal(Signal::TERM);
        }
        let rows = running.wait().rows();
        assert_eq!(rows.len(), 20);
        for row in rows {
            assert_eq!(error(&row), kinds[usize::from(row["attempts"] == 0)], "{row}");
        }
    }
}

#[test]
fn files_that_are_there_are_skipped_whatever_becomes_of_their_host() {
    let port = Port::refusing();
    let folder = Folder::new();
    let urls: Vec<_> = (0..50).map(|n| port.url(&format!("/{n}"))).collect();
    (0..49).for_each(|n| drop(folder.write(&n.to_string(), "old")));
    let run = folder.smolget().args(["--json", "--skip-existing", "--retries", "0"]).args(&urls).run().exits(1);
    let rows = run.rows();
    assert_eq!(rows.iter().filter(|row| row["skipped"] == true).count(), 49);
    assert_eq!((error(&run.row_of(&urls[49])), &run.row_of(&urls[49])["attempts"]), ("connect", &1.into()));
}

#[test]
fn jobs_that_were_read_and_not_begun_are_told_so_also_where_files_are_skipped() {
    let server = Server::always(Reply::raw("").hold());
    let urls: Vec<_> = (0..20).map(|n| server.url(&format!("/{n}"))).collect();
    for args in [&["--skip-existing"][..], &[]] {
        let run = smolget().args(["--json", "-j2", "--deadline", "500ms"]).args(args).args(&urls).run().exits(1);
        let rows = run.rows();
        // Both workers are busy: the list is read a little ahead, and no further.
        assert!(rows.iter().filter(|row| row["attempts"] == 0).count() > 0, "{args:?}: {rows:?}");
        for row in rows {
            let expected = if row["attempts"] == 0 { "interrupted" } else { "timeout" };
            assert_eq!(error(&row), expected, "{args:?}: {row}");
        }
    }
}

#[test]
fn one_host_has_no_more_transfers_than_it_may_while_others_have_theirs() {
    let servers: Vec<_> = (0..3).map(|_| Server::always(Reply::ok("x").after(ms(10)))).collect();
    let group = |server: &Server| (0..20).map(|n| server.url(&format!("/{n}\n"))).collect::<String>();
    let list: String = servers.iter().map(group).collect();
    let output = smolget().args(["-i", "-", "--json", "--discard", "-j16", "--per-host=2"]).input(list).run().exits(0);
    assert_eq!(output.rows().len(), 60);
    assert!(servers.iter().all(|server| server.busiest() == 2));
    // The last group has begun before the first was done.
    let first_of_last = output.rows().iter().position(|row| row["line"] == 41).unwrap();
    assert!(first_of_last < 40, "{first_of_last}");
}

#[test]
fn one_host_is_asked_so_often_a_second_and_no_other_waits_for_it() {
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let noted = arrivals.clone();
    let slow = Server::start(move |_| {
        noted.lock().unwrap().push(Instant::now());
        Reply::ok("x")
    });
    let other = Server::always(Reply::ok("x"));
    let list: String = (0..21).map(|n| slow.url(&format!("/{n}\n"))).chain([other.url("/\n")]).collect();
    let output = smolget().args(["-i", "-", "--json", "--discard", "--rate", "20"]).input(list).run().exits(0);
    assert!(output.rows().iter().position(|row| row["line"] == 22).unwrap() < 10);
    // Twenty intervals of 50 ms; none of them passed over, whatever the machine was at.
    let arrivals = arrivals.lock().unwrap();
    let took = *arrivals.last().unwrap() - arrivals[0];
    assert!(took >= ms(950), "{took:?}");
    assert!(took < ms(3000), "{took:?}");
}

#[test]
fn all_transfers_together_keep_to_a_rate_however_they_are_kept() {
    const SIZE: usize = 300_000;
    let server = Server::always(Reply::ok(vec![b'x'; SIZE]));
    for args in [&["--discard"][..], &[], &["--stdout"]] {
        let urls = ["/1", "/2"].map(|path| server.url(path));
        let run = smolget().args(["-q", "--limit-rate", "600000"]).args(args).args(&urls);
        let output = run.run().exits(0);
        // Two transfers of half a second each, together. Slower may be the machine.
        assert!(output.took >= ms(950), "{args:?}: {:?}", output.took);
        assert!(output.took < ms(5000), "{args:?}: {:?}", output.took);
        if args.is_empty() {
            assert!(output.file("1").len() == SIZE && output.file("2").len() == SIZE);
        }
    }
}

/// So many servers, each of which leads all its URLs to the same path of `target`.
fn leading_to(target: &str, servers: usize) -> Vec<Server> {
    let target = Arc::<str>::from(target);
    let server = |target: Arc<str>| {
        Server::start(move |request| Reply::redirect(302, format!("{target}{}", &request.target[1..])))
    };
    (0..servers).map(|_| server(target.clone())).collect()
}

#[test]
fn a_host_that_many_others_lead_to_has_no_more_transfers_than_it_may() {
    let end = Server::always(Reply::ok("x").after(ms(10)));
    let doors = leading_to(&end.url("/"), 5);
    let list: String = (0..60).map(|n| doors[n % 5].url(&format!("/{n}\n"))).collect();
    let output = smolget().args(["-i", "-", "--json", "--discard", "-j16", "--per-host=2"]).input(list).run().exits(0);
    let rows = output.rows();
    assert_eq!((rows.len(), end.busiest()), (60, 2));
    // It has not come to anybody twice, nor been asked for twice on the way.
    assert_eq!((end.requests().len(), doors.iter().map(|door| door.requests().len()).sum::<usize>()), (60, 60));
    for row in rows {
        let path = row["url"].as_str().unwrap().rsplit_once('/').unwrap().1;
        assert_eq!((&row["attempts"], &row["redirects"]), (&1.into(), &1.into()), "{row}");
        assert_eq!((&row["status"], &row["final_url"]), (&200.into(), &end.url(&format!("/{path}")).into()));
    }
}

#[test]
fn a_host_that_others_lead_to_is_asked_so_often_a_second() {
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let noted = arrivals.clone();
    let end = Server::start(move |_| {
        noted.lock().unwrap().push(Instant::now());
        Reply::ok("x")
    });
    // Each of them has few URLs, and would be done in no time.
    let doors = leading_to(&end.url("/"), 10);
    let urls = (0..20).map(|n| doors[n % 10].url(&format!("/{n}"))).chain([end.url("/20")]);
    let list: String = urls.map(|url| url + "\n").collect();
    let output = smolget().args(["-i", "-", "--json", "--discard", "-j16", "--rate", "20"]).input(list).run().exits(0);
    let arrivals = arrivals.lock().unwrap();
    assert_eq!((arrivals.len(), output.rows().len()), (21, 21));
    let took = *arrivals.last().unwrap() - arrivals[0];
    // Twenty intervals of 50 ms.
    assert!(took >= ms(950), "{took:?}");
    assert!(took < ms(3000), "{took:?}");
}

#[test]
fn a_dead_host_that_others_lead_to_fails_many_urls_soon_each_with_a_row() {
    const URLS: usize = 200;
    let port = Port::refusing();
    let doors = leading_to(&port.url("/"), 4);
    let good = Server::always(Reply::ok("x"));
    let list: String = (0..URLS).map(|n| doors[n % 4].url(&format!("/{n}\n"))).chain([good.url("/\n")]).collect();
    let args = ["-i", "-", "-q", "--json", "--discard", "--retries", "2"];
    let output = smolget().args(args).input(list).run().exits(1);
    let mut rows = output.rows();
    assert_eq!(rows.len(), URLS + 1);
    assert_eq!(output.row_of(&good.url("/"))["ok"], true);
    rows.retain(|row| row["ok"] == false);
    for row in &rows {
        assert_eq!((error(row), &row["redirects"]), ("connect", &1.into()), "{row}");
        assert!(row["final_url"].as_str().is_some_and(|url| url.starts_with(&port.url("/"))), "{row}");
    }
    // The host is down after three misses, and whoever is led there after that is told so.
    let untried = |row: &&Value| row["message"].as_str().unwrap().contains("this was not tried; fetch it later");
    assert!(rows.iter().filter(untried).count() > URLS - 20, "{rows:?}");
    let asked: usize = doors.iter().map(|door| door.requests().len()).sum();
    assert!((URLS..URLS + 40).contains(&asked), "{asked}");
    assert!(output.took < ms(20_000), "{:?}", output.took);
}

#[test]
fn the_mirrors_of_urls_that_lead_to_a_host_that_is_gone_are_asked() {
    let port = Port::refusing();
    let doors = leading_to(&port.url("/"), 1);
    let good = Server::always(Reply::ok("x"));
    let line = |n| format!("{}\t{}\n", doors[0].url(&format!("/{n}")), good.url(&format!("/{n}")));
    let list: String = (0..100).map(line).collect();
    let run = smolget().args(["-i", "-", "--json", "--discard", "--retries", "1"]).input(list);
    let rows = run.run().exits(0).rows();
    assert_eq!(rows.len(), 100);
    for row in &rows {
        assert!(row["final_url"].as_str().is_some_and(|url| url.starts_with(&good.url("/"))), "{row}");
        assert_eq!(row["redirects"], 0, "{row}");
    }
    assert!(rows.iter().filter(|row| row["attempts"] == 2).count() > 80, "{rows:?}");
}

#[test]
fn a_run_that_is_stopped_has_a_row_for_each_job_that_waits_for_where_it_was_led() {
    let end = Server::always(Reply::raw("").hold());
    let doors = leading_to(&end.url("/"), 1);
    let urls: Vec<_> = (0..20).map(|n| doors[0].url(&format!("/{n}"))).collect();
    for (args, kind) in [(&["--deadline", "3s"][..], "timeout"), (&[], "interrupted")] {
        let run = smolget().args(["--json", "--discard", "-vv", "-j8", "--per-host", "1"]).args(args).args(&urls);
        let running = run.start();
        eventually("all are led there", || running.log().matches("status 302 leads to").count() == 20);
        if args.is_empty() {
            running.signal(Signal::TERM);
        }
        let rows = running.wait().rows();
        assert_eq!(rows.len(), 20);
        for row in rows {
            assert_eq!((error(&row), &row["attempts"]), (kind, &1.into()), "{row}");
            assert!(row["final_url"].as_str().is_some_and(|url| url.starts_with(&end.url("/"))), "{row}");
        }
    }
    assert_eq!(end.requests().len(), 2);
}
