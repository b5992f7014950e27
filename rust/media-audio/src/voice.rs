//! One speaker as the mix hears them: jitter buffer, decoder, grant gate, levelling, fades.

use crate::jitter::{Jitter, Packet, Pull, Pushed, Quiet};
use crate::level::{Leveller, dbov};
use crate::opus::{self, Decoder, MAX_SAMPLES, OpusError};
use crate::{FRAME, SILENT, Samples};

/// Samples of a fade: 5 ms.
const FADE: usize = 240;
/// What an encoder keeps of the sound before a frame, 10 ms to be safe (RFC 7845 §4.2 calls it pre-skip).
const LOOK_AHEAD: i64 = 480;
/// How long after a grant began packets captured before it may still arrive: 1 s.
const RECKONING: i64 = 48_000;
/// Frames concealed before a gap becomes silence.
const MAX_CONCEALED: u32 = 6;
/// A frame at or below this level (−dBov) may be dropped unheard.
const QUIET: u8 = 50;

/// The noise of an open microphone is not mixed: the gate opens at the first level (−dBov) and closes after so many ticks below
/// the second.
const GATE_OPENS: u8 = 62;
const GATE_CLOSES: u8 = 66;
const GATE_HOLD: u32 = 25;

/// What one tick of a speaker sounds like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// −dBov of the sound as decoded, 127 for silence.
    pub level: u8,
    /// Whether there is any sound at all.
    pub active: bool,
}

/// What a speaker's stream has come to since it began.
#[derive(Debug, Clone, Copy, Default)]
pub struct VoiceStats {
    /// Packets kept.
    pub received: u64,
    /// Packets too late to play.
    pub late: u64,
    /// Frames recovered from redundancy (RED) or FEC.
    pub recovered: u64,
    /// Samples made up.
    pub concealed: u64,
    /// The delay aimed at, in samples.
    pub target: i64,
}

/// A speaker. Everything is preallocated; `push` and `tick` allocate nothing.
pub struct Voice {
    jitter: Jitter,
    decoder: Decoder,
    leveller: Leveller,
    decoded: Box<[f32; MAX_SAMPLES]>,
    /// Where unplayed decoded sound starts and ends.
    unplayed: (usize, usize),
    pcm: [f32; FRAME],
    open: bool,
    sounding: bool,
    /// Ticks until the noise gate closes; 0 while it is closed.
    gate_left: u32,
    concealed_run: u32,
    heard: Heard,
    /// What was captured before this timestamp was captured before the grant (rule 12).
    earliest: u64,
    /// When the grant began and how long packets travel, while the former is being reckoned from arrivals.
    opened: Option<(Samples, i64)>,
    /// Samples of the last packet.
    frame: i64,
    stale: bool,
    stats: VoiceStats,
}

impl Voice {
    /// A silent, closed voice.
    pub fn new() -> Result<Voice, OpusError> {
        Ok(Voice {
            jitter: Jitter::default(),
            decoder: Decoder::new()?,
            leveller: Leveller::default(),
            decoded: Box::new([0.0; MAX_SAMPLES]),
            unplayed: (0, 0),
            pcm: [0.0; FRAME],
            open: false,
            sounding: false,
            gate_left: 0,
            concealed_run: 0,
            heard: Heard { level: SILENT, active: false },
            earliest: 0,
            opened: None,
            frame: FRAME as i64,
            stale: false,
            stats: VoiceStats::default(),
        })
    }

    /// Takes a packet, if the grant covers it.
    pub fn push(&mut self, arrival: Samples, packet: Packet<'_>) -> Pushed {
        let samples = opus::duration(packet.payload);
        if let Ok(samples) = samples
            && (!self.open || packet.timestamp < self.earliest)
        {
            self.refuse(arrival, packet.timestamp, samples);
        }
        if samples.is_err() || !self.open || packet.timestamp < self.earliest {
            return Pushed::Refused;
        }
        let pushed = self.jitter.push(arrival, packet);
        self.reckon(arrival);
        match pushed {
            Pushed::Queued if packet.redundant => self.stats.recovered += 1,
            Pushed::Queued => self.stats.received += 1,
            Pushed::Late if !packet.redundant => self.stats.late += 1,
            _ => {}
        }
        pushed
    }

    /// A packet of `samples` that is not kept still tells how far the sender's clock has come.
    pub fn refuse(&mut self, arrival: Samples, timestamp: u64, samples: usize) {
        self.jitter.refuse(arrival, timestamp);
        self.frame = samples as i64;
    }

    /// Whether this packet is there, or its turn is over.
    pub fn has(&self, sequence: u64) -> bool {
        self.jitter.has_had(sequence)
    }

    /// The grant began at `since`: nothing captured before surfaces, even if it arrives later. Capture is reckoned back from the
    /// fastest packet of the last seconds: its frame was complete when it left, `way` samples before it arrived.
    pub fn open(&mut self, since: Samples, way: u64) {
        if self.open {
            return;
        }
        (self.open, self.earliest) = (true, 0);
        self.opened = Some((since, way as i64));
        self.reckon(since);
    }

    /// Reckons anew what is too old, for a while: the fastest packet may yet come.
    fn reckon(&mut self, now: Samples) {
        let Some((since, way)) = self.opened.filter(|(since, _)| now.since(*since) < RECKONING) else {
            self.opened = None;
            return;
        };
        let latest = |fastest| (since.0 as i64).wrapping_sub(fastest) + self.frame + LOOK_AHEAD + way;
        self.earliest = self.earliest.max(self.jitter.fastest().map_or(0, |fastest| latest(fastest).max(0) as u64));
    }

