//! What a speaker says: a file, a tone, or babble.

use std::f32::consts::TAU;

use media_audio::FRAME;
use media_load::speech::Speech;

/// Peak of a tone at level 0: −20 dBFS.
const TONE: f32 = 0.1;

/// An endless source of 20 ms frames.
pub enum Sound {
    /// A file, over and over.
    Wav {
        /// Its samples.
        samples: Vec<f32>,
        /// The next one.
        at: usize,
    },
    /// A sine.
    Tone {
        /// Hertz.
        frequency: f32,
        /// Peak.
        amplitude: f32,
        /// Of a period.
        phase: f32,
    },
    /// Synthetic speech.
    Babble(Box<Speech>),
}

impl Sound {
    /// A sine, `level` dB louder than −20 dBFS.
    pub fn tone(frequency: f32, level: f32) -> Sound {
        Sound::Tone { frequency, amplitude: TONE * gain(level), phase: 0.0 }
    }

    /// Speech of a seed, `level` dB louder than usual.
    pub fn babble(seed: u64, level: f32) -> Sound {
        Sound::Babble(Box::new(Speech::new(seed).at_level(level)))
    }

    /// A WAV file's samples, `level` dB louder.
    pub fn wav(file: &[u8], level: f32) -> Result<Sound, String> {
        let mut samples = read_wav(file)?;
        samples.iter_mut().for_each(|sample| *sample = (*sample * gain(level)).clamp(-1.0, 1.0));
        Ok(Sound::Wav { samples, at: 0 })
    }

    /// The next 20 ms.
    pub fn frame(&mut self) -> [f32; FRAME] {
        match self {
            Sound::Babble(speech) => speech.frame(),
            Sound::Wav { samples, at } => std::array::from_fn(|_| {
                let sample = samples[*at];
                *at = (*at + 1) % samples.len();
                sample
            }),
            Sound::Tone { frequency, amplitude, phase } => std::array::from_fn(|_| {
                *phase = (*phase + *frequency / 48_000.0).fract();
                *amplitude * (*phase * TAU).sin()
            }),
        }
    }
}

fn gain(decibels: f32) -> f32 {
    10f32.powf(decibels / 20.0)
}

/// The chunks of a RIFF file.
fn chunks(file: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = file.get(12..).unwrap_or(&[]);
    std::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(8)?;
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        // A file that was still being written, or piped, claims more than it has.
        let body = &after[..len.min(after.len())];
        rest = after.get(len + len % 2..).unwrap_or(&[]);
        Some((&head[..4], body))
    })
}

/// 48 kHz, 16 bits, one channel or two mixed to one.
fn read_wav(file: &[u8]) -> Result<Vec<f32>, String> {
    let riff = file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WAVE");
    let find = |name: &[u8]| chunks(file).find(|(found, _)| *found == name).map(|(_, body)| body);
    let (Some(format), Some(data), true) = (find(b"fmt ").filter(|format| format.len() >= 16), find(b"data"), riff) else {
        return Err("not a WAV file".to_owned());
    };
    let short = |at: usize| u16::from_le_bytes([format[at], format[at + 1]]);
    let (channels, rate, bits) = (usize::from(short(2)), u32::from(short(4)) | u32::from(short(6)) << 16, short(14));
    if !(1..=2).contains(&channels) || rate != 48_000 || bits != 16 {
        return Err(format!(
            "{rate} Hz, {bits} bits, {channels} channels: a WAV file of 48,000 Hz, 16 bits and one or two channels is needed"
        ));
    }
    let sample = |pair: &[u8]| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0;
    let frame = |frame: &[u8]| frame.chunks_exact(2).map(sample).sum::<f32>() / channels as f32;
    let samples: Vec<f32> = data.chunks_exact(2 * channels).map(frame).collect();
    if samples.is_empty() { Err("the WAV file is empty".to_owned()) } else { Ok(samples) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(channels: u16, rate: u32, samples: &[i16]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVEjunk\x01\0\0\0x\0fmt \x10\0\0\0\x01\0".to_vec();
        file.extend(channels.to_le_bytes());
        file.extend(rate.to_le_bytes());
        file.extend([0; 6]);
        file.extend(16u16.to_le_bytes());
        file.extend(b"data");
        file.extend((samples.len() as u32 * 2).to_le_bytes());
        file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        file
    }

    #[test]
    fn wav_files_are_read_and_repeated() {
        let mut sound = Sound::wav(&wav(2, 48_000, &[16_384, 0, -16_384, -16_384]), 0.0).unwrap();
        let frame = sound.frame();
        assert_eq!(frame[..4], [0.25, -0.5, 0.25, -0.5]);
        assert!(Sound::wav(&wav(1, 44_100, &[1]), 0.0).is_err() && Sound::wav(&wav(1, 48_000, &[]), 0.0).is_err());
        let file = wav(1, 48_000, &[1, 2, 3]);
        for len in 0..file.len() {
            let _ = Sound::wav(&file[..len], 0.0);
        }
    }

    #[test]
    fn a_tone_has_its_pitch_and_level() {
        let mut tone = Sound::tone(500.0, -6.0);
        let samples: Vec<f32> = (0..50).flat_map(|_| tone.frame()).collect();
        let rises = samples.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        assert!((499..=501).contains(&rises), "{rises}");
        assert!((samples.iter().copied().fold(0.0, f32::max) - 0.05).abs() < 0.001);
    }
}
