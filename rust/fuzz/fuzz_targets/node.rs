//! Datagrams into a whole node with a session under construction. Each datagram of the input is led by its length.
#![no_main]

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use media_core::dtls::DtlsSetup;
use media_core::messages::{OpenSession, ToMedia};
use media_core::node::{Node, Polled};
use media_core::outbox::Outbox;
use media_core::random::Random;
use media_core::time::{MILLISECOND, Nanos, SECOND};
use media_core::transport::TransportConfig;
use media_core::{Address, Region};

/// The same every time, so that a finding can be replayed.
struct Counter(u8);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill_with(|| {
            self.0 = self.0.wrapping_mul(5).wrapping_add(17);
            self.0
        });
    }
}

fn setup() -> &'static DtlsSetup {
    static SETUP: OnceLock<DtlsSetup> = OnceLock::new();
    SETUP.get_or_init(|| {
        let (certificate, key) = DtlsSetup::make_certificate().expect("a certificate");
        DtlsSetup::new(certificate, key, (Nanos(SECOND), Instant::now())).expect("a setup")
    })
}

const OFFER: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=sendonly\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\n\
    a=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:\
    1A:1B:1C:1D:1E:1F\r\n";

fuzz_target!(|bytes: &[u8]| {
    let (mut now, mut random, mut out) = (Nanos(2 * SECOND), Counter(1), Outbox::default());
    let config = TransportConfig { candidates: vec!["192.0.2.1:5000".parse().expect("an address")], dtls: setup().clone() };
    let mut node = Node::new(Arc::new(Region::heap(4)), config, now, SECOND, &mut out);
    let open = OpenSession {
        request: 1,
        session: "0123456789abcdef0123456789abcdef".into(),
        space: "space".into(),
        owner: "ann".into(),
        feed: "ingest".into(),
        csrc: 1,
        seq: 1,
        offer: OFFER.into(),
    };
    node.control(now, &mut random, ToMedia::OpenSession(open), &mut out);
    let mut rest = bytes;
    while let Some((&len, after)) = rest.split_first() {
        let (datagram, after) = after.split_at(after.len().min(usize::from(len) * 4));
        let from = Address { remote: ([10, 0, 0, len & 1], 9).into(), local: None, socket: 0 };
        node.receive(now, &mut random, from, &mut datagram.to_vec(), &mut out);
        while node.poll(now, &mut random, &mut out) == Polled::More {
            out.clear();
        }
        out.clear();
        now = now.after(10 * MILLISECOND);
        rest = after;
    }
});
