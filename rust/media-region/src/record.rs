//! One media session's record: what a successor needs to go on with it as if nothing had happened.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::word::{Bytes, U8, U16, U32, U64};

/// Streams a session may send: one for the programme, three slots for the stage feed.
pub const STREAMS: usize = 3;

/// SRTCP indices are 31 bits; a session is closed before it runs out (rule 1).
const RTCP_INDEX_END: u32 = 0x7fff_0000;

/// Leave to seal one SRTP packet: an index that nobody was given before and nobody will be given again.
/// It cannot be copied; sealing consumes it.
#[derive(Debug, PartialEq, Eq)]
pub struct PacketIndex(u64);

impl PacketIndex {
    /// The 48-bit index: rollover counter and sequence number (RFC 3711 §3.3.1).
    pub fn get(&self) -> u64 {
        self.0
    }

    /// The RTP sequence number.
    pub fn sequence(&self) -> u16 {
        self.0 as u16
    }
}

/// Leave to seal one SRTCP packet, as `PacketIndex` is for SRTP.
#[derive(Debug, PartialEq, Eq)]
pub struct RtcpIndex(u32);

impl RtcpIndex {
    /// The 31-bit index (RFC 3711 §3.4).
    pub fn get(&self) -> u32 {
        self.0
    }
}

/// What is known of a session when its record is written, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionData {
    /// 128 random bits: the session's public id.
    pub id: [u8; 16],
    /// The Space, zero-padded.
    pub space: [u8; 16],
    /// An account id or an anonymous listener's key, zero-padded.
    pub owner: [u8; 24],
    /// The media core's code for ingest, programme or stage.
    pub feed: u8,
    /// The media core's code for the SRTP profile.
    pub profile: u8,
    /// Payload type of Opus, and of RED or 0.
    pub payload_types: [u8; 2],
    /// Header extension ids of mid and audio level, 0 for none.
    pub extensions: [u8; 2],
    /// The mid of each section, zero-padded.
    pub mids: [[u8; 8]; STREAMS],
    /// The seat's number on the wire, 0 for a listener.
    pub csrc: u32,
    /// SSRC of each stream sent.
    pub ssrcs: [u32; STREAMS],
    /// What is added to the media clock to make each stream's RTP timestamps.
    pub offsets: [u32; STREAMS],
    /// First packet index of each stream.
    pub first: [u16; STREAMS],
    /// SRTP master key and salt for what we send.
    pub send_key: [u8; 46],
    /// SRTP master key and salt for what arrives.
    pub receive_key: [u8; 46],
    /// Our ICE user fragment and password.
    pub ufrag: [u8; 8],
    /// Our ICE password.
    pub password: [u8; 24],
    /// The other side's ICE user fragment, zero-padded.
    pub remote_ufrag: [u8; 32],
    /// The other side's ICE password, zero-padded.
    pub remote_password: [u8; 64],
    /// How many times ICE was restarted: the ETag.
    pub restarts: u32,
}

impl Default for SessionData {
    fn default() -> SessionData {
        SessionData {
            id: [0; 16],
            space: [0; 16],
            owner: [0; 24],
            feed: 0,
            profile: 0,
            payload_types: [0; 2],
            extensions: [0; 2],
            mids: [[0; 8]; STREAMS],
            csrc: 0,
            ssrcs: [0; STREAMS],
            offsets: [0; STREAMS],
            first: [0; STREAMS],
            send_key: [0; 46],
            receive_key: [0; 46],
            ufrag: [0; 8],
            password: [0; 24],
            remote_ufrag: [0; 32],
            remote_password: [0; 64],
            restarts: 0,
        }
    }
}

/// A transport address and the socket it is reached through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Theirs.
    pub remote: SocketAddr,
    /// Ours, if known.
    pub local: Option<IpAddr>,
    /// Index of our socket.
    pub socket: u8,
}

/// One outgoing stream: the words that must never go back.
#[repr(C)]
pub struct Stream {
    next: U64,
    octets: U64,
    packets: U32,
    next_rtcp: U32,
    mark: U32,
    marked: U32,
}

impl Stream {
    /// A stream in plain memory, for peers whose sessions need not outlive them.
    pub fn detached(first: u16) -> Stream {
        Stream {
            next: U64::new(u64::from(first)),
            octets: U64::default(),
            packets: U32::default(),
            next_rtcp: U32::new(1),
            mark: U32::default(),
            marked: U32::default(),
        }
    }

