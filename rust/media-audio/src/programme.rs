//! One Space's programme: everyone heard, mixed once, limited, encoded once.

use crate::limiter::Limiter;
use crate::opus::{Encoder, EncoderSettings, MAX_PAYLOAD, OpusError};
use crate::voice::Voice;
use crate::{FRAME, SILENT};

/// CSRCs an RTP header holds.
pub const MAX_SOURCES: usize = 15;
/// A voice below this level (−dBov) is mixed but not named as heard.
const NAMED: u8 = 60;
/// What libopus emits inside a DTX run.
const DTX_FRAME: usize = 2;

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
    pcm: [f32; FRAME],
    payload: [u8; MAX_PAYLOAD],
    sources: [Source; MAX_SOURCES],
    in_dtx: bool,
}

impl Programme {
    /// A silent programme: mono, 32 kbit/s, in-band FEC, DTX.
    pub fn new() -> Result<Programme, OpusError> {
        Ok(Programme {
            limiter: Limiter::default(),
            encoder: Encoder::new(EncoderSettings { bitrate: 32_000, complexity: 5, loss: 3, dtx: true })?,
            pcm: [0.0; FRAME],
            payload: [0; MAX_PAYLOAD],
            sources: [Source { csrc: 0, level: SILENT }; MAX_SOURCES],
            in_dtx: false,
        })
    }

    /// Mixes what each voice's last tick made and encodes it. `None` inside a DTX run: libopus refreshes the silence by itself
    /// every 400 ms, and the first empty frame of a run is sent so that receivers know the silence is meant.
    pub fn tick<'v>(&mut self, voices: impl Iterator<Item = (u32, &'v Voice)>) -> Option<Frame<'_>> {
        self.pcm.fill(0.0);
        let mut count = 0;
        for (csrc, voice) in voices {
            let heard = voice.heard();
            if !heard.active {
                continue;
            }
            self.pcm.iter_mut().zip(voice.pcm()).for_each(|(sum, sample)| *sum += sample);
            if heard.level <= NAMED && count < MAX_SOURCES {
                self.sources[count] = Source { csrc, level: heard.level };
                count += 1;
            }
        }
        self.sources[..count].sort_unstable_by_key(|source| source.level);
        self.limiter.apply(&mut self.pcm);
        let len = self.encoder.encode(&self.pcm, &mut self.payload).ok()?;
        let empty = len <= DTX_FRAME;
        let send = !empty || !self.in_dtx;
        self.in_dtx = empty;
        send.then(|| Frame { payload: &self.payload[..len], samples: FRAME as u32, sources: &self.sources[..count] })
    }
}
