//! Tickets, each for a host → which of them goes next, and when. Time is handed in; nothing here waits or fetches.
//!
//! ```text
//!  admit ─▶ its host's lane ─┬▶ may go: next ─▶ out ─▶ ended ─┬▶ gone
//!              ▲             └▶ held: in the order of the list │
//!              └──────── later, by due time ◀──────────────────┘ comes again
//! ```
//!
//! A host has a lane while there is something to know of it: tickets, a wish to be left alone, that it can't be reached. Those
//! that may not go are overtaken by others' tickets, as far as the list is read ahead.

mod hosts;
mod lane;
mod later;
#[cfg(test)]
mod tests;

use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use self::hosts::{Hosts, Worth};
use self::lane::{Gate, Lane};
use self::later::Later;
use super::standing::{Contact, Miss};
use crate::error::ErrorKind;

/// How many bytes of tickets, about, may be held or wait: some 256 with URLs as they are. Past that the list is read no further.
const MAX_LOAD: usize = 256 * 1024;

/// How long workers are idle before the list is read further than is usual: the first answer of a host takes its time, too.
const PATIENCE: Duration = Duration::from_millis(30);

/// Which part of the workers a host may have that has not answered yet.
const SHARE: usize = 8;

/// What is limited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub workers: usize,
    /// How many tickets of one host may be out.
    pub per_host: usize,
    /// From one ticket to a host's next.
    pub interval: Option<Duration>,
    pub retries: u32,
}

/// What a ticket takes of the memory.
pub(super) trait Load {
    fn load(&self) -> usize;
}

/// A host's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneId(u32);

/// Of what has no host: it may always go.
const NO_HOST: LaneId = LaneId(0);

/// What a ticket that goes out has along: it has to be brought back when it [ended](Lanes::ended).
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    pub lane: LaneId,
    pub outlook: Outlook,
    epoch: u32,
    place: Place,
}

/// Where a ticket stands among others: as in the list, unless it was [put off](Lanes::put_off).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    turn: u64,
    /// Its turn when it was new, counted from 1.
    line: u64,
}

impl Pass {
    /// Whether it went out without regard to any host.
    pub fn is_free(self) -> bool {
        self.lane == NO_HOST
    }
}

/// What is expected of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// It answers.
    Good,
    /// Not known yet: the first answer is to be [told](Lanes::answered).
    Unknown,
    /// It is down, in this way: nothing is to be tried.
    Down(ErrorKind),
}

/// Where the rest of the list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Supply {
    /// Nothing comes of it now.
    Dry,
    /// There may be more at once.
    Open,
    Ended,
}

/// Tickets that stay put once one ended, or that are to be [recalled](Lanes::recall) where they have not been begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queued {
    Stay,
    Recall,
}

/// All lanes, and what waits in them.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    rules: Rules,
    lanes: Vec<Lane<T>>,
    free: Vec<LaneId>,
    hosts: Hosts,
    /// The lanes that hold tickets.
    holding: Vec<LaneId>,
    held: usize,
    later: BinaryHeap<Later<T>>,
    load: usize,
    out: usize,
    /// Tickets in all, those that are out among them.
    tickets: usize,
    /// How many hosts have tickets.
    busy: usize,
    places: u64,
    is_released: bool,
    /// When workers were first idle while tickets are held.
    idle_since: Option<Instant>,
    /// Since when nothing has come of the list.
    dry_since: Option<Instant>,
}

impl<T: Load> Lanes<T> {
    pub fn new(rules: Rules) -> Self {
        let mut nowhere = Lane::new(usize::MAX);
        nowhere.standing.answered();
        Self {
            rules,
            lanes: vec![nowhere],
            free: Vec::new(),
            hosts: Hosts::default(),
            holding: Vec::new(),
            held: 0,
            later: BinaryHeap::new(),
            load: 0,
            out: 0,
            tickets: 0,
            busy: 0,
            places: 0,
            is_released: false,
            idle_since: None,
            dry_since: None,
        }
    }

