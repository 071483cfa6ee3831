//! Bytes as they arrive → memory while they are few, the disk in large pieces once they are more.
//!
//! It owns the buffer, a long body's pipe, and the one piece that may be on its way to the disk out of either. Where the
//! disk part is, a [`Store`] says.
//! A write that is given up half-way (a time limit) loses track of nothing: the piece stays here until it is settled.
//!
//! ```text
//! Idle, in memory ─▶ Busy ─▶ Idle, on disk ─▶ Busy ─▶ …      Busy ─▶ Failed, if the disk refuses
//! ```

use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::pipe::{self, Pipe};
use crate::error::{Error, ErrorKind};
use crate::offload::{Lane, Task, unblock};
use crate::reactor::{Fill, Room};

/// How much is held in memory, and how much goes to the disk at once: small files then cost one trip to the disk's
/// threads, and large ones a trip for every 64 KiB. Those that come through a pipe have larger ones.
pub(super) const PIECE: usize = 64 * 1024;

/// Where the bytes go that memory does not hold. All of it blocks on the disk.
pub(crate) trait Store: Clone + Send + 'static {
    /// What is on the disk. When it is dropped, nothing of it is left.
    type Part: Send + 'static;

    fn open(&self) -> Result<Self::Part, Error>;

    fn append(&self, part: &mut Self::Part, bytes: &[u8]) -> Result<(), Error>;

    /// Appends so many bytes, which are in a pipe.
    fn append_from(&self, part: &mut Self::Part, pipe: &OwnedFd, bytes: usize) -> Result<(), Error>;

    /// Leaves what is there to be gone on with, and these bytes behind it, if that may be; else nothing of it.
    fn leave(&self, part: Self::Part, _: &[u8]) {
        drop(part);
    }

    /// Leaves nothing of it.
    fn remove(&self, part: Self::Part) {
        drop(part);
    }
}

/// What is to be left of a body that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftover {
    Nothing,
    /// What has come, where that can be gone on with.
    Part,
}

/// A body that is arriving.
#[derive(Debug)]
pub(crate) struct Spool<S: Store> {
    store: S,
    state: State<S::Part>,
    bytes: u64,
    /// Where a long body arrives, past this program's memory.
    pipe: Option<Pipe>,
    in_pipe: usize,
}

/// A body that has arrived: what is on the disk, if anything, and what comes after it.
#[derive(Debug)]
pub(super) struct Settled<S: Store> {
    pub(super) store: S,
    pub(super) part: Option<S::Part>,
    pub(super) buffer: Vec<u8>,
    pub(super) bytes: u64,
}

#[derive(Debug)]
enum State<P> {
    Idle { part: Option<P>, buffer: Vec<u8> },
    Busy(Task<Result<(P, Vec<u8>), Error>>),
    Failed,
}

impl<S: Store> Spool<S> {
    pub(super) fn new(store: S) -> Self {
        Self { store, state: State::Idle { part: None, buffer: Vec::new() }, bytes: 0, pipe: None, in_pipe: 0 }
    }

    /// Goes on with a part of so many bytes.
    pub(super) fn resumed(store: S, part: S::Part, bytes: u64) -> Self {
        Self { state: State::Idle { part: Some(part), buffer: Vec::new() }, bytes, ..Self::new(store) }
    }

    /// Where they go.
    pub(super) fn store(&self) -> &S {
        &self.store
    }

    /// How many bytes were taken.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the next bytes, waiting for the disk if it is behind.
    pub(super) async fn write(&mut self, mut data: &[u8]) -> Result<(), Error> {
        while !data.is_empty() {
            let (part, buffer) = self.idle().await?;
            let (now, later) = data.split_at_checked(PIECE.saturating_sub(buffer.len())).unwrap_or((data, &[]));
            let wanted = (buffer.len() + now.len()).next_power_of_two().min(PIECE);
            buffer.reserve_exact(wanted.saturating_sub(buffer.len()));
            buffer.extend_from_slice(now);
            // What fills the memory exactly may be the whole body, and then needs no disk before the end.
            let is_piece = buffer.len() >= PIECE && (part.is_some() || !later.is_empty());
            self.bytes += now.len() as u64;
            data = later;
            if is_piece {
                self.spill();
            }
        }
        Ok(())
    }

