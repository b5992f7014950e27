//! The look-ahead limiter at the end of the mix: 5 ms of delay, nothing above the ceiling, no wrap.

use crate::FRAME;

/// Gain is decided for every millisecond.
const STEP: usize = 48;
const STEPS: usize = FRAME / STEP;
/// Milliseconds seen in advance.
const AHEAD: usize = 5;
/// −3 dBFS: room for what lies between samples and for the codec's overshoot, so that listeners stay below −1 dBTP.
const CEILING: f32 = 0.708;
/// Gain regained in a millisecond.
const RELEASE: f32 = 1.012;

/// Delay line and gain.
pub struct Limiter {
    delayed: [f32; AHEAD * STEP],
    allowed: [f32; AHEAD],
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Limiter {
        Limiter { delayed: [0.0; AHEAD * STEP], allowed: [1.0; AHEAD], gain: 1.0 }
    }
}

impl Limiter {
    /// Limits a frame in place; what comes out is 5 ms older than what went in.
    pub fn apply(&mut self, pcm: &mut [f32; FRAME]) {
        let mut allowed = [1.0; AHEAD + STEPS];
        allowed[..AHEAD].copy_from_slice(&self.allowed);
        for (allowed, step) in allowed[AHEAD..].iter_mut().zip(pcm.chunks_exact(STEP)) {
            let peak = step.iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
            *allowed = if peak > CEILING { CEILING / peak } else { 1.0 };
        }
        let mut line = [0.0; AHEAD * STEP + FRAME];
        line[..AHEAD * STEP].copy_from_slice(&self.delayed);
        line[AHEAD * STEP..].copy_from_slice(pcm);
        for (at, out) in pcm.chunks_exact_mut(STEP).enumerate() {
            // Both ends of the ramp are within what every millisecond ahead allows, so the ramp is too.
            let goal = allowed[at..=at + AHEAD].iter().copied().fold(1.0, f32::min);
            let next = goal.min(self.gain * RELEASE);
            let (from, slope) = (self.gain, (next - self.gain) / STEP as f32);
            for (index, sample) in out.iter_mut().enumerate() {
                *sample = (line[at * STEP + index] * (from + slope * index as f32)).clamp(-CEILING, CEILING);
            }
            self.gain = next;
        }
        self.delayed.copy_from_slice(&line[FRAME..]);
        self.allowed.copy_from_slice(&allowed[STEPS..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_shouting_at_once_stay_below_the_ceiling() {
        let mut limiter = Limiter::default();
        for frame in 0..100usize {
            let mut pcm: [f32; FRAME] = std::array::from_fn(|at| {
                let time = (frame * FRAME + at) as f32 / 48_000.0;
                (1..=8).map(|voice| 0.9 * (time * std::f32::consts::TAU * 170.0 * voice as f32).sin()).sum()
            });
            limiter.apply(&mut pcm);
            assert!(pcm.iter().all(|sample| sample.abs() <= CEILING));
        }
    }

    #[test]
    fn quiet_sound_passes_unchanged_five_milliseconds_later() {
        let mut limiter = Limiter::default();
        let input: [f32; FRAME] = std::array::from_fn(|at| 0.2 * (at as f32 * 0.05).sin());
        let mut pcm = input;
        limiter.apply(&mut pcm);
        assert_eq!(pcm[AHEAD * STEP..], input[..FRAME - AHEAD * STEP]);
    }
}
