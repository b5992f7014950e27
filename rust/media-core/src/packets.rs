//! The transport's packet path: what a datagram is, whether it is authentic, and sealing what leaves.

use media_region::Address;

use crate::dtls::{Handshake, Progress, Role};
use crate::ice;
use crate::outbox::Outbox;
use crate::random::{Random, bytes};
use crate::rtp;
use crate::session::{MAX_PATHS, SessionKey, State, Validation};
use crate::time::{MILLISECOND, Nanos};
use crate::transport::{HANDSHAKE_TAIL, Lifecycle, Reason, Transport};

/// Bytes of DTLS taken from one session before it is done (rule 8).
const MAX_HANDSHAKE_BYTES: usize = 64 * 1024;
/// An address that has not answered our check within this time is not moved to.
const VALIDATION: u64 = 500 * MILLISECOND;

/// What a datagram turned out to be, authenticated and new.
pub enum Received<'p> {
    /// Nothing for the layers above.
    Nothing,
    /// An RTP packet.
    Rtp {
        /// Whose.
        key: SessionKey,
        /// Its header.
        header: rtp::Header,
        /// Rollover counter and sequence number.
        index: u64,
        /// The client's claim of its level, if made.
        level: Option<u8>,
        /// The payload, in the clear.
        payload: &'p [u8],
    },
    /// A compound RTCP packet.
    Rtcp {
        /// Whose.
        key: SessionKey,
        /// In the clear.
        packet: &'p [u8],
    },
}

/// The header of a packet to send.
pub struct Outgoing<'a> {
    /// On the media clock of the stream; the session's offset is added.
    pub timestamp: u32,
    /// First of a talk spurt.
    pub marker: bool,
    /// Who is heard.
    pub csrcs: &'a [u32],
}

