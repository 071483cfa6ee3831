//! A stream that may refuse to wait → one that waits, and that tells whether anything moves.
//!
//! Standard streams are shared: another program may have made them non-blocking, and what is only "not now" would look
//! like a failure. It owns no policy: how long to wait in vain, the run loop decides.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The most that is written at once, so that a slow reader is seen to move: four pages of a pipe.
const PIECE: usize = 16 * 1024;

/// Writes to `W`, and waits where `W` does not.
#[derive(Debug)]
pub struct Waiting<W> {
    inner: W,
    taken: Taken,
}

/// The count of bytes that a stream has taken, modulo what a `usize` holds; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Taken(Arc<AtomicUsize>);

impl<W> Waiting<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, taken: Taken::default() }
    }

    /// The count of what is written here.
    pub fn taken(&self) -> Taken {
        self.taken.clone()
    }
}

impl Taken {
    /// The bytes so far.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl<W: Write + AsFd> Write for Waiting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (piece, _) = bytes.split_at_checked(PIECE).unwrap_or((bytes, &[]));
        loop {
            match self.inner.write(piece) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait_writable(&self.inner)?,
                written => {
                    self.taken.0.fetch_add(*written.as_ref().unwrap_or(&0), Ordering::Relaxed);
                    return written;
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn wait_writable(stream: &impl AsFd) -> io::Result<()> {
    match poll(&mut [PollFd::new(stream, PollFlags::OUT)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether a write of a line would go through, or fail, at once. Where the system can't tell, it is worth the attempt.
pub fn is_writable(stream: &impl AsFd) -> bool {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(stream, PollFlags::OUT)], Some(&AT_ONCE)) != Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, PipeWriter, Read};
    use std::thread;

    use rustix::fs::{OFlags, fcntl_setfl};

    use super::*;

    /// A non-blocking pipe, and how much it has taken until it was full.
    fn full_pipe() -> (PipeReader, PipeWriter, usize) {
        let (reader, mut writer) = io::pipe().unwrap();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        let mut room = 0;
        while let Ok(count) = writer.write(&[b'.'; 4096]) {
            room += count;
        }
        (reader, writer, room)
    }

    #[test]
    fn a_stream_that_refuses_to_wait_gets_everything() {
        let (mut reader, mut writer, room) = full_pipe();
        assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut waiting = Waiting::new(writer);
        let taken = waiting.taken();
        let writing = thread::spawn(move || waiting.write_all(&[b'x'; 300_000]));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        writing.join().unwrap().unwrap();
        assert!(read.split_off(room).iter().all(|&b| b == b'x'));
        assert_eq!((read.len(), taken.bytes()), (room, 300_000));
    }

    #[test]
    fn a_stream_that_fails_is_not_waited_for() {
        let (reader, writer, _) = full_pipe();
        assert!(!is_writable(&writer));
        drop(reader);
        assert!(is_writable(&writer));
        let mut waiting = Waiting::new(writer);
        assert_eq!(waiting.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(waiting.taken().bytes(), 0);
    }

    #[test]
    fn no_write_is_larger_than_a_slow_reader_can_be_seen_to_take() {
        let (_reader, writer) = io::pipe().unwrap();
        assert!(is_writable(&writer));
        assert_eq!(Waiting::new(writer).write(&[b'x'; 60_000]).unwrap(), PIECE);
    }
}
