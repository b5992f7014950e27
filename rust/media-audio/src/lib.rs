//! Sound, sans-IO: the Opus codec, jitter buffers, levelling, the mix and the programme encoder.

mod jitter;
pub mod level;
pub mod limiter;
pub mod opus;
mod programme;
mod transit;
mod voice;

pub use jitter::{Jitter, Packet, Pushed};
pub use opus::OpusError;
pub use programme::{Frame, Programme, Source};
pub use voice::{Heard, Voice, VoiceStats};

/// Samples a second, everywhere.
pub const RATE: u32 = 48_000;
/// Samples of one 20 ms frame.
pub const FRAME: usize = 960;
/// −dBov of silence (RFC 6464).
pub const SILENT: u8 = 127;

/// The media clock: 48 kHz samples of the server's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Samples(pub u64);

impl Samples {
    /// From `earlier` to this moment, negative if it is later.
    pub fn since(self, earlier: Samples) -> i64 {
        self.0.wrapping_sub(earlier.0) as i64
    }
}
