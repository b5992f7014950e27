//! The words a region is made of: atomics that a process may die between. Every write passes here, so that a simulation can
//! stop the world after any one of them.

use std::sync::atomic::{
    AtomicU8, AtomicU16, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $atomic:ty, $value:ty) => {
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Default)]
        pub(crate) struct $name($atomic);

        #[allow(dead_code)] // Not every width needs every operation.
        impl $name {
            pub(crate) fn new(value: $value) -> $name {
                $name(<$atomic>::new(value))
            }

            /// Reads; what was written before a `publish` of this value is visible.
            pub(crate) fn get(&self) -> $value {
                self.0.load(Acquire)
            }

            /// Writes, in no order with other words.
            pub(crate) fn set(&self, value: $value) {
                self.0.store(value, Relaxed);
                touched();
            }

            /// Writes after everything written before.
            pub(crate) fn publish(&self, value: $value) {
                self.0.store(value, Release);
                touched();
            }

            /// Adds; returns what was there.
            pub(crate) fn add(&self, value: $value) -> $value {
                let before = self.0.fetch_add(value, AcqRel);
                touched();
                before
            }

            /// Never goes back.
            pub(crate) fn raise(&self, value: $value) {
                self.0.fetch_max(value, AcqRel);
                touched();
            }

            /// Writes; returns what was there.
            pub(crate) fn swap(&self, value: $value) -> $value {
                let before = self.0.swap(value, AcqRel);
                touched();
                before
            }
        }
    };
}

word!(U8, AtomicU8, u8);
word!(U16, AtomicU16, u16);
word!(U32, AtomicU32, u32);
word!(U64, AtomicU64, u64);

/// `N` bytes of shared memory. Whoever reads them decides by other words (state, checksum) whether they are whole.
#[repr(transparent)]
pub(crate) struct Bytes<const N: usize>([AtomicU8; N]);

impl<const N: usize> Bytes<N> {
    /// A copy of the bytes.
    pub(crate) fn load(&self) -> [u8; N] {
        std::array::from_fn(|at| self.0[at].load(Relaxed))
    }

    /// Writes `value` and zeroes the rest; what does not fit is cut.
    pub(crate) fn store(&self, value: &[u8]) {
        for (at, byte) in self.0.iter().enumerate() {
            byte.store(value.get(at).copied().unwrap_or(0), Relaxed);
            if at == N / 2 {
                touched();
            }
        }
        touched();
    }

    /// Writes `value` at the start and leaves the rest.
    pub(crate) fn store_front(&self, value: &[u8]) {
        self.0.iter().zip(value).for_each(|(byte, value)| byte.store(*value, Relaxed));
        touched();
    }
}

#[cfg(feature = "simulation")]
thread_local! {
    static WATCH: std::cell::RefCell<Option<Box<dyn FnMut()>>> = const { std::cell::RefCell::new(None) };
}

/// Calls `watch` after every write to any region by this thread, until replaced. For simulations of a crash between two writes.
#[cfg(feature = "simulation")]
pub fn watch(watch: Option<Box<dyn FnMut()>>) {
    WATCH.with(|cell| *cell.borrow_mut() = watch);
}

#[cfg(feature = "simulation")]
fn touched() {
    WATCH.with(|cell| {
        if let Ok(mut watch) = cell.try_borrow_mut()
            && let Some(watch) = watch.as_mut()
        {
            watch();
        }
    });
}

#[cfg(not(feature = "simulation"))]
#[inline(always)]
fn touched() {}
