//! One host's tickets, and whether the next of them may go.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::hosts::Worth;
use super::{Outlook, Place};
use crate::engine::standing::Standing;

/// How late a ticket may go without its host's next going later, too: timers are never early.
const LATENESS: Duration = Duration::from_millis(20);

/// A host's lane.
#[derive(Debug)]
pub(super) struct Lane<T> {
    /// With their places, in that order.
    pub held: VecDeque<(Place, T)>,
    pub out: usize,
    /// In all: out, held, or for later.
    pub tickets: usize,
    /// How many may be out.
    pub most: usize,
    pub standing: Standing,
    /// Until when the host asked to be left alone.
    pub parked: Option<Instant>,
    /// When the next may go, where there is an interval.
    turn: Option<Instant>,
}

/// Whether a lane's next ticket may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Open(Outlook),
    /// Not now: not before then, or not before something happens.
    Shut(Option<Instant>),
}

impl<T> Lane<T> {
    pub fn new(most: usize) -> Self {
        Self { held: VecDeque::new(), out: 0, tickets: 0, most, standing: Standing::new(), parked: None, turn: None }
    }

    /// Whether its next ticket may go; `unproven` of them may be out while the host is not known to answer.
    pub fn gate(&self, now: Instant, unproven: usize) -> Gate {
        if let Some(kind) = self.standing.down(now) {
            return Gate::Open(Outlook::Down(kind));
        }
        let until = self.parked.max(self.standing.resume()).max(self.turn).filter(|until| *until > now);
        if until.is_some() {
            return Gate::Shut(until);
        }
        let (outlook, most) = match self.standing.is_proven() {
            true => (Outlook::Good, self.most),
            false => (Outlook::Unknown, self.most.min(unproven)),
        };
        if self.out < most { Gate::Open(outlook) } else { Gate::Shut(None) }
    }

    /// A ticket goes: the next has to wait for the interval, counted from when this one was due.
    pub fn take_turn(&mut self, interval: Duration, now: Instant) {
        let due = self.turn.filter(|turn| *turn + LATENESS > now);
        self.turn = Some(due.unwrap_or(now) + interval);
    }

    /// The ticket that went last did not go after all.
    pub fn give_turn_back(&mut self, interval: Duration) {
        self.turn = self.turn.and_then(|turn| turn.checked_sub(interval));
    }

    /// What there is to know of the host.
    pub fn worth(&self, now: Instant) -> Worth {
        let has_wish = self.parked.max(self.turn).is_some_and(|until| until > now);
        match () {
            () if self.tickets > 0 => Worth::Tickets,
            () if has_wish => Worth::Wish,
            () if self.standing.matters(now) => Worth::Trouble,
            () => Worth::Nothing,
        }
    }
}
