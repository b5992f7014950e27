//! The region as a whole: header, records, seats.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use rustix::fs::{fstat, ftruncate};
use thiserror::Error;

use crate::bytes::Bytes;
use crate::memory::Memory;
use crate::record::Record;
use crate::seat::Seat;

const MAGIC: u64 = 0x524f_5354_5241_5247;
/// Raised with every change of layout; an unknown one is drained, never read.
const LAYOUT: u32 = 1;
const SEATS: usize = 8192;
const HEADER_BYTES: usize = 8192;

/// Why a region cannot be used.
#[derive(Debug, Error)]
pub enum RegionError {
    /// The operating system said no.
    #[error("{0} failed on the session region: {1}")]
    Os(&'static str, rustix::io::Errno),
    /// Written by a build with another layout.
    #[error("the session region has layout {found}, this build reads {LAYOUT}: drain it")]
    Layout {
        /// The layout found.
        found: u32,
    },
    /// Not a region, or of another size.
    #[error("the session region is not one of this server's")]
    Foreign,
}

/// What stands once per region.
#[repr(C)]
pub struct Header {
    magic: AtomicU64,
    layout: AtomicU32,
    capacity: AtomicU32,
    generation: AtomicU32,
    certificate_len: AtomicU32,
    key_len: AtomicU32,
    handling: AtomicU32,
    heartbeat: AtomicU64,
    certificate: Bytes<2048>,
    private_key: Bytes<1024>,
}

impl Header {
    /// How many processes have held the fence.
    pub fn generation(&self) -> u32 {
        self.generation.load(Acquire)
    }

    /// Counts a new holder of the fence.
    pub fn next_generation(&self) -> u32 {
        self.generation.fetch_add(1, AcqRel) + 1
    }

    /// Nanoseconds at which the holder last said it lives.
    pub fn heartbeat(&self) -> u64 {
        self.heartbeat.load(Acquire)
    }

    /// Says that the holder lives.
    pub fn beat(&self, now: u64) {
        self.heartbeat.store(now, Release);
    }

    /// Names the record whose peer's bytes are being handled, or none (rule 5).
    pub fn set_handling(&self, slot: Option<u32>) {
        self.handling.store(slot.map_or(0, |slot| slot + 1), Relaxed);
    }

    /// The record that was being handled when the last holder died, if any; cleared by reading.
    pub fn take_handling(&self) -> Option<u32> {
        self.handling.swap(0, AcqRel).checked_sub(1)
    }

    /// The DTLS certificate and private key (DER), made once for all generations.
    pub fn certificate(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (certificate, key) = (self.certificate_len.load(Acquire) as usize, self.key_len.load(Relaxed) as usize);
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
        self.key_len.store(key.len() as u32, Relaxed);
        self.certificate_len.store(certificate.len() as u32, Release);
        true
    }
}

/// The session memory. Share it by `Arc`.
pub struct Region {
    memory: Memory,
    capacity: usize,
}

impl Region {
    /// Bytes a region for `capacity` sessions takes.
    pub fn size(capacity: u32) -> usize {
        HEADER_BYTES + SEATS * size_of::<Seat>() + capacity as usize * size_of::<Record>()
    }

    /// A region on the heap, for tests and simulations.
    pub fn heap(capacity: u32) -> Region {
        let region = Region { memory: Memory::heap(Region::size(capacity)), capacity: capacity as usize };
        region.initialise();
        region
    }

    /// Maps the region in `file`. An empty file becomes a new region for `capacity` sessions; call it with the fence held, or
    /// on a file that is known to be initialised.
    pub fn map(file: BorrowedFd<'_>, capacity: u32) -> Result<Region, RegionError> {
        let size = Region::size(capacity) as u64;
        let found = fstat(file).map_err(|error| RegionError::Os("fstat", error))?.st_size as u64;
        if found == 0 {
            ftruncate(file, size).map_err(|error| RegionError::Os("ftruncate", error))?;
        } else if found != size {
            return Err(RegionError::Foreign);
        }
        let region = Region { memory: Memory::map(file, size as usize)?, capacity: capacity as usize };
        match region.header().magic.load(Acquire) {
            0 => region.initialise(),
            MAGIC => region.check()?,
            _ => return Err(RegionError::Foreign),
        }
        Ok(region)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        // SAFETY: `Header` is atomics only.
        let headers: &[Header] = unsafe { self.memory.view(0, 1) };
        &headers[0]
    }

    /// Every session slot.
    pub fn records(&self) -> &[Record] {
        // SAFETY: `Record` is atomics only.
        unsafe { self.memory.view(HEADER_BYTES + SEATS * size_of::<Seat>(), self.capacity) }
    }

    /// Every seat word.
    pub fn seats(&self) -> &[Seat] {
        // SAFETY: `Seat` is atomics only.
        unsafe { self.memory.view(HEADER_BYTES, SEATS) }
    }

    fn initialise(&self) {
        let header = self.header();
        header.capacity.store(self.capacity as u32, Relaxed);
        header.layout.store(LAYOUT, Relaxed);
        header.magic.store(MAGIC, Release);
    }

    fn check(&self) -> Result<(), RegionError> {
        let found = self.header().layout.load(Relaxed);
        if found != LAYOUT {
            return Err(RegionError::Layout { found });
        }
        (self.header().capacity.load(Relaxed) as usize == self.capacity).then_some(()).ok_or(RegionError::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::fs::{MemfdFlags, memfd_create};

    use super::*;
    use crate::Fence;

    #[test]
    fn a_mapped_region_outlives_its_mapping_and_refuses_another_layout() {
        let file = memfd_create("rostra-test", MemfdFlags::CLOEXEC).unwrap();
        let region = Region::map(file.as_fd(), 8).unwrap();
        assert!(region.header().set_certificate(b"certificate", b"key"));
        assert_eq!(region.header().next_generation(), 1);
        drop(region);
        let again = Region::map(file.as_fd(), 8).unwrap();
        assert_eq!(again.header().certificate(), Some((b"certificate".to_vec(), b"key".to_vec())));
        assert!(matches!(Region::map(file.as_fd(), 9), Err(RegionError::Foreign)));
        again.header().layout.store(LAYOUT + 1, Relaxed);
        assert!(matches!(Region::map(file.as_fd(), 8), Err(RegionError::Layout { found }) if found == LAYOUT + 1));
    }

    #[test]
    fn only_one_holds_the_fence() {
        let file = memfd_create("rostra-test", MemfdFlags::CLOEXEC).unwrap();
        let held = Fence::wait(file.as_fd()).unwrap();
        assert!(Fence::attempt(file.as_fd()).unwrap().is_none());
        drop(held);
        assert!(Fence::attempt(file.as_fd()).unwrap().is_some());
    }

    #[test]
    fn the_session_being_handled_is_named_once() {
        let region = Region::heap(4);
        region.header().set_handling(Some(3));
        assert_eq!(region.header().take_handling(), Some(3));
        assert_eq!(region.header().take_handling(), None);
    }
}
