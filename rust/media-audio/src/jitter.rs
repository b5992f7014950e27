//! The jitter buffer: puts packets in order and says, every 20 ms, what to play. Time is the media clock, an argument.
//!
//! Delay follows the network: the spread of recent transit times sets a target; when something is missing and not yet due, play
//! stalls and the delay grows; quiet frames are dropped to lower it again.

use crate::Samples;
use crate::opus::{self, MAX_PAYLOAD};
use crate::transit::Transit;

const SLOTS: usize = 64;
/// A run of losses longer than this is skipped, not concealed.
const MAX_LOST_RUN: u64 = 6;
/// Frames without a packet after which the sender is taken to have paused.
const MAX_STALL: u32 = 25;
/// Later than due by this many samples is too late: one frame, by which ticks and packets may be apart, and a little.
const LATE: i64 = 1200;
/// A quiet frame is dropped after so many ticks that were too late; this late, any frame is.
const LATE_TICKS: u32 = 25;
const TOO_LATE: i64 = 9600;
/// The longest frame, and libopus's step of concealment.
const MAX_FRAME: u64 = 5760;
const STEP: u64 = 120;

/// One Opus packet of a speaker.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'p> {
    /// Extended sequence number.
    pub sequence: u64,
    /// Extended timestamp.
    pub timestamp: u64,
    /// One Opus packet.
    pub payload: &'p [u8],
    /// Whether it came as redundancy in a later packet.
    pub redundant: bool,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// Kept.
    Queued,
    /// Already there or already played.
    Duplicate,
    /// Its turn was over.
    Late,
    /// Too large, or no grant.
    Refused,
}

/// What to play now.
#[derive(Debug, PartialEq, Eq)]
pub enum Pull<'j> {
    /// Decode this.
    Packet {
        /// What to decode.
        payload: &'j [u8],
        /// Its first sample's.
        timestamp: u64,
    },
    /// Decode and throw away, then ask again: delay is above target and this frame is quiet.
    Skip(&'j [u8]),
    /// One frame of `samples` is lost; `next`, the one after it, may carry it as FEC.
    Lost {
        /// The packet after it, if it is there.
        next: Option<&'j [u8]>,
        /// How much is lost.
        samples: usize,
    },
    /// Nothing has come that could be played: bridge the gap.
    Underrun,
    /// Silence by the sender's own wish.
    Idle,
}

struct Slot {
    sequence: u64,
    timestamp: u64,
    len: u16,
    full: bool,
    bytes: [u8; MAX_PAYLOAD],
}

/// One speaker's buffer.
pub struct Jitter {
    slots: Box<[Slot]>,
    transit: Transit,
    /// Next to play, and the timestamp it should have.
    next: Option<(u64, u64)>,
    highest: u64,
    playing: bool,
    stalled: u32,
    above: u32,
    last_len: usize,
    last_samples: u64,
}

impl Default for Jitter {
    fn default() -> Jitter {
        let slot = || Slot { sequence: 0, timestamp: 0, len: 0, full: false, bytes: [0; MAX_PAYLOAD] };
        Jitter {
            slots: (0..SLOTS).map(|_| slot()).collect(),
            transit: Transit::default(),
            next: None,
            highest: 0,
            playing: false,
            stalled: 0,
            above: 0,
            last_len: 0,
            last_samples: 960,
        }
    }
}

