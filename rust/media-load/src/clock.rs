//! The clocks a load generator reads, and the random bytes it needs.

use std::time::Instant;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use media_core::dtls::DtlsSetup;
use media_core::random::Random;
use media_core::time::Nanos;
use rustix::time::{ClockId, clock_gettime};

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CLOCK_BOOTTIME: what peers are told the time in.
pub fn now() -> Nanos {
    Nanos(read(ClockId::Boottime))
}

/// Nanoseconds since the Unix epoch: what the kernel stamps datagrams with.
pub fn wall() -> u64 {
    read(ClockId::Realtime)
}

/// CPU nanoseconds that the calling thread has used.
pub fn thread_cpu() -> u64 {
    read(ClockId::ThreadCPUTime)
}

/// CPU nanoseconds that this process has used.
pub fn process_cpu() -> u64 {
    read(ClockId::ProcessCPUTime)
}

/// Nanoseconds that the calling thread could have run and did not get a core; 0 where the kernel does not count them.
pub fn waited_for_core() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// The operating system's random source.
pub struct Entropy(SystemRandom);

impl Entropy {
    /// Ready to use.
    pub fn new() -> Entropy {
        Entropy(SystemRandom::new())
    }
}

impl Random for Entropy {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out).expect("the operating system's random source never fails once seeded");
    }
}

/// A certificate of our own, and DTLS tied to `now`.
pub fn dtls() -> Result<DtlsSetup, String> {
    let (certificate, key) = DtlsSetup::make_certificate().ok_or("no certificate could be made")?;
    DtlsSetup::new(certificate, key, (now(), Instant::now())).map_err(|error| format!("DTLS cannot be set up: {error}"))
}
