//! RTP headers, their extensions, and RED payloads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media_core::rtp::{Header, MAX_RED_BLOCKS, csrcs, red};

fuzz_target!(|bytes: &[u8]| {
    if let Some(header) = Header::parse(bytes) {
        assert!(header.len <= bytes.len());
        for id in 0..=15 {
            let _ = header.extension(bytes, id);
            let _ = header.audio_level(bytes, id);
        }
    }
    assert!(csrcs(bytes).count() <= 15);
    if let Some(blocks) = red(bytes) {
        let blocks: Vec<_> = blocks.collect();
        assert!(blocks.len() <= MAX_RED_BLOCKS + 1);
        assert!(blocks.iter().map(|block| block.payload.len()).sum::<usize>() < bytes.len());
    }
});
