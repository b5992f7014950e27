//! A speaker's arriving stream: grant gate, budgets, RED, and into the voice.

use media_audio::{OpusError, Packet, Pushed, Samples, Voice, opus};

use crate::reception::Reception;
use crate::rtcp::ReportBlock;
use crate::rtp::{self, Header};
use crate::session::{Head, OwnerName, SessionKey};
use crate::time::{Nanos, SECOND};

/// What a speaker may send in a second, and at once after a pause (rule 9): audio time a little faster than real time, packets
/// of 5 ms, and more bytes than Opus has use for with everything sent three times.
const SECONDS_OF_AUDIO: f64 = 1.2;
const PACKETS: f64 = 250.0;
const BYTES: f64 = 200_000.0;
/// A claim louder than the decoded sound by this many dB, this often in a row, loses its priority.
const LIE: u8 = 20;
const LIES: u8 = 50;

/// What arrived, authenticated.
pub struct Arrived<'p> {
    /// Its RTP header.
    pub header: Header,
    /// Rollover counter and sequence number.
    pub index: u64,
    /// The claimed level.
    pub level: Option<u8>,
    /// The payload.
    pub payload: &'p [u8],
}

/// One Opus packet to forward on the stage.
#[derive(Clone, Copy)]
pub struct Forward<'p> {
    /// The sender's extended timestamp.
    pub timestamp: u64,
    /// −dBov to write into the CSRC.
    pub level: u8,
    /// The packet.
    pub payload: &'p [u8],
}

/// One speaker of a Space.
pub struct Speaker {
    /// Their ingest session.
    pub key: SessionKey,
    /// Who they are.
    pub owner: OwnerName,
    /// Their session's record in the region.
    pub record: u32,
    /// Their seat's number on the wire.
    pub csrc: u32,
    /// How the mix hears them.
    pub voice: Voice,
    opus: u8,
    red: Option<u8>,
    open: bool,
    budget: Budget,
    /// Newest extended timestamp, to extend the next.
    newest: Option<u64>,
    forwarded: Option<u64>,
    claimed: u8,
    lies: u8,
    reception: Reception,
    /// Packets over budget or malformed.
    pub refused: u64,
}

impl Speaker {
    /// A speaker whose microphone is closed.
    pub(crate) fn new(key: SessionKey, owner: OwnerName, record: u32, head: &Head, now: Nanos) -> Result<Speaker, OpusError> {
        Ok(Speaker {
            key,
            owner,
            record,
            csrc: head.csrc,
            voice: Voice::new()?,
            opus: head.payload_types[0],
            red: Some(head.payload_types[1]).filter(|format| *format != 0),
            open: false,
            budget: Budget::new(now),
            newest: None,
            forwarded: None,
            claimed: media_audio::SILENT,
            lies: 0,
            reception: Reception::default(),
            refused: 0,
        })
    }

    /// Opens or closes the gate as the grants say. `way` is how long their packets travel at least.
    pub fn gate(&mut self, since: Option<Nanos>, way: Nanos) {
        match since {
            Some(since) if !self.open => self.voice.open(Samples(since.samples()), way.samples()),
            None if self.open => self.voice.close(),
            _ => {}
        }
        self.open = since.is_some();
    }

    /// Whether the microphone is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// How loud they are for ranking: their claim, unless it has been caught lying; then what was decoded.
    pub fn level(&self) -> u8 {
        if self.lies >= LIES { self.voice.heard().level } else { self.claimed.min(self.voice.heard().level) }
    }