    /// Takes a ticket from the list: it goes at once, or is held. The host is a name; empty for none.
    pub fn admit(&mut self, host: &str, ticket: T, now: Instant) -> Option<(T, Pass)> {
        self.dry_since = None;
        self.places += 1;
        let (id, place) = (self.lane_of(host, now), Place { turn: self.places, line: self.places });
        self.came(id);
        let lane = self.lanes.get(id.index())?;
        match self.gate(lane, now) {
            Gate::Open(outlook) if lane.held.is_empty() => Some((ticket, self.went(id, place, outlook, now))),
            _ => {
                self.hold(id, place, ticket);
                None
            }
        }
    }

    /// Its host left a ticket without an answer: others of that host are to be tried first, or one that hangs would pass for
    /// all. A host that has answered goes by its list's order all the same.
    pub fn put_off(&mut self, pass: Pass) -> Pass {
        if !self.lanes.get(pass.lane.index()).is_some_and(|lane| lane.standing.puts_off()) {
            return pass;
        }
        self.places += 1;
        Pass { place: Place { turn: self.places, ..pass.place }, ..pass }
    }

    /// Takes a ticket that is to come again after `wait`; its host may be another than it was.
    pub fn give_back(&mut self, host: &str, pass: Pass, wait: Duration, ticket: T, now: Instant) {
        let (id, place) = (self.lane_of(host, now), pass.place);
        self.came(id);
        // The wait of a host that was not reached is that of all its tickets.
        let waits_with_others =
            |lane: &Lane<T>| lane.standing.resume() > Some(now) || lane.standing.down(now).is_some();
        if wait.is_zero() || self.is_released || self.lanes.get(id.index()).is_some_and(waits_with_others) {
            self.hold(id, place, ticket);
        } else {
            self.load += ticket.load();
            self.later.push(Later { due: now + wait, lane: id, place, ticket });
        }
    }

    /// Takes a ticket back that went out and was not begun.
    pub fn recall(&mut self, pass: Pass, ticket: T) {
        self.stopped(pass.lane);
        if let (Some(interval), Some(lane)) = (self.rules.interval, self.lanes.get_mut(pass.lane.index()))
            && !matches!(pass.outlook, Outlook::Down(_))
        {
            lane.give_turn_back(interval);
        }
        self.hold(pass.lane, pass.place, ticket);
    }

    /// Something came from a host of which nothing was known.
    pub fn answered(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(id.index()) {
            lane.standing.answered();
        }
    }

    /// A ticket that went out is back, or gone. `park` is how long its host asks to be left alone.
    pub fn ended(
        &mut self,
        pass: Pass,
        contact: Contact,
        park: Option<Duration>,
        now: Instant,
        chance: impl FnOnce() -> f64,
    ) -> Queued {
        self.stopped(pass.lane);
        self.left(pass.lane);
        let Some(lane) = self.lanes.get_mut(pass.lane.index()) else { return Queued::Stay };
        let has_missed = match contact {
            Contact::Missed(kind) => {
                let miss = Miss { kind, epoch: pass.epoch, line: pass.place.line };
                lane.standing.missed(miss, self.rules.retries, now, chance())
            }
            Contact::Made => {
                lane.standing.answered();
                false
            }
            Contact::Unknown => false,
        };
        if let Some(park) = park {
            lane.parked = lane.parked.max(Some(now + park));
        }
        let is_recalled = lane.out > 0 && (has_missed || park.is_some());
        if has_missed && lane.standing.down(now).is_some() {
            self.hasten(|later| later.lane == pass.lane);
        }
        if is_recalled { Queued::Recall } else { Queued::Stay }
    }

    /// The run is over: everything may go, at once.
    pub fn release(&mut self) {
        if !self.is_released {
            self.is_released = true;
            self.hasten(|_| true);
        }
    }

    /// Whether nothing is held, waits, or is out.
    pub fn is_empty(&self) -> bool {
        self.tickets == 0
    }

    /// Whether nothing that is held or is yet to come waits for the end of what is out.
    pub fn is_calm(&self) -> bool {
        let Rules { per_host, interval, .. } = self.rules;
        self.held == 0 && interval.is_none() && per_host == usize::MAX
    }

