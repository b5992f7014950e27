//! One person in one Space, as the media core must remember them across sessions and crashes: the deny epoch and the grant.

use crate::word::{Bytes, U32, U64};

/// Space and owner, zero-padded.
pub type SeatKey = ([u8; 16], [u8; 24]);

/// A seat word. `epoch` is the log position of the last deny; anything authorised before it loses (rule 10).
#[repr(C, align(64))]
pub struct Seat {
    state: U32,
    csrc: U32,
    epoch: U64,
    expires: U64,
    since: U64,
    space: Bytes<16>,
    owner: Bytes<24>,
}

impl Seat {
    /// Whose it is; `None` when free.
    pub fn key(&self) -> Option<SeatKey> {
        (self.state.get() == 1).then(|| (self.space.load(), self.owner.load()))
    }

    /// Takes a free word for `key`, closed.
    pub fn claim(&self, key: SeatKey) {
        self.epoch.set(0);
        self.expires.set(0);
        self.csrc.set(0);
        self.space.store(&key.0);
        self.owner.store(&key.1);
        self.state.publish(1);
    }

    /// Forgets everything.
    pub fn release(&self) {
        self.state.publish(0);
    }

    /// The log position of the last deny.
    pub fn epoch(&self) -> u64 {
        self.epoch.get()
    }

    /// Never goes back.
    pub fn raise_epoch(&self, seq: u64) {
        self.epoch.raise(seq);
    }

    /// When the grant ends, in nanoseconds of the monotonic clock; 0 is closed.
    pub fn expires(&self) -> u64 {
        self.expires.get()
    }

    /// When the grant began: audio captured earlier never surfaces (rule 12).
    pub fn since(&self) -> u64 {
        self.since.get()
    }

    /// The seat's number on the wire.
    pub fn csrc(&self) -> u32 {
        self.csrc.get()
    }

    /// Opens the grant, or renews it if it is open.
    pub fn grant(&self, csrc: u32, now: u64, expires: u64) {
        if self.expires() <= now {
            self.since.publish(now);
        }
        self.csrc.set(csrc);
        self.expires.publish(expires);
    }

    /// Lets a grant that stands go on until `expires`; when it began does not change.
    pub fn extend(&self, expires: u64) {
        self.expires.publish(expires);
    }

    /// Closes the grant.
    pub fn close(&self) {
        self.expires.publish(0);
    }
}
