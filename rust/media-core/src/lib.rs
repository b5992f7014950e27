//! The media core, sans-IO: packets, time and randomness are arguments; sockets, threads and clocks live in media-io.
#![forbid(unsafe_code)]

mod answer;
mod control;
pub mod dtls;
mod flight;
pub mod grants;
mod handshakes;
pub mod ice;
pub mod ingest;
pub mod messages;
pub mod node;
pub mod opening;
pub mod outbox;
pub mod packets;
mod paths;
pub mod random;
mod reception;
pub mod replay;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod seal;
pub mod session;
pub mod space;
pub mod srtp;
pub mod stage;
mod stats;
pub mod time;
pub mod transport;

pub use media_region::{Address, Fence, Region, RegionError, Takeover};
