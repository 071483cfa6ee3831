//! Work that blocks → a [`Task`] to await: look-ups, the disk, syncs and lists, each on a few threads of their own.
//!
//! It owns the threads and the queues before them. A lane's threads are made as work comes, up to the lane's limit, and end
//! when none has come for a while. Where no thread can be made (a limit on processes, no memory) work waits for those that
//! there are, and is done by whoever brings it if there are none. Nobody waits for the threads when the process ends.
//!
//! ```text
//!            ┌─ the task is dropped ─▶ Nobody: not begun, it never is; under way, its result goes
//! Awaited ───┼─ the work is done ────▶ Done, or Panicked ─▶ the result is taken: Nobody
//!            └─ detach ──────────────▶ Detached: it is done all the same, its result goes
//! ```

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::thread;
use std::time::Duration;

use crate::sync::lock;

/// A look-up whose name servers are silent keeps its thread for 30 s and more. So that it holds up its own host only there
/// are many threads, but not one for each dead host of a list: 64 stacks are 16 MiB of address space.
const MAX_LOOK_UPS: usize = 64;
/// More at once make no disk faster, and a flash card slower.
const MAX_DISK: usize = 4;
/// What waits for the disk's own cache would hold up what only writes, and what waits for a descriptor there would hold up
/// the commits that free some.
const MAX_SYNCS: usize = 4;
/// A read of a silent pipe may keep its thread for ever. A program reads one list, seldom two.
const MAX_LISTS: usize = 4;
/// How long a thread waits for more work: one for every file would be dear, and one that is kept is memory.
const IDLE: Duration = Duration::from_secs(5);
/// getaddrinfo runs whatever modules the system has set up for names, and some keep large buffers on the stack.
const STACK: usize = 256 * 1024;

/// What kind of work it is; none waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    LookUp,
    Disk,
    /// Syncs, and what comes after them.
    Sync,
    List,
}

/// Has `work` done on one of the lane's threads. Work of one lane is begun in the order in which it comes.
///
/// If the lane has no thread and none can be made, the work is done before this returns: all else stands still meanwhile,
/// but there is no other way on.
pub(crate) fn unblock<T: Send + 'static>(lane: Lane, work: impl FnOnce() -> T + Send + 'static) -> Task<T> {
    static LOOK_UPS: Crew = Crew::new("smolget-look-up", MAX_LOOK_UPS);
    static DISK: Crew = Crew::new("smolget-disk", MAX_DISK);
    static SYNCS: Crew = Crew::new("smolget-sync", MAX_SYNCS);
    static LISTS: Crew = Crew::new("smolget-list", MAX_LISTS);
    match lane {
        Lane::LookUp => LOOK_UPS.unblock(work),
        Lane::Disk => DISK.unblock(work),
        Lane::Sync => SYNCS.unblock(work),
        Lane::List => LISTS.unblock(work),
    }
}

/// Work that was handed over, as a future of its result. If the work panics, so does whoever awaits it.
///
/// Dropped, work that has not begun is never done; what is under way goes on, and its result is dropped.
#[must_use = "work whose task is dropped may never be done"]
pub(crate) struct Task<T> {
    slot: Arc<Slot<T>>,
}

/// Where the work leaves its result for the task.
struct Slot<T> {
    stage: Mutex<Stage>,
    /// There when the work is done, and until it is taken.
    result: Mutex<Option<T>>,
}

enum Stage {
    /// Not done yet. Whoever waits, once somebody does.
    Awaited(Option<Waker>),
    Done,
    Panicked(Panic),
    Detached,
    Nobody,
}

type Panic = Box<dyn Any + Send>;

