//! Who may be heard: grants and deny epochs, kept in the region so that no crash forgets a mute (safety rules 10 and 11).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use media_region::{Region, Seat, SeatKey};

use crate::session::{OwnerName, SpaceName};
use crate::time::{Nanos, SECOND};

/// A grant's life after its last renewal.
pub const LIFE: u64 = 15 * SECOND;
/// How long grants stand while no api can be reached.
pub const FREEZE: u64 = 600 * SECOND;

/// Why a grant was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantError {
    /// A later deny is in force.
    Stale,
    /// There is no room to remember it.
    Full,
}

/// The grants of this node.
pub struct Grants {
    region: Arc<Region>,
    index: HashMap<SeatKey, u32>,
    /// Seats that were used and are free again; those at and above the region's mark have never been touched.
    free: Vec<u32>,
    /// When the api was last lost, if it is.
    api_lost: Option<Nanos>,
}

impl Grants {
    /// The grants that stand in `region`. Until an api connects they are frozen as they were when the last one was lost, or at
    /// the last process's last heartbeat.
    pub fn new(region: Arc<Region>, now: Nanos) -> Grants {
        let header = region.header();
        let lost = match (header.api_lost(), header.heartbeat()) {
            (0, 0) => now.0,
            (0, alive) => alive,
            (lost, _) => lost,
        };
        header.set_api_lost(lost);
        let (mut index, mut free) = (HashMap::new(), Vec::new());
        for (at, seat) in (0u32..).zip(&region.seats()[..header.seats_used().min(region.seats().len())]) {
            match seat.key() {
                Some(key) => drop(index.insert(key, at)),
                None => free.push(at),
            }
        }
        Grants { region, index, free, api_lost: Some(Nanos(lost)) }
    }

    /// The api has come: what stood stands 15 s more, until it says what it wants.
    pub fn api_connected(&mut self, now: Nanos) {
        let Some(lost) = self.api_lost.take() else { return };
        let frozen = now.since(lost) < FREEZE;
        for seat in self.index.values().map(|at| &self.region.seats()[*at as usize]).filter(|seat| seat.expires() > lost.0) {
            if frozen { seat.extend(now.after(LIFE).0) } else { seat.close() }
        }
        self.region.header().set_api_lost(0);
    }

    /// The api is gone: grants freeze.
    pub fn api_lost(&mut self, now: Nanos) {
        if self.api_lost.is_none() {
            self.api_lost = Some(now);
            self.region.header().set_api_lost(now.0);
        }
    }

    /// When the open grant of `owner` began, or `None` if they have none.
    pub fn open_since(&self, space: SpaceName, owner: OwnerName, now: Nanos) -> Option<Nanos> {
        let seat = self.seat(&(space.bytes(), owner.bytes()))?;
        let judged = self.api_lost.map_or(now, |lost| if now.since(lost) < FREEZE { lost } else { now });
        (seat.expires() > judged.0).then(|| Nanos(seat.since()))
    }

    /// Grants that are open.
    pub fn open(&self, now: Nanos) -> usize {
        self.index.values().filter(|at| self.region.seats()[**at as usize].expires() > now.0).count()
    }

    /// Opens a grant true at log position `seq`.
    pub fn allow(&mut self, space: SpaceName, owner: OwnerName, csrc: u32, seq: u64, now: Nanos) -> Result<(), GrantError> {
        if self.epoch(space, owner) > seq {
            return Err(GrantError::Stale);
        }
        let at = self.claim((space.bytes(), owner.bytes())).ok_or(GrantError::Full)?;
        self.region.seats()[at as usize].grant(csrc, now.0, now.after(LIFE).0);
        Ok(())
    }

