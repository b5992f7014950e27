//! Every session of this node and how each is found, adopted and closed. Offers are answered in `opening`, datagrams read in
//! `packets`, addresses judged in `paths`, handshakes led in `handshakes`, packets sealed in `seal`.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use media_region::{Address, Record, Region, SessionData};

use crate::dtls::DtlsSetup;
use crate::outbox::Outbox;
use crate::paths::Prefix;
use crate::rtcp;
use crate::session::{Feed, Live, OwnerName, Pending, Session, SessionId, SessionKey, SpaceName, State};
use crate::srtp::Profile;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// A session without a connection dies after this.
pub(crate) const UNCONNECTED: u64 = 15 * SECOND;
/// RFC 7675 §5.1: consent that is not renewed for this long is gone. An ICE-lite side sends no checks, so it must watch for theirs.
const CONSENT: u64 = 30 * SECOND;
/// Consent is looked at in parts this often: all of them once a second, never all at once.
const SWEEP: u64 = 100 * MILLISECOND;
const SWEEPS: usize = 10;

/// How a transport is set up.
pub struct TransportConfig {
    /// Addresses for SDP answers.
    pub candidates: Vec<SocketAddr>,
    /// Certificate and handshake configuration.
    pub dtls: DtlsSetup,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No connection came about in time.
    Unconnected,
    /// Checks stopped.
    Expired,
    /// The handshake failed.
    Handshake,
    /// The other side said goodbye.
    Goodbye,
    /// An index was about to run out, or the record was damaged.
    Exhausted,
}

impl Reason {
    /// The name in the api-media protocol.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Unconnected => "unconnected",
            Reason::Expired => "expired",
            Reason::Handshake => "handshake",
            Reason::Goodbye => "goodbye",
            Reason::Exhausted => "exhausted",
        }
    }
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// Media flows.
    Up(SessionKey),
    /// It is over; the session can still be read until `reap`.
    Down(SessionKey, Reason),
}

/// What the transport has counted since it began.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Packets that were not authentic.
    pub forged: u64,
    /// Packets seen before.
    pub replayed: u64,
    /// STUN that was not for us or not authentic.
    pub stun_refused: u64,
    /// DTLS from addresses no check had validated.
    pub dtls_refused: u64,
    /// Handshakes done.
    pub handshakes: u64,
    /// Handshakes that failed.
    pub handshakes_failed: u64,
    /// Addresses media moved to.
    pub moves: u64,
}

struct Slot {
    tenant: u32,
    session: Option<Session>,
}

/// Every session of this node.
pub struct Transport {
    pub(crate) region: Arc<Region>,
    pub(crate) config: TransportConfig,
    slots: Vec<Slot>,
    free_slots: Vec<u32>,
    /// Records that were used and are free again; those at and above the region's mark have never been touched.
    pub(crate) free_records: Vec<u32>,
    pub(crate) by_ufrag: HashMap<[u8; 8], SessionKey>,
    pub(crate) by_address: HashMap<(SocketAddr, u8), SessionKey>,
    pub(crate) by_ssrc: HashMap<u32, SessionKey>,
    pub(crate) by_transaction: HashMap<[u8; 12], SessionKey>,
    pub(crate) by_id: HashMap<SessionId, SessionKey>,
    by_owner: HashMap<(SpaceName, OwnerName, Feed), SessionKey>,
    pub(crate) timers: BTreeSet<(Nanos, SessionKey)>,
    /// Sessions under construction, by where their first check came from.
    pub(crate) prefixes: HashMap<Prefix, u32>,
    pub(crate) pending: usize,
    live: [usize; 3],
    slow: usize,
    pub(crate) happened: VecDeque<Lifecycle>,
    swept: Nanos,
    sweep_at: usize,
    /// What was counted.
    pub counters: Counters,
}

impl Transport {
    /// A transport over `region`, going on with every session that stands in it. A record two processes died on is dropped (rule 5).
    pub fn new(region: Arc<Region>, config: TransportConfig) -> Transport {
        let used = region.header().records_used().min(region.records().len());
        if let Some(record) = region.header().take_handling().and_then(|slot| region.records()[..used].get(slot as usize))
            && record.is_live()
            && record.strike() >= 2
        {
            record.release();
        }
        let mut transport = Transport {
            region: region.clone(),
            config,
            slots: Vec::new(),
            free_slots: Vec::new(),
            free_records: Vec::new(),
            by_ufrag: HashMap::new(),
            by_address: HashMap::new(),
            by_ssrc: HashMap::new(),
            by_transaction: HashMap::new(),
            by_id: HashMap::new(),
            by_owner: HashMap::new(),
            timers: BTreeSet::new(),
            prefixes: HashMap::new(),
            pending: 0,
            live: [0; 3],
            slow: 0,
            happened: VecDeque::new(),
            swept: Nanos(0),
            sweep_at: 0,
            counters: Counters::default(),
        };
        for (at, record) in (0u32..).zip(&region.records()[..used]) {
            match Session::adopt(at, record) {
                Some(session) => transport.adopt(session),
                None => {
                    if record.is_live() {
                        record.release();
                    }
                    transport.free_records.push(at);
                }
            }
        }
        transport
    }

