//! A long body on its way from its connection to its file, without a copy of it in this program: splice(2).
//!
//! The kernel moves what the network brought into a pipe by reference, and from there into the file: that is the one time
//! that it is copied. Where a file system takes nothing from a pipe, it is read and written as all else is.
//!
//! A pipe takes two descriptors and memory of the kernel's, so few bodies have one at a time, and none where descriptors
//! are few.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use rustix::process::{Resource, getrlimit};

/// What a pipe is to hold. More was no faster on tmpfs, and slower on ext4: it leaves the processor's cache.
pub(super) const SIZE: usize = 256 * 1024;

/// The most bodies that have a pipe at a time.
const MOST: usize = 8;

/// Which part of the descriptors that the process may have pipes may take, two each.
const SHARE: u64 = 64;

/// How many there are.
static PIPES: AtomicUsize = AtomicUsize::new(0);

/// A pipe, of which neither end waits.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) input: OwnedFd,
    pub(super) output: Arc<OwnedFd>,
    _share: Share,
}

/// One of the pipes that there may be.
#[derive(Debug)]
struct Share;

impl Share {
    fn take() -> Option<Self> {
        static LIMIT: OnceLock<usize> = OnceLock::new();
        let most = *LIMIT.get_or_init(|| {
            let share =
                |descriptors: u64| usize::try_from(descriptors / SHARE / 2).map_or(MOST, |share| share.min(MOST));
            getrlimit(Resource::Nofile).current.map_or(MOST, share)
        });
        let taken =
            PIPES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pipes| (pipes < most).then_some(pipes + 1));
        taken.ok().map(|_| Self)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        PIPES.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pipe {
    /// A pipe, if there may be one more.
    pub(super) fn open() -> Option<Self> {
        let share = Share::take()?;
        let (output, input) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // A smaller one does as well.
        let _ = fcntl_setpipe_size(&input, SIZE);
        Some(Self { input, output: Arc::new(output), _share: share })
    }
}

/// Moves so many bytes, which are in the pipe, to the end of a file. This blocks on the disk.
pub(super) fn drain(pipe: &OwnedFd, file: &mut File, mut bytes: usize) -> io::Result<()> {
    while bytes > 0 {
        match retry_on_intr(|| splice(pipe, None, &*file, None, bytes, SpliceFlags::MOVE)) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(moved) => bytes = bytes.saturating_sub(moved),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => {
                return copy(pipe, file, bytes);
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn copy(pipe: &OwnedFd, file: &mut File, mut bytes: usize) -> io::Result<()> {
    let mut buffer = vec![0; SIZE.min(bytes)];
    while bytes > 0 {
        let room = bytes.min(buffer.len());
        let n = retry_on_intr(|| rustix::io::read(pipe, buffer.get_mut(..room).unwrap_or_default()))?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_all(buffer.get(..n).unwrap_or_default())?;
        bytes = bytes.saturating_sub(n);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek as _};

    #[test]
    fn what_is_in_a_pipe_goes_to_the_end_of_a_file_spliced_or_copied() {
        for drain in [drain, copy as fn(&OwnedFd, &mut File, usize) -> _] {
            let (output, input) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(b"ab").unwrap();
            rustix::io::write(&input, b"cdef").unwrap();
            drain(&output, &mut file, 3).unwrap();
            file.write_all(b"x").unwrap();
            let mut kept = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut kept).unwrap();
            assert_eq!(kept, "abcdex");
            // More than there is would wait for ever, if the pipe did.
            assert_eq!(drain(&output, &mut file, 2).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}
