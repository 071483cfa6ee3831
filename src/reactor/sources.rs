//! The kernel's news → the sources that they are of.
//!
//! It owns the process's one epoll instance and the table of what is registered there. A source is registered once, for
//! all that it can have to say, and leaves when its descriptor is closed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use super::parker::Parker;
use super::source::{News, Source};
use crate::sync::lock;

/// How many news are taken with one call: more wait for the next.
const BATCH: usize = 64;

/// All that a socket can have to say, each time that it changes.
const ALL: EventFlags = ODD.union(EventFlags::IN).union(EventFlags::OUT).union(EventFlags::ET);

/// After these a read that brings less than was asked for has not brought all: it stops before the end, which comes only
/// once it is read for itself, and at the mark of urgent data.
const ODD: EventFlags = EventFlags::RDHUP.union(EventFlags::PRI);

/// How long to wait for news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    Endless,
}

/// What is registered, and where.
#[derive(Debug)]
pub(super) struct Sources {
    epoll: OwnedFd,
    table: Mutex<Table>,
}

/// Where in the table something is registered. Not used again: news that were on their way reach nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    place: u32,
    generation: u32,
}

impl Key {
    fn data(self) -> EventData {
        EventData::new_u64(u64::from(self.generation) << 32 | u64::from(self.place))
    }

    fn of(data: EventData) -> Self {
        let (place, generation) = (data.u64() & u64::from(u32::MAX), data.u64() >> 32);
        Self { place: place as u32, generation: generation as u32 }
    }
}

#[derive(Debug, Clone)]
enum Registered {
    Source(Arc<Source>),
    /// A loop that waits here, and can be woken.
    Loop(Arc<Parker>),
}

#[derive(Debug, Default)]
struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    registered: Option<Registered>,
}

impl Table {
    fn insert(&mut self, registered: Registered) -> Key {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() as u32 - 1
        });
        let Some(slot) = self.slots.get_mut(place as usize) else { return Key { place, generation: 0 } };
        slot.registered = Some(registered);
        Key { place, generation: slot.generation }
    }

    fn get(&self, key: Key) -> Option<&Registered> {
        let slot = self.slots.get(key.place as usize)?;
        slot.registered.as_ref().filter(|_| slot.generation == key.generation)
    }

    fn remove(&mut self, key: Key) -> Option<Registered> {
        let slot = self.slots.get_mut(key.place as usize).filter(|slot| slot.generation == key.generation)?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.place);
        slot.registered.take()
    }
}

impl Sources {
    /// The process's own.
    ///
    /// # Errors
    ///
    /// What the system says where it can't be made: that there are no descriptors left, most likely.
    pub fn global() -> io::Result<&'static Self> {
        static SOURCES: OnceLock<Sources> = OnceLock::new();
        if let Some(sources) = SOURCES.get() {
            return Ok(sources);
        }
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(SOURCES.get_or_init(|| Self { epoll, table: Mutex::default() }))
    }

    pub fn epoll(&self) -> &OwnedFd {
        &self.epoll
    }

    /// Registers a descriptor as `source`, until it is closed: then the key has to be [removed](Self::remove).
    pub fn add(&self, descriptor: impl AsFd, source: Arc<Source>) -> io::Result<Key> {
        self.register(descriptor, Registered::Source(source), ALL)
    }

    /// Registers what wakes a loop that waits here.
    pub fn add_loop(&self, descriptor: impl AsFd, parker: Arc<Parker>) -> io::Result<Key> {
        self.register(descriptor, Registered::Loop(parker), EventFlags::IN | EventFlags::ET)
    }

    fn register(&self, descriptor: impl AsFd, registered: Registered, flags: EventFlags) -> io::Result<Key> {
        let key = lock(&self.table).insert(registered);
        let added = epoll::add(&self.epoll, descriptor, key.data(), flags);
        added.inspect_err(|_| self.remove(key))?;
        Ok(key)
    }

    /// Forgets what is registered.
    pub fn remove(&self, key: Key) {
        let registered = lock(&self.table).remove(key);
        // Not under the lock: it may hold the last of a task, which may hold the last of a source.
        drop(registered);
    }

    /// Takes the news that there are, for the loop `own` if it is one that takes them.
    pub fn harvest(&self, patience: Patience, own: Option<&Arc<Parker>>) -> io::Result<()> {
        const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut events = Vec::<Event>::with_capacity(BATCH);
        let limit = (patience == Patience::None).then_some(&NOW);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), limit) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // From here on it hears of what is woken without being rung.
        own.inspect(|parker| parker.get_up());
        for event in events {
            let registered = lock(&self.table).get(Key::of(event.data)).cloned();
            match registered {
                Some(Registered::Source(source)) => source.tell(news(event.flags)),
                // Its wake-up was taken from a loop that waits beside this one.
                Some(Registered::Loop(parker)) if own.is_none_or(|own| !Arc::ptr_eq(own, &parker)) => parker.ring(),
                Some(Registered::Loop(_)) | None => {}
            }
        }
        Ok(())
    }
}

fn news(flags: EventFlags) -> News {
    let is_over = flags.intersects(EventFlags::ERR | EventFlags::HUP);
    News {
        input: is_over || flags.intersects(ODD | EventFlags::IN),
        output: is_over || flags.contains(EventFlags::OUT),
        stops_short: is_over || flags.intersects(ODD),
    }
}