    /// Whether the list is to be read: as far as there are workers, and further if some are idle and nothing else may go.
    pub fn wants_more(&mut self, now: Instant) -> bool {
        // Had once: to be patient before each ticket that overtakes would leave the workers idle for most of the time.
        if self.held == 0 {
            self.idle_since = None;
        } else if self.has_idle() {
            self.idle_since.get_or_insert(now);
        }
        let is_far_enough = self.held >= self.rules.workers && !(self.has_idle() && is_over(self.idle_since, now));
        !is_far_enough && self.load < MAX_LOAD
    }

    /// Nothing comes of the list now.
    pub fn is_dry(&mut self, now: Instant) {
        self.dry_since.get_or_insert(now);
    }

    /// The ticket that goes next, if one may: the first in the list of those that may.
    pub fn next(&mut self, now: Instant) -> Option<(T, Pass)> {
        self.hasten_due(now);
        if self.held == 0 {
            self.idle_since = None;
            return None;
        }
        self.first(now, |lanes, lane| lanes.gate(lane, now))
    }

    /// As [`next`](Self::next), where a host that has not answered yet may have more than its share: no other has a ticket, and
    /// none can be found.
    pub fn stretch(&mut self, now: Instant, supply: Supply) -> Option<(T, Pass)> {
        let workers = self.rules.workers;
        if self.held == 0 || self.busy != 1 || !self.has_idle() {
            return None;
        }
        let most = match supply {
            Supply::Ended => workers,
            _ if self.load >= MAX_LOAD => workers,
            // Some stay free for what is yet to come.
            Supply::Dry if is_over(self.dry_since, now) => workers - self.share().min(workers - 1),
            _ => return None,
        };
        self.first(now, |lanes, lane| match lane.standing.is_lost() {
            true => Gate::Shut(None),
            false => lanes.gate_for(lane, now, most),
        })
    }

    /// When something may go, or the list may be read further, though nothing happens until then.
    pub fn wake(&self, now: Instant) -> Option<Instant> {
        let shut = self.holding.iter().filter_map(|id| match self.gate(self.lanes.get(id.index())?, now) {
            Gate::Shut(until) => until,
            Gate::Open(_) => None,
        });
        let patience = [self.idle_since, self.dry_since].into_iter().flatten().map(|since| since + PATIENCE);
        let patience = patience.filter(|end| self.held > 0 && *end > now);
        shut.chain(patience).chain(self.later.peek().map(|later| later.due)).min()
    }

    fn gate(&self, lane: &Lane<T>, now: Instant) -> Gate {
        self.gate_for(lane, now, self.share())
    }

    /// Whether a lane's next ticket may go; `unproven` of them may be out while it is not known to answer.
    fn gate_for(&self, lane: &Lane<T>, now: Instant, unproven: usize) -> Gate {
        if self.is_released {
            return Gate::Open(Outlook::Good);
        }
        // Queued tickets would all go at once when workers are free: with an interval none are. And where one is held, whether
        // it is overtaken is for the moment to say in which somebody could do it.
        if (self.rules.interval.is_some() || self.held > 0) && !self.has_idle() {
            return Gate::Shut(None);
        }
        lane.gate(now, unproven)
    }

    fn has_idle(&self) -> bool {
        self.out < self.rules.workers
    }

    fn share(&self) -> usize {
        (self.rules.workers / SHARE).max(1)
    }

    /// Takes out the first ticket in the list whose lane is open.
    fn first(&mut self, now: Instant, gate: impl Fn(&Self, &Lane<T>) -> Gate) -> Option<(T, Pass)> {
        let open = self.holding.iter().enumerate().filter_map(|(at, id)| {
            let lane = self.lanes.get(id.index())?;
            let (place, _) = lane.held.front()?;
            match gate(self, lane) {
                Gate::Open(outlook) => Some((*place, at, *id, outlook)),
                Gate::Shut(_) => None,
            }
        });
        let (_, at, id, outlook) = open.min_by_key(|(place, ..)| *place)?;
        let lane = self.lanes.get_mut(id.index())?;
        let (place, ticket) = lane.held.pop_front()?;
        if lane.held.is_empty() {
            self.holding.swap_remove(at);
        }
        self.held -= 1;
        self.load = self.load.saturating_sub(ticket.load());
        Some((ticket, self.went(id, place, outlook, now)))
    }

