//! Offers and trickle fragments, as POST and PATCH bodies bring them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media_core::sdp::{fragment, offer};

fuzz_target!(|text: &str| {
    if let Ok(offer) = offer(text) {
        assert!(!offer.sections.is_empty() && offer.sections.iter().all(|section| section.opus < 128));
    }
    let _ = fragment(text);
});
