//! The session memory that outlives a media process: its layout, its atomics and its fence.
//!
//! A region is one block of memory, all of it atomics, so that a process may die at any instruction and its successor reads what stood.
//! Zeroed memory is a valid empty region. Rules 1, 3, 4, 5 and 10 of the safety design are kept here.

mod fanout;
mod fence;
mod header;
mod memory;
mod record;
mod region;
mod seat;
mod word;

pub use fanout::{BATCH, FanOut, Unfinished};
pub use fence::Fence;
pub use header::{HEARTBEAT_OFFSET, Header, Takeover};
pub use record::{Address, PacketIndex, Receive, Record, RtcpIndex, STREAMS, SessionData, Stream};
pub use region::{Region, RegionError};
pub use seat::{Seat, SeatKey};
#[cfg(feature = "simulation")]
pub use word::watch;
