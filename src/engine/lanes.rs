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

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::standing::{Contact, Standing};
use crate::error::ErrorKind;

/// How many bytes of tickets, about, may be held or wait: some 256 with URLs as they are. Past that the list is read no further.
const MAX_LOAD: usize = 256 * 1024;

/// How long workers are idle before the list is read further than is usual: the first answer of a host takes its time, too.
const PATIENCE: Duration = Duration::from_millis(30);

/// How many hosts are remembered of which there is nothing to know.
const MAX_IDLE: usize = 1024;

/// How many are remembered at most, those with tickets aside: enough for lists that are asked slowly, host by host.
const MAX_HOSTS: usize = 16 * 1024;

/// How late a ticket may go without its host's next going later, too: timers are never early.
const LATENESS: Duration = Duration::from_millis(20);

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
    /// Its place in the list.
    place: u64,
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
    hosts: HashMap<Box<str>, LaneId>,
    /// How many hosts there may be before some are forgotten.
    limit: usize,
    /// The host of the last ticket: the next is often for the same.
    last: (String, LaneId),
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
    /// Since when workers have been idle while tickets are held.
    idle_since: Option<Instant>,
    /// Since when nothing has come of the list.
    dry_since: Option<Instant>,
}

#[derive(Debug)]
struct Lane<T> {
    held: VecDeque<(u64, T)>,
    out: usize,
    /// In all: out, held, or for later.
    tickets: usize,
    /// How many may be out.
    most: usize,
    standing: Standing,
    parked: Option<Instant>,
    /// When the next may go, where there is an interval.
    turn: Option<Instant>,
}

/// A ticket that is to come again.
#[derive(Debug)]
struct Later<T> {
    due: Instant,
    lane: LaneId,
    place: u64,
    ticket: T,
}

/// Whether a lane's next ticket may go.
enum Gate {
    Open(Outlook),
    /// Not now: not before then, or not before something happens.
    Shut(Option<Instant>),
}

impl<T> Lane<T> {
    fn new(most: usize) -> Self {
        Self { held: VecDeque::new(), out: 0, tickets: 0, most, standing: Standing::new(), parked: None, turn: None }
    }

    /// Whether it is to be left alone, and until when.
    fn until(&self, now: Instant) -> Option<Instant> {
        self.parked.max(self.standing.resume()).max(self.turn).filter(|until| *until > now)
    }

    fn is_to_be_remembered(&self, now: Instant) -> bool {
        self.until(now).is_some() || self.standing.matters(now)
    }
}

