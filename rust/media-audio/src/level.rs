//! Loudness: how loud a frame is, how loud a speaker is, and the slow gain that evens speakers out (ITU-R BS.1770 weighting).

use crate::{FRAME, SILENT};

/// Where every speaker is brought to, in LUFS.
const GOAL: f32 = -19.0;
/// The most it may change them, in dB.
const RANGE: f32 = 12.0;
/// Frames quieter than this, or this far below the speaker's own loudness, teach nothing: silence must not be turned up.
const FLOOR: f32 = -52.0;
const GATE: f32 = 12.0;
/// Decibels a frame that the gain may move.
const SLEW: f32 = 0.24;

/// −dBov of a frame, 0–127 (RFC 6464), from its decoded energy.
pub fn dbov(pcm: &[f32]) -> u8 {
    let square = mean_square(pcm);
    if square < 1e-12 { SILENT } else { (-10.0 * square.log10()).clamp(0.0, f32::from(SILENT)).round() as u8 }
}

fn mean_square(pcm: &[f32]) -> f32 {
    pcm.iter().map(|sample| sample * sample).sum::<f32>() / pcm.len().max(1) as f32
}

#[derive(Clone, Copy)]
struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
    state: [f32; 2],
}

impl Biquad {
    fn run(&mut self, input: f32) -> f32 {
        let output = self.b[0] * input + self.state[0];
        self.state[0] = self.b[1] * input - self.a[0] * output + self.state[1];
        self.state[1] = self.b[2] * input - self.a[1] * output;
        output
    }
}

/// One speaker's loudness and gain.
pub struct Leveller {
    shelf: Biquad,
    high_pass: Biquad,
    power: f32,
    heard: u32,
    gain: f32,
}

impl Default for Leveller {
    fn default() -> Leveller {
        Leveller {
            // BS.1770-4 tables 1 and 2, for 48 kHz.
            shelf: Biquad { b: [1.535_124_9, -2.691_696_2, 1.198_392_8], a: [-1.690_659_3, 0.732_480_77], state: [0.0; 2] },
            high_pass: Biquad { b: [1.0, -2.0, 1.0], a: [-1.990_047_5, 0.990_072_25], state: [0.0; 2] },
            power: 0.0,
            heard: 0,
            gain: 0.0,
        }
    }
}

impl Leveller {
    /// Learns from a frame and applies the gain to it, ramping inside the frame. Returns the gain in dB.
    pub fn apply(&mut self, pcm: &mut [f32; FRAME]) -> f32 {
        let before = self.gain;
        self.learn(pcm);
        let (from, to) = (amplitude(before), amplitude(self.gain));
        let step = (to - from) / FRAME as f32;
        pcm.iter_mut().zip(0u16..).for_each(|(sample, at)| *sample *= from + step * f32::from(at));
        self.gain
    }

    fn learn(&mut self, pcm: &[f32; FRAME]) {
        let mut weighted = 0.0;
        for sample in pcm {
            let sample = self.high_pass.run(self.shelf.run(*sample));
            weighted += sample * sample;
        }
        weighted /= FRAME as f32;
        let loudness = lufs(weighted);
        if loudness < FLOOR || self.heard > 0 && loudness < lufs(self.power) - GATE {
            // Someone who was loud and is now far: let the estimate sink slowly, so that the gate cannot lock them out.
            if loudness > FLOOR {
                self.power *= 0.997;
            }
            return;
        }
        self.heard = self.heard.saturating_add(1);
        // Quick at first, then over about 3 s.
        let weight = (1.0 / self.heard as f32).max(1.0 / 150.0);
        self.power += (weighted - self.power) * weight;
        let goal = (GOAL - lufs(self.power)).clamp(-RANGE, RANGE);
        let slew = if self.heard < 50 { 4.0 * SLEW } else { SLEW };
        self.gain += (goal - self.gain).clamp(-slew, slew);
    }
}

fn lufs(power: f32) -> f32 {
    -0.691 + 10.0 * power.max(1e-12).log10()
}

fn amplitude(decibels: f32) -> f32 {
    10f32.powf(decibels / 20.0)
}

/// Integrated loudness of `pcm` without gating, in LUFS; for tests and reports.
pub fn loudness(pcm: &[f32]) -> f32 {
    let mut leveller = Leveller::default();
    let power = pcm.iter().map(|sample| leveller.high_pass.run(leveller.shelf.run(*sample)).powi(2)).sum::<f32>();
    lufs(power / pcm.len().max(1) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_scale_sine_of_1_khz_is_about_minus_3_lufs() {
        let sine: Vec<f32> = (0..48_000).map(|at| (at as f32 * 1000.0 * std::f32::consts::TAU / 48_000.0).sin()).collect();
        assert!((loudness(&sine) + 3.0).abs() < 0.1, "{}", loudness(&sine));
        assert_eq!(dbov(&sine[..960]), 3);
        assert_eq!(dbov(&[0.0; 960]), SILENT);
    }
}