impl Transport {
    /// Takes one datagram (RFC 7983 demultiplexing). Order as in safety rule 6: authenticate, replay window, advance, deliver.
    pub fn receive<'p>(
        &mut self,
        now: Nanos,
        random: &mut dyn Random,
        from: Address,
        datagram: &'p mut [u8],
        out: &mut Outbox,
    ) -> Received<'p> {
        match datagram.first() {
            Some(0..=3) => self.stun(now, random, from, datagram, out),
            Some(20..=63) => self.dtls(now, from, datagram, out),
            Some(128..=191) => {
                let Some(&key) = self.by_address.get(&(from.remote, from.socket)) else { return Received::Nothing };
                let region = self.region.clone();
                let record = self.get(key).and_then(|session| match &session.state {
                    State::Live(live) => Some(live.record),
                    State::Pending(_) => None,
                });
                region.header().set_handling(record);
                let received = if rtp::is_rtcp(datagram) { self.rtcp(key, datagram) } else { self.rtp(key, datagram) };
                region.header().set_handling(None);
                return received;
            }
            _ => {}
        }
        Received::Nothing
    }

    fn stun(&mut self, now: Nanos, random: &mut dyn Random, from: Address, datagram: &[u8], out: &mut Outbox) {
        if let Some(check) = ice::Check::parse(datagram) {
            let key = self.by_ufrag.get(&check.ours).copied();
            let password = key.and_then(|key| self.get(key)).map(|session| session.data.password);
            let (Some(key), Some(password)) = (key, password.filter(|password| check.verify(password))) else {
                self.counters.stun_refused += 1;
                return;
            };
            out.push(from, |buffer| check.reply(from.remote, &password, buffer));
            self.checked(now, random, key, from, check.nominates, out);
        } else if let Some(transaction) = ice::transaction(datagram) {
            self.validated(from, datagram, &transaction);
        }
    }

    /// An authentic check came from `from`.
    fn checked(&mut self, now: Nanos, random: &mut dyn Random, key: SessionKey, from: Address, nominates: bool, out: &mut Outbox) {
        let region = self.region.clone();
        let setup = self.config.dtls.clone();
        let Some(session) = self.get_mut(key) else { return };
        match &mut session.state {
            State::Pending(pending) => {
                pending.paths.retain(|path| (path.remote, path.socket) != (from.remote, from.socket));
                let dropped = (pending.paths.len() == MAX_PATHS).then(|| pending.paths.remove(0));
                pending.paths.push(from);
                let first = pending.client && session.handshake.is_none();
                if first {
                    let handshake = Handshake::new(&setup, pending.fingerprint, Role::Client, now);
                    session.handshake = Some((Box::new(handshake), Nanos::NEVER));
                    self.handshaking.push(key);
                }
                if let Some(old) = dropped {
                    self.forget_address((old.remote, old.socket), key);
                }
                self.by_address.insert((from.remote, from.socket), key);
            }
            State::Live(live) => {
                live.consent = now;
                region.records()[live.record as usize].set_consent(now.0);
                if (from.remote, from.socket) == (live.address.remote, live.address.socket) {
                    live.nominates = nominates;
                    return;
                }
                // A multi-homed browser checks every path; where the current one is nominated, only a nomination moves media.
                let waiting = live.validation.as_ref().is_some_and(|validation| now.since(validation.started) < VALIDATION);
                if waiting || live.nominates && !nominates {
                    return;
                }
                let transaction = bytes(random);
                live.validation = Some(Validation { address: from, transaction, started: now, nominates });
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
                let username = format!("{}:{}", text(&session.data.remote_ufrag), text(&session.data.ufrag));
                let password = text(&session.data.remote_password);
                out.push(from, |buffer| ice::request(&transaction, &username, password.as_bytes(), buffer));
            }
        }
    }

    /// A response of some kind came: if it answers our check of a new address, media moves there (rule 7).
    fn validated(&mut self, from: Address, datagram: &[u8], transaction: &[u8; 12]) {
        let region = self.region.clone();
        let Some(key) = self.awaiting(from, transaction) else {
            self.counters.stun_refused += 1;
            return;
        };
        let Some(session) = self.get_mut(key) else { return };
        let password = session.data.remote_password;
        let end = password.iter().position(|byte| *byte == 0).unwrap_or(password.len());
        let State::Live(live) = &mut session.state else { return };
        if !ice::answers(datagram, transaction, &password[..end]) {
            return;
        }
        let Some(validation) = live.validation.take() else { return };
        let old = std::mem::replace(&mut live.address, validation.address);
        live.nominates = validation.nominates;
        region.records()[live.record as usize].set_address(live.address);
        self.forget_address((old.remote, old.socket), key);
        self.by_address.insert((from.remote, from.socket), key);
        self.counters.moves += 1;
    }

    /// The session that is checking `from`. Rare, so a walk is fine; bounded, because only responses with our transaction id match.
    fn awaiting(&self, from: Address, transaction: &[u8; 12]) -> Option<SessionKey> {
        let matches = |state: &State| match state {
            State::Live(live) => live.validation.as_ref().is_some_and(|validation| {
                validation.transaction == *transaction
                    && (validation.address.remote, validation.address.socket) == (from.remote, from.socket)
            }),
            State::Pending(_) => false,
        };
        self.sessions().find(|(_, session)| matches(&session.state)).map(|(key, _)| key)
    }

    fn dtls(&mut self, now: Nanos, from: Address, datagram: &[u8], out: &mut Outbox) {
        let setup = self.config.dtls.clone();
        let key = self.by_address.get(&(from.remote, from.socket)).copied();
        let Some((key, session)) = key.and_then(|key| Some((key, self.get_mut(key)?))) else {
            self.counters.dtls_refused += 1;
            return;
        };
        if let State::Pending(pending) = &mut session.state {
            pending.received += datagram.len();
            if pending.received > MAX_HANDSHAKE_BYTES {
                return;
            }
            if session.handshake.is_none() {
                let handshake = Handshake::new(&setup, pending.fingerprint, Role::Server, now);
                session.handshake = Some((Box::new(handshake), Nanos::NEVER));
                self.handshaking.push(key);
            }
        }
        self.step(now, key, from, Some(datagram), out);
    }

    /// Lets due handshake timers fire and drops finished engines.
    pub(crate) fn advance_handshakes(&mut self, now: Nanos, out: &mut Outbox) {
        for at in (0..self.handshaking.len()).rev() {
            let key = self.handshaking[at];
            let Some(session) = self.get_mut(key) else {
                self.handshaking.swap_remove(at);
                continue;
            };
            let due = session.handshake.as_ref().is_some_and(|(handshake, _)| handshake.timeout() <= now);
            if session.handshake.as_ref().is_none_or(|(_, end)| *end <= now) {
                session.handshake = None;
                self.handshaking.swap_remove(at);
                continue;
            }
            let to = match &session.state {
                State::Live(live) => Some(live.address),
                State::Pending(pending) => pending.paths.last().copied(),
            };
            if let (true, Some(to)) = (due, to) {
                self.step(now, key, to, None, out);
            }
        }
    }

    fn step(&mut self, now: Nanos, key: SessionKey, to: Address, datagram: Option<&[u8]>, out: &mut Outbox) {
        let Some(session) = self.get_mut(key) else { return };
        let was_live = session.is_live();
        let Some((handshake, end)) = &mut session.handshake else { return };
        match handshake.advance(now, datagram, |record| {
            out.copy(to, record);
        }) {
            Progress::Waiting => {}
            Progress::Done(keys) if !was_live => {
                *end = now.after(HANDSHAKE_TAIL);
                session.data.profile = keys.profile.code();
                session.data.send_key = keys.send;
                session.data.receive_key = keys.receive;
                self.counters.handshakes += 1;
                let up = self.publish(key, to, now);
                self.happened.push_back(if up { Lifecycle::Up(key) } else { Lifecycle::Down(key, Reason::Exhausted) });
            }
            Progress::Done(_) => {}
            // After the keys stand, nothing on the DTLS connection can end the session but its authenticated goodbye.
            Progress::Failed(_) if was_live => session.handshake = None,
            Progress::Failed(_) => {
                self.counters.handshakes_failed += 1;
                self.happened.push_back(Lifecycle::Down(key, Reason::Handshake));
            }
            Progress::Closed => self.happened.push_back(Lifecycle::Down(key, Reason::Goodbye)),
        }
    }

    fn rtp<'p>(&mut self, key: SessionKey, packet: &'p mut [u8]) -> Received<'p> {
        let region = self.region.clone();
        let Some(session) = self.get_mut(key) else { return Received::Nothing };
        let (State::Live(live), Some(header)) = (&mut session.state, rtp::Header::parse(packet)) else { return Received::Nothing };
        // One SSRC for a session's life: the first authentic one. Others never open, so none can reopen (rule 6).
        if live.ssrc.is_some_and(|ssrc| ssrc != header.ssrc) {
            return Received::Nothing;
        }
        let index = live.window.guess(header.sequence);
        if !live.window.is_new(index) {
            self.counters.replayed += 1;
            return Received::Nothing;
        }
        let Ok(end) = live.opener.open_rtp(index, packet, header.len) else {
            self.counters.forged += 1;
            return Received::Nothing;
        };
        live.ssrc = Some(header.ssrc);
        live.window.advance(index);
        let highest = live.window.highest().unwrap_or(index);
        region.records()[live.record as usize].receive.advance(header.ssrc, highest);
        let level = Some(session.level_extension()).filter(|id| *id != 0).and_then(|id| header.audio_level(packet, id));
        let padding = if header.padded { usize::from(packet[end - 1]) } else { 0 };
        match packet.get(header.len..end.saturating_sub(padding)) {
            Some(payload) => Received::Rtp { key, header, index, level, payload },
            None => Received::Nothing,
        }
    }

    fn rtcp<'p>(&mut self, key: SessionKey, packet: &'p mut [u8]) -> Received<'p> {
        let region = self.region.clone();
        let Some(session) = self.get_mut(key) else { return Received::Nothing };
        let State::Live(live) = &mut session.state else { return Received::Nothing };
        let Some(index) = live.opener.rtcp_index(packet).map(u64::from) else { return Received::Nothing };
        if !live.rtcp_window.is_new(index) {
            self.counters.replayed += 1;
            return Received::Nothing;
        }
        let Ok(end) = live.opener.open_rtcp(packet) else {
            self.counters.forged += 1;
            return Received::Nothing;
        };
        live.rtcp_window.advance(index);
        let highest = live.rtcp_window.highest().unwrap_or(index);
        region.records()[live.record as usize].receive_rtcp.advance(0, highest);
        Received::Rtcp { key, packet: &packet[..end] }
    }

    /// Seals one packet of a session's stream and queues it. False if the session is not live.
    pub fn seal_rtp(&self, key: SessionKey, stream: usize, outgoing: &Outgoing<'_>, payload: &[u8], out: &mut Outbox) -> bool {
        let Some(session) = self.get(key) else { return false };
        let State::Live(live) = &session.state else { return false };
        let words = &self.region.records()[live.record as usize].streams[stream];
        out.push(live.address, |buffer| {
            let header = write_header(&session.data, stream, outgoing, buffer)?;
            let len = header + payload.len();
            buffer.get_mut(header..len)?.copy_from_slice(payload);
            let index = words.take_index();
            buffer[2..4].copy_from_slice(&index.sequence().to_be_bytes());
            let sealed = live.sealer.seal_rtp(index, buffer, header, len)?;
            words.count(payload.len());
            Some(sealed)
        })
    }

    /// Seals one RTCP compound that `write` makes and queues it. A session whose index runs out is ended.
    pub fn seal_rtcp(&mut self, key: SessionKey, stream: usize, out: &mut Outbox, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let region = self.region.clone();
        let Some(session) = self.get_mut(key) else { return false };
        let State::Live(live) = &mut session.state else { return false };
        let Some(index) = region.records()[live.record as usize].streams[stream].take_rtcp_index() else {
            self.happened.push_back(Lifecycle::Down(key, Reason::Exhausted));
            return false;
        };
        let sealer = &mut live.sealer;
        out.push(live.address, |buffer| {
            let len = write(buffer)?;
            sealer.seal_rtcp(index, buffer, len)
        })
    }

    /// Packets and octets sent on a stream.
    pub fn sent(&self, key: SessionKey, stream: usize) -> (u32, u64) {
        match self.get(key).map(|session| &session.state) {
            Some(State::Live(live)) => self.region.records()[live.record as usize].streams[stream].sent(),
            _ => (0, 0),
        }
    }
}

