use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use futures_lite::future::block_on;

use super::*;
use crate::error::ErrorKind as Kind;

/// A list on a pipe that is still being written.
fn piped() -> (List, PipeWriter) {
    let (reader, writer): (PipeReader, _) = io::pipe().unwrap();
    let file = File::from(OwnedFd::from(reader));
    (List::new("the pipe".to_owned(), Source::File(file)), writer)
}

fn next_url(list: &mut List) -> String {
    match block_on(list.next()).unwrap().unwrap() {
        Entry::Job(job) => job.text,
        Entry::Rejected(rejected) => panic!("{rejected}"),
    }
}

#[test]
fn a_file_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list");
    let lines: String = (0..5000).map(|n| format!("http://h/{n}\n")).collect();
    std::fs::write(&path, lines).unwrap();
    let urls: Vec<_> = block_on(List::open(&path).unwrap().collect());
    assert_eq!(urls.len(), 5000);
    assert!(urls.iter().all(|entry| matches!(entry, Ok(Entry::Job(_)))));
}

#[test]
fn an_empty_list_has_no_entries_however_often_it_is_asked() {
    let (mut list, writer) = piped();
    drop(writer);
    assert!(block_on(list.next()).is_none());
    assert!(block_on(list.next()).is_none());
}

#[test]
fn a_job_starts_as_soon_as_the_next_line_begins() {
    let (mut list, mut writer) = piped();
    writer.write_all(b"http://h/1\n out=a\nh").unwrap();
    assert_eq!(next_url(&mut list), "http://h/1");
    writer.write_all(b"ttp://h/2\n\n").unwrap();
    assert_eq!(next_url(&mut list), "http://h/2");
    drop(writer);
    assert!(block_on(list.next()).is_none());
}

#[test]
fn a_job_waits_for_its_options() {
    let (mut list, mut writer) = piped();
    writer.write_all(b"http://h/1\n#\n o").unwrap();
    let mut next = list.next();
    assert!(block_on(futures_lite::future::poll_once(&mut next)).is_none());
    writer.write_all(b"ut=late\n").unwrap();
    drop(writer);
    assert!(matches!(block_on(next), Some(Ok(Entry::Job(job))) if job.out.as_deref() == Some("late")));
}

#[test]
fn a_silent_list_can_be_dropped() {
    let (mut list, writer) = piped();
    let mut next = list.next();
    assert!(block_on(futures_lite::future::poll_once(&mut next)).is_none());
    let start = Instant::now();
    drop(list);
    assert!(start.elapsed() < Duration::from_secs(5));
    drop(writer);
}

#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    let (reader, mut writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    let mut source = BufReader::new(Source::File(File::from(OwnedFd::from(reader))));
    assert_eq!(source.fill_buf().unwrap_err().kind(), ErrorKind::WouldBlock);
    let write = thread::spawn(move || writer.write_all(b"http://h/"));
    fill(&mut source).unwrap();
    assert_eq!(source.buffer(), b"http://h/");
    write.join().unwrap().unwrap();
}

#[test]
fn a_list_that_cannot_be_opened_is_named_and_escaped() {
    let error = List::open("no\u{1b}such".as_ref()).unwrap_err();
    assert_eq!(error.kind(), Kind::Io);
    assert!(error.to_string().starts_with("the list `no\\u{1b}such` can't be opened: "), "{error}");
}

#[test]
fn a_list_that_cannot_be_read_ends_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut list = List::open(dir.path()).unwrap();
    let error = block_on(list.next()).unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Io);
    assert!(error.to_string().contains(&*dir.path().to_string_lossy()), "{error}");
    assert!(block_on(list.next()).is_none());
}

#[test]
fn a_job_that_a_failing_list_cut_off_comes_before_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut list = List::open(dir.path()).unwrap();
    assert!(lock(&list.parser).next(&mut &b"http://h/1\n"[..]).is_none());
    match block_on(list.next()) {
        Some(Ok(Entry::Rejected(job))) => assert_eq!((job.text.as_str(), job.error.kind()), ("http://h/1", Kind::Io)),
        other => panic!("{other:?}"),
    }
    assert!(block_on(list.next()).unwrap().is_err());
    assert!(block_on(list.next()).is_none());
}

#[test]
fn a_job_that_is_half_read_when_the_run_is_stopped_has_an_outcome_and_a_list_read_to_its_end_none() {
    let list = List::stdin();
    let unfinished = list.unfinished();
    let mut input = &b"http://h/1\n  out=a\nhttp"[..];
    assert!(lock(&list.parser).next(&mut input).is_some());
    assert!(lock(&list.parser).next(&mut input).is_none());
    drop(list);
    assert!(unfinished.outcome().is_none());

    let list = List::stdin();
    assert!(lock(&list.parser).next(&mut &b"http://u:p@h/1\n  ou"[..]).is_none());
    let outcome = list.unfinished().outcome().unwrap();
    assert_eq!(outcome.url(), "http://u:***@h/1");
    assert!(outcome.result().unwrap_err().is_interrupted());
    assert!(list.unfinished().outcome().is_none());
}
