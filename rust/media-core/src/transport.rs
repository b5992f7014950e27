//! Every session's connection: from datagrams to authenticated RTP and back. Sans-IO.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use media_region::{Region, STREAMS, SessionData};
use thiserror::Error;

use crate::answer::{Ours, answer, restart_fragment};
use crate::dtls::DtlsSetup;
use crate::outbox::Outbox;
use crate::random::{Random, bytes, ice_chars};
use crate::rtcp;
use crate::sdp::{self, Direction, Offer, SdpError};
use crate::session::{Feed, Live, OwnerName, Pending, Session, SessionId, SessionKey, SpaceName, State};
use crate::time::{Nanos, SECOND};

/// A session without a connection dies after this.
const UNCONNECTED: u64 = 15 * SECOND;
/// RFC 7675 §5.1: consent that is not renewed for this long is gone. An ICE-lite side sends no checks, so it must watch for theirs.
const CONSENT: u64 = 30 * SECOND;
/// How long a finished handshake is kept to resend its last flight.
pub(crate) const HANDSHAKE_TAIL: u64 = 10 * SECOND;
/// Sessions under construction at once (rule 8).
const MAX_PENDING: usize = 4096;
/// Records that listeners may not take (rule 8).
const RESERVED_FOR_SPEAKERS: usize = 64;

/// How a transport is set up.
pub struct TransportConfig {
    /// Addresses for SDP answers.
    pub candidates: Vec<SocketAddr>,
    /// Certificate and handshake configuration.
    pub dtls: DtlsSetup,
}

/// A wish for a session.
pub struct Open<'a> {
    /// Its id.
    pub id: SessionId,
    /// The Space.
    pub space: SpaceName,
    /// Whose it will be.
    pub owner: OwnerName,
    /// What it carries.
    pub feed: Feed,
    /// The seat's number, 0 for a listener.
    pub csrc: u32,
    /// The SDP offer.
    pub offer: &'a str,
}

/// An answered offer.
pub struct Opened {
    /// The session.
    pub key: SessionKey,
    /// The SDP answer.
    pub sdp: String,
    /// Its strong ETag, without quotes.
    pub etag: String,
}

/// Why an offer was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The offer is at fault.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// There is no room.
    #[error("the server is full")]
    Full,
}

/// Why a PATCH was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatchError {
    /// The fragment is at fault.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// A restart without If-Match (RFC 9725 §4.3.1).
    #[error("an ICE restart needs If-Match")]
    Required,
    /// If-Match names another restart's ETag.
    #[error("the session has been restarted since")]
    Stale,
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
    pub(crate) free_records: Vec<u32>,
    pub(crate) by_ufrag: HashMap<[u8; 8], SessionKey>,
    pub(crate) by_address: HashMap<(SocketAddr, u8), SessionKey>,
    by_id: HashMap<SessionId, SessionKey>,
    pub(crate) handshaking: Vec<SessionKey>,
    pub(crate) pending: usize,
    pub(crate) happened: VecDeque<Lifecycle>,
    swept: Nanos,
    /// What was counted.
    pub counters: Counters,
}

