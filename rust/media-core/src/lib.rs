//! The media core, sans-IO: packets, time and randomness are arguments; sockets, threads and clocks live in media-io.
#![forbid(unsafe_code)]

mod answer;
mod control;
pub mod dtls;
pub mod grants;
pub mod ice;
pub mod ingest;
pub mod messages;
pub mod node;
pub mod outbox;
pub mod packets;
pub mod random;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod session;
pub mod space;
pub mod srtp;
pub mod stage;
pub mod time;
pub mod transport;

pub use media_region::{Address, Fence, Region, RegionError};
