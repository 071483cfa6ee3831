//! A future → its output, on this thread, which waits for the sockets itself.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rustix::event::{EventfdFlags, eventfd};

use super::sources::{Key, Patience, Sources};

/// Runs a future to its end on this thread, as [`async_io::block_on`] does, and waits for the connections of every
/// [`Fetcher`](crate::Fetcher) meanwhile: a run that is driven here takes the fewest system calls. Under any other executor it
/// works as well, with a few more for each time that it has to wait.
///
/// Where there are no descriptors left for that it is `async_io::block_on`.
///
/// ```
/// use futures_lite::{StreamExt, stream};
/// use smolget::{Fetcher, block_on};
///
/// let fetcher = Fetcher::builder().retries(0).build()?;
/// let outcomes: Vec<_> = block_on(fetcher.fetch(stream::iter(["http://127.0.0.1:1/"])).collect());
/// assert_eq!(outcomes.len(), 1);
/// # Ok::<(), smolget::Error>(())
/// ```
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match Sources::global().and_then(Seat::take) {
        Ok(seat) => seat.run(future),
        Err(error) => {
            log::debug!("no loop of our own: {error}");
            async_io::block_on(future)
        }
    }
}

/// Whether whoever is woken by this is polled by this thread's loop, which waits for the sockets itself. Another executor may
/// run within the loop: it does not return to it while it waits.
pub(super) fn is_of_loop(waker: &Waker) -> bool {
    LOOP.with_borrow(|of_loop| of_loop.as_ref().is_some_and(|of_loop| of_loop.will_wake(waker)))
}

thread_local! {
    static LOOP: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// A thread that waits for news, or for being woken.
#[derive(Debug)]
pub(super) struct Parker {
    /// The future is to be polled again.
    is_woken: AtomicBool,
    /// The thread waits for the kernel, and has to be rung.
    is_asleep: AtomicBool,
    bell: OwnedFd,
}

impl Parker {
    /// The thread waits no more.
    pub fn get_up(&self) {
        self.is_asleep.store(false, Ordering::SeqCst);
    }

    /// Ends the thread's wait, if it waits.
    pub fn ring(&self) {
        if self.is_asleep.load(Ordering::SeqCst) {
            // The one thing that can fail is a counter that is full, and that has rung.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::SeqCst) {
            self.ring();
        }
    }
}

/// A thread's place among those who wait.
struct Seat {
    sources: &'static Sources,
    parker: Arc<Parker>,
    key: Key,
    waker: Waker,
    /// The loop that this one runs within, on the same thread.
    outer: Option<Waker>,
}

impl Seat {
    fn take(sources: &'static Sources) -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let parker = Arc::new(Parker { is_woken: AtomicBool::new(false), is_asleep: AtomicBool::new(false), bell });
        let key = sources.add_loop(&parker.bell, Arc::clone(&parker))?;
        let waker = Waker::from(Arc::clone(&parker));
        let outer = LOOP.replace(Some(waker.clone()));
        Ok(Self { sources, parker, key, waker, outer })
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&self.waker)) {
                return output;
            }
            self.wait();
        }
    }

    /// Waits until the future is to be polled again. What it has to say to itself is no reason not to hear the news.
    fn wait(&self) {
        let Parker { is_woken, is_asleep, .. } = &*self.parker;
        is_asleep.store(true, Ordering::SeqCst);
        let patience = if is_woken.load(Ordering::SeqCst) { Patience::None } else { Patience::Endless };
        if let Err(error) = self.sources.harvest(patience, Some(&self.parker)) {
            // It has no reason to fail. Whatever it is, it must not become a loop that heats the machine.
            log::debug!("waiting for connections: {error}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        self.parker.get_up();
        is_woken.store(false, Ordering::SeqCst);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        LOOP.set(self.outer.take());
        // The bell may live on in wakers, and would go on ringing here.
        let _ = rustix::event::epoll::delete(self.sources.epoll(), &self.parker.bell);
        self.sources.remove(self.key);
    }
}