impl Jitter {
    /// Empties the buffer; what was learnt of the network stays.
    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.full = false);
        (self.next, self.playing, self.stalled) = (None, false, 0);
    }

    /// Learns from a packet that is not kept.
    pub fn refuse(&mut self, arrival: Samples, timestamp: u64) {
        self.transit.learn(arrival, timestamp);
    }

    /// Takes a packet that arrived at `arrival`.
    pub fn push(&mut self, arrival: Samples, packet: Packet<'_>) -> Pushed {
        if packet.payload.len() > MAX_PAYLOAD || packet.payload.is_empty() {
            return Pushed::Refused;
        }
        if !packet.redundant {
            self.transit.learn(arrival, packet.timestamp);
        } else if self.has_had(packet.sequence) {
            return Pushed::Duplicate;
        }
        match self.next {
            Some((next, _)) if packet.sequence < next && self.playing => return Pushed::Late,
            Some((next, _)) if packet.sequence >= next + SLOTS as u64 => self.clear(),
            // Nothing is playing: an earlier packet may still take the lead, if it fits before what is there.
            Some((next, _)) if packet.sequence < next && self.highest - packet.sequence >= SLOTS as u64 => return Pushed::Late,
            _ => {}
        }
        let slot = &mut self.slots[(packet.sequence % SLOTS as u64) as usize];
        if slot.full && slot.sequence == packet.sequence {
            return Pushed::Duplicate;
        }
        if packet.redundant {
            // What takes the place of a lost packet is worth waiting for, if that happens often.
            self.transit.learn(arrival, packet.timestamp);
        }
        slot.bytes[..packet.payload.len()].copy_from_slice(packet.payload);
        (slot.sequence, slot.timestamp, slot.len, slot.full) = (packet.sequence, packet.timestamp, packet.payload.len() as u16, true);
        self.expect_fec(arrival, &packet);
        self.highest = self.highest.max(packet.sequence);
        match self.next {
            None => (self.next, self.highest) = (Some((packet.sequence, packet.timestamp)), packet.sequence),
            Some((next, _)) if packet.sequence < next => self.next = Some((packet.sequence, packet.timestamp)),
            Some(_) => {}
        }
        Pushed::Queued
    }

    /// If the packet before this one is missing and this one carries it, it arrives with this one.
    fn expect_fec(&mut self, arrival: Samples, packet: &Packet<'_>) {
        let skips = self.next.is_some() && packet.sequence == self.highest + 2;
        if skips && !packet.redundant && opus::has_fec(packet.payload) {
            self.transit.learn(arrival, packet.timestamp.wrapping_sub(self.last_samples));
        }
    }

    /// What to play at `now`. `quiet` says whether the last frame was quiet enough to lose one unheard. After a `Packet`, `Skip`
    /// or `Lost`, call `played` with the samples it made.
    pub fn pull(&mut self, now: Samples, quiet: Quiet) -> Pull<'_> {
        let Some((next, expected)) = self.next else { return Pull::Idle };
        let Some(found) = self.first_from(next) else { return self.empty() };
        let ahead = found - next;
        let slot = (found % SLOTS as u64) as usize;
        let timestamp = self.slots[slot].timestamp;
        let gap = timestamp.wrapping_sub(expected) as i64;
        let each = gap.max(0) as u64 / ahead.max(1);
        // Fewer samples than that are missing for each packet: they are lost, not withheld.
        let lost = self.playing && (1..=MAX_LOST_RUN).contains(&ahead) && gap > 0 && each <= 2 * self.last_samples;
        if lost {
            if self.transit.due(expected) > now.0 as i64 && self.stalled < MAX_STALL {
                // It may yet come.
                self.stalled += 1;
                return Pull::Underrun;
            }
            self.stalled = 0;
            let next = (ahead == 1).then(|| payload(&self.slots[slot]));
            return Pull::Lost { next, samples: (each / STEP * STEP).clamp(STEP, MAX_FRAME) as usize };
        }
        if !self.playing || gap != 0 || ahead != 0 {
            // At the start, and after the sender's own silence (the timestamp jumps, the sequence does not), wait for its turn.
            if self.transit.due(timestamp) > now.0 as i64 {
                return Pull::Idle;
            }
            self.next = Some((found, timestamp));
            self.playing = true;
        }
        self.stalled = 0;
        let late = now.0 as i64 - self.transit.due(timestamp);
        self.above = if late > LATE { self.above + 1 } else { 0 };
        let skip = (self.above > LATE_TICKS && quiet == Quiet::Yes || late > TOO_LATE) && self.has(found + 1);
        self.slots[slot].full = false;
        self.last_len = usize::from(self.slots[slot].len);
        if skip {
            self.above = 0;
            return Pull::Skip(payload(&self.slots[slot]));
        }
        Pull::Packet { payload: payload(&self.slots[slot]), timestamp }
    }

    /// Moves on after a frame of `samples` was played, concealed or thrown away.
    pub fn played(&mut self, samples: usize) {
        if let Some((next, expected)) = self.next {
            self.next = Some((next + 1, expected + samples as u64));
            self.last_samples = samples as u64;
        }
    }

    /// The delay aimed at, in samples.
    pub fn target(&self) -> i64 {
        self.transit.target()
    }

    /// The fastest transit (arrival minus timestamp) of the last seconds, if any packet has come.
    pub fn fastest(&self) -> Option<i64> {
        self.transit.fastest()
    }

    fn empty(&mut self) -> Pull<'static> {
        // DTX ends a talk spurt with a packet of at most 2 bytes; nothing is missing then.
        if !self.playing || self.last_len <= 2 || self.stalled >= MAX_STALL {
            self.playing = false;
            return Pull::Idle;
        }
        self.stalled += 1;
        Pull::Underrun
    }

    /// Whether this packet is there, or its turn is over.
    pub fn has_had(&self, sequence: u64) -> bool {
        self.has(sequence) || self.playing && self.next.is_some_and(|(next, _)| sequence < next)
    }

    fn has(&self, sequence: u64) -> bool {
        let slot = &self.slots[(sequence % SLOTS as u64) as usize];
        slot.full && slot.sequence == sequence
    }

    fn first_from(&self, next: u64) -> Option<u64> {
        (next..=self.highest.min(next + SLOTS as u64 - 1)).find(|sequence| self.has(*sequence))
    }
}

/// Whether losing a frame now would go unheard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// Near silence.
    Yes,
    /// Someone is talking.
    No,
}

fn payload(slot: &Slot) -> &[u8] {
    &slot.bytes[..usize::from(slot.len)]
}
