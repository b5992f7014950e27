//! One listener: a session, its socket, what it counts, and for a few of them what it hears.

use std::net::UdpSocket;

use media_audio::opus::{Decoder, MAX_SAMPLES, OpusError};
use media_core::Address;
use media_core::outbox::Outbox;
use media_core::rtcp::{ReportBlock, receiver_report};
use media_core::rtp::{Header, is_rtcp};
use media_core::time::{MILLISECOND, Nanos, SECOND};
use media_load::peer::{HANDSHAKE_TAIL, Heard, Peer, Progressed};
use media_load::signal::OPUS;

use crate::door::Opened;
use crate::http::Url;
use crate::tally::Tally;

/// A receiver report this often, as browsers send them.
const REPORT: u64 = 5 * SECOND;
/// Without a datagram for so long a session is over, as a page would find.
const EXPIRY: u64 = 10 * SECOND;
/// So long may a connection take to come about.
const CONNECTING: u64 = 15 * SECOND;

/// A listener that opens and decodes everything.
pub struct Ears {
    decoder: Decoder,
    pcm: Box<[f32; MAX_SAMPLES]>,
    /// Packets decoded.
    pub decoded: u64,
    /// Packets that were no Opus, or not announced.
    pub errors: u64,
    /// Largest sample heard.
    pub peak: f32,
    /// Sum of the squares of `samples` samples.
    pub energy: f64,
    /// Samples heard.
    pub samples: u64,
}

impl Ears {
    fn new() -> Result<Ears, OpusError> {
        let pcm = Box::new([0.0; MAX_SAMPLES]);
        Ok(Ears { decoder: Decoder::new()?, pcm, decoded: 0, errors: 0, peak: 0.0, energy: 0.0, samples: 0 })
    }

    fn take(&mut self, payload_type: u8, payload: &[u8]) {
        let samples = self.decoder.decode(payload, &mut self.pcm[..]).ok().filter(|_| payload_type == OPUS);
        let Some(samples) = samples else {
            self.errors += 1;
            return;
        };
        self.decoded += 1;
        self.samples += samples as u64;
        for sample in &self.pcm[..samples] {
            self.peak = self.peak.max(sample.abs());
            self.energy += f64::from(sample * sample);
        }
    }
}

/// When things happened to a session.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Its offer was sent.
    pub asked: Nanos,
    /// Its answer had come.
    pub answered: Nanos,
    /// DTLS was done.
    pub connected: Option<Nanos>,
    /// Its first RTP packet arrived.
    pub first: Option<Nanos>,
}

/// One WHEP listener.
pub struct Listener {
    peer: Peer,
    /// Its own.
    pub socket: UdpSocket,
    remote: Address,
    /// Where its session is ended.
    pub session: Option<Url>,
    /// When things happened.
    pub times: Times,
    /// What it counted.
    pub tally: Tally,
    /// What it heard, if it is one of the sample.
    pub ears: Option<Box<Ears>>,
    /// Bytes of its RTP packets, headers and tags included.
    pub octets: u64,
    /// RTCP packets that came.
    pub reports: u64,
    /// Packets that did not open, of the sample.
    pub forged: u64,
    heard: Nanos,
    report: Nanos,
    reported: (u32, u32),
    /// When the loop looks at it next.
    pub wake: Nanos,
}

impl Listener {
    /// A listener of an answered session. `phase` spreads its reports over time.
    pub fn new(opened: Opened, socket: UdpSocket, phase: u64) -> Option<Listener> {
        let Opened { mut peer, answer, remote, session, asked, answered } = opened;
        peer.connect(answered, &answer, Some(remote))?;
        Some(Listener {
            peer,
            socket,
            remote: Address { remote, local: None, socket: 0 },
            session,
            times: Times { asked, answered, connected: None, first: None },
            tally: Tally::default(),
            ears: None,
            octets: 0,
            reports: 0,
            forged: 0,
            heard: answered,
            report: answered.after(phase * MILLISECOND % REPORT),
            reported: (0, 0),
            wake: Nanos::NEVER,
        })
    }

    /// Opens and decodes everything from now on.
    pub fn listen_closely(&mut self) -> Result<(), OpusError> {
        self.ears = Some(Box::new(Ears::new()?));
        Ok(())
    }

    /// Goes on counting where an earlier session of the same listener stopped.
    pub fn inherit(&mut self, earlier: Listener) {
        self.tally = earlier.tally;
        self.tally.restart();
        (self.ears, self.octets, self.reports, self.forged) = (earlier.ears, earlier.octets, earlier.reports, earlier.forged);
    }

    /// Whether the session is lost: closed, silent for 10 s, or never connected.
    pub fn is_over(&self, now: Nanos) -> bool {
        let late = self.times.connected.is_none() && now.since(self.times.answered) > CONNECTING;
        late || now.since(self.heard) > EXPIRY || self.peer.progress() == Progressed::Over
    }

    /// When it has something to do.
    pub fn deadline(&self) -> Nanos {
        let silent = self.heard.after(EXPIRY + MILLISECOND);
        self.peer.next_deadline().min(self.report).min(silent)
    }

    /// Sends what is due.
    pub fn poll(&mut self, now: Nanos, out: &mut Outbox) {
        self.peer.poll(now, out);
        if self.report <= now {
            self.report = now.after(REPORT);
            self.send_report(out);
        }
        if self.times.connected.is_some_and(|connected| now.since(connected) > HANDSHAKE_TAIL) {
            self.peer.forget_handshake();
        }
    }

    /// What a browser would say of the stream; its jitter and the server's reports are not followed.
    fn send_report(&mut self, out: &mut Outbox) {
        let (Some((highest, lost)), Some(ssrc)) = (self.tally.reception(), self.tally.ssrc()) else { return };
        let (expected, missed) = (highest.saturating_sub(self.reported.0), lost.saturating_sub(self.reported.1));
        let fraction = (u64::from(missed) * 256 / u64::from(expected.max(1))).min(255) as u8;
        self.reported = (highest, lost);
        let block = ReportBlock { ssrc, fraction_lost: fraction, highest, jitter: 0, last_report: (0, 0) };
        let mut packet = [0; 128];
        if let Some(len) = receiver_report(self.peer.ssrc(), &block, lost, &mut packet) {
            self.peer.report(&packet[..len], out);
        }
    }

    /// Takes a datagram that arrived at `arrival`. True when it has just connected.
    pub fn receive(&mut self, now: Nanos, arrival: Nanos, datagram: &mut [u8], out: &mut Outbox) -> bool {
        self.heard = now;
        match datagram.first() {
            Some(128..=191) if is_rtcp(datagram) => self.reports += 1,
            Some(128..=191) => self.count(now, arrival, datagram, out),
            _ => {
                self.peer.receive(now, self.remote, datagram, out);
                let connected = self.times.connected.is_none() && self.peer.progress() == Progressed::Connected;
                if connected {
                    self.times.connected = Some(now);
                }
                return connected;
            }
        }
        false
    }

    fn count(&mut self, now: Nanos, arrival: Nanos, datagram: &mut [u8], out: &mut Outbox) {
        let Some(header) = Header::parse(datagram) else { return };
        self.tally.take(arrival, &header);
        self.octets += datagram.len() as u64;
        self.times.first.get_or_insert(arrival);
        let Some(ears) = &mut self.ears else { return };
        let before = self.peer.counters.forged;
        if let Heard::Rtp { header, payload, .. } = self.peer.receive(now, self.remote, datagram, out) {
            ears.take(header.payload_type, payload);
        }
        self.forged += self.peer.counters.forged - before;
    }
}