    /// A pipe for what comes next, and how much may be put into it; `None` if there is none to be had.
    pub(super) fn pipe(&mut self) -> Option<(&OwnedFd, Room)> {
        if self.pipe.is_none() {
            self.pipe = Pipe::open();
        }
        let fill = if self.in_pipe == 0 { Fill::Nothing } else { Fill::Something };
        let room = Room { bytes: pipe::SIZE.saturating_sub(self.in_pipe), fill };
        self.pipe.as_ref().map(|pipe| (&pipe.input, room))
    }

    /// Takes note of so many bytes that were put into the pipe. Once they are many the disk takes them, which this waits for.
    pub(super) async fn piped(&mut self, bytes: usize) -> Result<(), Error> {
        self.bytes += bytes as u64;
        self.in_pipe += bytes;
        if self.in_pipe >= pipe::SIZE / 2 { self.empty_pipe().await } else { Ok(()) }
    }

    /// Has the disk take what is in the pipe, after all that came before.
    pub(super) async fn empty_pipe(&mut self) -> Result<(), Error> {
        if self.in_pipe > 0 {
            self.idle().await?;
            self.spill();
        }
        self.idle().await.map(drop)
    }

    /// The whole of it, once the [pipe is empty](Self::empty_pipe) and nothing is on its way to the disk.
    ///
    /// # Errors
    ///
    /// If something is, or the disk refused something before.
    pub(super) fn settled(self) -> Result<Settled<S>, Error> {
        match self.state {
            State::Idle { part, buffer } => Ok(Settled { store: self.store, part, buffer, bytes: self.bytes }),
            State::Busy(_) | State::Failed => Err(failed_before()),
        }
    }

    /// Removes what is on the disk, or leaves it to be gone on with; returns when that is done.
    pub(super) async fn discard(mut self, leftover: Leftover) {
        if leftover == Leftover::Nothing {
            self.in_pipe = 0;
        }
        if self.empty_pipe().await.is_err() {
            return;
        }
        if let Ok(Settled { store, part: Some(part), buffer, .. }) = self.settled() {
            let discard = move || match leftover {
                Leftover::Nothing => store.remove(part),
                Leftover::Part => store.leave(part, &buffer),
            };
            unblock(Lane::Disk, discard).await;
        }
    }

    /// Waits until nothing is on its way to the disk.
    async fn idle(&mut self) -> Result<(&mut Option<S::Part>, &mut Vec<u8>), Error> {
        if let State::Busy(task) = &mut self.state {
            let done = task.await;
            self.state = State::Failed;
            let (part, buffer) = done?;
            self.state = State::Idle { part: Some(part), buffer };
        }
        match &mut self.state {
            State::Idle { part, buffer } => Ok((part, buffer)),
            State::Busy(_) | State::Failed => Err(failed_before()),
        }
    }

    /// Sends what is in memory to the disk, and does not wait: it is part of [`idle`](Self::idle) to do so.
    fn spill(&mut self) {
        let store = self.store.clone();
        let piped = mem::take(&mut self.in_pipe);
        let pipe = self.pipe.as_ref().map(|pipe| Arc::clone(&pipe.output)).filter(|_| piped > 0);
        if let State::Idle { part, mut buffer } = mem::replace(&mut self.state, State::Failed) {
            self.state = State::Busy(unblock(Lane::Disk, move || {
                let mut part = part.map_or_else(|| store.open(), Ok)?;
                if !buffer.is_empty() {
                    store.append(&mut part, &buffer)?;
                    buffer.clear();
                }
                if let Some(pipe) = pipe {
                    // Nothing comes through memory any more.
                    buffer = Vec::new();
                    store.append_from(&mut part, &pipe, piped)?;
                }
                Ok((part, buffer))
            }));
        }
    }
}

