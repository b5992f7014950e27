//! One speaker as the mix hears them: jitter buffer, decoder, grant gate, levelling, fades.

use crate::jitter::{Jitter, Packet, Pull, Pushed, Quiet};
use crate::level::{Leveller, dbov};
use crate::opus::{self, Decoder, MAX_SAMPLES, OpusError};
use crate::{FRAME, SILENT, Samples};

/// Samples of a fade: 5 ms.
const FADE: usize = 240;
/// Frames concealed before a gap becomes silence.
const MAX_CONCEALED: u32 = 6;
/// A frame at or below this level (−dBov) may be dropped unheard.
const QUIET: u8 = 50;

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
    concealed_run: u32,
    heard: Heard,
    /// The newest timestamp refused while closed, and when it arrived (rule 12).
    refused: Option<(u64, Samples)>,
    earliest: u64,
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
            concealed_run: 0,
            heard: Heard { level: SILENT, active: false },
            refused: None,
            earliest: 0,
            stats: VoiceStats::default(),
        })
    }

    /// Takes a packet. While closed nothing is kept but how far the sender's clock has come.
    pub fn push(&mut self, arrival: Samples, packet: Packet<'_>) -> Pushed {
        if !self.open {
            let newest = self.refused.is_none_or(|(timestamp, _)| packet.timestamp > timestamp);
            if newest {
                self.refused = Some((packet.timestamp, arrival));
            }
            return Pushed::Refused;
        }
        if packet.timestamp < self.earliest || opus::duration(packet.payload).is_err() {
            return Pushed::Refused;
        }
        let pushed = self.jitter.push(arrival, packet);
        match pushed {
            Pushed::Queued => self.stats.received += 1,
            Pushed::Late if !packet.redundant => self.stats.late += 1,
            _ => {}
        }
        self.stats.recovered += u64::from(pushed == Pushed::Queued && packet.redundant);
        pushed
    }

    /// The grant began at `since`: nothing captured before surfaces, even if it arrives later.
    pub fn open(&mut self, since: Samples) {
        if self.open {
            return;
        }
        self.open = true;
        self.earliest = self.refused.take().map_or(0, |(timestamp, arrival)| timestamp + since.since(arrival).max(0) as u64);
    }

    /// The grant ended: what is buffered is forgotten, and the next tick fades to silence.
    pub fn close(&mut self) {
        self.open = false;
        self.jitter.clear();
        self.unplayed = (0, 0);
        self.refused = None;
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
            Pull::Packet(payload) => (self.decoder.decode(payload, out), false),
            Pull::Skip(payload) => {
                let skipped = self.decoder.decode(payload, out).unwrap_or(FRAME);
                self.jitter.played(skipped);
                self.unplayed = (0, 0);
                return true;
            }
            Pull::Lost(Some(next)) => {
                self.stats.recovered += 1;
                (self.decoder.recover(next, &mut out[..FRAME]), true)
            }
            Pull::Lost(None) => (self.decoder.conceal(&mut out[..FRAME]), true),
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
            if !self.open {
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
        self.leveller.apply(&mut self.pcm);
        self.heard = Heard { level, active: level < SILENT };
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
