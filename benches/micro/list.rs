//! A list in a file → jobs.

use std::io::Write as _;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use futures_lite::StreamExt as _;
use smolget::Entry;
use smolget::input::List;
use tempfile::NamedTempFile;

const LINES: usize = 10_000;

fn urls() -> String {
    (0..LINES).map(|number| format!("http://127.0.0.1:8080/some/folder/file-{number}.bin\n")).collect()
}

/// Reads a list of so many jobs, over and over.
fn read(bencher: Bencher, text: &str, jobs: usize) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    bencher.counter(ItemsCount::new(jobs)).bench(|| {
        let list = List::open(file.path()).unwrap();
        let is_job = |entry: &Result<Entry, _>| matches!(entry, Ok(Entry::Job(_)));
        assert_eq!(smolget::block_on(list.filter(is_job).count()), jobs);
    });
}

/// 10,000 lines, a URL each.
#[divan::bench]
fn ten_thousand_urls(bencher: Bencher) {
    read(bencher, &urls(), LINES);
}

/// As many URLs, each with a mirror and a name.
#[divan::bench]
fn ten_thousand_urls_with_options(bencher: Bencher) {
    let text: String = urls().lines().map(|url| format!("{url}\t{url}\n out=a/b.bin\n")).collect();
    read(bencher, &text, LINES);
}

/// The same 10,000 lines in memory, each parsed as a URL and no more.
#[divan::bench]
fn baseline_ten_thousand_urls_in_memory(bencher: Bencher) {
    let text = urls();
    bencher.counter(ItemsCount::new(LINES)).bench(|| {
        black_box(&text).lines().map(surf::Url::parse).for_each(|url| drop(black_box(url)));
    });
}
