//! STUN as it arrives from anyone: requests, and answers to our own checks (RFC 8489).
#![no_main]

use libfuzzer_sys::fuzz_target;
use media_core::ice::{Check, answers, transaction};

fuzz_target!(|bytes: &[u8]| {
    if let Some(check) = Check::parse(bytes) {
        let _ = check.verify(b"a password of 24 letters");
        let mut out = [0; 1500];
        let _ = check.reply("[2001:db8::1]:9".parse().expect("a fixed address"), b"a password of 24 letters", &mut out);
    }
    let transaction = transaction(bytes).unwrap_or_default();
    let _ = answers(bytes, &transaction, b"their password");
});
