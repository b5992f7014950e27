//! Where a region lies: a mapped file shared between processes, or a heap block for tests and simulations.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use crate::RegionError;

const ALIGNMENT: usize = 4096;

/// A zeroed or inherited block of memory, page-aligned, freed or unmapped on drop.
pub(crate) struct Memory {
    start: NonNull<u8>,
    len: usize,
    mapped: bool,
}

// SAFETY: the block is only ever viewed as structs made of atomics, which any thread may use.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    pub(crate) fn heap(len: usize) -> Memory {
        let layout = Layout::from_size_align(len, ALIGNMENT).expect("a region's size is bounded by its u32 capacities");
        // SAFETY: the layout is not empty, for a region holds at least its header.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Memory { start, len, mapped: false }
    }

    /// A block of the same size on the heap, with the same bytes in `ranges` and zeroes elsewhere.
    #[cfg(feature = "simulation")]
    pub(crate) fn fork(&self, ranges: &[std::ops::Range<usize>]) -> Memory {
        let copy = Memory::heap(self.len);
        for range in ranges {
            assert!(range.start <= range.end && range.end <= self.len, "a range must lie inside the region");
            // SAFETY: the range lies in both blocks, which are distinct; a simulation has one thread, so nobody writes meanwhile.
            unsafe {
                std::ptr::copy_nonoverlapping(self.start.as_ptr().add(range.start), copy.start.as_ptr().add(range.start), range.len())
            };
        }
        copy
    }

    pub(crate) fn map(file: BorrowedFd<'_>, len: usize) -> Result<Memory, RegionError> {
        // SAFETY: a fresh shared mapping of a file that is at least `len` long; nothing else in this process refers to it.
        let start = unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0) }
            .map_err(|error| RegionError::Os("mmap", error))?;
        // Keys must not reach a core dump (rule 4).
        // SAFETY: the range is the mapping just made.
        unsafe { madvise(start, len, Advice::LinuxDontDump) }.map_err(|error| RegionError::Os("madvise", error))?;
        let start = NonNull::new(start.cast::<u8>()).ok_or(RegionError::Os("mmap", rustix::io::Errno::NOMEM))?;
        Ok(Memory { start, len, mapped: true })
    }

    /// `count` values of `T` at `offset`.
    ///
    /// # Safety
    /// `T` must consist of atomics only (any bytes are a valid `T`, and sharing is sound).
    pub(crate) unsafe fn view<T>(&self, offset: usize, count: usize) -> &[T] {
        let bytes = count.checked_mul(size_of::<T>()).expect("a region's size is bounded");
        assert!(offset.is_multiple_of(align_of::<T>()) && offset + bytes <= self.len, "a view must lie inside the region");
        // SAFETY: in bounds and aligned by the assertion; the caller vouches for `T`; the block lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(offset).cast::<T>(), count) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.mapped {
            // SAFETY: the mapping was made by `map` with this length, and no view outlives `self`.
            let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        } else {
            let layout = Layout::from_size_align(self.len, ALIGNMENT).expect("the layout was valid when it was allocated");
            // SAFETY: the block was allocated by `heap` with this layout.
            unsafe { dealloc(self.start.as_ptr(), layout) };
        }
    }
}