impl<T: Load> Lanes<T> {
    pub fn new(rules: Rules) -> Self {
        let mut nowhere = Lane::new(usize::MAX);
        nowhere.standing.answered();
        Self {
            rules,
            lanes: vec![nowhere],
            free: Vec::new(),
            hosts: HashMap::new(),
            limit: MAX_IDLE,
            last: (String::new(), NO_HOST),
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
        let (id, place) = (self.lane_of(host, now), self.places);
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

    /// Takes a ticket that is to come again after `wait`; its host may be another than it was.
    pub fn give_back(&mut self, host: &str, pass: Pass, wait: Duration, ticket: T, now: Instant) {
        let (id, place) = (self.lane_of(host, now), pass.place);
        self.came(id);
        // The wait of a host that was not reached is that of all its tickets.
        let waits_with_others = |lane: &Lane<T>| lane.standing.resume().is_some() || lane.standing.down(now).is_some();
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
            Contact::Missed(kind) => lane.standing.missed(pass.epoch, kind, self.rules.retries, now, chance()),
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

    /// Whether the list is to be read: as far as there are workers, and further if some are idle and nothing else may go.
    pub fn wants_more(&mut self, now: Instant) -> bool {
        if self.out < self.rules.workers && self.held > 0 {
            self.idle_since.get_or_insert(now);
        }
        let is_patient = self.held < self.rules.workers || is_over(self.idle_since, now);
        is_patient && self.load < MAX_LOAD
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
        if self.held == 0 || self.busy != 1 || self.out >= workers {
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
        if let Some(kind) = lane.standing.down(now) {
            return Gate::Open(Outlook::Down(kind));
        }
        if let Some(until) = lane.until(now) {
            return Gate::Shut(Some(until));
        }
        let (outlook, most) = match lane.standing.is_proven() {
            true => (Outlook::Good, usize::MAX),
            false => (Outlook::Unknown, unproven),
        };
        // Queued tickets would all go at once when workers are free: with an interval none are.
        if self.rules.interval.is_some() && self.out >= self.rules.workers {
            return Gate::Shut(None);
        }
        if lane.out < most.min(lane.most) { Gate::Open(outlook) } else { Gate::Shut(None) }
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

    fn went(&mut self, id: LaneId, place: u64, outlook: Outlook, now: Instant) -> Pass {
        self.out += 1;
        let mut epoch = 0;
        if let Some(lane) = self.lanes.get_mut(id.index()) {
            lane.out += 1;
            epoch = lane.standing.epoch();
            if let Some(interval) = self.rules.interval.filter(|_| id != NO_HOST) {
                let due = lane.turn.filter(|turn| *turn + LATENESS > now);
                lane.turn = Some(due.unwrap_or(now) + interval);
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

    fn hold(&mut self, id: LaneId, place: u64, ticket: T) {
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
        if self.last.0 == host {
            return self.last.1;
        }
        let id = match self.hosts.get(host) {
            Some(id) => *id,
            None => self.open(host, now),
        };
        self.last.0.clear();
        self.last.0.push_str(host);
        self.last.1 = id;
        id
    }

    fn open(&mut self, host: &str, now: Instant) -> LaneId {
        if self.hosts.len() >= self.limit {
            self.forget(now);
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.lanes.push(Lane::new(self.rules.per_host));
            LaneId(u32::try_from(self.lanes.len() - 1).unwrap_or(u32::MAX))
        });
        self.hosts.insert(host.into(), id);
        id
    }

    /// Forgets hosts of which there is nothing to know; where there are very many, all that have no tickets.
    fn forget(&mut self, now: Instant) {
        let is_full = self.hosts.len() >= MAX_HOSTS;
        let (lanes, free, most) = (&mut self.lanes, &mut self.free, self.rules.per_host);
        self.hosts.retain(|_, id| {
            let Some(lane) = lanes.get_mut(id.index()) else { return false };
            let stays = lane.tickets > 0 || !is_full && lane.is_to_be_remembered(now);
            if !stays {
                *lane = Lane::new(most);
                free.push(*id);
            }
            stays
        });
        self.last.0.clear();
        self.limit = (self.hosts.len() * 2).clamp(MAX_IDLE, MAX_HOSTS);
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

impl<T> PartialEq for Later<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Later<T> {}

impl<T> PartialOrd for Later<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Later<T> {
    /// The soonest is the greatest: the heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.place).cmp(&(self.due, self.place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of the ticket is enough.
    impl Load for u64 {
        fn load(&self) -> usize {
            1024
        }
    }

    const SECOND: Duration = Duration::from_secs(1);
    const RULES: Rules = Rules { workers: 8, per_host: usize::MAX, interval: None, retries: 3 };

    fn lanes(workers: usize) -> (Lanes<u64>, Instant) {
        (Lanes::new(Rules { workers, ..RULES }), Instant::now())
    }

    /// Ends a ticket, in this way.
    fn end(lanes: &mut Lanes<u64>, pass: Pass, contact: Contact, now: Instant) -> Queued {
        lanes.ended(pass, contact, None, now, || 1.0)
    }

    /// Has a host answer once.
    fn prove(lanes: &mut Lanes<u64>, host: &str, now: Instant) {
        let (_, pass) = lanes.admit(host, 0, now).unwrap();
        end(lanes, pass, Contact::Made, now);
    }

    fn next(lanes: &mut Lanes<u64>, now: Instant) -> Option<u64> {
        lanes.next(now).map(|(ticket, _)| ticket)
    }

    #[test]
    fn a_host_that_answers_may_have_all_workers_and_a_new_one_an_eighth() {
        let (mut lanes, now) = lanes(16);
        assert!((0..2).all(|n| lanes.admit("new", n, now).is_some()));
        assert!(lanes.admit("new", 2, now).is_none());
        prove(&mut lanes, "good", now);
        assert!((0..40).all(|n| lanes.admit("good", n, now).is_some()));
        assert_eq!(next(&mut lanes, now), None);
    }

    #[test]
    fn the_first_answer_lets_the_rest_go_in_the_lists_order() {
        let (mut lanes, now) = lanes(8);
        let (_, pass) = lanes.admit("a", 1, now).unwrap();
        assert_eq!(pass.outlook, Outlook::Unknown);
        for n in 2..5 {
            assert!(lanes.admit("a", n, now).is_none());
        }
        lanes.answered(pass.lane);
        assert_eq!([2, 3, 4].map(Some), [(); 3].map(|()| next(&mut lanes, now)));
        let (_, pass) = lanes.admit("a", 5, now).unwrap();
        assert_eq!(pass.outlook, Outlook::Good);
    }

    #[test]
    fn others_overtake_a_host_that_is_left_alone_until_it_may_be_asked() {
        let (mut lanes, now) = lanes(8);
        prove(&mut lanes, "a", now);
        let (_, first) = lanes.admit("a", 1, now).unwrap();
        let (second, pass) = lanes.admit("a", 2, now).unwrap();
        let queued = lanes.ended(first, Contact::Made, Some(9 * SECOND), now, || 1.0);
        assert_eq!(queued, Queued::Recall);
        lanes.recall(pass, second);
        lanes.give_back("a", first, 9 * SECOND, 1, now);
        assert!(lanes.admit("a", 3, now).is_none() && lanes.admit("b", 4, now).is_some());
        assert_eq!((next(&mut lanes, now), lanes.wake(now)), (None, Some(now + 9 * SECOND)));
        let then = now + 9 * SECOND;
        assert_eq!([1, 2, 3].map(Some), [(); 3].map(|()| next(&mut lanes, then)));
    }

    #[test]
    fn a_host_that_is_missed_waits_as_one_and_all_its_tickets_fail_when_it_is_down() {
        let (mut lanes, mut now) = lanes(8);
        let (mut ticket, mut pass) = lanes.admit("dead", 1, now).unwrap();
        for n in 2..10 {
            assert!(lanes.admit("dead", n, now).is_none());
        }
        for wait in [1, 2, 4] {
            end(&mut lanes, pass, Contact::Missed(ErrorKind::Dns), now);
            lanes.give_back("dead", pass, SECOND, ticket, now);
            assert_eq!((next(&mut lanes, now), lanes.wake(now)), (None, Some(now + wait * SECOND)));
            now += wait * SECOND;
            (ticket, pass) = lanes.next(now).unwrap();
            assert_eq!((ticket, pass.outlook), (1, Outlook::Unknown));
            assert!(lanes.next(now).is_none());
        }
        end(&mut lanes, pass, Contact::Missed(ErrorKind::Dns), now);
        for n in 2..10 {
            let (ticket, pass) = lanes.next(now).unwrap();
            assert_eq!((ticket, pass.outlook), (n, Outlook::Down(ErrorKind::Dns)));
            end(&mut lanes, pass, Contact::Unknown, now);
        }
        let (_, pass) = lanes.admit("dead", 10, now + 59 * SECOND).unwrap();
        assert_eq!(pass.outlook, Outlook::Down(ErrorKind::Dns));
        end(&mut lanes, pass, Contact::Unknown, now);
        let (_, pass) = lanes.admit("dead", 11, now + 60 * SECOND).unwrap();
        assert_eq!(pass.outlook, Outlook::Unknown);
    }

    #[test]
    fn a_host_may_have_so_many_out_and_each_that_ends_makes_room() {
        let (mut lanes, now) = (Lanes::new(Rules { per_host: 2, ..RULES }), Instant::now());
        prove(&mut lanes, "a", now);
        let (_, first) = lanes.admit("a", 1, now).unwrap();
        assert!(lanes.admit("a", 2, now).is_some() && lanes.admit("a", 3, now).is_none());
        assert!(lanes.admit("b", 4, now).is_some() && next(&mut lanes, now).is_none());
        end(&mut lanes, first, Contact::Made, now);
        assert_eq!((next(&mut lanes, now), next(&mut lanes, now)), (Some(3), None));
        assert!((0..10).all(|n| lanes.admit("", n, now).is_some()));
    }

    #[test]
    fn a_hosts_tickets_go_at_their_intervals_whoever_is_late() {
        let interval = Some(SECOND / 10);
        let (mut lanes, now) = (Lanes::new(Rules { interval, ..RULES }), Instant::now());
        prove(&mut lanes, "a", now);
        let mut passes: Vec<_> = (0..30).filter_map(|n| lanes.admit("a", n, now)).collect();
        assert!(passes.is_empty() && lanes.admit("b", 99, now).is_some());
        // A few milliseconds late each time, as timers are.
        for n in 1..8_u32 {
            let due = now + SECOND * n / 10;
            assert_eq!(lanes.wake(now), Some(due));
            assert!(lanes.next(due - SECOND / 1000).is_none());
            passes.extend(lanes.next(due + SECOND / 200));
            assert_eq!(passes.len(), n as usize);
        }
        // All workers are busy: nothing is queued, to go at once later.
        assert!(lanes.next(now + 60 * SECOND).is_none());
        end(&mut lanes, passes[0].1, Contact::Made, now);
        assert!(lanes.next(now + 60 * SECOND).is_some() && lanes.next(now + 60 * SECOND).is_none());
    }

    #[test]
    fn a_tickets_own_wait_is_its_own_and_its_place_is_kept() {
        let (mut lanes, now) = lanes(8);
        prove(&mut lanes, "a", now);
        let (ticket, pass) = lanes.admit("a", 1, now).unwrap();
        end(&mut lanes, pass, Contact::Made, now);
        lanes.give_back("a", pass, SECOND, ticket, now);
        assert!(lanes.admit("a", 2, now).is_some() && !lanes.is_empty());
        assert_eq!((next(&mut lanes, now), lanes.wake(now)), (None, Some(now + SECOND)));
        assert_eq!(next(&mut lanes, now + SECOND), Some(1));
    }

    #[test]
    fn a_mirror_goes_by_its_own_host() {
        let (mut lanes, now) = lanes(8);
        let (ticket, pass) = lanes.admit("dead", 1, now).unwrap();
        end(&mut lanes, pass, Contact::Missed(ErrorKind::Connect), now);
        lanes.give_back("mirror", pass, Duration::ZERO, ticket, now);
        assert_eq!(next(&mut lanes, now), Some(1));
    }

    #[test]
    fn the_list_is_read_as_far_as_there_are_workers_and_further_when_some_are_idle() {
        let (mut lanes, now) = lanes(8);
        let mut read = 0;
        let mut read_on = |lanes: &mut Lanes<u64>, now| {
            while lanes.wants_more(now) {
                read += 1;
                lanes.admit("a", read, now);
            }
            read
        };
        assert_eq!(read_on(&mut lanes, now), 9);
        assert!(next(&mut lanes, now).is_none());
        assert_eq!((read_on(&mut lanes, now), lanes.wake(now)), (9, Some(now + PATIENCE)));
        assert_eq!(read_on(&mut lanes, now + PATIENCE), 257);
    }

    #[test]
    fn a_host_that_is_alone_may_have_idle_workers_though_it_has_not_answered() {
        for (supply, most) in [(Supply::Ended, 8), (Supply::Dry, 7), (Supply::Open, 1)] {
            let (mut lanes, now) = lanes(8);
            for n in 0..20 {
                lanes.admit("a", n, now);
            }
            lanes.is_dry(now);
            let then = now + PATIENCE;
            while lanes.stretch(then, supply).is_some() {}
            assert_eq!(lanes.out, most, "{supply:?}");
        }
        let (mut lanes, now) = lanes(8);
        for n in 0..20 {
            lanes.admit(["a", "b"][n as usize % 2], n, now);
        }
        assert!(lanes.stretch(now, Supply::Ended).is_none());
    }

    #[test]
    fn a_run_that_is_over_lets_everything_go() {
        let (mut lanes, now) = lanes(8);
        let (ticket, pass) = lanes.admit("a", 1, now).unwrap();
        lanes.admit("a", 2, now);
        end(&mut lanes, pass, Contact::Made, now);
        lanes.give_back("a", pass, 100 * SECOND, ticket, now);
        lanes.release();
        for n in [1, 2] {
            let (ticket, pass) = lanes.next(now).unwrap();
            assert_eq!(ticket, n);
            end(&mut lanes, pass, Contact::Unknown, now);
        }
        assert!(lanes.is_empty());
    }

    #[test]
    fn of_many_hosts_those_are_forgotten_of_which_there_is_nothing_to_know() {
        let (mut lanes, now) = lanes(8);
        let (_, pass) = lanes.admit("parked", 0, now).unwrap();
        lanes.ended(pass, Contact::Made, Some(SECOND), now, || 1.0);
        for n in 0..100_000 {
            prove(&mut lanes, &n.to_string(), now);
        }
        assert!(lanes.lanes.len() <= MAX_IDLE + 2, "{}", lanes.lanes.len());
        assert!(lanes.admit("parked", 1, now).is_none());
    }

    #[test]
    fn what_has_no_host_may_always_go() {
        let (mut lanes, now) = lanes(1);
        let passes: Vec<_> = (0..10).map(|n| lanes.admit("", n, now).unwrap().1).collect();
        assert!(passes.iter().all(|pass| pass.is_free()));
        for pass in passes {
            end(&mut lanes, pass, Contact::Unknown, now);
        }
        assert!(lanes.is_empty());
    }
}