    /// Takes the next packet index. It is spent from here on, sealed or not (rule 1).
    pub fn take_index(&self) -> PacketIndex {
        PacketIndex(self.next.add(1) & 0xffff_ffff_ffff)
    }

    /// Takes the next SRTCP index; `None` when the session must be closed.
    pub fn take_rtcp_index(&self) -> Option<RtcpIndex> {
        let index = self.next_rtcp.add(1);
        (index < RTCP_INDEX_END).then_some(RtcpIndex(index))
    }

    /// Counts a packet sent, for sender reports, and remembers its timestamp on the media clock. There is one writer, so that
    /// neither needs an atomic addition: only the index above must survive two.
    pub fn count(&self, octets: usize, timestamp: u32) {
        self.packets.set(self.packets.get().wrapping_add(1));
        self.octets.set(self.octets.get().wrapping_add(octets as u64));
        self.mark.set(timestamp);
        self.marked.publish(1);
    }

    /// Packets and payload octets sent.
    pub fn sent(&self) -> (u32, u64) {
        (self.packets.get(), self.octets.get())
    }

    /// Timestamp of the last packet sent, without the session's offset; `None` before the first.
    pub fn mark(&self) -> Option<u32> {
        (self.marked.get() == 1).then(|| self.mark.get())
    }

    fn start(&self, first: u16) {
        self.marked.set(0);
        self.packets.set(0);
        self.octets.set(0);
        self.next_rtcp.set(1);
        self.next.set(u64::from(first));
    }
}

/// How far one incoming SSRC has been received. The replay window itself is not kept: a successor treats everything up to
/// the mark as seen (rule 6).
#[repr(C)]
pub struct Receive {
    ssrc: U32,
    started: U32,
    highest: U64,
}

impl Receive {
    /// The SSRC and its highest authenticated index, if any packet has arrived.
    pub fn mark(&self) -> Option<(u32, u64)> {
        (self.started.get() == 1).then(|| (self.ssrc.get(), self.highest.get()))
    }

    /// Sets the mark.
    pub fn advance(&self, ssrc: u32, highest: u64) {
        self.ssrc.set(ssrc);
        self.highest.set(highest);
        self.started.publish(1);
    }

    fn clear(&self) {
        self.started.publish(0);
        self.highest.set(0);
    }
}

#[repr(C)]
struct Place {
    remote: Bytes<16>,
    local: Bytes<16>,
    port: U16,
    /// 0 none, 4 or 6.
    family: U8,
    has_local: U8,
    socket: U8,
    _pad: [U8; 3],
}

/// A session in the region. Free → fields → checksum → generation → live; a bad checksum drops this one record (rule 3).
#[repr(C, align(64))]
pub struct Record {
    state: U32,
    generation: U32,
    checksum: U64,
    strikes: U32,
    place: U32,
    consent: U64,
    /// What is sent.
    pub streams: [Stream; STREAMS],
    /// SRTP received, by SSRC.
    pub receive: Receive,
    /// SRTCP received.
    pub receive_rtcp: Receive,
    places: [Place; 2],
    cold: Bytes<COLD>,
}

/// Room for what `walk` visits.
const COLD: usize = 352;
const FREE: u32 = 0;
const LIVE: u32 = 2;

impl Record {
    /// Writes a new session and publishes it last. The slot must be free.
    pub fn publish(&self, data: &SessionData, address: Address, now: u64) -> u32 {
        self.streams.iter().zip(data.first).for_each(|(stream, first)| stream.start(first));
        self.receive.clear();
        self.receive_rtcp.clear();
        self.strikes.set(0);
        self.consent.set(now);
        self.set_address(address);
        self.write_cold(data);
        let generation = self.generation.add(1).wrapping_add(1);
        self.state.publish(LIVE);
        generation
    }

    /// Rewrites what an ICE restart changes. A crash in between drops this one session.
    pub fn rewrite(&self, data: &SessionData) {
        self.write_cold(data);
    }

    /// Frees the slot and forgets the keys.
    pub fn release(&self) {
        self.state.publish(FREE);
        self.checksum.set(0);
        self.cold.store(&[]);
    }

    /// Whether a session stands here.
    pub fn is_live(&self) -> bool {
        self.state.get() == LIVE
    }