    /// The grant ended: what is buffered is forgotten, and the next tick fades to silence.
    pub fn close(&mut self) {
        self.open = false;
        self.jitter.clear();
        self.unplayed = (0, 0);
        self.stale = true;
    }

    /// Plays 20 ms. Call exactly once per frame of the media clock.
    pub fn tick(&mut self, now: Samples) -> Heard {
        let mut filled = 0;
        let mut silent = !self.open;
        while filled < FRAME && !silent {
            let (start, end) = self.unplayed;
            let take = (end - start).min(FRAME - filled);
            self.pcm[filled..filled + take].copy_from_slice(&self.decoded[start..start + take]);
            self.unplayed.0 += take;
            filled += take;
            if filled < FRAME && !self.decode(now) {
                silent = true;
            }
        }
        self.finish(filled);
        self.heard
    }

    /// This tick's levelled sound.
    pub fn pcm(&self) -> &[f32; FRAME] {
        &self.pcm
    }

    /// What this tick sounded like.
    pub fn heard(&self) -> Heard {
        self.heard
    }

    /// Counters.
    pub fn stats(&self) -> VoiceStats {
        VoiceStats { target: self.jitter.target(), ..self.stats }
    }

    /// Decodes the next frame into `decoded`; false when there is nothing to play.
    fn decode(&mut self, now: Samples) -> bool {
        let quiet = if self.heard.level >= QUIET { Quiet::Yes } else { Quiet::No };
        let out = &mut self.decoded[..];
        let (made, concealed) = match self.jitter.pull(now, quiet) {
            // The gate has looked at its age already; meanwhile a faster packet may have taught us better.
            Pull::Packet { payload, timestamp } if timestamp < self.earliest => {
                let stale = opus::duration(payload).unwrap_or(FRAME);
                self.jitter.played(stale);
                self.decoder.reset();
                self.unplayed = (0, 0);
                return true;
            }
            Pull::Packet { payload, .. } => (self.decoder.decode(payload, out), false),
            Pull::Skip(payload) => {
                let skipped = self.decoder.decode(payload, out).unwrap_or(FRAME);
                self.jitter.played(skipped);
                self.unplayed = (0, 0);
                return true;
            }
            Pull::Lost { next: Some(next), samples } => {
                let recovered = opus::has_fec(next);
                self.stats.recovered += u64::from(recovered);
                (self.decoder.recover(next, &mut out[..samples]), !recovered)
            }
            Pull::Lost { next: None, samples } => (self.decoder.conceal(&mut out[..samples]), true),
            Pull::Underrun if self.concealed_run < MAX_CONCEALED => {
                self.concealed_run += 1;
                let made = self.decoder.conceal(&mut out[..FRAME]).unwrap_or(0);
                self.stats.concealed += made as u64;
                self.unplayed = (0, made);
                return made > 0;
            }
            Pull::Underrun | Pull::Idle => return false,
        };
        let made = made.unwrap_or_else(|_| {
            out[..FRAME].fill(0.0);
            FRAME
        });
        self.concealed_run = 0;
        self.stats.concealed += if concealed { made as u64 } else { 0 };
        self.jitter.played(made);
        self.unplayed = (0, made);
        made > 0
    }

    /// Opens and closes the noise gate, with fades; returns whether this tick is to be heard.
    fn gate(&mut self, level: u8) -> bool {
        let was = self.gate_left > 0;
        if level <= GATE_OPENS || was && level <= GATE_CLOSES {
            self.gate_left = GATE_HOLD;
        } else {
            self.gate_left = self.gate_left.saturating_sub(1);
        }
        match (was, self.gate_left > 0) {
            (false, true) => fade(&mut self.pcm[..FADE], Fade::In),
            (true, false) => fade(&mut self.pcm[..], Fade::Out),
            _ => {}
        }
        was || self.gate_left > 0
    }

    /// Fades at the edges of sound, measures and levels. `filled` samples of this tick were decoded.
    fn finish(&mut self, filled: usize) {
        if filled < FRAME {
            // The end of sound: what was decoded, or the decoder's own idea of how it went on, faded out.
            if self.sounding && filled == 0 && self.decoder.conceal(&mut self.decoded[..FADE]).is_ok() {
                self.pcm[..FADE].copy_from_slice(&self.decoded[..FADE]);
                fade(&mut self.pcm[..FADE], Fade::Out);
                self.pcm[FADE..].fill(0.0);
            } else {
                let from = filled.saturating_sub(FADE);
                fade(&mut self.pcm[from..filled], Fade::Out);
                self.pcm[filled..].fill(0.0);
            }
            if std::mem::take(&mut self.stale) {
                self.decoder.reset();
            }
        } else if !self.sounding {
            fade(&mut self.pcm[..FADE], Fade::In);
        }
        let tail = self.sounding && filled < FRAME;
        self.sounding = filled == FRAME;
        if filled == 0 && !tail {
            self.heard = Heard { level: SILENT, active: false };
            return;
        }
        let level = dbov(&self.pcm);
        let active = self.gate(level);
        self.leveller.apply(&mut self.pcm);
        self.heard = Heard { level, active };
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fade {
    In,
    Out,
}

fn fade(pcm: &mut [f32], way: Fade) {
    let len = pcm.len().max(1) as f32;
    for (at, sample) in pcm.iter_mut().enumerate() {
        let share = at as f32 / len;
        *sample *= if way == Fade::In { share } else { 1.0 - share };
    }
}
