//! The media core, sans-IO: packets, time and randomness are arguments; sockets, threads and clocks live in media-io.
#![forbid(unsafe_code)]

pub mod messages;
pub mod outbox;
pub mod random;
pub mod rtcp;
pub mod rtp;
pub mod srtp;
pub mod time;
