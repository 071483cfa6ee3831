//! URLs of the command line and lists → one stream of entries, in the order they were given, read as they are wanted.
//!
//! Every list is opened before the first job is read. A list that fails later ends the stream; why is left where the
//! run loop finds it.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::vec::IntoIter;

use futures_lite::Stream;
use smolget::input::List;
use smolget::{Entry, Error};

use super::failure::Failure;
use super::options::Input;

/// The jobs of a run.
pub struct Jobs<L = List> {
    urls: IntoIter<String>,
    lists: IntoIter<L>,
    /// The list that is being read.
    list: Option<L>,
    unread: Arc<OnceLock<Error>>,
}

/// Opens lists.
///
/// # Errors
///
/// A failure that names the first that can't be opened.
pub fn open(inputs: &[Input]) -> Result<Vec<List>, Failure> {
    let open = |input: &Input| match input {
        Input::Stdin => Ok(List::stdin()),
        Input::File(path) => List::open(path),
    };
    inputs.iter().map(open).collect::<Result<_, _>>().map_err(|error| Failure::Run(error.to_string()))
}

impl<L> Jobs<L> {
    /// First the URLs, then the lists. A list that can't be read on leaves its error in `unread`.
    pub fn new(urls: Vec<String>, lists: Vec<L>, unread: Arc<OnceLock<Error>>) -> Self {
        let mut lists = lists.into_iter();
        Self { urls: urls.into_iter(), list: lists.next(), lists, unread }
    }
}

impl<L: Stream<Item = Result<Entry, Error>> + Unpin> Stream for Jobs<L> {
    type Item = Entry;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Entry>> {
        let this = self.get_mut();
        if let Some(url) = this.urls.next() {
            return Poll::Ready(Some(url.into()));
        }
        while let Some(list) = &mut this.list {
            match ready!(Pin::new(list).poll_next(cx)) {
                Some(Ok(entry)) => return Poll::Ready(Some(entry)),
                Some(Err(error)) => {
                    // Nothing is read after the first error, so there is none yet.
                    let _ = this.unread.set(error);
                    this.list = None;
                }
                None => this.list = this.lists.next(),
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;
    use futures_lite::{StreamExt as _, stream};

    use super::*;

    type Item = Result<Entry, Error>;

    fn list(items: impl IntoIterator<Item = Item>) -> stream::Iter<IntoIter<Item>> {
        stream::iter(items.into_iter().collect::<Vec<_>>())
    }

    fn job(url: &str) -> Item {
        Ok(url.into())
    }

    fn read(lists: Vec<stream::Iter<IntoIter<Item>>>) -> (Vec<String>, bool) {
        let unread = Arc::new(OnceLock::new());
        let jobs = Jobs::new(vec!["http://a/".to_owned(), "b".to_owned()], lists, unread.clone());
        let shown = jobs.map(|entry| match entry {
            Entry::Job(job) => job.url().to_string(),
            Entry::Rejected(rejected) => format!("not {rejected}").chars().take(5).collect(),
        });
        (block_on(shown.collect()), unread.get().is_some())
    }

    #[test]
    fn urls_come_before_lists_and_lists_in_their_order() {
        let lists = vec![list([job("http://c/")]), list([]), list([job("http://d/"), job("http://e/")])];
        let (urls, unread) = read(lists);
        assert_eq!(urls, ["http://a/", "not b", "http://c/", "http://d/", "http://e/"]);
        assert!(!unread);
    }

    #[test]
    fn a_list_that_cannot_be_read_on_ends_the_jobs_and_is_remembered() {
        let error = smolget::parse_url("").unwrap_err();
        let (urls, unread) = read(vec![list([job("http://c/"), Err(error)]), list([job("http://d/")])]);
        assert_eq!(urls, ["http://a/", "not b", "http://c/"]);
        assert!(unread);
    }
}
