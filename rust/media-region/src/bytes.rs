//! Fixed byte arrays in shared memory, read and written one atomic byte at a time so that a torn write is never undefined behaviour.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// `N` bytes of shared memory. Whoever reads them decides by other words (state, checksum) whether they are whole.
#[repr(transparent)]
pub struct Bytes<const N: usize>([AtomicU8; N]);

impl<const N: usize> Bytes<N> {
    /// A copy of the bytes.
    pub fn load(&self) -> [u8; N] {
        std::array::from_fn(|at| self.0[at].load(Relaxed))
    }

    /// Writes `value` and zeroes the rest; what does not fit is cut.
    pub fn store(&self, value: &[u8]) {
        for (at, byte) in self.0.iter().enumerate() {
            byte.store(value.get(at).copied().unwrap_or(0), Relaxed);
        }
    }
}
