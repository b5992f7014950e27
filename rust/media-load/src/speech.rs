//! Sound that behaves like speech, made from a seed: syllables with a pitch and formants of their own, hisses, breaths, pauses.
//! It exercises codecs, levels and silence as a voice does, and no two seeds sound alike.

use std::f32::consts::TAU;

use media_audio::FRAME;

const RATE: f32 = 48_000.0;

/// A small generator of pseudo-random numbers (SplitMix64), so that a seed says everything.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number of `0.0..1.0`.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// A number of `low..high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + self.unit() * (high - low)
    }

    /// Whether something of probability `share` happens.
    pub fn chance(&mut self, share: f64) -> bool {
        (self.unit() as f64) < share
    }
}

impl media_core::random::Random for Dice {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Resonator {
    b: f32,
    a: [f32; 2],
    past: [f32; 2],
}

impl Resonator {
    fn tune(&mut self, frequency: f32, width: f32) {
        let radius = (-TAU / 2.0 * width / RATE).exp();
        self.a = [2.0 * radius * (TAU * frequency / RATE).cos(), -radius * radius];
        self.b = 1.0 - radius;
    }

    fn run(&mut self, input: f32) -> f32 {
        let output = self.b * input + self.a[0] * self.past[0] + self.a[1] * self.past[1];
        self.past = [output, self.past[0]];
        output
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sound {
    Vowel,
    Hiss,
    Pause,
}

/// An endless talker.
pub struct Speech {
    dice: Dice,
    pitch: f32,
    phase: f32,
    glide: f32,
    formants: [Resonator; 3],
    sound: Sound,
    left: usize,
    len: usize,
    syllables: u32,
    gain: f32,
}

impl Speech {
    /// A talker of a seed, at about −23 LUFS while talking.
    pub fn new(seed: u64) -> Speech {
        let mut dice = Dice::new(seed ^ 0x5eec);
        let pitch = dice.between(95.0, 230.0);
        let syllables = 4 + (dice.bits() % 6) as u32;
        Speech {
            dice,
            pitch,
            phase: 0.0,
            glide: 0.0,
            formants: [Resonator::default(); 3],
            sound: Sound::Pause,
            left: 480,
            len: 480,
            syllables,
            gain: 1.0,
        }
    }

    /// The same talker, louder or quieter by so many dB.
    pub fn at_level(mut self, decibels: f32) -> Speech {
        self.gain = 10f32.powf(decibels / 20.0);
        self
    }

    /// The next 20 ms.
    pub fn frame(&mut self) -> [f32; FRAME] {
        std::array::from_fn(|_| self.sample())
    }

    fn sample(&mut self) -> f32 {
        if self.left == 0 {
            self.next_sound();
        }
        self.left -= 1;
        let done = 1.0 - self.left as f32 / self.len as f32;
        let envelope = (done * 12.0).min(1.0) * ((1.0 - done) * 5.0).min(1.0);
        let noise = self.dice.unit() - 0.5;
        let sound = match self.sound {
            Sound::Pause => return noise * 2e-5 * self.gain,
            Sound::Hiss => 3.0 * (noise - self.formants[2].run(noise)),
            Sound::Vowel => {
                self.phase += (self.pitch * (1.0 + self.glide * done)) / RATE;
                self.phase -= self.phase.floor();
                // A glottal pulse: open for the first 60 % of a period, falling faster than it rises.
                let pulse = if self.phase < 0.6 { (self.phase / 0.6).powi(2) * (1.0 - self.phase / 0.6) * 6.0 } else { 0.0 } - 0.3;
                let [first, second, third] = &mut self.formants;
                8.0 * first.run(pulse) + 5.0 * second.run(pulse) + 3.0 * third.run(pulse) + 0.01 * noise
            }
        };
        (0.0085 * sound * envelope * self.gain).clamp(-0.99, 0.99)
    }

    fn next_sound(&mut self) {
        let dice = &mut self.dice;
        self.sound = match self.sound {
            Sound::Hiss => Sound::Vowel,
            _ if self.syllables == 0 => Sound::Pause,
            _ if dice.chance(0.35) => Sound::Hiss,
            _ => Sound::Vowel,
        };
        let milliseconds = match self.sound {
            Sound::Vowel => {
                self.syllables -= 1;
                self.glide = dice.between(-0.25, 0.2);
                let formants =
                    [(dice.between(280.0, 800.0), 90.0), (dice.between(900.0, 2200.0), 120.0), (dice.between(2400.0, 3000.0), 180.0)];
                self.formants.iter_mut().zip(formants).for_each(|(formant, (frequency, width))| formant.tune(frequency, width));
                dice.between(110.0, 260.0)
            }
            Sound::Hiss => dice.between(50.0, 110.0),
            Sound::Pause => {
                self.syllables = 5 + (dice.bits() % 8) as u32;
                dice.between(250.0, 600.0)
            }
        };
        self.len = (milliseconds * RATE / 1000.0) as usize;
        self.left = self.len;
    }
}

#[cfg(test)]
mod tests {
    use media_audio::level::loudness;

    use super::*;

    #[test]
    fn talkers_are_loud_enough_differ_and_breathe() {
        let sound = |seed| {
            let mut speech = Speech::new(seed);
            (0..500).flat_map(|_| speech.frame()).collect::<Vec<f32>>()
        };
        for seed in 0..8 {
            let said = sound(seed);
            eprintln!("{seed} {}", loudness(&said));
            assert!((-32.0..-14.0).contains(&loudness(&said)), "seed {seed}: {}", loudness(&said));
            assert!(said.iter().all(|sample| sample.abs() < 1.0));
            let silent = said.chunks(960).filter(|frame| frame.iter().all(|sample| sample.abs() < 1e-3)).count();
            assert!((20..300).contains(&silent), "seed {seed}: {silent} of 500 frames are silent");
        }
        assert_ne!(sound(1), sound(2));
        assert_eq!(sound(3), sound(3));
    }
}
