//! The jitter buffer: puts packets in order and says, every 20 ms, what to play. Time is the media clock, an argument.
//!
//! Delay follows the network: the spread of recent transit times sets a target, underruns raise the delay at once (play stalls,
//! nothing is skipped), and quiet frames are dropped to lower it again.

use crate::Samples;
use crate::opus::MAX_PAYLOAD;

const SLOTS: usize = 64;
/// Bounds of the target delay, in samples: 10 to 240 ms.
const MIN_TARGET: i64 = 480;
const MAX_TARGET: i64 = 11_520;
/// Margin over the measured spread.
const MARGIN: i64 = 480;
const BUCKET: i64 = 240;
const BUCKETS: usize = 64;
/// Weight of one packet in the spread histogram: it forgets in about 5 s of speech.
const FORGET: f32 = 1.0 / 256.0;
/// Length of a window over which the fastest transit is kept; two of them follow clock drift.
const WINDOW: i64 = 48_000 * 5;
/// A run of losses longer than this is skipped, not concealed.
const MAX_LOST_RUN: u64 = 6;

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
    Packet(&'j [u8]),
    /// Decode and throw away, then ask again: delay is above target and this frame is quiet.
    Skip(&'j [u8]),
    /// One frame is lost; the one after it may carry it as FEC.
    Lost(Option<&'j [u8]>),
    /// Nothing has come: bridge the gap.
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
    /// Next to play, and the timestamp it should have.
    next: Option<(u64, u64)>,
    highest: u64,
    playing: bool,
    stalled: u32,
    spread: [f32; BUCKETS],
    /// Fastest transit (arrival − timestamp) of this window and the last one.
    fastest: [i64; 2],
    window_end: i64,
    target: i64,
    above: u32,
    last_len: usize,
}

impl Default for Jitter {
    fn default() -> Jitter {
        let slot = || Slot { sequence: 0, timestamp: 0, len: 0, full: false, bytes: [0; MAX_PAYLOAD] };
        let mut spread = [0.0; BUCKETS];
        spread[1] = 1.0;
        Jitter {
            slots: (0..SLOTS).map(|_| slot()).collect(),
            next: None,
            highest: 0,
            playing: false,
            stalled: 0,
            spread,
            fastest: [i64::MAX; 2],
            window_end: 0,
            target: MIN_TARGET,
            above: 0,
            last_len: 0,
        }
    }
}

impl Jitter {
    /// Empties the buffer; what was learnt of the network stays.
    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.full = false);
        (self.next, self.playing, self.stalled) = (None, false, 0);
    }

    /// Takes a packet that arrived at `arrival`.
    pub fn push(&mut self, arrival: Samples, packet: Packet<'_>) -> Pushed {
        if packet.payload.len() > MAX_PAYLOAD || packet.payload.is_empty() {
            return Pushed::Refused;
        }
        if !packet.redundant {
            self.learn(arrival, packet.timestamp);
        }
        match self.next {
            Some((next, _)) if packet.sequence < next => return Pushed::Late,
            Some((next, _)) if packet.sequence >= next + SLOTS as u64 => self.clear(),
            _ => {}
        }
        let slot = &mut self.slots[(packet.sequence % SLOTS as u64) as usize];
        if slot.full && slot.sequence == packet.sequence {
            return Pushed::Duplicate;
        }
        slot.bytes[..packet.payload.len()].copy_from_slice(packet.payload);
        (slot.sequence, slot.timestamp, slot.len, slot.full) = (packet.sequence, packet.timestamp, packet.payload.len() as u16, true);
        self.highest = self.highest.max(packet.sequence);
        match self.next {
            None => (self.next, self.highest) = (Some((packet.sequence, packet.timestamp)), packet.sequence),
            // Before anything is played an earlier packet may still take the lead.
            Some((next, _)) if !self.playing && packet.sequence < next => self.next = Some((packet.sequence, packet.timestamp)),
            Some(_) => {}
        }
        Pushed::Queued
    }

    /// What to play at `now`. `quiet` says whether the last frame was quiet enough to lose one unheard. After a `Packet` or a
    /// `Lost`, call `played` with the samples it made.
    pub fn pull(&mut self, now: Samples, quiet: Quiet) -> Pull<'_> {
        let Some((next, expected)) = self.next else { return Pull::Idle };
        let Some(found) = self.first_from(next) else { return self.empty() };
        let ahead = found - next;
        let slot = (found % SLOTS as u64) as usize;
        let timestamp = self.slots[slot].timestamp;
        let gap = timestamp as i64 - expected as i64;
        let due = self.due(timestamp) <= now.0 as i64;
        // At the start, and after the sender's own silence (the timestamp jumps, the sequence does not), wait for its turn.
        if !self.playing || (ahead == 0 && gap > 0) || ahead > MAX_LOST_RUN || gap > 5760 + ahead as i64 * 5760 || gap < 0 {
            if !due {
                return Pull::Idle;
            }
            self.next = Some((found, timestamp));
            self.playing = true;
        } else if ahead > 0 {
            self.stalled = 0;
            let follows = ahead == 1;
            return Pull::Lost(follows.then(|| payload(&self.slots[slot])));
        }
        self.stalled = 0;
        let late = now.0 as i64 - self.due(timestamp);
        self.above = if late > 1440 { self.above + 1 } else { 0 };
        let skip = (self.above > 25 && quiet == Quiet::Yes || late > 9600) && self.has(found + 1);
        self.slots[slot].full = false;
        self.last_len = usize::from(self.slots[slot].len);
        if skip {
            self.above = 0;
            return Pull::Skip(payload(&self.slots[slot]));
        }
        Pull::Packet(payload(&self.slots[slot]))
    }

    /// Moves on after a frame of `samples` was played, concealed or thrown away.
    pub fn played(&mut self, samples: usize) {
        if let Some((next, expected)) = self.next {
            self.next = Some((next + 1, expected + samples as u64));
        }
    }

    /// The delay aimed at, in samples.
    pub fn target(&self) -> i64 {
        self.target
    }

    fn empty(&mut self) -> Pull<'static> {
        // DTX ends a talk spurt with a packet of at most 2 bytes; nothing is missing then.
        if !self.playing || self.last_len <= 2 || self.stalled >= 25 {
            self.playing = false;
            return Pull::Idle;
        }
        self.stalled += 1;
        Pull::Underrun
    }

    fn has(&self, sequence: u64) -> bool {
        let slot = &self.slots[(sequence % SLOTS as u64) as usize];
        slot.full && slot.sequence == sequence
    }

    fn first_from(&self, next: u64) -> Option<u64> {
        (next..=self.highest.min(next + SLOTS as u64 - 1)).find(|sequence| self.has(*sequence))
    }

    /// When a packet of this timestamp should be played.
    fn due(&self, timestamp: u64) -> i64 {
        timestamp as i64 + self.base() + self.target
    }

    fn base(&self) -> i64 {
        self.fastest[0].min(self.fastest[1])
    }

    fn learn(&mut self, arrival: Samples, timestamp: u64) {
        let (arrival, transit) = (arrival.0 as i64, arrival.0 as i64 - timestamp as i64);
        if self.base() == i64::MAX || (transit - self.base()).abs() > 48_000 {
            // The first packet, or a sender whose timestamps jumped: start over.
            (self.fastest, self.window_end) = ([transit, i64::MAX], arrival + WINDOW);
        } else if arrival > self.window_end {
            (self.fastest, self.window_end) = ([transit, self.fastest[0]], arrival + WINDOW);
        }
        self.fastest[0] = self.fastest[0].min(transit);
        let delay = transit - self.base();
        let bucket = (delay / BUCKET).clamp(0, BUCKETS as i64 - 1) as usize;
        self.spread.iter_mut().for_each(|weight| *weight *= 1.0 - FORGET);
        self.spread[bucket] += FORGET;
        let mut tail = 0.0;
        let above = (0..BUCKETS).rev().find(|at| {
            tail += self.spread[*at];
            tail > 0.03
        });
        self.target = (above.unwrap_or(0) as i64 * BUCKET + MARGIN).clamp(MIN_TARGET, MAX_TARGET);
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
