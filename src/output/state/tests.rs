//! The state file: what a torn one is good for, when it is written anew, and who may write it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use super::super::record::tests::record;
use super::*;

fn place(dir: &Path) -> Place {
    Arc::new(File::open(dir).unwrap().into())
}

fn open(dir: &Path) -> State {
    State::open(&place(dir)).unwrap()
}

fn append(state: &State, name: &str, etag: &str) {
    let mut line = String::new();
    record(&format!("\"{etag}\"")).encode(name, &mut line);
    state.append(&line).unwrap();
}

fn etag(state: &State, name: &str) -> Option<String> {
    state.find(name).unwrap().and_then(|record| Some(record.note.validators.etag?.trim_matches('"').to_owned()))
}

/// A folder with a state file of these names, each with its number as ETag.
fn with(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path());
    names.iter().enumerate().for_each(|(n, name)| append(&state, name, &n.to_string()));
    dir
}

#[test]
fn what_was_added_is_found_by_the_next_run_and_the_last_of_a_name_counts() {
    let dir = with(&["a", "b", "f/a", "a"]);
    let state = open(dir.path());
    for (name, expected) in [("a", Some("3")), ("b", Some("1")), ("f/a", Some("2")), ("c", None), ("", None)] {
        assert_eq!(etag(&state, name).as_deref(), expected, "{name}");
    }
    let file = dir.path().join(NAME);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(file).unwrap().starts_with("smolget-state 1\n# check "));
}

#[test]
fn a_file_that_was_cut_anywhere_gives_what_is_whole_and_takes_more() {
    let dir = with(&["a", "b", "c"]);
    let file = dir.path().join(NAME);
    let whole = fs::read(&file).unwrap();
    let ends: Vec<_> = (0..whole.len()).filter(|&at| whole[at] == b'\n').collect();
    for cut in 0..=whole.len() {
        fs::write(&file, &whole[..cut]).unwrap();
        let state = open(dir.path());
        for (n, name) in ["a", "b", "c"].iter().enumerate() {
            assert_eq!(etag(&state, name), (cut > ends[n + 2]).then(|| n.to_string()), "{name}, cut at {cut}");
        }
        append(&state, "d", "new");
        drop(state);
        let state = open(dir.path());
        assert_eq!(etag(&state, "d").as_deref(), Some("new"), "cut at {cut}");
        assert_eq!(etag(&state, "a").is_some(), cut > ends[2], "cut at {cut}");
    }
}

#[test]
fn a_line_that_is_damaged_is_passed_over_and_no_other() {
    let dir = with(&["a", "b", "c"]);
    let file = dir.path().join(NAME);
    let whole = fs::read(&file).unwrap();
    let ends: Vec<_> = (0..whole.len()).filter(|&at| whole[at] == b'\n').collect();
    for at in ends[2] + 1..ends[3] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&file, &damaged).unwrap();
        let state = open(dir.path());
        assert_eq!(["a", "b", "c"].map(|name| etag(&state, name).is_some()), [true, false, true], "at {at}");
    }
    let mut zeros = whole.clone();
    zeros[ends[2] + 1..=ends[3]].fill(0);
    fs::write(&file, &zeros).unwrap();
    assert_eq!(["a", "b", "c"].map(|name| etag(&open(dir.path()), name).is_some()), [true, false, false]);
    fs::write(&file, vec![0; whole.len()]).unwrap();
    append(&open(dir.path()), "a", "anew");
    assert_eq!(etag(&open(dir.path()), "a").as_deref(), Some("anew"));
    let noise = [whole.as_slice(), &[b'x'; 3 * MAX_LINE], b"\n", &whole[ends[2] + 1..]].concat();
    fs::write(&file, noise).unwrap();
    assert_eq!(etag(&open(dir.path()), "c").as_deref(), Some("2"));
}

#[test]
fn what_could_not_be_written_whole_does_not_spoil_what_follows() {
    let dir = with(&["a"]);
    let state = open(dir.path());
    // As a full disk leaves it: some of the line is there, and it is not counted.
    state.file.write_all_at(&[b'x'; 5000], *lock(&state.end)).unwrap();
    append(&state, "b", "1");
    drop(state);
    let state = open(dir.path());
    assert_eq!((etag(&state, "a").as_deref(), etag(&state, "b").as_deref()), (Some("0"), Some("1")));
    append(&state, "c", "2");
    drop(state);
    assert_eq!(etag(&open(dir.path()), "c").as_deref(), Some("2"));
}