    /// Whose slot it is: changes with every session that takes it.
    pub fn generation(&self) -> u32 {
        self.generation.get()
    }

    /// The session's data; `None` if the slot is free or its checksum is wrong.
    pub fn data(&self) -> Option<SessionData> {
        if !self.is_live() {
            return None;
        }
        let bytes = self.cold.load();
        (fnv(&bytes) == self.checksum.get()).then(|| decode(&bytes))
    }

    /// Where media goes.
    pub fn address(&self) -> Option<Address> {
        let place = &self.places[(self.place.get() & 1) as usize];
        let ip = |bytes: [u8; 16], family: u8| match family {
            4 => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
            _ => IpAddr::V6(Ipv6Addr::from(bytes)),
        };
        let family = place.family.get();
        let local = place.has_local.get();
        (family != 0).then(|| Address {
            remote: SocketAddr::new(ip(place.remote.load(), family), place.port.get()),
            local: (local != 0).then(|| ip(place.local.load(), local)),
            socket: place.socket.get(),
        })
    }

    /// Moves media to a validated address (rule 7): written beside the old one, then switched in one store, so it cannot tear.
    pub fn set_address(&self, address: Address) {
        let next = (self.place.get() & 1) ^ 1;
        let place = &self.places[next as usize];
        let write = |bytes: &Bytes<16>, ip: IpAddr| match ip {
            IpAddr::V4(ip) => {
                bytes.store(&ip.octets());
                4
            }
            IpAddr::V6(ip) => {
                bytes.store(&ip.octets());
                6
            }
        };
        place.family.set(write(&place.remote, address.remote.ip()));
        place.port.set(address.remote.port());
        place.has_local.set(address.local.map_or(0, |ip| write(&place.local, ip)));
        place.socket.set(address.socket);
        self.place.publish(next);
    }

    /// Nanoseconds of the last proof that the other side still wants this (RFC 7675).
    pub fn consent(&self) -> u64 {
        self.consent.get()
    }

    /// Renews consent.
    pub fn set_consent(&self, now: u64) {
        self.consent.set(now);
    }

    /// Counts a process that died while handling this session (rule 5).
    pub fn strike(&self) -> u32 {
        self.strikes.add(1) + 1
    }

    fn write_cold(&self, data: &SessionData) {
        let bytes = encode(data);
        self.checksum.publish(0);
        self.cold.store(&bytes);
        self.checksum.publish(fnv(&bytes));
    }
}

/// FNV-1a: finds a torn record, not a forged one (nobody but us can write here).
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)) | 1
}

/// Walks the cold bytes in one order for both directions, so that writing and reading cannot disagree.
fn walk(data: &mut SessionData, visit: &mut dyn FnMut(&mut [u8])) {
    fn words<const N: usize>(values: &mut [u32; N], visit: &mut dyn FnMut(&mut [u8])) {
        for value in values {
            let mut bytes = value.to_be_bytes();
            visit(&mut bytes);
            *value = u32::from_be_bytes(bytes);
        }
    }
    visit(&mut data.id);
    visit(&mut data.space);
    visit(&mut data.owner);
    visit(std::slice::from_mut(&mut data.feed));
    visit(std::slice::from_mut(&mut data.profile));
    visit(&mut data.payload_types);
    visit(&mut data.extensions);
    for mid in &mut data.mids {
        visit(mid);
    }
    for field in [std::slice::from_mut(&mut data.csrc), std::slice::from_mut(&mut data.restarts)] {
        let mut bytes = field[0].to_be_bytes();
        visit(&mut bytes);
        field[0] = u32::from_be_bytes(bytes);
    }
    words(&mut data.ssrcs, visit);
    words(&mut data.offsets, visit);
    visit(&mut data.send_key);
    visit(&mut data.receive_key);
    visit(&mut data.ufrag);
    visit(&mut data.password);
    visit(&mut data.remote_ufrag);
    visit(&mut data.remote_password);
}

fn encode(data: &SessionData) -> [u8; COLD] {
    let mut bytes = [0; COLD];
    let mut at = 0;
    walk(&mut data.clone(), &mut |field| {
        bytes[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    });
    bytes
}

fn decode(bytes: &[u8; COLD]) -> SessionData {
    let mut data = SessionData::default();
    let mut at = 0;
    walk(&mut data, &mut |field| {
        field.copy_from_slice(&bytes[at..at + field.len()]);
        at += field.len();
    });
    data
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