impl<T> Task<T> {
    /// Has the work done though nobody waits for it.
    pub(crate) fn detach(self) {
        *lock(&self.slot.stage) = Stage::Detached;
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        ready!(poll_done(&self.slot.stage, cx));
        lock(&self.slot.result).take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        abandon(&self.slot.stage);
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

// What follows knows nothing of the work's type: each kind of work would have all of it in the program once more.

/// Ready when there is a result to be taken, which is so once.
fn poll_done(stage: &Mutex<Stage>, cx: &mut Context<'_>) -> Poll<()> {
    let mut stage = lock(stage);
    match mem::replace(&mut *stage, Stage::Nobody) {
        Stage::Awaited(_) => *stage = Stage::Awaited(Some(cx.waker().clone())),
        Stage::Done => return Poll::Ready(()),
        Stage::Panicked(panic) => {
            drop(stage);
            resume_unwind(panic);
        }
        // The result was taken before: there is no other.
        Stage::Detached | Stage::Nobody => {}
    }
    Poll::Pending
}

fn abandon(stage: &Mutex<Stage>) {
    let mut stage = lock(stage);
    if !matches!(*stage, Stage::Detached) {
        let left = mem::replace(&mut *stage, Stage::Nobody);
        drop(stage);
        drop(left);
    }
}

/// Has the work done, if it is still wanted, and else dropped, and wakes whoever waits for it.
fn perform(stage: &Mutex<Stage>, work: &mut dyn FnMut(Wanted)) {
    // What is not wanted is dropped here and not with its task: it may hold a file, and to remove that is disk work.
    let done = catch_unwind(AssertUnwindSafe(|| {
        let wanted = if matches!(*lock(stage), Stage::Nobody) { Wanted::No } else { Wanted::Yes };
        work(wanted);
    }));
    let end = done.map_or_else(Stage::Panicked, |()| Stage::Done);
    let mut stage = lock(stage);
    if let Stage::Awaited(waker) = &mut *stage {
        let waker = waker.take();
        *stage = end;
        drop(stage);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Whether work is to be done, or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Yes,
    No,
}

/// The threads of one lane, and the work that waits for them.
struct Crew {
    name: &'static str,
    most: usize,
    idle: Duration,
    spawn: fn(&'static Crew) -> io::Result<()>,
    state: Mutex<State>,
    news: Condvar,
}

/// While work is queued there is a thread.
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    /// How many of them have work in hand.
    busy: usize,
}

type Job = Box<dyn FnOnce() + Send>;

impl Crew {
    const fn new(name: &'static str, most: usize) -> Self {
        let state = State { queue: VecDeque::new(), threads: 0, busy: 0 };
        Self { name, most, idle: IDLE, spawn: Self::spawn, state: Mutex::new(state), news: Condvar::new() }
    }

    fn unblock<T: Send + 'static>(&'static self, work: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        let slot = Arc::new(Slot { stage: Mutex::new(Stage::Awaited(None)), result: Mutex::default() });
        let (task, mut work) = (Task { slot: Arc::clone(&slot) }, Some(work));
        self.take(Box::new(move || {
            perform(&slot.stage, &mut |wanted| {
                if let Some(work) = work.take().filter(|_| wanted == Wanted::Yes) {
                    let result = work();
                    *lock(&slot.result) = Some(result);
                }
            });
        }));
        task
    }

    fn take(&'static self, job: Job) {
        let mut state = lock(&self.state);
        let all_spoken_for = state.busy + state.queue.len() >= state.threads;
        if all_spoken_for && state.threads < self.most {
            match (self.spawn)(self) {
                Ok(()) => state.threads += 1,
                Err(e) => log::debug!("no {} thread can be made beside {}: {e}", self.name, state.threads),
            }
        }
        if state.threads == 0 {
            drop(state);
            return job();
        }
        // Whoever is idle was woken for what is queued already, or is to be woken now.
        let has_idle = state.busy + state.queue.len() < state.threads;
        state.queue.push_back(job);
        drop(state);
        if has_idle {
            self.news.notify_one();
        }
    }

    fn spawn(&'static self) -> io::Result<()> {
        let thread = thread::Builder::new().name(self.name.to_owned()).stack_size(STACK);
        thread.spawn(|| self.serve()).map(drop)
    }

    /// What a thread does: all there is to do, until nothing has come for a while.
    fn serve(&self) {
        let mut state = lock(&self.state);
        loop {
            let waited = self.news.wait_timeout_while(state, self.idle, |state| state.queue.is_empty());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            let Some(job) = state.queue.pop_front() else {
                state.threads -= 1;
                return;
            };
            state.busy += 1;
            drop(state);
            job();
            state = lock(&self.state);
            state.busy -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use std::collections::HashSet;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};

    fn crew(most: usize, spawn: fn(&'static Crew) -> io::Result<()>) -> &'static Crew {
        Box::leak(Box::new(Crew { spawn, ..Crew::new("smolget-test", most) }))
    }

    fn refuse(_: &'static Crew) -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Work that goes on until the sender is dropped.
    fn stuck(crew: &'static Crew) -> (Sender<()>, Task<thread::ThreadId>) {
        let (gate, closed) = channel::<()>();
        let (begins, begun) = channel();
        let task = crew.unblock(move || {
            begins.send(()).unwrap();
            let _ = closed.recv();
            thread::current().id()
        });
        begun.recv().unwrap();
        (gate, task)
    }

    #[test]
    fn work_that_is_stuck_in_one_lane_holds_up_no_other() {
        let (gate, closed) = channel::<()>();
        let closed = Arc::new(Mutex::new(closed));
        let stuck: Vec<_> = (0..2 * MAX_LISTS)
            .map(|_| {
                let closed = Arc::clone(&closed);
                unblock(Lane::List, move || lock(&closed).recv().is_err())
            })
            .collect();
        assert_eq!(block_on(unblock(Lane::Disk, || 1)), 1);
        assert_eq!(block_on(unblock(Lane::LookUp, || 2)), 2);
        drop(gate);
        assert!(stuck.into_iter().all(block_on));
    }

    #[test]
    fn more_work_than_threads_is_all_done_by_no_more_than_these() {
        let crew = crew(3, Crew::spawn);
        let meeting = Arc::new(Barrier::new(3));
        let tasks: Vec<_> = (0..99)
            .map(|_| {
                let meeting = Arc::clone(&meeting);
                crew.unblock(move || {
                    // Three at a time, or none gets on.
                    meeting.wait();
                    thread::current().id()
                })
            })
            .collect();
        let threads: HashSet<_> = tasks.into_iter().map(block_on).collect();
        assert_eq!(threads.len(), 3);
        assert!(!threads.contains(&thread::current().id()));
    }

    #[test]
    fn a_thread_ends_when_nothing_comes_and_not_before_all_is_done() {
        // Threads that are not there: the test does what they would.
        let crew = Box::leak(Box::new(Crew { spawn: |_| Ok(()), idle: Duration::ZERO, ..Crew::new("", 1) }));
        let tasks = [1, 2, 3].map(|n| crew.unblock(move || n));
        assert_eq!(lock(&crew.state).threads, 1);
        crew.serve();
        assert_eq!(lock(&crew.state).threads, 0);
        assert_eq!(tasks.map(|mut task| block_on(poll_once(&mut task))), [Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn work_that_has_not_begun_is_never_done_once_its_task_is_dropped_and_is_if_it_is_detached() {
        let crew = crew(1, Crew::spawn);
        let (gate, stuck) = stuck(crew);
        let begin = || -> (Task<()>, Receiver<()>) {
            let (does, done) = channel();
            (crew.unblock(move || does.send(()).unwrap()), done)
        };
        let ((dropped, not_done), (detached, done)) = (begin(), begin());
        drop(dropped);
        detached.detach();
        drop(gate);
        block_on(stuck);
        // Each ends when the work is done, or dropped without.
        assert!(not_done.recv().is_err());
        assert!(done.recv().is_ok());
    }

    #[test]
    fn the_result_of_work_that_was_given_up_half_way_is_dropped() {
        let crew = crew(1, Crew::spawn);
        let ((gate, closed), (begins, begun), (result, dropped)) = (channel::<()>(), channel(), channel::<()>());
        let task = crew.unblock(move || {
            begins.send(()).unwrap();
            let _ = closed.recv();
            result
        });
        begun.recv().unwrap();
        drop(task);
        drop(gate);
        assert!(dropped.recv().is_err());
    }

    #[test]
    fn work_is_done_at_once_where_no_thread_can_be_made() {
        let mut task = crew(4, refuse).unblock(|| thread::current().id());
        assert_eq!(block_on(poll_once(&mut task)), Some(thread::current().id()));
    }

    #[test]
    fn work_waits_for_the_one_thread_where_no_second_can_be_made() {
        static FIRST: AtomicBool = AtomicBool::new(true);
        let crew = crew(4, |crew| if FIRST.swap(false, Ordering::SeqCst) { crew.spawn() } else { refuse(crew) });
        let (gate, stuck) = stuck(crew);
        let mut waits = crew.unblock(|| thread::current().id());
        assert_eq!(block_on(poll_once(&mut waits)), None);
        drop(gate);
        assert_eq!(block_on(stuck), block_on(waits));
    }

    #[test]
    fn a_panic_comes_to_whoever_awaits_the_task_and_the_thread_goes_on() {
        let crew = crew(1, Crew::spawn);
        let task = crew.unblock(|| -> () { resume_unwind(Box::new("the work's own")) });
        let panic = catch_unwind(AssertUnwindSafe(|| block_on(task))).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"the work's own"));
        assert_eq!(block_on(crew.unblock(|| 1)), 1);
    }
}