impl Transport {
    /// A transport over `region`, going on with every session that stands in it. A record two processes died on is dropped (rule 5).
    pub fn new(region: Arc<Region>, config: TransportConfig) -> Transport {
        if let Some(record) = region.header().take_handling().and_then(|slot| region.records().get(slot as usize))
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
            by_id: HashMap::new(),
            handshaking: Vec::new(),
            pending: 0,
            happened: VecDeque::new(),
            swept: Nanos(0),
            counters: Counters::default(),
        };
        for (at, record) in region.records().iter().enumerate().rev() {
            match Session::adopt(at as u32, record) {
                Some(session) => transport.adopt(session),
                None => {
                    if record.is_live() {
                        record.release();
                    }
                    transport.free_records.push(at as u32);
                }
            }
        }
        transport
    }

    fn adopt(&mut self, session: Session) {
        let State::Live(live) = &session.state else { return };
        let (ufrag, address) = (session.data.ufrag, (live.address.remote, live.address.socket));
        let key = self.insert(session);
        self.by_ufrag.insert(ufrag, key);
        self.by_address.insert(address, key);
    }

    fn insert(&mut self, session: Session) -> SessionKey {
        let id = session.id;
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(Slot { tenant: 0, session: None });
            self.slots.len() as u32 - 1
        });
        let entry = &mut self.slots[slot as usize];
        entry.tenant = entry.tenant.wrapping_add(1);
        entry.session = Some(session);
        let key = SessionKey { slot, tenant: entry.tenant };
        self.by_id.insert(id, key);
        key
    }

    /// Answers an offer.
    pub fn open(&mut self, now: Nanos, random: &mut dyn Random, open: &Open<'_>) -> Result<Opened, OpenError> {
        let offer = sdp::offer(open.offer)?;
        check_sections(&offer, open.feed)?;
        let reserved = if open.feed == Feed::Ingest { 0 } else { RESERVED_FOR_SPEAKERS.min(self.region.records().len() / 2) };
        if self.pending >= MAX_PENDING || self.free_records.len() <= self.pending + reserved || self.by_id.contains_key(&open.id) {
            return Err(OpenError::Full);
        }
        let data = self.draft(random, open, &offer);
        let ssrcs = data.ssrcs;
        let (ufrag, restarts) = (data.ufrag, data.restarts);
        let Some(mut session) = Session::of_data(data) else { return Err(OpenError::Full) };
        session.state =
            State::Pending(Pending { created: now, fingerprint: offer.fingerprint, client: offer.passive, paths: Vec::new(), received: 0 });
        let sdp = self.describe(&session, |ours| answer(&offer, open.feed, &Ours { ssrcs: &ssrcs[..open.feed.sections()], ..ours }));
        let key = self.insert(session);
        self.by_ufrag.insert(ufrag, key);
        self.pending += 1;
        Ok(Opened { key, sdp, etag: etag(restarts) })
    }

    fn draft(&self, random: &mut dyn Random, open: &Open<'_>, offer: &Offer) -> SessionData {
        let first = &offer.sections[0];
        let mut mids = [[0; 8]; STREAMS];
        for (out, section) in mids.iter_mut().zip(&offer.sections) {
            let mid = section.mid.as_deref().unwrap_or("").as_bytes();
            let len = mid.len().min(8);
            out[..len].copy_from_slice(&mid[..len]);
        }
        let mut ufrag = ice_chars(random);
        while self.by_ufrag.contains_key(&ufrag) {
            ufrag = ice_chars(random);
        }
        SessionData {
            id: open.id.0,
            space: open.space.bytes(),
            owner: open.owner.bytes(),
            feed: open.feed.code(),
            payload_types: [first.opus, first.red.filter(|_| open.feed == Feed::Ingest).unwrap_or(0)],
            extensions: [first.mid_extension, first.level_extension],
            mids,
            csrc: open.csrc,
            ssrcs: std::array::from_fn(|_| u32::from_be_bytes(bytes(random)) | 1),
            offsets: std::array::from_fn(|_| u32::from_be_bytes(bytes(random))),
            // Low, so that whoever joins sees rollover 0 for long before the first wrap.
            first: std::array::from_fn(|_| u16::from_be_bytes(bytes(random)) & 0x3fff),
            ufrag,
            password: ice_chars(random),
            remote_ufrag: padded(&offer.ice.0),
            remote_password: padded(&offer.ice.1),
            ..SessionData::default()
        }
    }

    fn describe(&self, session: &Session, write: impl FnOnce(Ours<'_>) -> String) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (ufrag, password) = (text(&session.data.ufrag), text(&session.data.password));
        write(Ours {
            origin: u64::from_be_bytes(session.id.0[..8].try_into().unwrap_or_default()) >> 2,
            ice: (&ufrag, &password),
            fingerprint: &self.config.dtls.fingerprint(),
            candidates: &self.config.candidates,
            ssrcs: &[],
        })
    }

    /// Trickle (an empty answer) or ICE restart (RFC 9725 §4.3): a failed one leaves the session as it was.
    pub fn patch(
        &mut self,
        random: &mut dyn Random,
        key: SessionKey,
        if_match: &str,
        fragment: &str,
    ) -> Result<(String, String), PatchError> {
        let fragment = sdp::fragment(fragment)?;
        let Some(session) = self.get(key) else { return Err(PatchError::Stale) };
        let current = etag(session.data.restarts);
        if padded::<32>(&fragment.ice.0) == session.data.remote_ufrag {
            return Ok((String::new(), current));
        }
        match if_match.trim_matches('"') {
            "" => return Err(PatchError::Required),
            "*" => {}
            tag if tag == current => {}
            _ => return Err(PatchError::Stale),
        }
        let mut ufrag = ice_chars(random);
        while self.by_ufrag.contains_key(&ufrag) {
            ufrag = ice_chars(random);
        }
        let password = ice_chars(random);
        let region = self.region.clone();
        let Some(session) = self.get_mut(key) else { return Err(PatchError::Stale) };
        let old = std::mem::replace(&mut session.data.ufrag, ufrag);
        session.data.password = password;
        session.data.remote_ufrag = padded(&fragment.ice.0);
        session.data.remote_password = padded(&fragment.ice.1);
        session.data.restarts += 1;
        let restarts = session.data.restarts;
        if let State::Live(live) = &mut session.state {
            live.validation = None;
            live.nominates = false;
            region.records()[live.record as usize].rewrite(&session.data);
        }
        self.by_ufrag.remove(&old);
        self.by_ufrag.insert(ufrag, key);
        let Some(session) = self.get(key) else { return Err(PatchError::Stale) };
        let mid = session.data.mids[0];
        let mid = std::str::from_utf8(&mid).ok().map(|mid| mid.trim_end_matches('\0')).filter(|mid| !mid.is_empty());
        Ok((self.describe(session, |ours| restart_fragment(&ours, mid)), etag(restarts)))
    }

    /// Ends a session: a goodbye if it can be said, keys forgotten, slot freed.
    pub fn close(&mut self, now: Nanos, key: SessionKey, out: &mut Outbox) {
        for stream in 0..self.get(key).map_or(0, |session| session.feed.sections()) {
            let ssrc = self.get(key).map_or(0, |session| session.data.ssrcs[stream]);
            self.seal_rtcp(key, stream, out, |buffer| rtcp::goodbye(ssrc, buffer));
        }
        if let Some(session) = self.get_mut(key)
            && let (Some((handshake, _)), State::Live(live)) = (&mut session.handshake, &session.state)
        {
            let address = live.address;
            handshake.close(now, |record| {
                out.copy(address, record);
            });
        }
        self.reap(key);
    }

    /// Frees what a session that is over held.
    pub fn reap(&mut self, key: SessionKey) {
        let Some(slot) = self.slots.get_mut(key.slot as usize).filter(|slot| slot.tenant == key.tenant) else { return };
        let Some(session) = slot.session.take() else { return };
        self.free_slots.push(key.slot);
        self.by_id.remove(&session.id);
        self.by_ufrag.remove(&session.data.ufrag);
        self.handshaking.retain(|other| *other != key);
        match &session.state {
            State::Live(live) => {
                self.region.records()[live.record as usize].release();
                self.free_records.push(live.record);
                self.forget_address((live.address.remote, live.address.socket), key);
            }
            State::Pending(pending) => {
                self.pending -= 1;
                pending.paths.iter().for_each(|path| self.forget_address((path.remote, path.socket), key));
            }
        }
    }

    pub(crate) fn forget_address(&mut self, address: (SocketAddr, u8), key: SessionKey) {
        if self.by_address.get(&address) == Some(&key) {
            self.by_address.remove(&address);
        }
    }

    /// The next thing that happened; call until `None`. Looks at timers at most once a second, DTLS ones when due.
    pub fn poll(&mut self, now: Nanos, out: &mut Outbox) -> Option<Lifecycle> {
        if self.happened.is_empty() {
            self.advance_handshakes(now, out);
            if now.since(self.swept) >= SECOND {
                self.swept = now;
                self.sweep(now);
            }
        }
        self.happened.pop_front()
    }

    fn sweep(&mut self, now: Nanos) {
        for (slot, entry) in (0u32..).zip(&mut self.slots) {
            let Some(session) = &mut entry.session else { continue };
            let key = SessionKey { slot, tenant: entry.tenant };
            let over = match &mut session.state {
                State::Pending(pending) => (now.since(pending.created) >= UNCONNECTED).then_some(Reason::Unconnected),
                State::Live(live) => (now.since(live.consent) >= CONSENT).then_some(Reason::Expired),
            };
            if let Some(reason) = over {
                self.happened.push_back(Lifecycle::Down(key, reason));
            }
        }
    }

    /// When `poll` next has something to do.
    pub fn next_deadline(&self) -> Nanos {
        let sweep = self.swept.after(SECOND);
        self.handshaking
            .iter()
            .filter_map(|key| self.get(*key)?.handshake.as_ref())
            .map(|(handshake, _)| handshake.timeout())
            .fold(sweep, Nanos::min)
    }

    /// A session.
    pub fn get(&self, key: SessionKey) -> Option<&Session> {
        self.slots.get(key.slot as usize).filter(|slot| slot.tenant == key.tenant)?.session.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.slots.get_mut(key.slot as usize).filter(|slot| slot.tenant == key.tenant)?.session.as_mut()
    }

    /// The session with a public id.
    pub fn by_id(&self, id: SessionId) -> Option<SessionKey> {
        self.by_id.get(&id).copied()
    }

    /// Every session.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionKey, &Session)> {
        (0u32..).zip(&self.slots).filter_map(|(slot, entry)| Some((SessionKey { slot, tenant: entry.tenant }, entry.session.as_ref()?)))
    }

    /// Writes the session's record and makes it live (rule 3: published last).
    pub(crate) fn publish(&mut self, key: SessionKey, address: media_region::Address, now: Nanos) -> bool {
        let Some(record) = self.free_records.pop() else { return false };
        let region = self.region.clone();
        let Some(session) = self.get_mut(key) else {
            self.free_records.push(record);
            return false;
        };
        let Some(live) = Live::new(&session.data, record, address, now) else { return false };
        region.records()[record as usize].publish(&session.data, address, now.0);
        session.state = State::Live(Box::new(live));
        self.pending -= 1;
        true
    }
}

fn check_sections(offer: &Offer, feed: Feed) -> Result<(), SdpError> {
    let (wanted, allowed) = match feed {
        Feed::Ingest => ("one sendonly audio section", [Direction::SendOnly, Direction::SendRecv]),
        Feed::Programme => ("one recvonly audio section", [Direction::RecvOnly, Direction::SendRecv]),
        Feed::Stage => ("three bundled recvonly audio sections", [Direction::RecvOnly, Direction::SendRecv]),
    };
    let fine = offer.sections.len() == feed.sections()
        && offer.sections.iter().all(|section| allowed.contains(&section.direction))
        && (feed != Feed::Stage || offer.bundle && offer.sections.iter().all(|section| section.mid.is_some()));
    if fine { Ok(()) } else { Err(SdpError(format!("this door takes {wanted}"))) }
}

fn etag(restarts: u32) -> String {
    format!("ice-{restarts}")
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0; N];
    let len = text.len().min(N);
    out[..len].copy_from_slice(&text.as_bytes()[..len]);
    out
}
