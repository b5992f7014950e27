//! One DTLS 1.2 handshake (RFC 5764) over dimpl: packets in, packets and at last SRTP keys out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use dimpl::{Config, ConfigBuilder, Dtls, DtlsCertificate, Output, SrtpProfile};

use crate::srtp::{Master, Profile};
use crate::time::{MILLISECOND, Nanos};

/// The largest record ever written.
const MAX_RECORD: usize = 1500;

/// What is prepared before the first handshake, because dimpl's first use of the random source takes tens of milliseconds.
#[derive(Clone)]
pub struct DtlsSetup {
    config: Arc<Config>,
    certificate: DtlsCertificate,
    fingerprint: Arc<str>,
    origin: (Nanos, Instant),
}

impl DtlsSetup {
    /// A setup for the certificate and key (DER). `origin` ties the core's clock to the one dimpl is typed in.
    pub fn new(certificate: Vec<u8>, private_key: Vec<u8>, origin: (Nanos, Instant)) -> Result<DtlsSetup, dimpl::Error> {
        DtlsSetup::of(certificate, private_key, origin, Config::builder())
    }

    /// The same with timers that a seed decides, so that a simulation can be replayed. Its handshakes are predictable in part: for
    /// nothing else.
    pub fn for_simulation(
        certificate: Vec<u8>,
        private_key: Vec<u8>,
        origin: (Nanos, Instant),
        seed: u64,
    ) -> Result<DtlsSetup, dimpl::Error> {
        DtlsSetup::of(certificate, private_key, origin, Config::builder().dangerously_set_rng_seed(seed))
    }

    fn of(certificate: Vec<u8>, private_key: Vec<u8>, origin: (Nanos, Instant), config: ConfigBuilder) -> Result<DtlsSetup, dimpl::Error> {
        // STUN has validated the address before DTLS is fed, so the cookie would cost a round trip for nothing.
        // FFmpeg ignores a first ClientHello that comes with the STUN answer: the second must not take a second.
        let config = config.use_server_cookie(false).mtu(1200).flight_start_rto(Duration::from_millis(200)).flight_retries(6);
        let certificate = DtlsCertificate { certificate, private_key };
        let fingerprint = certificate.fingerprint_str().into();
        Ok(DtlsSetup { config: Arc::new(config.build()?), certificate, fingerprint, origin })
    }

    /// A new self-signed P-256 certificate and its key, in DER.
    pub fn make_certificate() -> Option<(Vec<u8>, Vec<u8>)> {
        let made = dimpl::certificate::generate_self_signed_certificate().ok()?;
        Some((made.certificate, made.private_key))
    }

    /// Our certificate's SHA-256, as SDP writes it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn instant(&self, now: Nanos) -> Instant {
        self.origin.1 + Duration::from_nanos(now.since(self.origin.0))
    }

    fn nanos(&self, instant: Instant) -> Nanos {
        self.origin.0.after(instant.saturating_duration_since(self.origin.1).as_nanos() as u64)
    }
}

/// SRTP keys both ways, as seen from us.
pub struct Keys {
    /// The profile agreed on.
    pub profile: Profile,
    /// For what we send.
    pub send: Master,
    /// For what arrives.
    pub receive: Master,
}

/// What a handshake has come to.
pub enum Progress {
    /// Going on.
    Waiting,
    /// Done: here are the keys, bound to the certificate the offer named.
    Done(Box<Keys>),
    /// Over without keys.
    Failed(&'static str),
    /// The other side said goodbye.
    Closed,
}

/// A handshake, kept for a while after it is done to resend its last flight.
pub struct Handshake {
    dtls: Dtls,
    setup: DtlsSetup,
    expected: [u8; 32],
    verified: bool,
    timeout: Nanos,
}

impl Handshake {
    /// Waits for a ClientHello, or with `active` sends one. `expected` is the SHA-256 of the certificate that the offer named.
    pub fn new(setup: &DtlsSetup, expected: [u8; 32], role: Role, now: Nanos) -> Handshake {
        let mut dtls = Dtls::new_12(setup.config.clone(), setup.certificate.clone(), setup.instant(now));
        dtls.set_active(role == Role::Client);
        Handshake { dtls, setup: setup.clone(), expected, verified: false, timeout: now }
    }

    /// Feeds one datagram, or none to let timers fire; `send` gets every record to send.
    pub fn advance(&mut self, now: Nanos, datagram: Option<&[u8]>, mut send: impl FnMut(&[u8])) -> Progress {
        if self.dtls.handle_timeout(self.setup.instant(now)).is_err() {
            return Progress::Failed("DTLS timed out");
        }
        if datagram.is_some_and(|datagram| self.dtls.handle_packet(datagram).is_err()) {
            return Progress::Failed("DTLS failed");
        }
        let mut record = [0; MAX_RECORD];
        let mut progress = Progress::Waiting;
        loop {
            match self.dtls.poll_output(&mut record) {
                Output::Packet(packet) => send(packet),
                Output::Timeout(at) => {
                    // Never now: whoever waits for it must not spin.
                    self.timeout = self.setup.nanos(at).max(now.after(MILLISECOND));
                    return progress;
                }
                Output::PeerCert(certificate) => {
                    self.verified = digest(&SHA256, certificate).as_ref() == self.expected;
                    if !self.verified {
                        progress = Progress::Failed("the certificate is not the one the offer named");
                    }
                }
                Output::KeyingMaterial(material, profile) if self.verified => progress = self.keys(&material, profile),
                Output::CloseNotify => progress = Progress::Closed,
                Output::BufferTooSmall { .. } => return Progress::Failed("a DTLS record was too large"),
                _ => {}
            }
        }
    }

    /// When to call `advance` without a datagram.
    pub fn timeout(&self) -> Nanos {
        self.timeout
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Nanos, send: impl FnMut(&[u8])) {
        if self.dtls.close().is_ok() {
            let _ = self.advance(now, None, send);
        }
    }

    /// Splits the exported material (RFC 5764 §4.2): client key, server key, client salt, server salt.
    fn keys(&self, material: &[u8], profile: SrtpProfile) -> Progress {
        let profile = match profile {
            SrtpProfile::AEAD_AES_256_GCM => Profile::Aes256Gcm,
            SrtpProfile::AEAD_AES_128_GCM => Profile::Aes128Gcm,
            SrtpProfile::AES128_CM_SHA1_80 => Profile::Aes128CmSha1,
            _ => return Progress::Failed("the SRTP profile agreed on is not ours"),
        };
        let (key, salt) = (profile.key_len(), profile.salt_len());
        if material.len() < 2 * (key + salt) {
            return Progress::Failed("DTLS exported too little key material");
        }
        let master = |side: usize| {
            let mut out = [0; 46];
            out[..key].copy_from_slice(&material[side * key..][..key]);
            out[key..key + salt].copy_from_slice(&material[2 * key + side * salt..][..salt]);
            out
        };
        let (client, server) = (master(0), master(1));
        let (send, receive) = if self.dtls.is_active() { (client, server) } else { (server, client) };
        Progress::Done(Box::new(Keys { profile, send, receive }))
    }
}

/// Which side of DTLS we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We send the ClientHello: the offer said `setup:passive`.
    Client,
    /// We wait for it.
    Server,
}
