//! One Space's programme: everyone heard, mixed once, limited, encoded once.

use crate::limiter::Limiter;
use crate::opus::{Encoder, EncoderSettings, MAX_PAYLOAD, OpusError};
use crate::voice::Voice;
use crate::{FRAME, RATE, SILENT, Samples};

/// CSRCs an RTP header holds.
pub const MAX_SOURCES: usize = 15;
/// A voice below this level (−dBov) is mixed but not named as heard.
const NAMED: u8 = 60;
/// What libopus emits inside a DTX run.
const DTX_FRAME: usize = 2;
/// The longest programme frame, in ticks.
const MAX_TICKS: usize = 3;
/// Above so many listeners a programme frame is 40 ms, or 60 ms: a packet costs the same however long it sounds.
const CROWDS: [usize; 2] = [500, 1_500];
/// Frames grow one step at a time, so far apart: then no receiver has to make anything up. They shrink at once.
const STEP: u64 = 3 * RATE as u64;

/// Someone heard in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Their seat's number.
    pub csrc: u32,
    /// −dBov.
    pub level: u8,
}

/// One encoded frame of the programme.
#[derive(Debug)]
pub struct Frame<'p> {
    /// Opus.
    pub payload: &'p [u8],
    /// Samples it covers.
    pub samples: u32,
    /// Who is heard, loudest first.
    pub sources: &'p [Source],
}

/// The mix of a Space.
pub struct Programme {
    limiter: Limiter,
    encoder: Encoder,
    pcm: [f32; FRAME * MAX_TICKS],
    /// Ticks of a frame, those mixed of the current one, and when the length last changed.
    ticks: usize,
    mixed: usize,
    changed: Samples,
    payload: [u8; MAX_PAYLOAD],
    sources: [Source; MAX_SOURCES],
    count: usize,
    in_dtx: bool,
}

impl Programme {
    /// A silent programme: mono, 32 kbit/s, in-band FEC, DTX.
    pub fn new() -> Result<Programme, OpusError> {
        Ok(Programme {
            limiter: Limiter::default(),
            encoder: Encoder::new(EncoderSettings { bitrate: 32_000, complexity: 5, loss: 3, dtx: true })?,
            pcm: [0.0; FRAME * MAX_TICKS],
            ticks: 1,
            mixed: 0,
            changed: Samples(0),
            payload: [0; MAX_PAYLOAD],
            sources: [Source { csrc: 0, level: SILENT }; MAX_SOURCES],
            count: 0,
            in_dtx: false,
        })
    }

    /// Lets the frame length suit an audience; takes effect between frames.
    pub fn suit(&mut self, listeners: usize, now: Samples) {
        if self.mixed > 0 {
            return;
        }
        // A crowd must shrink by a tenth before its frames do.
        let margin = |limit: usize, ticks: usize| if self.ticks > ticks { limit - limit / 10 } else { limit };
        let wanted = 1 + (1..MAX_TICKS).filter(|ticks| listeners > margin(CROWDS[ticks - 1], *ticks)).count();
        if wanted < self.ticks {
            (self.ticks, self.changed) = (wanted, now);
        } else if wanted > self.ticks && now.since(self.changed) >= STEP as i64 {
            (self.ticks, self.changed) = (self.ticks + 1, now);
        }
    }

    /// Mixes what each voice's last tick made, and encodes it when a frame is full. `None` inside a DTX run: libopus refreshes
    /// the silence by itself every 400 ms, and the first empty frame of a run is sent so that receivers know it is meant.
    pub fn tick<'v>(&mut self, voices: impl Iterator<Item = (u32, &'v Voice)>) -> Option<Frame<'_>> {
        let from = self.mixed * FRAME;
        let pcm = self.pcm[from..].first_chunk_mut::<FRAME>()?;
        pcm.fill(0.0);
        if self.mixed == 0 {
            self.count = 0;
        }
        for (csrc, voice) in voices {
            let heard = voice.heard();
            if !heard.active {
                continue;
            }
            pcm.iter_mut().zip(voice.pcm()).for_each(|(sum, sample)| *sum += sample);
            if heard.level <= NAMED {
                name(&mut self.sources, &mut self.count, Source { csrc, level: heard.level });
            }
        }
        self.limiter.apply(pcm);
        self.mixed += 1;
        if self.mixed < self.ticks {
            return None;
        }
        let samples = std::mem::take(&mut self.mixed) * FRAME;
        let len = self.encoder.encode(&self.pcm[..samples], &mut self.payload).ok()?;
        let empty = len <= DTX_FRAME;
        let send = !empty || !self.in_dtx;
        self.in_dtx = empty;
        send.then(|| Frame { payload: &self.payload[..len], samples: samples as u32, sources: &self.sources[..self.count] })
    }
}

/// Puts a source in its place, loudest first; with no room left the quietest goes. Named twice in one frame, the louder counts.
fn name(sources: &mut [Source; MAX_SOURCES], count: &mut usize, source: Source) {
    let known = sources[..*count].iter().position(|known| known.csrc == source.csrc);
    match known {
        Some(at) => sources[at].level = sources[at].level.min(source.level),
        None if *count < MAX_SOURCES => {
            sources[*count] = source;
            *count += 1;
        }
        None if sources[MAX_SOURCES - 1].level > source.level => sources[MAX_SOURCES - 1] = source,
        None => return,
    }
    sources[..*count].sort_unstable_by_key(|source| source.level);
}
