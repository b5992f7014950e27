//! The fence against two writers: an exclusive lock on the region's file that only the holder's exit releases (safety rule 4).

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};

use crate::RegionError;

/// Held by the one process that may write the region. There is no unlock: exit is the only release.
pub struct Fence {
    _lock: OwnedFd,
}

impl Fence {
    /// Blocks until this process is the only writer. The descriptor is opened anew through `/proc`, because a lock taken on an
    /// inherited one would be shared with the supervisor and outlive us.
    pub fn wait(region: BorrowedFd<'_>) -> Result<Fence, RegionError> {
        let lock = Fence::reopen(region)?;
        loop {
            match flock(&lock, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Fence { _lock: lock }),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(RegionError::Os("flock", error)),
            }
        }
    }

    /// The fence if nobody holds it now.
    pub fn attempt(region: BorrowedFd<'_>) -> Result<Option<Fence>, RegionError> {
        let lock = Fence::reopen(region)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Fence { _lock: lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(RegionError::Os("flock", error)),
        }
    }

    fn reopen(region: BorrowedFd<'_>) -> Result<OwnedFd, RegionError> {
        let path = format!("/proc/self/fd/{}", region.as_raw_fd());
        open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(|error| RegionError::Os("open", error))
    }
}
