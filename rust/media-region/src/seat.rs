//! One person in one Space, as the media core must remember them across sessions and crashes: the deny epoch and the grant.

use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use crate::bytes::Bytes;

/// Space and owner, zero-padded.
pub type SeatKey = ([u8; 16], [u8; 24]);

/// A seat word. `epoch` is the log position of the last deny; anything authorised before it loses (rule 10).
#[repr(C, align(64))]
pub struct Seat {
    state: AtomicU32,
    csrc: AtomicU32,
    epoch: AtomicU64,
    expires: AtomicU64,
    since: AtomicU64,
    space: Bytes<16>,
    owner: Bytes<24>,
}

impl Seat {
    /// Whose it is; `None` when free.
    pub fn key(&self) -> Option<SeatKey> {
        (self.state.load(Acquire) == 1).then(|| (self.space.load(), self.owner.load()))
    }

    /// Takes a free word for `key`, closed.
    pub fn claim(&self, key: SeatKey) {
        self.epoch.store(0, Relaxed);
        self.expires.store(0, Relaxed);
        self.csrc.store(0, Relaxed);
        self.space.store(&key.0);
        self.owner.store(&key.1);
        self.state.store(1, Release);
    }

    /// Forgets everything.
    pub fn release(&self) {
        self.state.store(0, Release);
    }

    /// The log position of the last deny.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Acquire)
    }

    /// Never goes back.
    pub fn raise_epoch(&self, seq: u64) {
        self.epoch.fetch_max(seq, AcqRel);
    }

    /// When the grant ends, in nanoseconds of the monotonic clock; 0 is closed.
    pub fn expires(&self) -> u64 {
        self.expires.load(Acquire)
    }

    /// When the grant began: audio captured earlier never surfaces (rule 12).
    pub fn since(&self) -> u64 {
        self.since.load(Acquire)
    }

    /// The seat's number on the wire.
    pub fn csrc(&self) -> u32 {
        self.csrc.load(Relaxed)
    }

    /// Opens or renews the grant.
    pub fn grant(&self, csrc: u32, now: u64, expires: u64) {
        if self.expires() <= now {
            self.since.store(now, Release);
        }
        self.csrc.store(csrc, Relaxed);
        self.expires.store(expires, Release);
    }

    /// Closes the grant.
    pub fn close(&self) {
        self.expires.store(0, Release);
    }
}