#[test]
fn a_file_that_is_mostly_dead_is_written_anew_without_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(NAME);
    let lines = || fs::read_to_string(&file).unwrap().lines().count() - 2;
    let state = open(dir.path());
    ["a", "b"].iter().for_each(|name| fs::write(dir.path().join(name), "x").unwrap());
    append(&state, "gone", "x");
    (0..FEW).for_each(|n| append(&state, "a", &n.to_string()));
    append(&state, "b", "y");
    drop(state);
    drop(open(dir.path()));
    assert_eq!(lines(), FEW + 2, "few dead lines are left alone");
    let state = open(dir.path());
    append(&state, "a", "z");
    append(&state, "a", "last");
    drop(state);
    fs::write(dir.path().join(NEW), "left by a run that was killed").unwrap();
    let state = open(dir.path());
    assert_eq!(lines(), 2);
    assert_eq!(["a", "b", "gone"].map(|name| etag(&state, name)), [Some("last".into()), Some("y".into()), None]);
    assert!(matches!(State::open(&place(dir.path())), Err(Unusable::Busy)), "the new file is locked, too");
    append(&state, "c", "more");
    drop(state);
    assert_eq!(etag(&open(dir.path()), "c").as_deref(), Some("more"));
    assert!(!dir.path().join(NEW).exists());
}

#[test]
fn one_run_at_a_time_writes() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    assert!(matches!(State::open(&place(dir.path())), Err(Unusable::Busy)));
    drop(first);
    open(dir.path());
}

#[test]
fn what_is_not_ours_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(NAME);
    for (content, told) in [
        ("smolget-state 2\n", "is of a later smolget, in format 2"),
        ("smolget-state x\n", "is no state file of smolget"),
        ("my notes", "is no state file of smolget"),
        ("smolget-state 1\nx", ""),
    ] {
        fs::write(&file, content).unwrap();
        match State::open(&place(dir.path())) {
            Err(Unusable::Foreign(why)) => assert_eq!(why, told),
            other => assert!(other.is_ok() && told.is_empty(), "{content}: {other:?}"),
        }
        assert!(fs::read_to_string(&file).unwrap().starts_with(content.trim_end_matches('x')));
    }
    fs::remove_file(&file).unwrap();
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert!(matches!(State::open(&place(dir.path())), Err(Unusable::Io(e)) if e.kind() != io::ErrorKind::NotFound));
    assert_eq!(fs::read(elsewhere).unwrap(), b"");
}

#[test]
fn what_may_be_anybodys_is_refused_and_left_as_it_is() {
    let dir = with(&["a"]);
    let (file, other) = (dir.path().join(NAME), dir.path().join("other"));
    let refused = || match State::open(&place(dir.path())) {
        Err(Unusable::Foreign(why)) => why,
        state => format!("{state:?}"),
    };
    fs::hard_link(&file, &other).unwrap();
    assert_eq!(refused(), "is another user's, or has another name, too");
    fs::remove_file(&other).unwrap();
    open(dir.path());
    // Only root can give files away.
    if std::os::unix::fs::chown(&file, Some(12_345), None).is_ok() {
        assert_eq!(refused(), "is another user's, or has another name, too");
        std::os::unix::fs::chown(dir.path(), Some(12_345), None).unwrap();
        open(dir.path());
    }
    fs::write(&other, "").unwrap();
    fs::remove_file(&file).unwrap();
    fs::hard_link(&other, &file).unwrap();
    assert_eq!(refused(), "is another user's, or has another name, too");
    assert_eq!(fs::read(other).unwrap(), b"");
}

#[test]
fn many_lines_of_one_name_are_soon_looked_through() {
    let mut index = Index::default();
    (0..200_000).for_each(|place| index.add("a", place));
    index.sort();
    for _ in 0..200_000 {
        assert_eq!(index.places("a").next(), Some(199_999));
    }
    assert_eq!((index.places("a").count(), index.places("b").count()), (200_000, 0));
}

#[test]
fn a_name_takes_at_most_sixteen_bytes() {
    let mut index = Index::default();
    for n in 0..100_000 {
        let before = index.lines.capacity();
        index.add(&format!("file-{n}"), n);
        let held = index.lines.capacity() + if index.lines.capacity() == before { 0 } else { before };
        // While it grows the old list is still there. Half of the lines may be dead: then a name has two.
        assert!(n < 1000 || held * size_of::<u64>() <= 24 * n as usize, "{held} at {n}");
        assert!(n < 1000 || index.lines.capacity() * size_of::<u64>() <= 10 * n as usize);
    }
    index.sort();
    assert!(index.names() >= 99_990);
    for n in 0..100_000 {
        assert!(index.places(&format!("file-{n}")).any(|place| place == n));
    }
}
