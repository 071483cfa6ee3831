//! A list of jobs → [`Entry`]s, streamed: read in chunks, as slowly as they are taken.
//!
//! A [`List`] owns the file or standard input, one chunk of it, and the one job whose options may still come. Reading
//! is done on threads of its own, so a pipe that stays silent holds up nothing else. What can't be a job is an entry
//! too; only a list that can't be read ends early.
//!
//! The form is aria2's input file: one job a line, its mirrors after TABs, its options (`out`, `header`, `checksum`,
//! `min-size` and its like) on indented lines below it.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod lines;
mod parser;

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use futures_lite::{FutureExt, Stream};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::stdio::stdin;

use crate::error::Error;
use crate::job::Entry;
use crate::offload::{Lane, Task, unblock};
use crate::outcome::Outcome;
use crate::sync::lock;
use crate::text::{conceal, escape};
pub(crate) use lines::BLANKS;
use parser::Parser;

/// What is read at once. A line may be as long, so a larger one would only cost memory.
const CHUNK: usize = 16 * 1024;

/// A list of jobs, as a stream of its entries.
///
/// An item that is an error is a list that can't be read any further, and is the last. A job whose options were
/// cut off by that comes just before it as [`Entry::Rejected`]. Dropping a list never waits for a read.
///
/// ```no_run
/// use futures_lite::{StreamExt, future::block_on};
/// use smolget::{Entry, input::List};
///
/// let mut list = List::open("urls.txt".as_ref())?;
/// while let Some(entry) = block_on(list.next()) {
///     match entry? {
///         Entry::Job(job) => println!("{}", job.url()),
///         Entry::Rejected(line) => println!("{line}"),
///     }
/// }
/// # Ok::<(), smolget::Error>(())
/// ```
#[derive(Debug)]
pub struct List {
    /// What messages call it.
    name: String,
    parser: Arc<Mutex<Parser>>,
    state: State,
}

/// The job of a list that has begun to be read and is not given yet, if there is one; got from [`List::unfinished`].
#[derive(Debug)]
pub struct Unfinished {
    parser: Arc<Mutex<Parser>>,
}

impl Unfinished {
    /// What a run that was stopped says of the job whose options were still to come: that it was not begun. Of a list that was
    /// read to its end there is nothing left to say.
    ///
    /// A line whose end had not come was not read yet.
    #[must_use]
    pub fn outcome(self) -> Option<Outcome> {
        lock(&self.parser).abandon().map(|entry| match entry {
            Entry::Job(job) => Outcome { entry: job.in_list(), ..Outcome::not_begun(&job) },
            Entry::Rejected(rejected) => Outcome::rejected(rejected),
        })
    }
}

#[derive(Debug)]
enum State {
    /// What was read is being taken apart.
    Parsing(BufReader<Source>),
    Reading(Task<(BufReader<Source>, io::Result<()>)>),
    /// There is no more to read, but perhaps an entry to give.
    Ended,
    /// Why there is no more to read, until it is told.
    Broken(Option<Error>),
}

/// What a list is read from.
#[derive(Debug)]
enum Source {
    File(File),
    /// Read where it is, without a descriptor of its own. Not by way of std's `Stdin`, which takes a descriptor that can't be
    /// read for an empty list.
    Stdin,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Stdin => Ok(rustix::io::read(stdin(), buffer)?),
        }
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::File(file) => file.as_fd(),
            Self::Stdin => stdin(),
        }
    }
}

impl List {
    /// Opens a list. A named pipe is waited for until someone writes to it.
    ///
    /// # Errors
    ///
    /// Kind [`Io`](crate::ErrorKind::Io) if the file can't be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let name = format!("the list `{}`", escape(&conceal(&path.to_string_lossy())));
        match File::open(path) {
            Ok(file) => Ok(Self::new(name, Source::File(file))),
            Err(error) => Err(Error::io(format_args!("{name} can't be opened"), error)),
        }
    }

    /// The list on standard input.
    #[must_use]
    pub fn stdin() -> Self {
        Self::new("the list on standard input".to_owned(), Source::Stdin)
    }

    fn new(name: String, source: Source) -> Self {
        let reader = BufReader::with_capacity(CHUNK, source);
        Self { name, parser: Arc::default(), state: State::Parsing(reader) }
    }

    /// A handle on what is read and not given yet, for when the run is stopped and this stream is gone.
    #[must_use]
    pub fn unfinished(&self) -> Unfinished {
        Unfinished { parser: Arc::clone(&self.parser) }
    }
}

impl Stream for List {
    type Item = Result<Entry, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { name, parser, state } = &mut *self;
        let mut parser = lock(parser);
        loop {
            match state {
                State::Parsing(reader) => match next_entry(&mut parser, reader) {
                    Some(entry) => return Poll::Ready(Some(Ok(entry))),
                    None => state.read(),
                },
                State::Reading(task) => match ready!(task.poll(cx)) {
                    (_, Err(error)) => {
                        *state = State::Broken(Some(Error::io(format_args!("{name} can't be read on"), error)));
                        if let Some(entry) = parser.break_off() {
                            return Poll::Ready(Some(Ok(entry)));
                        }
                    }
                    (reader, Ok(())) if reader.buffer().is_empty() => *state = State::Ended,
                    (reader, Ok(())) => *state = State::Parsing(reader),
                },
                State::Ended => return Poll::Ready(parser.finish().map(Ok)),
                State::Broken(error) => return Poll::Ready(error.take().map(Err)),
            }
        }
    }
}

impl State {
    /// Sends the reader away for its next chunk.
    fn read(&mut self) {
        if let Self::Parsing(mut reader) = mem::replace(self, Self::Ended) {
            *self = Self::Reading(unblock(Lane::List, move || {
                let result = fill(&mut reader);
                (reader, result)
            }));
        }
    }
}

/// The next entry in what the reader holds; `None` once that is used up.
fn next_entry(parser: &mut Parser, reader: &mut BufReader<Source>) -> Option<Entry> {
    let mut rest = reader.buffer();
    let entry = parser.next(&mut rest);
    let taken = reader.buffer().len() - rest.len();
    reader.consume(taken);
    entry
}

/// Waits for the next chunk. Nothing is in the reader afterwards if the list has ended.
fn fill(reader: &mut BufReader<Source>) -> io::Result<()> {
    loop {
        match reader.fill_buf() {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Whoever shares standard input may have made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait_readable(reader.get_ref().as_fd())?,
            Err(error) => return Err(error),
        }
    }
}

fn wait_readable(fd: BorrowedFd<'_>) -> io::Result<()> {
    match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The entries of a whole list.
#[cfg(test)]
pub(crate) fn read_all(mut input: &[u8]) -> Vec<Entry> {
    let mut parser = Parser::default();
    let mut entries: Vec<_> = std::iter::from_fn(|| parser.next(&mut input)).collect();
    entries.extend(std::iter::from_fn(|| parser.finish()));
    entries
}

#[cfg(test)]
mod tests;
