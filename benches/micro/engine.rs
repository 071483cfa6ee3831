//! The way of a job through a run, without a network: list → channel → workers → channel → outcome.
//!
//! What is no URL takes that way too, and nothing is sent for it.

use divan::{Bencher, black_box};
use futures_lite::future::{block_on, zip};
use futures_lite::{StreamExt as _, stream};
use smolget::Fetcher;

const JOBS: usize = 1000;

/// 1,000 rejected jobs, with so many workers.
#[divan::bench(args = [1, 32])]
fn a_thousand_rejected_jobs(bencher: Bencher, workers: usize) {
    let fetcher = Fetcher::builder().jobs(workers).build().unwrap();
    bencher.counter(JOBS).bench(|| {
        let outcomes = fetcher.fetch(stream::repeat("no URL").take(JOBS));
        assert_eq!(smolget::block_on(outcomes.fold(0, |count, outcome| count + usize::from(!outcome.is_ok()))), JOBS);
    });
}

/// The same, in the order of the jobs: each has a channel of its own.
#[divan::bench(args = [1, 32])]
fn a_thousand_rejected_jobs_in_order(bencher: Bencher, workers: usize) {
    let fetcher = Fetcher::builder().jobs(workers).build().unwrap();
    bencher.counter(JOBS).bench(|| {
        let outcomes = fetcher.fetch_in_order(stream::repeat("no URL").take(JOBS));
        assert_eq!(smolget::block_on(outcomes.count()), JOBS);
    });
}

/// Making what a rejected job consists of, which is part of both.
#[divan::bench]
fn baseline_a_thousand_refusals(bencher: Bencher) {
    bencher.counter(JOBS).bench(|| (0..JOBS).filter(|_| smolget::Job::new(black_box("no URL")).is_err()).count());
}

/// 1,000 numbers through two channels of 32, by two futures.
#[divan::bench]
fn baseline_a_thousand_numbers_through_two_channels(bencher: Bencher) {
    bencher.counter(JOBS).bench(|| {
        let (jobs, queue) = async_channel::bounded(32);
        let (results, finished) = async_channel::bounded(32);
        let feed = async move {
            for number in 0..JOBS {
                jobs.send(number).await.unwrap();
            }
        };
        let work = async move {
            while let Ok(number) = queue.recv().await {
                results.send(number).await.unwrap();
            }
        };
        let ((), (count, ())) = block_on(zip(feed, zip(finished.count(), work)));
        assert_eq!(count, JOBS);
    });
}
