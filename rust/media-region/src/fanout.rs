//! The programme frame that is being sent to an audience, so that a successor can finish the tick (safety rule 2).

use crate::word::{Bytes, U32};

/// The most packets between two flushes to the kernel.
pub const BATCH: usize = 256;
const MAX_PAYLOAD: usize = 1280;
const MAX_SOURCES: usize = 15;

/// A frame whose fan-out its process did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The Space, zero-padded.
    pub space: [u8; 16],
    /// Its RTP timestamp on the media clock.
    pub timestamp: u32,
    /// Its CSRCs.
    pub csrcs: Vec<u32>,
    /// The Opus frame.
    pub payload: Vec<u8>,
    /// Records whose packet was sealed but may not have reached the kernel.
    pub unsure: Vec<u32>,
}

/// The frame in flight.
#[repr(C)]
pub struct FanOut {
    busy: U32,
    timestamp: U32,
    count: U32,
    len: U32,
    batch_len: U32,
    csrcs: [U32; MAX_SOURCES],
    space: Bytes<16>,
    payload: Bytes<MAX_PAYLOAD>,
    batch: [U32; BATCH],
}

impl FanOut {
    /// A frame starts on its way. Returns false, and remembers nothing, if it does not fit.
    pub fn begin(&self, space: [u8; 16], timestamp: u32, csrcs: &[u32], payload: &[u8]) -> bool {
        self.end();
        if payload.len() > MAX_PAYLOAD || csrcs.len() > MAX_SOURCES {
            return false;
        }
        self.space.store(&space);
        self.timestamp.set(timestamp);
        self.csrcs.iter().zip(csrcs).for_each(|(word, csrc)| word.set(*csrc));
        self.count.set(csrcs.len() as u32);
        self.payload.store_front(payload);
        self.len.set(payload.len() as u32);
        self.batch_len.set(0);
        self.busy.publish(1);
        true
    }

    /// The packet for `record` is about to be sealed.
    pub fn note(&self, record: u32) {
        let at = self.batch_len.get();
        if let Some(word) = self.batch.get(at as usize) {
            word.set(record);
            self.batch_len.publish(at + 1);
        }
    }

    /// What was noted has reached the kernel.
    pub fn flushed(&self) {
        self.batch_len.publish(0);
    }

    /// Everyone has it.
    pub fn end(&self) {
        self.busy.publish(0);
    }

    /// The frame that a dead process left, if it was at one.
    pub fn unfinished(&self) -> Option<Unfinished> {
        let (count, len, batch) = (self.count.get() as usize, self.len.get() as usize, self.batch_len.get() as usize);
        (self.busy.get() == 1 && count <= MAX_SOURCES && len <= MAX_PAYLOAD && batch <= BATCH).then(|| Unfinished {
            space: self.space.load(),
            timestamp: self.timestamp.get(),
            csrcs: self.csrcs[..count].iter().map(U32::get).collect(),
            payload: self.payload.load()[..len].to_vec(),
            unsure: self.batch[..batch].iter().map(U32::get).collect(),
        })
    }
}
