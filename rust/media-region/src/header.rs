//! What stands once per region: who holds it, whether they live, the certificate, the frame in flight.

use crate::fanout::FanOut;
use crate::word::{Bytes, U32, U64};

/// Deaths within this many nanoseconds that end the sessions rather than go on (rule 5).
const STORM: u64 = 10_000_000_000;
const DEATHS: usize = 3;

/// How a process came to hold the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// The first one, or after one that left by itself.
    Calm,
    /// After a death.
    Death,
    /// After the third death over a peer's bytes within 10 s: what is in there kills.
    Storm,
}

/// The header. The supervisor reads `heartbeat` at byte 32 of the file without knowing anything else of the layout.
#[repr(C)]
pub struct Header {
    pub(crate) magic: U64,
    pub(crate) layout: U32,
    pub(crate) capacity: U32,
    generation: U32,
    certificate_len: U32,
    key_len: U32,
    handling: U32,
    heartbeat: U64,
    certificate: Bytes<2048>,
    private_key: Bytes<1024>,
    deaths: [U64; DEATHS],
    api_lost: U64,
    died: U32,
    left: U32,
    records_used: U32,
    seats_used: U32,
    fan_out: FanOut,
}

/// Where the supervisor reads the heartbeat.
pub const HEARTBEAT_OFFSET: usize = 32;
const _: () = assert!(std::mem::offset_of!(Header, heartbeat) == HEARTBEAT_OFFSET);

impl Header {
    /// How many processes have held the fence.
    pub fn generation(&self) -> u32 {
        self.generation.get()
    }

    /// Counts a new holder of the fence, and whether the last one died. Only deaths over a peer's bytes make a storm: whoever was
    /// killed from outside says nothing of what is in here, and the supervisor, which knows why a process ended, judges the rest.
    pub fn take_over(&self, now: u64) -> Takeover {
        let first = self.generation.add(1) == 0;
        let left = self.left.swap(0) == 1;
        if first || left {
            return Takeover::Calm;
        }
        if self.handling.get() == 0 {
            return Takeover::Death;
        }
        let died = self.died.add(1) as usize;
        self.deaths[died % DEATHS].set(now);
        let oldest = self.deaths[(died + 1) % DEATHS].get();
        if died + 1 < DEATHS || now.saturating_sub(oldest) > STORM {
            return Takeover::Death;
        }
        self.died.set(0);
        Takeover::Storm
    }

    /// Forgets earlier deaths, so that a simulation may have many.
    #[cfg(feature = "simulation")]
    pub fn forgive(&self) {
        self.died.set(0);
    }

    /// The holder leaves by itself: its end is no death.
    pub fn leave(&self) {
        self.left.publish(1);
    }

    /// Nanoseconds at which the holder last said it lives.
    pub fn heartbeat(&self) -> u64 {
        self.heartbeat.get()
    }

    /// Says that the holder lives.
    pub fn beat(&self, now: u64) {
        self.heartbeat.publish(now);
    }

    /// When the api was last lost; 0 while one is there.
    pub fn api_lost(&self) -> u64 {
        self.api_lost.get()
    }

    /// Remembers that the api is gone since `when`, or with 0 that it is there.
    pub fn set_api_lost(&self, when: u64) {
        self.api_lost.publish(when);
    }

    /// Names the record whose peer's bytes are being handled, or none (rule 5).
    pub fn set_handling(&self, slot: Option<u32>) {
        self.handling.publish(slot.map_or(0, |slot| slot + 1));
    }

    /// The record that was being handled when the last holder died, if any; cleared by reading.
    pub fn take_handling(&self) -> Option<u32> {
        self.handling.swap(0).checked_sub(1)
    }

    /// Records below this one may have been used; those above have never been touched.
    pub fn records_used(&self) -> usize {
        self.records_used.get() as usize
    }

    /// `record` is about to be used for the first time.
    pub fn use_record(&self, record: u32) {
        self.records_used.raise(record + 1);
    }

    /// Seats below this one may have been used.
    pub fn seats_used(&self) -> usize {
        self.seats_used.get() as usize
    }

    /// `seat` is about to be used for the first time.
    pub fn use_seat(&self, seat: u32) {
        self.seats_used.raise(seat + 1);
    }

    /// The programme frame in flight.
    pub fn fan_out(&self) -> &FanOut {
        &self.fan_out
    }

    /// The DTLS certificate and private key (DER), made once for all generations.
    pub fn certificate(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (certificate, key) = (self.certificate_len.get() as usize, self.key_len.get() as usize);
        (certificate > 0 && certificate <= 2048 && key <= 1024)
            .then(|| (self.certificate.load()[..certificate].to_vec(), self.private_key.load()[..key].to_vec()))
    }

    /// Keeps the certificate for successors. Too long a one is refused.
    pub fn set_certificate(&self, certificate: &[u8], key: &[u8]) -> bool {
        if certificate.len() > 2048 || key.len() > 1024 {
            return false;
        }
        self.certificate.store(certificate);
        self.private_key.store(key);
        self.key_len.set(key.len() as u32);
        self.certificate_len.publish(certificate.len() as u32);
        true
    }
}
