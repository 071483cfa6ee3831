//! A run under an executor that knows nothing of our sockets: each time it is polled it takes the news itself, and async-io
//! wakes it when there are more.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use async_io::{Async, Readable};

use super::parker::is_of_loop;
use super::sources::{Patience, Sources};

/// Keeps the news coming while it is polled.
#[derive(Default)]
pub(crate) struct Pulse {
    next: Option<Pin<Box<Readable<'static, &'static OwnedFd>>>>,
}

impl Pulse {
    /// Takes the news that there are, and has the task woken when there are more.
    pub fn poll(&mut self, cx: &mut Context<'_>) {
        if is_of_loop(cx.waker()) {
            return;
        }
        if let Err(error) = self.try_poll(cx) {
            log::debug!("no news of connections: {error}");
        }
    }

    fn try_poll(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let sources = Sources::global()?;
        let watch = watch(sources)?;
        loop {
            let next = self.next.get_or_insert_with(|| Box::pin(watch.readable()));
            match next.as_mut().poll(cx) {
                Poll::Pending => return sources.harvest(Patience::None, None),
                Poll::Ready(_) => self.next = None,
            }
            sources.harvest(Patience::None, None)?;
        }
    }
}

/// The sources, as async-io watches them.
fn watch(sources: &'static Sources) -> io::Result<&'static Async<&'static OwnedFd>> {
    static WATCH: OnceLock<Async<&'static OwnedFd>> = OnceLock::new();
    if let Some(watch) = WATCH.get() {
        return Ok(watch);
    }
    let watch = Async::new_nonblocking(sources.epoll())?;
    Ok(WATCH.get_or_init(|| watch))
}
