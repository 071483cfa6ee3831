//! The names of hosts → their lanes. Of many hosts those are forgotten of which there is least to know.

use std::collections::HashMap;

use super::LaneId;

/// How many hosts are remembered of which there is nothing to know, or only that they could not be reached.
pub(super) const MAX_IDLE: usize = 1024;

/// How many are remembered at most, those with tickets aside: enough for lists that are asked slowly, host by host.
const MAX_HOSTS: usize = 16 * 1024;

/// Which lane is whose.
#[derive(Debug)]
pub(super) struct Hosts {
    lanes: HashMap<Box<str>, LaneId>,
    /// The one that was asked for last: the next is often the same.
    last: (String, LaneId),
    /// How many there may be before some are forgotten.
    limit: usize,
}

/// What there is to know of a host, from the least on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    Nothing,
    /// That it could not be reached.
    Trouble,
    /// When it may be asked again.
    Wish,
    /// It has tickets.
    Tickets,
}

impl Default for Hosts {
    fn default() -> Self {
        Self { lanes: HashMap::new(), last: (String::new(), LaneId(0)), limit: MAX_IDLE }
    }
}

impl Hosts {
    /// The host's lane, if it has one.
    pub fn find(&mut self, name: &str) -> Option<LaneId> {
        if self.last.0 != name {
            let id = *self.lanes.get(name)?;
            self.last.0.clear();
            self.last.0.push_str(name);
            self.last.1 = id;
        }
        Some(self.last.1)
    }

    pub fn insert(&mut self, name: &str, id: LaneId) {
        self.lanes.insert(name.into(), id);
    }

    pub fn is_full(&self) -> bool {
        self.lanes.len() >= self.limit
    }

    /// Forgets hosts by what there is to know of each, and gives their lanes to `free`.
    pub fn forget(&mut self, worth: impl Fn(LaneId) -> Worth, mut free: impl FnMut(LaneId)) {
        for (least, enough) in [(Worth::Trouble, MAX_IDLE / 2), (Worth::Wish, MAX_HOSTS / 2), (Worth::Tickets, 0)] {
            self.lanes.retain(|_, id| {
                let stays = worth(*id) >= least;
                if !stays {
                    free(*id);
                }
                stays
            });
            if self.lanes.len() <= enough {
                break;
            }
        }
        self.last.0.clear();
        self.limit = (self.lanes.len() * 2).clamp(MAX_IDLE, MAX_HOSTS);
    }
}
