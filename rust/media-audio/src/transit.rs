//! How long packets take: the fastest transit, the spread above it, and the delay that rides it out.

use crate::Samples;

/// Bounds of the target delay, in samples: 10 to 240 ms.
const MIN_TARGET: i64 = 480;
const MAX_TARGET: i64 = 11_520;
/// Margin over the measured spread.
const MARGIN: i64 = 480;
/// The spread is kept in steps of 5 ms.
const BUCKET: i64 = 240;
const BUCKETS: usize = 64;
/// Weight of one packet: the spread forgets in about 5 s of speech.
const FORGET: f32 = 1.0 / 256.0;
/// The share of packets that may come too late.
const TAIL: f32 = 0.01;
/// Length of a window over which the fastest transit is kept; two of them follow clock drift.
const WINDOW: i64 = 48_000 * 5;

/// What has been learnt of a sender's path. Transit is arrival minus timestamp: it means nothing but in comparison.
pub(crate) struct Transit {
    spread: [f32; BUCKETS],
    /// The fastest of this window and of the last one.
    fastest: [i64; 2],
    window_end: i64,
    target: i64,
}

impl Default for Transit {
    fn default() -> Transit {
        let mut spread = [0.0; BUCKETS];
        spread[0] = 1.0;
        Transit { spread, fastest: [i64::MAX; 2], window_end: 0, target: MIN_TARGET }
    }
}

impl Transit {
    /// Learns from a packet.
    pub(crate) fn learn(&mut self, arrival: Samples, timestamp: u64) {
        let (arrival, transit) = (arrival.0 as i64, (arrival.0 as i64).wrapping_sub(timestamp as i64));
        if self.fastest().is_none_or(|fastest| transit.abs_diff(fastest) > 48_000) {
            // The first packet, or a sender whose timestamps jumped: start over.
            (self.fastest, self.window_end) = ([transit, i64::MAX], arrival + WINDOW);
        } else if arrival > self.window_end {
            (self.fastest, self.window_end) = ([transit, self.fastest[0]], arrival + WINDOW);
        }
        self.fastest[0] = self.fastest[0].min(transit);
        let delay = transit - self.fastest[0].min(self.fastest[1]);
        let bucket = (delay / BUCKET).clamp(0, BUCKETS as i64 - 1) as usize;
        self.spread.iter_mut().for_each(|weight| *weight *= 1.0 - FORGET);
        self.spread[bucket] += FORGET;
        let mut tail = 0.0;
        let above = (0..BUCKETS).rev().find(|at| {
            tail += self.spread[*at];
            tail > TAIL
        });
        self.target = (above.unwrap_or(0) as i64 * BUCKET + MARGIN).clamp(MIN_TARGET, MAX_TARGET);
    }

    /// The fastest transit of the last seconds; `None` before the first packet.
    pub(crate) fn fastest(&self) -> Option<i64> {
        Some(self.fastest[0].min(self.fastest[1])).filter(|fastest| *fastest != i64::MAX)
    }

    /// When sound of this timestamp should be played.
    pub(crate) fn due(&self, timestamp: u64) -> i64 {
        (timestamp as i64).wrapping_add(self.fastest().unwrap_or(0)).wrapping_add(self.target)
    }

    /// The delay aimed at over the fastest transit, in samples.
    pub(crate) fn target(&self) -> i64 {
        self.target
    }
}