    /// Renews the grants named (Space, owner, csrc, seq) and ends all others.
    pub fn renew<'g>(&mut self, grants: impl Iterator<Item = (SpaceName, OwnerName, u32, u64)> + 'g, now: Nanos) {
        let mut named = HashSet::new();
        for (space, owner, csrc, seq) in grants {
            if self.allow(space, owner, csrc, seq, now).is_ok() {
                named.insert((space.bytes(), owner.bytes()));
            }
        }
        for (key, at) in &self.index {
            if !named.contains(key) {
                self.region.seats()[*at as usize].close();
            }
        }
    }

    /// Closes the grant and remembers `seq`: nothing authorised before it opens again. Stored before it is acknowledged.
    /// False if there is no room left to remember it.
    pub fn deny(&mut self, space: SpaceName, owner: OwnerName, seq: u64) -> bool {
        let Some(at) = self.claim((space.bytes(), owner.bytes())) else { return false };
        let seat = &self.region.seats()[at as usize];
        seat.close();
        seat.raise_epoch(seq);
        true
    }

    /// The log position below which nothing of `owner` in `space` may open.
    pub fn epoch(&self, space: SpaceName, owner: OwnerName) -> u64 {
        let own = self.seat(&(space.bytes(), owner.bytes())).map_or(0, Seat::epoch);
        own.max(self.seat(&(space.bytes(), [0; 24])).map_or(0, Seat::epoch))
    }

    /// The Space is over: one epoch for all of it replaces everyone's.
    pub fn close_space(&mut self, space: SpaceName, seq: u64) {
        let over: Vec<SeatKey> = self.index.keys().filter(|key| key.0 == space.bytes()).copied().collect();
        for key in over {
            if let Some(at) = self.index.remove(&key) {
                self.region.seats()[at as usize].release();
                self.free.push(at);
            }
        }
        if let Some(at) = self.claim((space.bytes(), [0; 24])) {
            self.region.seats()[at as usize].raise_epoch(seq);
        }
    }

    fn seat(&self, key: &SeatKey) -> Option<&Seat> {
        self.index.get(key).map(|at| &self.region.seats()[*at as usize])
    }

    fn claim(&mut self, key: SeatKey) -> Option<u32> {
        if let Some(at) = self.index.get(&key) {
            return Some(*at);
        }
        let at = self.free.pop().or_else(|| self.fresh()).or_else(|| self.evict())?;
        self.region.seats()[at as usize].claim(key);
        self.index.insert(key, at);
        Some(at)
    }

    fn fresh(&self) -> Option<u32> {
        let fresh = self.region.header().seats_used();
        (fresh < self.region.seats().len()).then(|| {
            self.region.header().use_seat(fresh as u32);
            fresh as u32
        })
    }

    /// Takes a word that nobody misses: a closed grant that was never denied, or a whole Space that ended (its sessions are
    /// long gone, and its id is never used again).
    fn evict(&mut self) -> Option<u32> {
        let seat = |at: &u32| &self.region.seats()[*at as usize];
        let unneeded = |(key, at): &(&SeatKey, &u32)| key.1 == [0; 24] || seat(at).epoch() == 0 && seat(at).expires() == 0;
        let key = self.index.iter().find(unneeded).map(|(key, _)| *key)?;
        let at = self.index.remove(&key)?;
        self.region.seats()[at as usize].release();
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Name;

    fn names() -> (SpaceName, OwnerName) {
        (Name::new("space").unwrap(), Name::new("ann").unwrap())
    }

    fn grants(region: &Arc<Region>) -> Grants {
        let mut grants = Grants::new(region.clone(), Nanos(SECOND));
        grants.api_connected(Nanos(SECOND));
        grants
    }

    #[test]
    fn a_grant_ends_unless_renewed() {
        let ((space, ann), region) = (names(), Arc::new(Region::heap(1)));
        let mut grants = grants(&region);
        assert!(grants.open_since(space, ann, Nanos(SECOND)).is_none());
        grants.allow(space, ann, 1, 5, Nanos(SECOND)).unwrap();
        assert_eq!(grants.open_since(space, ann, Nanos(15 * SECOND)), Some(Nanos(SECOND)));
        assert!(grants.open_since(space, ann, Nanos(17 * SECOND)).is_none());
    }

    #[test]
    fn an_older_allow_loses_against_a_deny_even_after_a_crash() {
        let ((space, ann), region) = (names(), Arc::new(Region::heap(1)));
        let mut first = grants(&region);
        first.allow(space, ann, 1, 5, Nanos(SECOND)).unwrap();
        assert!(first.deny(space, ann, 7));
        drop(first);
        let mut successor = grants(&region);
        assert!(successor.open_since(space, ann, Nanos(2 * SECOND)).is_none());
        assert_eq!(successor.allow(space, ann, 1, 6, Nanos(2 * SECOND)), Err(GrantError::Stale));
        assert_eq!(successor.allow(space, ann, 1, 8, Nanos(2 * SECOND)), Ok(()));
    }

    #[test]
    fn without_an_api_grants_freeze_for_ten_minutes_and_no_longer() {
        let ((space, ann), region) = (names(), Arc::new(Region::heap(1)));
        let mut grants = grants(&region);
        grants.allow(space, ann, 1, 5, Nanos(SECOND)).unwrap();
        grants.api_lost(Nanos(3 * SECOND));
        assert!(grants.open_since(space, ann, Nanos(500 * SECOND)).is_some());
        assert!(grants.open_since(space, ann, Nanos(604 * SECOND)).is_none());
        grants.api_connected(Nanos(500 * SECOND));
        assert!(grants.open_since(space, ann, Nanos(510 * SECOND)).is_some());
        grants.renew(std::iter::empty(), Nanos(511 * SECOND));
        assert!(grants.open_since(space, ann, Nanos(511 * SECOND)).is_none());
    }

    #[test]
    fn a_space_that_ended_stays_ended() {
        let ((space, ann), region) = (names(), Arc::new(Region::heap(1)));
        let mut grants = grants(&region);
        grants.allow(space, ann, 1, 5, Nanos(SECOND)).unwrap();
        grants.close_space(space, 9);
        assert!(grants.open_since(space, ann, Nanos(SECOND)).is_none());
        assert_eq!(grants.allow(space, ann, 1, 8, Nanos(SECOND)), Err(GrantError::Stale));
    }
}
