//! Outcomes → rows of JSON.

#[allow(dead_code, reason = "the command's own, which does more with them")]
#[path = "../../src/cli/row.rs"]
mod row;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use futures_lite::{StreamExt as _, stream};
use row::{End, Row};
use serde_json::json;
use smolget::{Fetcher, Outcome};

const ROWS: usize = 1000;

fn kept() -> Row {
    Row {
        url: "http://127.0.0.1:8080/some/folder/file-12345.bin".to_owned(),
        line: Some(12_345),
        final_url: None,
        status: Some(200),
        millis: 12,
        attempts: 1,
        redirects: 0,
        end: End::Kept { bytes: 1024, file: Some("out/file-12345.bin".to_owned()), written: None },
        entry: None,
    }
}

/// 1,000 rows of saved files, into one string.
#[divan::bench]
fn a_thousand_rows(bencher: Bencher) {
    let row = kept();
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        let mut out = String::new();
        (0..ROWS).for_each(|_| black_box(&row).encode(&mut out));
        out
    });
}

/// The same rows by serde_json, of values that were made before.
#[divan::bench]
fn baseline_a_thousand_rows_by_serde_json(bencher: Bencher) {
    let row = kept();
    let End::Kept { bytes, file, .. } = &row.end else { unreachable!("it is kept") };
    let value = json!({
        "url": row.url, "ok": true, "status": row.status, "bytes": bytes, "file": file, "ms": row.millis,
        "attempts": row.attempts, "redirects": row.redirects, "line": row.line,
    });
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        let mut out = Vec::new();
        for _ in 0..ROWS {
            serde_json::to_writer(&mut out, black_box(&value)).unwrap();
            out.push(b'\n');
        }
        out
    });
}

/// 1,000 outcomes of failed jobs → rows → one string.
#[divan::bench]
fn a_thousand_failed_outcomes(bencher: Bencher) {
    let fetcher = Fetcher::builder().build().unwrap();
    let outcomes: Vec<Outcome> =
        smolget::block_on(fetcher.fetch(stream::repeat("http://h:99999/").take(ROWS)).collect());
    bencher.counter(ItemsCount::new(ROWS)).bench(|| {
        let mut out = String::new();
        black_box(&outcomes).iter().for_each(|outcome| Row::from(outcome).encode(&mut out));
        out
    });
}
