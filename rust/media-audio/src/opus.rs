//! A thin safe wrapper over libopus (RFC 6716): the only unsafe code of this crate.

use std::ptr::NonNull;

use opusic_sys as sys;
use thiserror::Error;

/// The longest packet: 120 ms.
pub const MAX_SAMPLES: usize = 5760;
/// The most frames in a packet.
const MAX_FRAMES: usize = 48;
/// The longest encoded frame ever asked for.
pub const MAX_PAYLOAD: usize = 1275;

/// What libopus said no to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpusError {
    /// No memory for a codec.
    #[error("libopus could not make a codec")]
    Create,
    /// Not an Opus packet.
    #[error("not a valid Opus packet")]
    Packet,
    /// The buffers do not fit each other.
    #[error("a buffer has the wrong size for Opus")]
    Buffer,
}

/// Samples at 48 kHz that a packet decodes to. The whole packet is parsed (RFC 6716 §3.4), not its first byte believed: what
/// passes here is forwarded to other people's decoders.
pub fn duration(packet: &[u8]) -> Result<usize, OpusError> {
    let len = i32::try_from(packet.len()).map_err(|_| OpusError::Packet)?;
    if len == 0 {
        return Err(OpusError::Packet);
    }
    let mut sizes = [0i16; MAX_FRAMES];
    // SAFETY: the pointer and length are of one live slice that is not empty; libopus writes at most 48 sizes and accepts null
    // for what is not wanted.
    let (frames, samples) = unsafe {
        let none = std::ptr::null_mut();
        let frames = sys::opus_packet_parse(packet.as_ptr(), len, std::ptr::null_mut(), none, sizes.as_mut_ptr(), std::ptr::null_mut());
        (frames, sys::opus_packet_get_samples_per_frame(packet.as_ptr(), 48_000))
    };
    let samples = usize::try_from(frames).ok().zip(usize::try_from(samples).ok()).map(|(frames, samples)| frames * samples);
    samples.filter(|samples| (1..=MAX_SAMPLES).contains(samples)).ok_or(OpusError::Packet)
}

/// Whether a packet carries the one before it as in-band FEC (LBRR).
pub fn has_fec(packet: &[u8]) -> bool {
    let Ok(len) = i32::try_from(packet.len()) else { return false };
    // SAFETY: the pointer and length are of one live slice; libopus refuses an empty one.
    len > 0 && unsafe { sys::opus_packet_has_lbrr(packet.as_ptr(), len) } == 1
}

/// A mono decoder at 48 kHz.
pub struct Decoder(NonNull<sys::OpusDecoder>);

// SAFETY: a libopus state has no thread affinity; `&mut self` guards every use.
unsafe impl Send for Decoder {}

impl Decoder {
    /// A fresh decoder.
    pub fn new() -> Result<Decoder, OpusError> {
        let mut error = 0;
        // SAFETY: `error` outlives the call.
        let state = unsafe { sys::opus_decoder_create(48_000, 1, &mut error) };
        NonNull::new(state).filter(|_| error == 0).map(Decoder).ok_or(OpusError::Create)
    }

    /// Decodes a packet; `out` must hold its duration. Returns the samples written.
    pub fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, OpusError> {
        if duration(packet)? > out.len() {
            return Err(OpusError::Buffer);
        }
        self.run(Some(packet), out, 0)
    }

    /// Recovers the frame before `next` from its in-band FEC (or conceals it if there is none); `out` is exactly the lost duration.
    pub fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, OpusError> {
        self.run(Some(next), out, 1)
    }

    /// Conceals a loss of exactly `out.len()` samples (a multiple of 2.5 ms).
    pub fn conceal(&mut self, out: &mut [f32]) -> Result<usize, OpusError> {
        self.run(None, out, 0)
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        // SAFETY: the state is live; this request takes no argument.
        unsafe { sys::opus_decoder_ctl(self.0.as_ptr(), sys::OPUS_RESET_STATE) };
    }

    fn run(&mut self, packet: Option<&[u8]>, out: &mut [f32], fec: i32) -> Result<usize, OpusError> {
        let (data, len) = packet.map_or((std::ptr::null(), 0), |packet| (packet.as_ptr(), packet.len()));
        let len = i32::try_from(len).map_err(|_| OpusError::Packet)?;
        let room = i32::try_from(out.len().min(MAX_SAMPLES)).map_err(|_| OpusError::Buffer)?;
        // SAFETY: the state is live; `data` is null with length 0 or a live slice; libopus writes at most `room` mono samples.
        let samples = unsafe { sys::opus_decode_float(self.0.as_ptr(), data, len, out.as_mut_ptr(), room, fec) };
        usize::try_from(samples).map_err(|_| OpusError::Packet)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the state was made by `new` and is dropped once.
        unsafe { sys::opus_decoder_destroy(self.0.as_ptr()) };
    }
}

