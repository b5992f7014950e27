//! Compound RTCP packets after their seal was opened.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media_core::rtcp::read;

fuzz_target!(|bytes: &[u8]| {
    let mut said = 0;
    read(bytes, |_| said += 1);
    assert!(said <= bytes.len());
});
