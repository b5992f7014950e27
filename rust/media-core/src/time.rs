//! Time as an argument: nanoseconds of a monotonic clock that counts suspend, and the media clock derived from it.

/// Nanoseconds of CLOCK_BOOTTIME.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Nanos(pub u64);

/// One millisecond in nanoseconds.
pub const MILLISECOND: u64 = 1_000_000;
/// One second in nanoseconds.
pub const SECOND: u64 = 1_000_000_000;

impl Nanos {
    /// The far future.
    pub const NEVER: Nanos = Nanos(u64::MAX);

    /// This moment and `nanos` more.
    pub fn after(self, nanos: u64) -> Nanos {
        Nanos(self.0.saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to this moment; 0 if it is later.
    pub fn since(self, earlier: Nanos) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The media clock: 48 kHz samples. A pure function of the monotonic clock, so that no crash can lose its anchor.
    pub fn samples(self) -> u64 {
        (u128::from(self.0) * 48 / 1_000_000) as u64
    }

    /// The moment of a media clock sample, rounded up.
    pub fn of_samples(samples: u64) -> Nanos {
        Nanos((u128::from(samples) * 1_000_000).div_ceil(48) as u64)
    }
}
