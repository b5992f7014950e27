//! The real clock and the real source of randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::{SecureRandom, SystemRandom as Source};
use media_core::random::Random;
use media_core::time::Nanos;
use rustix::time::{ClockId, clock_gettime};

/// CLOCK_BOOTTIME: monotonic, and counts suspend.
pub fn boottime() -> Nanos {
    let time = clock_gettime(ClockId::Boottime);
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Nanoseconds since the Unix epoch.
pub fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// The operating system's random source.
pub struct SystemRandom(Source);

impl Default for SystemRandom {
    fn default() -> SystemRandom {
        let mut random = SystemRandom(Source::new());
        // Its first use takes tens of milliseconds: not while anybody is listening.
        random.fill(&mut [0]);
        random
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out).expect("the operating system's random source never fails once seeded");
    }
}