/// Writes the RTP header but its sequence number; returns its length.
fn write_header(data: &media_region::SessionData, stream: usize, outgoing: &Outgoing<'_>, out: &mut [u8]) -> Option<usize> {
    let csrcs = outgoing.csrcs.len().min(15);
    let extended = data.extensions[0] != 0;
    out[0] = 0x80 | if extended { 0x10 } else { 0 } | csrcs as u8;
    out[1] = data.payload_types[0] | if outgoing.marker { 0x80 } else { 0 };
    out[4..8].copy_from_slice(&outgoing.timestamp.wrapping_add(data.offsets[stream]).to_be_bytes());
    out[8..12].copy_from_slice(&data.ssrcs[stream].to_be_bytes());
    let mut at = 12;
    for csrc in &outgoing.csrcs[..csrcs] {
        out[at..at + 4].copy_from_slice(&csrc.to_be_bytes());
        at += 4;
    }
    if extended {
        let mid = &data.mids[stream];
        let len = mid.iter().position(|byte| *byte == 0).unwrap_or(8).max(1);
        let words = (1 + len).div_ceil(4);
        out[at..at + 4].copy_from_slice(&[0xbe, 0xde, 0, words as u8]);
        out[at + 4..at + 4 + words * 4].fill(0);
        out[at + 4] = data.extensions[0] << 4 | (len as u8 - 1);
        out[at + 5..at + 5 + len].copy_from_slice(&mid[..len]);
        at += 4 + words * 4;
    }
    Some(at)
}
