//! The region as a whole: header, seats, records.

use rustix::fs::{fstat, ftruncate};
use std::os::fd::BorrowedFd;
use thiserror::Error;

use crate::header::Header;
use crate::memory::Memory;
use crate::record::Record;
use crate::seat::Seat;

const MAGIC: u64 = 0x524f_5354_5241_5247;
/// Raised with every change of layout; an unknown one is drained, never read.
const LAYOUT: u32 = 3;
const SEATS: usize = 65_536;
const HEADER_BYTES: usize = 8192;
const _: () = assert!(size_of::<Header>() <= HEADER_BYTES);

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

    /// A copy of this region as it stands at this instant: what a successor would find if its process died now.
    #[cfg(feature = "simulation")]
    pub fn fork(&self) -> Region {
        let (seats, records) = (HEADER_BYTES, HEADER_BYTES + SEATS * size_of::<Seat>());
        let used = [
            0..HEADER_BYTES,
            seats..seats + self.header().seats_used() * size_of::<Seat>(),
            records..records + self.header().records_used() * size_of::<Record>(),
        ];
        Region { memory: self.memory.fork(&used), capacity: self.capacity }
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
        match region.header().magic.get() {
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
        header.capacity.set(self.capacity as u32);
        header.layout.set(LAYOUT);
        header.magic.publish(MAGIC);
    }

    fn check(&self) -> Result<(), RegionError> {
        let found = self.header().layout.get();
        if found != LAYOUT {
            return Err(RegionError::Layout { found });
        }
        (self.header().capacity.get() as usize == self.capacity).then_some(()).ok_or(RegionError::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::fs::{MemfdFlags, memfd_create};

    use super::*;
    use crate::{Fence, Takeover};

    #[test]
    fn a_mapped_region_outlives_its_mapping_and_refuses_another_layout() {
        let file = memfd_create("rostra-test", MemfdFlags::CLOEXEC).unwrap();
        let region = Region::map(file.as_fd(), 8).unwrap();
        assert!(region.header().set_certificate(b"certificate", b"key"));
        assert_eq!(region.header().take_over(1), Takeover::Calm);
        drop(region);
        let again = Region::map(file.as_fd(), 8).unwrap();
        assert_eq!(again.header().certificate(), Some((b"certificate".to_vec(), b"key".to_vec())));
        assert!(matches!(Region::map(file.as_fd(), 9), Err(RegionError::Foreign)));
        again.header().layout.set(LAYOUT + 1);
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

    #[test]
    fn the_third_death_over_a_peers_bytes_in_ten_seconds_is_a_storm() {
        let region = Region::heap(1);
        let second = 1_000_000_000;
        assert_eq!(region.header().take_over(0), Takeover::Calm);
        assert_eq!([Takeover::Death; 9], std::array::from_fn(|_| region.header().take_over(0)));
        let after_handling = |at: &u64| {
            region.header().set_handling(Some(0));
            region.header().take_over(at * second)
        };
        let takeovers: Vec<Takeover> = [1, 2, 3, 4].iter().map(after_handling).collect();
        assert_eq!(takeovers, [Takeover::Death, Takeover::Death, Takeover::Storm, Takeover::Death]);
        let slow: Vec<Takeover> = [20, 40, 60].iter().map(after_handling).collect();
        assert_eq!(slow, [Takeover::Death; 3]);
        region.header().leave();
        assert_eq!(region.header().take_over(61 * second), Takeover::Calm);
    }

    #[test]
    fn a_frame_in_flight_is_found_by_the_successor() {
        let region = Region::heap(1);
        let frame = region.header().fan_out();
        assert_eq!(frame.unfinished(), None);
        assert!(frame.begin(*b"space\0\0\0\0\0\0\0\0\0\0\0", 960, &[5, 6], b"opus"));
        (0..300).for_each(|record| frame.note(record));
        frame.flushed();
        frame.note(7);
        let left = frame.unfinished().unwrap();
        assert_eq!((left.timestamp, &left.csrcs[..], &left.payload[..], &left.unsure[..]), (960, &[5, 6][..], &b"opus"[..], &[7][..]));
        frame.end();
        assert_eq!(frame.unfinished(), None);
        assert!(!frame.begin([0; 16], 0, &[], &[0; 2000]) && frame.unfinished().is_none());
    }

    #[test]
    fn an_untouched_region_takes_next_to_no_memory() {
        let file = memfd_create("rostra-test", MemfdFlags::CLOEXEC).unwrap();
        let region = Region::map(file.as_fd(), 65_536).unwrap();
        region.header().use_record(0);
        assert_eq!(region.records()[..region.header().records_used()].iter().filter(|record| record.is_live()).count(), 0);
        let used = fstat(&file).unwrap().st_blocks * 512;
        assert!(used < 64 * 1024, "{used} bytes");
    }
}
