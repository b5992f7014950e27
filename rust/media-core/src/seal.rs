//! Packets out: headers written, indices taken from the region, sealed, queued.

use media_region::{FanOut, STREAMS};

use crate::outbox::Outbox;
use crate::session::{Head, Live, Session, SessionKey, State};
use crate::srtp::RtcpKey;
use crate::transport::{Lifecycle, Reason, Transport};

/// The header of a packet to send.
pub struct Outgoing<'a> {
    /// On the media clock of the stream; the session's offset is added.
    pub timestamp: u32,
    /// Who is heard.
    pub csrcs: &'a [u32],
}

impl Transport {
    /// Seals one packet of a session's stream and queues it. False if the session is not live.
    pub fn seal_rtp(&self, key: SessionKey, stream: usize, outgoing: &Outgoing<'_>, payload: &[u8], out: &mut Outbox) -> bool {
        self.get(key).and_then(Session::live).is_some_and(|live| self.seal(live, stream, outgoing, payload, out))
    }

    /// Seals a programme frame's packet for one listener, noted as in flight. The hot path: one look-up, no allocation.
    pub(crate) fn fan_out(&self, key: SessionKey, flight: &FanOut, outgoing: &Outgoing<'_>, payload: &[u8], out: &mut Outbox) {
        if let Some(live) = self.get(key).and_then(Session::live) {
            flight.note(live.record);
            self.seal(live, 0, outgoing, payload, out);
        }
    }

    fn seal(&self, live: &Live, stream: usize, outgoing: &Outgoing<'_>, payload: &[u8], out: &mut Outbox) -> bool {
        let words = &self.record(live).streams[stream];
        out.push(live.address, |buffer| {
            let header = write_header(&live.head, stream, outgoing, buffer);
            let len = header + payload.len();
            buffer.get_mut(header..len)?.copy_from_slice(payload);
            let index = words.take_index();
            buffer[2..4].copy_from_slice(&index.sequence().to_be_bytes());
            let sealed = live.key.seal(index, buffer, header, len)?;
            words.count(payload.len(), outgoing.timestamp);
            Some(sealed)
        })
    }

    /// Seals one RTCP compound that `write` makes and queues it. A session whose index runs out is ended.
    pub fn seal_rtcp(&mut self, key: SessionKey, stream: usize, out: &mut Outbox, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let Some(live) = self.get(key).and_then(Session::live) else { return false };
        let record = self.record(live);
        let Some(data) = record.data() else {
            self.happened.push_back(Lifecycle::Down(key, Reason::Exhausted));
            return false;
        };
        let Some(index) = record.streams[stream].take_rtcp_index() else {
            self.happened.push_back(Lifecycle::Down(key, Reason::Exhausted));
            return false;
        };
        let rtcp = RtcpKey::new(live.head.profile, &data.send_key);
        out.push(live.address, |buffer| {
            let len = write(buffer)?;
            rtcp.seal(index, buffer, len)
        })
    }

    /// Packets and octets sent on a stream.
    pub fn sent(&self, key: SessionKey, stream: usize) -> (u32, u64) {
        self.get(key).and_then(Session::live).map_or((0, 0), |live| self.record(live).streams[stream].sent())
    }

    /// Timestamps of the last packets sent on each stream, without the session's offsets.
    pub(crate) fn marks(&self, key: SessionKey) -> [Option<u32>; STREAMS] {
        let live = self.get(key).and_then(Session::live);
        live.map_or([None; STREAMS], |live| std::array::from_fn(|stream| self.record(live).streams[stream].mark()))
    }

    /// SSRC of a stream we send.
    pub fn ssrc(&self, key: SessionKey, stream: usize) -> u32 {
        match self.get(key).map(|session| &session.state) {
            Some(State::Live(live)) => live.head.ssrcs[stream],
            Some(State::Pending(pending)) => pending.data.ssrcs[stream],
            None => 0,
        }
    }

    /// What is added to the media clock to make the RTP timestamps of a stream.
    pub fn offset(&self, key: SessionKey, stream: usize) -> u32 {
        self.get(key).and_then(Session::live).map_or(0, |live| live.head.offsets[stream])
    }
}

/// Writes the RTP header but its sequence number; returns its length. `out` has room for any header.
fn write_header(head: &Head, stream: usize, outgoing: &Outgoing<'_>, out: &mut [u8]) -> usize {
    let csrcs = outgoing.csrcs.len().min(15);
    let extended = head.extensions[0] != 0;
    out[0] = 0x80 | if extended { 0x10 } else { 0 } | csrcs as u8;
    out[1] = head.payload_types[0];
    out[4..8].copy_from_slice(&outgoing.timestamp.wrapping_add(head.offsets[stream]).to_be_bytes());
    out[8..12].copy_from_slice(&head.ssrcs[stream].to_be_bytes());
    let mut at = 12;
    for csrc in &outgoing.csrcs[..csrcs] {
        out[at..at + 4].copy_from_slice(&csrc.to_be_bytes());
        at += 4;
    }
    if extended {
        let mid = &head.mids[stream];
        let len = mid.iter().position(|byte| *byte == 0).unwrap_or(8).max(1);
        let words = (1 + len).div_ceil(4);
        out[at..at + 4].copy_from_slice(&[0xbe, 0xde, 0, words as u8]);
        out[at + 4..at + 4 + words * 4].fill(0);
        out[at + 4] = head.extensions[0] << 4 | (len as u8 - 1);
        out[at + 5..at + 5 + len].copy_from_slice(&mid[..len]);
        at += 4 + words * 4;
    }
    at
}
