//! Packets in: what a datagram is, whether it is authentic and new.

use media_region::Address;

use crate::outbox::Outbox;
use crate::random::Random;
use crate::rtp;
use crate::session::{Feed, SessionKey};
use crate::srtp::{RtcpKey, RtpKey, rtcp_index};
use crate::time::Nanos;
use crate::transport::Transport;

/// What a datagram turned out to be, authenticated and new.
pub enum Received<'p> {
    /// Nothing for the layers above.
    Nothing,
    /// An RTP packet of an ingest session.
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

impl Transport {
    /// Takes one datagram (RFC 7983 demultiplexing). Order as in safety rule 6: authenticate, replay window, advance, deliver.
    /// While a live session's bytes are handled the region names it (rule 5); the caller clears that when it is done with them.
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
            Some(128..=191) if rtp::is_rtcp(datagram) => {
                let Some(key) = self.at_address(from) else { return Received::Nothing };
                self.name_handled(key);
                return self.rtcp(key, datagram);
            }
            Some(128..=191) => return self.rtp(now, random, from, datagram, out),
            _ => {}
        }
        Received::Nothing
    }

    fn name_handled(&self, key: SessionKey) {
        let record = self.get(key).and_then(|session| session.live()).map(|live| live.record);
        self.region.header().set_handling(record);
    }

    fn rtp<'p>(&mut self, now: Nanos, random: &mut dyn Random, from: Address, packet: &'p mut [u8], out: &mut Outbox) -> Received<'p> {
        let Some(header) = rtp::Header::parse(packet) else { return Received::Nothing };
        let settled = self.at_address(from);
        // From an unknown address the clear SSRC says whose it claims to be; only its seal says whose it is.
        let Some(key) = settled.or_else(|| self.by_ssrc.get(&header.ssrc).copied()) else { return Received::Nothing };
        self.name_handled(key);
        let Some((index, end)) = self.open_rtp(key, &header, packet) else { return Received::Nothing };
        if settled.is_none() {
            // Its sound may be heard; where ours goes is for the address to answer (rule 7).
            self.validate(now, random, key, from, false, out);
        }
        let Some(live) = self.get(key).and_then(|session| session.live()) else { return Received::Nothing };
        let level = Some(live.head.extensions[1]).filter(|id| *id != 0).and_then(|id| header.audio_level(packet, id));
        let padding = if header.padded && end > header.len { usize::from(packet[end - 1]) } else { 0 };
        match packet.get(header.len..end.saturating_sub(padding)) {
            Some(payload) => Received::Rtp { key, header, index, level, payload },
            None => Received::Nothing,
        }
    }

    /// Opens an RTP packet if it is authentic and new: its index, and where its payload ends.
    fn open_rtp(&mut self, key: SessionKey, header: &rtp::Header, packet: &mut [u8]) -> Option<(u64, usize)> {
        if self.get(key)?.feed != Feed::Ingest {
            return None;
        }
        let master = self.live_mut(key)?.opener.is_none().then(|| self.data(key)).flatten();
        let live = self.live_mut(key)?;
        if let Some(data) = master {
            live.opener = Some(Box::new(RtpKey::new(live.head.profile, &data.receive_key)));
        }
        // One SSRC for a session's life: the first authentic one. Others never open, so none can reopen (rule 6).
        if live.ssrc.is_some_and(|ssrc| ssrc != header.ssrc) {
            return None;
        }
        let guess = live.window.guess(header.sequence);
        if !live.window.is_new(guess) {
            self.counters.replayed += 1;
            return None;
        }
        let opener = live.opener.as_ref()?;
        let second = live.window.second_guess(header.sequence).map(|second| (second, packet.to_vec()));
        let opened = opener.open(guess, packet, header.len).map(|end| (guess, end)).ok().or_else(|| {
            let (second, sealed) = second?;
            packet.copy_from_slice(&sealed);
            opener.open(second, packet, header.len).map(|end| (second, end)).ok()
        });
        let Some((index, end)) = opened else {
            self.counters.forged += 1;
            return None;
        };
        live.window.advance(index);
        let (highest, record) = (live.window.highest().unwrap_or(index), live.record);
        let first = live.ssrc.replace(header.ssrc).is_none();
        self.region.records()[record as usize].receive.advance(header.ssrc, highest);
        if first {
            self.by_ssrc.entry(header.ssrc).or_insert(key);
            self.proven(key);
        }
        Some((index, end))
    }

    fn rtcp<'p>(&mut self, key: SessionKey, packet: &'p mut [u8]) -> Received<'p> {
        let Some(live) = self.get(key).and_then(|session| session.live()) else { return Received::Nothing };
        let (profile, record) = (live.head.profile, self.record(live));
        let Some(index) = rtcp_index(profile, packet).map(u64::from) else { return Received::Nothing };
        if !live.rtcp_window.is_new(index) {
            self.counters.replayed += 1;
            return Received::Nothing;
        }
        let Some(data) = record.data() else { return Received::Nothing };
        let Ok(end) = RtcpKey::new(profile, &data.receive_key).open(packet) else {
            self.counters.forged += 1;
            return Received::Nothing;
        };
        let Some(live) = self.live_mut(key) else { return Received::Nothing };
        live.rtcp_window.advance(index);
        let (highest, record) = (live.rtcp_window.highest().unwrap_or(index), live.record);
        self.region.records()[record as usize].receive_rtcp.advance(0, highest);
        self.proven(key);
        Received::Rtcp { key, packet: &packet[..end] }
    }
}