    fn adopt(&mut self, session: Session) {
        // A process may die between two sessions of one owner changing places.
        if let Some(older) = self.by_owner.get(&(session.space, session.owner, session.feed)).copied() {
            self.reap(older);
        }
        let Some(live) = session.live() else { return };
        let (address, ssrc, ufrag) = ((live.address.remote, live.address.socket), live.ssrc, self.record(live).data());
        let (feed, slow) = (session.feed, session.is_slow_profile());
        let key = self.insert(session);
        self.by_ufrag.extend(ufrag.map(|data| (data.ufrag, key)));
        self.by_address.insert(address, key);
        self.by_ssrc.extend(ssrc.map(|ssrc| (ssrc, key)));
        self.count(feed, slow);
    }

    fn count(&mut self, feed: Feed, slow: bool) {
        self.live[feed as usize] += 1;
        self.slow += usize::from(slow);
    }

    pub(crate) fn insert(&mut self, session: Session) -> SessionKey {
        let (id, owner) = (session.id, (session.space, session.owner, session.feed));
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(Slot { tenant: 0, session: None });
            self.slots.len() as u32 - 1
        });
        let entry = &mut self.slots[slot as usize];
        entry.tenant = entry.tenant.wrapping_add(1);
        entry.session = Some(session);
        let key = SessionKey { slot, tenant: entry.tenant };
        self.by_id.insert(id, key);
        self.by_owner.insert(owner, key);
        key
    }

    /// What is written of a session: before its handshake in memory, after it in the region.
    pub(crate) fn data(&self, key: SessionKey) -> Option<SessionData> {
        match &self.get(key)?.state {
            State::Pending(pending) => Some(pending.data.clone()),
            State::Live(live) => self.record(live).data(),
        }
    }

    pub(crate) fn record(&self, live: &Live) -> &Record {
        &self.region.records()[live.record as usize]
    }

    /// Ends a session: a goodbye if it can be said, keys forgotten, slot freed.
    pub fn close(&mut self, key: SessionKey, out: &mut Outbox) {
        if self.get(key).is_some_and(Session::is_live) {
            let feed = self.get(key).map_or(Feed::Programme, |session| session.feed);
            for stream in 0..feed.sections() {
                let ssrc = self.ssrc(key, stream);
                self.seal_rtcp(key, stream, out, |buffer| rtcp::goodbye(ssrc, buffer));
            }
        }
        self.reap(key);
    }

    /// Frees what a session that is over held.
    pub fn reap(&mut self, key: SessionKey) {
        let data = self.data(key);
        let Some(slot) = self.slots.get_mut(key.slot as usize).filter(|slot| slot.tenant == key.tenant) else { return };
        let Some(session) = slot.session.take() else { return };
        self.free_slots.push(key.slot);
        self.by_id.remove(&session.id);
        let owner = (session.space, session.owner, session.feed);
        if self.by_owner.get(&owner) == Some(&key) {
            self.by_owner.remove(&owner);
        }
        self.timers.remove(&(session.timer, key));
        match &session.state {
            State::Live(live) => self.forget_live(key, session.feed, live),
            State::Pending(pending) => self.forget_pending(key, pending),
        }
        match data {
            Some(data) => {
                self.by_ufrag.remove(&data.ufrag);
            }
            // The record was damaged: rare enough for a walk.
            None => self.by_ufrag.retain(|_, other| *other != key),
        }
    }

    fn forget_live(&mut self, key: SessionKey, feed: Feed, live: &Live) {
        self.live[feed as usize] -= 1;
        self.slow -= usize::from(live.head.profile == Profile::Aes128CmSha1);
        self.record(live).release();
        self.free_records.push(live.record);
        self.forget_address((live.address.remote, live.address.socket), key);
        if let Some(previous) = &live.previous {
            self.by_ufrag.remove(&previous.ufrag);
        }
        for validation in &live.validations {
            self.by_transaction.remove(&validation.transaction);
        }
        if let Some(ssrc) = live.ssrc.filter(|ssrc| self.by_ssrc.get(ssrc) == Some(&key)) {
            self.by_ssrc.remove(&ssrc);
        }
    }

    fn forget_pending(&mut self, key: SessionKey, pending: &Pending) {
        self.pending -= 1;
        self.leave_prefix(pending);
        pending.paths.iter().for_each(|path| self.forget_address((path.address.remote, path.address.socket), key));
    }

    pub(crate) fn forget_address(&mut self, address: (SocketAddr, u8), key: SessionKey) {
        if self.by_address.get(&address) == Some(&key) {
            self.by_address.remove(&address);
        }
    }

    /// The next thing that happened; call until `None`. Looks at due timers and at part of the consents.
    pub fn poll(&mut self, now: Nanos, out: &mut Outbox) -> Option<Lifecycle> {
        if self.happened.is_empty() {
            self.fire_timers(now, out);
            if now.since(self.swept) >= SWEEP {
                self.swept = now;
                self.sweep(now);
            }
        }
        self.happened.pop_front()
    }

    fn sweep(&mut self, now: Nanos) {
        let part = self.slots.len().div_ceil(SWEEPS);
        let from = if self.sweep_at >= self.slots.len() { 0 } else { self.sweep_at };
        let to = (from + part).min(self.slots.len());
        for (slot, entry) in (from as u32..).zip(&self.slots[from..to]) {
            let Some(live) = entry.session.as_ref().and_then(Session::live) else { continue };
            if now.since(live.consent) >= CONSENT {
                self.happened.push_back(Lifecycle::Down(SessionKey { slot, tenant: entry.tenant }, Reason::Expired));
            }
        }
        self.sweep_at = to;
    }

    /// When `poll` next has something to do.
    pub fn next_deadline(&self) -> Nanos {
        let sweep = if self.slots.len() == self.free_slots.len() { Nanos::NEVER } else { self.swept.after(SWEEP) };
        self.timers.first().map_or(sweep, |(due, _)| sweep.min(*due))
    }

    /// A session.
    pub fn get(&self, key: SessionKey) -> Option<&Session> {
        self.slots.get(key.slot as usize).filter(|slot| slot.tenant == key.tenant)?.session.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.slots.get_mut(key.slot as usize).filter(|slot| slot.tenant == key.tenant)?.session.as_mut()
    }

    /// The session in a slot, if there is one.
    pub(crate) fn in_slot(&self, slot: usize) -> Option<(SessionKey, &Session)> {
        let entry = self.slots.get(slot)?;
        Some((SessionKey { slot: slot as u32, tenant: entry.tenant }, entry.session.as_ref()?))
    }

    /// Slots, used or free.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The session with a public id.
    pub fn by_id(&self, id: SessionId) -> Option<SessionKey> {
        self.by_id.get(&id).copied()
    }

    /// The session that `owner` has for `feed`.
    pub fn of_owner(&self, space: SpaceName, owner: OwnerName, feed: Feed) -> Option<SessionKey> {
        self.by_owner.get(&(space, owner, feed)).copied()
    }

    /// Every session.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionKey, &Session)> {
        (0..self.slots.len()).filter_map(|slot| self.in_slot(slot))
    }

    /// Live sessions of a feed.
    pub fn live_count(&self, feed: Feed) -> usize {
        self.live[feed as usize]
    }

    /// Live sessions on the slow SRTP profile.
    pub fn slow_count(&self) -> usize {
        self.slow
    }

    /// Writes the session's record and makes it live (rule 3: published last).
    pub(crate) fn publish(&mut self, key: SessionKey, data: &SessionData, address: Address, now: Nanos) -> bool {
        let Some(record) = self.take_record() else { return false };
        let Some(live) = Live::new(data, record, address, now) else {
            self.free_records.push(record);
            return false;
        };
        let Some(session) = self.get_mut(key) else { return false };
        let (feed, slow) = (session.feed, live.head.profile == Profile::Aes128CmSha1);
        let State::Pending(pending) = std::mem::replace(&mut session.state, State::Live(Box::new(live))) else { return false };
        self.region.records()[record as usize].publish(data, address, now.0);
        self.forget_pending(key, &pending);
        self.by_address.insert((address.remote, address.socket), key);
        self.count(feed, slow);
        true
    }

    fn take_record(&mut self) -> Option<u32> {
        if let Some(record) = self.free_records.pop() {
            return Some(record);
        }
        let fresh = self.region.header().records_used();
        (fresh < self.region.records().len()).then(|| {
            self.region.header().use_record(fresh as u32);
            fresh as u32
        })
    }
}