/// How to encode.
#[derive(Debug, Clone, Copy)]
pub struct EncoderSettings {
    /// Bits a second.
    pub bitrate: i32,
    /// 0–10.
    pub complexity: i32,
    /// Expected loss in percent: how much in-band FEC to add.
    pub loss: i32,
    /// Next to nothing in silence.
    pub dtx: bool,
}

/// A mono encoder at 48 kHz.
pub struct Encoder(NonNull<sys::OpusEncoder>);

// SAFETY: as for `Decoder`.
unsafe impl Send for Encoder {}

impl Encoder {
    /// An encoder for any sound: OPUS_APPLICATION_AUDIO, so that music and tones pass as well as speech.
    pub fn new(settings: EncoderSettings) -> Result<Encoder, OpusError> {
        let mut error = 0;
        // SAFETY: `error` outlives the call.
        let state = unsafe { sys::opus_encoder_create(48_000, 1, sys::OPUS_APPLICATION_AUDIO, &mut error) };
        let state = NonNull::new(state).filter(|_| error == 0).ok_or(OpusError::Create)?;
        let encoder = Encoder(state);
        for (request, value) in [
            (sys::OPUS_SET_BITRATE_REQUEST, settings.bitrate),
            (sys::OPUS_SET_COMPLEXITY_REQUEST, settings.complexity),
            (sys::OPUS_SET_INBAND_FEC_REQUEST, 1),
            (sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST, settings.loss),
            (sys::OPUS_SET_DTX_REQUEST, i32::from(settings.dtx)),
        ] {
            // SAFETY: the state is live; each of these requests takes one opus_int32.
            if unsafe { sys::opus_encoder_ctl(encoder.0.as_ptr(), request, value) } != 0 {
                return Err(OpusError::Create);
            }
        }
        Ok(encoder)
    }

    /// Encodes one frame (2.5 to 60 ms of samples); returns the bytes written.
    pub fn encode(&mut self, pcm: &[f32], out: &mut [u8]) -> Result<usize, OpusError> {
        let samples = i32::try_from(pcm.len()).map_err(|_| OpusError::Buffer)?;
        let room = i32::try_from(out.len().min(MAX_PAYLOAD)).map_err(|_| OpusError::Buffer)?;
        // SAFETY: the state is live; libopus reads `samples` mono samples and writes at most `room` bytes.
        let len = unsafe { sys::opus_encode_float(self.0.as_ptr(), pcm.as_ptr(), samples, out.as_mut_ptr(), room) };
        usize::try_from(len).map_err(|_| OpusError::Buffer)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state was made by `new` and is dropped once.
        unsafe { sys::opus_encoder_destroy(self.0.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tone_survives() {
        let mut encoder = Encoder::new(EncoderSettings { bitrate: 32_000, complexity: 5, loss: 3, dtx: true }).unwrap();
        let mut decoder = Decoder::new().unwrap();
        let (mut payload, mut pcm, mut energy) = ([0; MAX_PAYLOAD], [0.0; 960], 0.0);
        for frame in 0..50 {
            let tone: Vec<f32> =
                (0..960).map(|at| 0.3 * ((frame * 960 + at) as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin()).collect();
            let len = encoder.encode(&tone, &mut payload).unwrap();
            assert_eq!(duration(&payload[..len]), Ok(960));
            assert_eq!(decoder.decode(&payload[..len], &mut pcm), Ok(960));
            energy = pcm.iter().map(|sample| sample * sample).sum::<f32>() / 960.0;
        }
        assert!((energy - 0.045).abs() < 0.01, "{energy}");
    }

    proptest! {
        #[test]
        fn hostile_packets_are_errors_at_worst(packet in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut decoder = Decoder::new().unwrap();
            let mut out = vec![0.0; MAX_SAMPLES];
            let _ = decoder.decode(&packet, &mut out);
            if !packet.is_empty() {
                let _ = decoder.recover(&packet, &mut out[..960]);
            }
            let _ = decoder.conceal(&mut out[..960]);
        }
    }
}