fn failed_before() -> Error {
    Error::new(ErrorKind::Io, "the body can't be kept: writing it to the disk failed before")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use std::sync::{Arc, Mutex};

    /// A disk of so many bytes, with its parts counted by the references to it.
    #[derive(Debug, Clone)]
    struct Disk {
        room: usize,
        pieces: Arc<Mutex<Vec<usize>>>,
    }

    impl Store for Disk {
        type Part = (Vec<u8>, Arc<Mutex<Vec<usize>>>);

        fn open(&self) -> Result<Self::Part, Error> {
            Ok((Vec::new(), Arc::clone(&self.pieces)))
        }

        fn append(&self, part: &mut Self::Part, bytes: &[u8]) -> Result<(), Error> {
            if part.0.len() + bytes.len() > self.room {
                return Err(Error::new(ErrorKind::Io, "disk full"));
            }
            part.0.extend_from_slice(bytes);
            self.pieces.lock().unwrap().push(bytes.len());
            Ok(())
        }

        fn append_from(&self, part: &mut Self::Part, pipe: &OwnedFd, bytes: usize) -> Result<(), Error> {
            let mut buffer = vec![0; bytes];
            assert_eq!(rustix::io::read(pipe, &mut buffer).unwrap(), bytes);
            self.append(part, &buffer)
        }
    }

    fn spool(room: usize) -> Spool<Disk> {
        Spool::new(Disk { room, pieces: Arc::default() })
    }

    fn settle(mut spool: Spool<Disk>) -> Result<Settled<Disk>, Error> {
        block_on(spool.empty_pipe())?;
        spool.settled()
    }

    fn body(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n * 31 % 251) as u8).collect()
    }

    #[test]
    fn what_fits_memory_stays_there_and_one_byte_more_goes_to_the_disk() {
        for (length, on_disk) in [(0, false), (1, false), (PIECE, false), (PIECE + 1, true)] {
            let mut spool = spool(usize::MAX);
            block_on(spool.write(&body(length))).unwrap();
            assert_eq!(settle(spool).unwrap().part.is_some(), on_disk, "{length}");
        }
    }

    #[test]
    fn a_body_is_the_same_however_it_arrives_and_goes_to_the_disk_in_whole_pieces() {
        let body = body(5 * PIECE + 17);
        for size in [1000, 16 * 1024, PIECE, 3 * PIECE - 1, body.len()] {
            let mut spool = spool(usize::MAX);
            body.chunks(size).for_each(|data| block_on(spool.write(data)).unwrap());
            assert_eq!(spool.bytes(), body.len() as u64);
            let settled = settle(spool).unwrap();
            let kept = [settled.part.unwrap().0, settled.buffer].concat();
            assert!(kept == body, "in pieces of {size}");
            assert_eq!(*settled.store.pieces.lock().unwrap(), [PIECE; 5]);
        }
    }

    #[test]
    fn memory_grows_with_a_small_body_and_never_past_a_piece() {
        let mut spool = spool(usize::MAX);
        let mut capacities = Vec::new();
        for data in body(3 * PIECE).chunks(3000) {
            block_on(spool.write(data)).unwrap();
            capacities.push(block_on(spool.idle()).unwrap().1.capacity());
        }
        assert!(capacities[0] < 8192 && capacities.iter().all(|&capacity| capacity <= PIECE), "{capacities:?}");
    }

    #[test]
    fn after_the_disk_refused_nothing_is_taken_for_kept() {
        let mut spool = spool(PIECE);
        let refused = block_on(async {
            spool.write(&body(2 * PIECE)).await?;
            spool.write(&body(2 * PIECE)).await
        });
        assert_eq!(refused.unwrap_err().to_string(), "disk full");
        assert!(block_on(spool.write(b"more")).is_err());
        assert!(settle(spool).is_err());
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn what_comes_through_a_pipe_follows_what_came_through_memory() {
        for first in [0, 10, PIECE, PIECE + 10] {
            let (mut spool, body) = (spool(usize::MAX), body(first + 50_000));
            let (memory, rest) = body.split_at(first);
            block_on(spool.write(memory)).unwrap();
            for piped in rest.chunks(20_000) {
                let (input, room) = spool.pipe().expect("a pipe is left");
                assert!(room.bytes >= piped.len());
                assert_eq!(rustix::io::write(input, piped).unwrap(), piped.len());
                block_on(spool.piped(piped.len())).unwrap();
            }
            assert_eq!(spool.bytes(), body.len() as u64);
            let settled = settle(spool).unwrap();
            assert!(settled.part.unwrap().0 == body && settled.buffer.is_empty(), "{first}");
        }
    }

    #[test]
    fn a_write_that_is_given_up_leaves_what_was_under_way_to_be_discarded() {
        let mut spool = spool(usize::MAX);
        let pieces = Arc::clone(&spool.store.pieces);
        assert!(block_on(poll_once(spool.write(&body(PIECE + 1)))).is_none_or(|done| done.is_ok()));
        block_on(spool.discard(Leftover::Nothing));
        // The test's own is the only reference left: store and part are gone.
        assert_eq!(Arc::strong_count(&pieces), 1);
    }
}
