//! A speaker's arriving stream: grant gate, budgets, RED, and into the voice.

use media_audio::{OpusError, Packet, Pushed, Samples, Voice, opus};

use crate::rtcp::ReportBlock;
use crate::rtp::{self, Header};
use crate::session::{OwnerName, SessionKey};
use crate::time::{Nanos, SECOND};

/// Audio time may run this much faster than real time (rule 9)…
const PACE: f64 = 1.2;
/// …after a burst of at most this many nanoseconds of audio.
const BURST: f64 = SECOND as f64;
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
    /// Their seat's number on the wire.
    pub csrc: u32,
    /// How the mix hears them.
    pub voice: Voice,
    opus: u8,
    red: Option<u8>,
    open: bool,
    credit: f64,
    credited: Nanos,
    /// Newest extended timestamp, to extend the next.
    newest: Option<u64>,
    forwarded: Option<u64>,
    claimed: u8,
    lies: u8,
    report: Reception,
    /// Packets over budget or malformed.
    pub refused: u64,
}

#[derive(Default)]
struct Reception {
    ssrc: u32,
    first: Option<u64>,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    jitter: f64,
    transit: Option<i64>,
}

impl Speaker {
    /// A speaker whose microphone is closed.
    pub fn new(key: SessionKey, owner: OwnerName, csrc: u32, opus: u8, red: Option<u8>, now: Nanos) -> Result<Speaker, OpusError> {
        Ok(Speaker {
            key,
            owner,
            csrc,
            voice: Voice::new()?,
            opus,
            red,
            open: false,
            credit: BURST,
            credited: now,
            newest: None,
            forwarded: None,
            claimed: media_audio::SILENT,
            lies: 0,
            report: Reception::default(),
            refused: 0,
        })
    }

    /// Opens or closes the gate as the grants say.
    pub fn gate(&mut self, since: Option<Nanos>) {
        match since {
            Some(since) if !self.open => self.voice.open(Samples(since.samples())),
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
        self.report.note(now, arrived.header.ssrc, arrived.index, timestamp);
        let arrival = Samples(now.samples());
        let is_red = Some(arrived.header.payload_type) == self.red;
        if !self.open || !(is_red || arrived.header.payload_type == self.opus) {
            self.voice.push(arrival, Packet { sequence: arrived.index, timestamp, payload: &[], redundant: false });
            return;
        }
        let mut blocks = [(0, 0, &[][..]); rtp::MAX_RED_BLOCKS + 1];
        let Some(count) = self.unwrap(arrived, timestamp, is_red, &mut blocks) else {
            self.refused += 1;
            return;
        };
        let Some(&(_, _, primary)) = blocks[..count].last() else { return };
        if !self.afford(now, primary) {
            self.refused += 1;
            return;
        }
        self.claimed = arrived.level.unwrap_or(self.voice.heard().level);
        self.judge();
        for (at, (sequence, timestamp, payload)) in blocks[..count].iter().copied().enumerate() {
            if payload.is_empty() {
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

    /// A receiver report on what has arrived since the last one (RFC 3550 §A.3); `None` before the first packet.
    pub fn reception(&mut self) -> Option<(ReportBlock, u32)> {
        let report = &mut self.report;
        let expected = report.highest - report.first? + 1;
        let (new, got) = (expected - report.expected_before, report.received - report.received_before);
        (report.expected_before, report.received_before) = (expected, report.received);
        let fraction = (new.saturating_sub(got) * 256).checked_div(new).unwrap_or(0).min(255) as u8;
        let block = ReportBlock {
            ssrc: report.ssrc,
            fraction_lost: fraction,
            highest: report.highest as u32,
            jitter: report.jitter as u32,
            last_report: (0, 0),
        };
        Some((block, expected.saturating_sub(report.received) as u32))
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

    fn afford(&mut self, now: Nanos, payload: &[u8]) -> bool {
        let Ok(samples) = opus::duration(payload) else { return false };
        self.credit = (self.credit + now.since(self.credited) as f64 * PACE).min(BURST);
        self.credited = now;
        let cost = samples as f64 * 1e6 / 48.0;
        let affordable = self.credit >= cost;
        self.credit -= if affordable { cost } else { 0.0 };
        affordable
    }

    fn judge(&mut self) {
        let decoded = self.voice.heard().level;
        let lying = decoded > self.claimed.saturating_add(LIE) && self.claimed < 60;
        self.lies = if lying { self.lies.saturating_add(1) } else { self.lies.saturating_sub(1) };
    }
}

impl Reception {
    fn note(&mut self, now: Nanos, ssrc: u32, index: u64, timestamp: u64) {
        self.ssrc = ssrc;
        self.first = Some(self.first.unwrap_or(index).min(index));
        self.highest = self.highest.max(index);
        self.received += 1;
        let transit = now.samples() as i64 - timestamp as i64;
        if let Some(last) = self.transit.replace(transit) {
            // RFC 3550 §A.8.
            self.jitter += ((transit - last).unsigned_abs() as f64 - self.jitter) / 16.0;
        }
    }
}