    /// Takes a packet; calls `forward` for each new Opus packet that the stage should hear, oldest first.
    pub fn arrive(&mut self, now: Nanos, arrived: &Arrived<'_>, mut forward: impl FnMut(Forward<'_>)) {
        let timestamp = self.extend(arrived.header.timestamp);
        self.reception.note(now, arrived.header.ssrc, arrived.index, timestamp);
        let arrival = Samples(now.samples());
        let is_red = Some(arrived.header.payload_type) == self.red;
        if !self.open || !(is_red || arrived.header.payload_type == self.opus) {
            let payload = if is_red {
                rtp::red(arrived.payload).and_then(Iterator::last).map_or(&[][..], |block| block.payload)
            } else {
                arrived.payload
            };
            self.voice.refuse(arrival, timestamp, opus::duration(payload).unwrap_or(media_audio::FRAME));
            return;
        }
        let mut blocks = [(0, 0, &[][..]); rtp::MAX_RED_BLOCKS + 1];
        let count = self.unwrap(arrived, timestamp, is_red, &mut blocks).filter(|_| self.budget.afford_packet(now, arrived.payload.len()));
        let Some(count) = count.filter(|count| *count > 0) else {
            self.refused += 1;
            return;
        };
        self.claimed = arrived.level.unwrap_or(self.voice.heard().level);
        self.judge();
        for (at, (sequence, timestamp, payload)) in blocks[..count].iter().copied().enumerate() {
            // What is already there costs nothing: redundancy is paid for when it is used.
            if payload.is_empty() || self.voice.has(sequence) {
                continue;
            }
            if !self.budget.afford_audio(now, payload) {
                self.refused += 1;
                continue;
            }
            // What the gate refuses for its age must not surface on the stage either (rule 12).
            let pushed = self.voice.push(arrival, Packet { sequence, timestamp, payload, redundant: at + 1 < count });
            if pushed != Pushed::Refused && self.forwarded.is_none_or(|forwarded| timestamp > forwarded) {
                self.forwarded = Some(timestamp);
                forward(Forward { timestamp, level: self.level(), payload });
            }
        }
    }

    /// A sender report of theirs came.
    pub fn sender_report(&mut self, now: Nanos, ntp: u32) {
        self.reception.sender(now, ntp);
    }

    /// A receiver report on what has arrived since the last one, and the packets lost so far; `None` before the first packet.
    pub fn reception(&mut self, now: Nanos) -> Option<(ReportBlock, u32)> {
        self.reception.report(now)
    }

    fn extend(&mut self, timestamp: u32) -> u64 {
        // Started high, so that an older first packet does not go below zero.
        let newest = self.newest.unwrap_or(1 << 32 | u64::from(timestamp));
        let extended = newest.wrapping_add_signed(i64::from(timestamp.wrapping_sub(newest as u32) as i32));
        self.newest = Some(newest.max(extended));
        extended
    }

    /// The Opus packets inside, oldest first, with sequence number and timestamp. RED blocks are one packet apart each.
    fn unwrap<'p>(&self, arrived: &Arrived<'p>, timestamp: u64, is_red: bool, out: &mut [(u64, u64, &'p [u8])]) -> Option<usize> {
        if !is_red {
            out[0] = (arrived.index, timestamp, arrived.payload);
            return Some(1);
        }
        let count = rtp::red(arrived.payload)?.count();
        for (at, block) in rtp::red(arrived.payload)?.enumerate() {
            // Not nested, and nothing but the Opus agreed on (rule 9).
            if block.payload_type != self.opus {
                return None;
            }
            let behind = (count - 1 - at) as u64;
            out[at] = (arrived.index.checked_sub(behind)?, timestamp.checked_sub(u64::from(block.age))?, block.payload);
        }
        Some(count)
    }

    fn judge(&mut self) {
        let decoded = self.voice.heard().level;
        let lying = decoded > self.claimed.saturating_add(LIE) && self.claimed < 60;
        self.lies = if lying { self.lies.saturating_add(1) } else { self.lies.saturating_sub(1) };
    }
}

/// What a speaker may still send.
struct Budget {
    audio: f64,
    packets: f64,
    bytes: f64,
    filled: Nanos,
}

impl Budget {
    fn new(now: Nanos) -> Budget {
        Budget { audio: 1.0, packets: PACKETS, bytes: BYTES, filled: now }
    }

    fn fill(&mut self, now: Nanos) {
        let seconds = now.since(self.filled) as f64 / SECOND as f64;
        self.filled = now;
        self.audio = (self.audio + seconds * SECONDS_OF_AUDIO).min(1.0);
        self.packets = (self.packets + seconds * PACKETS).min(PACKETS);
        self.bytes = (self.bytes + seconds * BYTES).min(BYTES);
    }

    fn afford_packet(&mut self, now: Nanos, len: usize) -> bool {
        self.fill(now);
        let fine = self.packets >= 1.0 && self.bytes >= len as f64;
        if fine {
            self.packets -= 1.0;
            self.bytes -= len as f64;
        }
        fine
    }

    fn afford_audio(&mut self, now: Nanos, payload: &[u8]) -> bool {
        self.fill(now);
        let Ok(samples) = opus::duration(payload) else { return false };
        let seconds = samples as f64 / f64::from(media_audio::RATE);
        let fine = self.audio >= seconds;
        self.audio -= if fine { seconds } else { 0.0 };
        fine
    }
}