    fn went(&mut self, id: LaneId, place: Place, outlook: Outlook, now: Instant) -> Pass {
        self.out += 1;
        let mut epoch = 0;
        if let Some(lane) = self.lanes.get_mut(id.index()) {
            lane.out += 1;
            epoch = lane.standing.epoch();
            // Nothing is sent where the host is down or the run is over.
            let sends = id != NO_HOST && !self.is_released && !matches!(outlook, Outlook::Down(_));
            if let Some(interval) = self.rules.interval.filter(|_| sends) {
                lane.take_turn(interval, now);
            }
        }
        Pass { lane: id, outlook, epoch, place }
    }

    /// A ticket is out no more.
    fn stopped(&mut self, id: LaneId) {
        self.out = self.out.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(id.index()) {
            lane.out = lane.out.saturating_sub(1);
        }
    }

    /// A host has one ticket more.
    fn came(&mut self, id: LaneId) {
        self.tickets += 1;
        if let Some(lane) = self.lanes.get_mut(id.index()) {
            lane.tickets += 1;
            self.busy += usize::from(lane.tickets == 1 && id != NO_HOST);
        }
    }

    /// A host has one ticket less.
    fn left(&mut self, id: LaneId) {
        self.tickets = self.tickets.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(id.index()) {
            lane.tickets = lane.tickets.saturating_sub(1);
            self.busy -= usize::from(lane.tickets == 0 && id != NO_HOST);
        }
    }

    fn hold(&mut self, id: LaneId, place: Place, ticket: T) {
        let Some(lane) = self.lanes.get_mut(id.index()) else { return };
        if lane.held.is_empty() {
            self.holding.push(id);
        }
        self.held += 1;
        self.load += ticket.load();
        let at = lane.held.partition_point(|(before, _)| *before < place);
        lane.held.insert(at, (place, ticket));
    }

    /// Holds what is due.
    fn hasten_due(&mut self, now: Instant) {
        while self.later.peek().is_some_and(|later| later.due <= now) {
            if let Some(later) = self.later.pop() {
                self.no_longer_later(later);
            }
        }
    }

    /// Holds what waits of these, be it due or not.
    fn hasten(&mut self, of: impl Fn(&Later<T>) -> bool) {
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.later).into_iter().partition(of);
        self.later = later.into();
        now.into_iter().for_each(|later| self.no_longer_later(later));
    }

    fn no_longer_later(&mut self, later: Later<T>) {
        let Later { lane: id, place, ticket, .. } = later;
        self.load = self.load.saturating_sub(ticket.load());
        self.hold(id, place, ticket);
    }

    fn lane_of(&mut self, host: &str, now: Instant) -> LaneId {
        if host.is_empty() {
            return NO_HOST;
        }
        if let Some(id) = self.hosts.find(host) {
            return id;
        }
        if self.hosts.is_full() {
            self.forget(now);
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.lanes.push(Lane::new(self.rules.per_host));
            LaneId(u32::try_from(self.lanes.len() - 1).unwrap_or(u32::MAX))
        });
        self.hosts.insert(host, id);
        id
    }

    fn forget(&mut self, now: Instant) {
        let mut forgotten = Vec::new();
        let worth = |id: LaneId| self.lanes.get(id.index()).map_or(Worth::Nothing, |lane| lane.worth(now));
        self.hosts.forget(worth, |id| forgotten.push(id));
        for id in &forgotten {
            if let Some(lane) = self.lanes.get_mut(id.index()) {
                *lane = Lane::new(self.rules.per_host);
            }
        }
        self.free.extend(forgotten);
    }
}

/// Whether patience that began then is over.
fn is_over(since: Option<Instant>, now: Instant) -> bool {
    since.is_some_and(|since| now.saturating_duration_since(since) >= PATIENCE)
}

impl LaneId {
    fn index(self) -> usize {
        self.0 as usize
    }
}
