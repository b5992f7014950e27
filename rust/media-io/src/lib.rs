//! Sockets, the run loop and the real clock around the media core.

mod clock;
mod control;
pub mod frames;
mod serve;
mod udp;

pub use clock::{SystemRandom, boottime, wall};
pub use serve::{ServeError, Serving, serve};
