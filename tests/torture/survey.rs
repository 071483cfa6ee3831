//! Runs that nobody tampers with → every call that there is to tamper with.

use std::collections::BTreeSet;

use crate::crew::{Enough, work};
use crate::shape::{SHAPES, Shape, Site};
use crate::strace::{Strace, Tampering, View};

/// File and socket calls, as strace knows them.
const CLASS: &str = "%file,%desc,%network";
/// It counts among them what is the memory's and the reactor's.
const NEITHER: [&str; 6] = ["mmap", "epoll_create1", "epoll_ctl", "eventfd2", "timerfd_create", "timerfd_settime"];
/// These only wait, so nothing but a signal makes them fail. A futex is none of them: to fail what wakes another thread, as
/// the kernel never does, is to lose it.
const WAITS: [&str; 5] = ["epoll_pwait", "epoll_pwait2", "epoll_wait", "poll", "ppoll"];

/// A call that runs of a shape make.
pub struct Known {
    pub shape: &'static Shape,
    pub view: View,
    pub name: String,
    pub kind: Kind,
    /// How many of that name one thread makes at most.
    pub most: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    FileOrSocket,
    Wait,
    Other,
}

/// Something to do to a run.
pub struct Point {
    pub shape: &'static Shape,
    pub view: View,
    pub tampering: Tampering,
}

impl Known {
    /// Does `what` to the so-manieth, or by more of strace's words to more.
    pub fn point(&self, what: &'static str, when: impl ToString) -> Point {
        let tampering = Tampering { call: self.name.clone(), what, when: when.to_string() };
        Point { shape: self.shape, view: self.view, tampering }
    }
}

impl Point {
    /// The words by which it can be found again.
    pub fn describe(&self) -> String {
        let Tampering { call, what, when } = &self.tampering;
        format!("{} {call}:{what}:when={when} ({:?})", self.shape.name, self.view)
    }
}

/// Every call of every shape.
pub fn survey(strace: &Strace, site: &Site) -> Vec<Known> {
    let runs = SHAPES.iter().flat_map(|shape| [View::Run, View::Folder].map(|view| (shape, view)));
    let seen = work(runs, Enough::All, |&(shape, view)| {
        let named: BTreeSet<String> = strace.calls(shape, site, view, CLASS).into_keys().collect();
        Some((named, strace.calls(shape, site, view, "all")))
    });
    let mut known = Vec::new();
    for ((shape, view), (named, calls)) in seen {
        known.extend(calls.into_iter().map(|(name, most)| {
            let kind = match name.as_str() {
                wait if WAITS.contains(&wait) => Kind::Wait,
                other if NEITHER.contains(&other) || !named.contains(other) => Kind::Other,
                _ => Kind::FileOrSocket,
            };
            Known { shape, view, name, kind, most }
        }));
    }
    // In the order of the shapes, whichever run was done first: chance is to choose the same with the same seed.
    known.sort_by_key(|known| (known.shape.name, known.view == View::Folder, known.name.clone()));
    known
}
