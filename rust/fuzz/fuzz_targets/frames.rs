//! Frames of the control socket, after a proper hello.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media_io::frames::Frames;

/// `{"type": "hello", "protocol": 1}` as MessagePack, led by its length.
const HELLO: &[u8] = b"\0\0\0\x16\x82\xa4type\xa5hello\xa8protocol\x01";

fuzz_target!(|bytes: &[u8]| {
    let mut frames = Frames::default();
    frames.push(HELLO);
    assert!(frames.take().is_ok_and(|message| message.is_some()) && frames.is_greeted());
    for chunk in bytes.chunks(37) {
        frames.push(chunk);
        while let Ok(Some(_)) = frames.take() {}
    }
});
