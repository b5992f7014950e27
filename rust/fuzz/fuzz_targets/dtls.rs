//! DTLS records during a handshake, in both roles. Each datagram of the input is led by its length.
#![no_main]

use std::sync::OnceLock;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use media_core::dtls::{DtlsSetup, Handshake, Progress, Role};
use media_core::time::{MILLISECOND, Nanos, SECOND};

fn setup() -> &'static DtlsSetup {
    static SETUP: OnceLock<DtlsSetup> = OnceLock::new();
    SETUP.get_or_init(|| {
        let (certificate, key) = DtlsSetup::make_certificate().expect("a certificate");
        DtlsSetup::new(certificate, key, (Nanos(SECOND), Instant::now())).expect("a setup")
    })
}

fuzz_target!(|bytes: &[u8]| {
    for role in [Role::Server, Role::Client] {
        let mut now = Nanos(2 * SECOND);
        let mut handshake = Handshake::new(setup(), [7; 32], role, now);
        let mut rest = bytes;
        while let Some((&len, after)) = rest.split_first() {
            let (datagram, after) = after.split_at(after.len().min(usize::from(len) * 4));
            now = now.after(50 * MILLISECOND);
            if matches!(handshake.advance(now, Some(datagram), |_| ()), Progress::Done(_)) {
                panic!("keys without the certificate that the offer named");
            }
            rest = after;
        }
    }
});
