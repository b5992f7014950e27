//! Synthetic speakers and listeners for any WHIP/WHEP server: the load generator and the tests' second peer.

pub mod peer;
pub mod signal;
pub mod speech;
