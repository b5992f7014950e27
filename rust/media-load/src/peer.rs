//! The other side of a media session, sans-IO: a client that checks, shakes hands, sends and receives. For tests and load.

use std::collections::VecDeque;
use std::net::SocketAddr;

use aws_lc_rs::digest::{SHA256, digest};
use is::stun::{StunMessage, TransId};
use media_core::Address;
use media_core::dtls::{DtlsSetup, Handshake, Progress, Role};
use media_core::ice::hmac_sha1;
use media_core::outbox::Outbox;
use media_core::random::{Random, ice_chars};
use media_core::replay::Window;
use media_core::rtp::{self, Header};
use media_core::session::Feed;
use media_core::srtp::{Profile, RtcpKey, RtpKey, rtcp_index};
use media_core::time::{MILLISECOND, Nanos, SECOND};
use media_region::Stream;

use crate::signal::{self, Answer, LEVEL, MID, OPUS, OfferText, RED};

/// Until the first answer, checks go out this often…
const CHECK: u64 = 50 * MILLISECOND;
/// …then as often as a browser renews consent.
const CONSENT: u64 = 2_500 * MILLISECOND;
/// Checks whose answers are still taken.
const MAX_CHECKS: usize = 32;
/// Streams a peer can tell apart.
const STREAMS: usize = 3;

/// How a peer behaves.
#[derive(Clone)]
pub struct PeerConfig {
    /// What it wants.
    pub feed: Feed,
    /// Its certificate and handshake configuration; many peers may share one.
    pub dtls: DtlsSetup,
    /// The `a=setup` of its offer: `actpass` like a browser, or `passive` to be the DTLS server.
    pub setup: &'static str,
    /// Whether it answers the server's own Binding requests, as every real one does.
    pub answers_checks: bool,
    /// Whether its checks nominate the path, as Chromium's do.
    pub nominates: bool,
}

/// How far a peer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progressed {
    /// No answer yet, or checks unanswered.
    Checking,
    /// A path works; DTLS goes on.
    Shaking,
    /// Media may flow.
    Connected,
    /// DTLS failed or was closed.
    Over,
}

/// What a datagram turned out to be.
pub enum Heard<'p> {
    /// Nothing for the caller.
    Nothing,
    /// RTP on one of the server's streams.
    Rtp {
        /// Which, in the order of the answer's sections.
        stream: usize,
        /// Its header.
        header: Header,
        /// Rollover counter and sequence number.
        index: u64,
        /// CSRCs, as sent (`csrc << 8 | level`).
        csrcs: [u32; 15],
        /// The payload, in the clear.
        payload: &'p [u8],
    },
    /// A compound RTCP packet in the clear.
    Rtcp(&'p [u8]),
}

/// One packet to send.
pub struct Say<'a> {
    /// RTP timestamp.
    pub timestamp: u32,
    /// The claimed level, −dBov.
    pub level: u8,
    /// Whether the payload is RED.
    pub red: bool,
    /// The payload.
    pub payload: &'a [u8],
}

/// What a peer has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerCounters {
    /// Packets that did not open.
    pub forged: u64,
    /// Packets seen before.
    pub replayed: u64,
    /// The server's own Binding requests.
    pub server_checks: u64,
}

struct Media {
    profile: Profile,
    send: RtpKey,
    send_rtcp: RtcpKey,
    receive: RtpKey,
    receive_rtcp: RtcpKey,
    windows: [Window; STREAMS],
    rtcp_windows: [Window; STREAMS],
}

/// A client-side media session.
pub struct Peer {
    config: PeerConfig,
    ufrag: [u8; 8],
    password: [u8; 24],
    ssrc: u32,
    stream: Stream,
    answer: Option<Answer>,
    remote: Option<Address>,
    /// The last few checks: an answer may take longer than the next check.
    transactions: VecDeque<TransId>,
    works: bool,
    next_check: Nanos,
    handshake: Option<Box<Handshake>>,
    media: Option<Box<Media>>,
    over: bool,
    /// What was counted.
    pub counters: PeerCounters,
}

impl Peer {
    /// A peer that has not offered yet.
    pub fn new(config: PeerConfig, random: &mut dyn Random) -> Peer {
        let mut word = [0; 4];
        random.fill(&mut word);
        let ssrc = u32::from_be_bytes(word) | 1;
        random.fill(&mut word);
        Peer {
            config,
            ufrag: ice_chars(random),
            password: ice_chars(random),
            ssrc,
            stream: Stream::detached(u16::from_be_bytes([word[0], word[1]]) >> 1),
            answer: None,
            remote: None,
            transactions: VecDeque::new(),
            works: false,
            next_check: Nanos::NEVER,
            handshake: None,
            media: None,
            over: false,
            counters: PeerCounters::default(),
        }
    }

    /// Lets the sender start at another packet index; call before the first packet.
    pub fn start_at(&mut self, sequence: u16) {
        self.stream = Stream::detached(sequence);
    }

    /// Whether its checks nominate their path from now on.
    pub fn set_nominates(&mut self, nominates: bool) {
        self.config.nominates = nominates;
    }

    /// The SDP offer.
    pub fn offer(&self) -> String {
        let fingerprint = self.config.dtls.fingerprint();
        let (ufrag, password) = self.credentials();
        signal::offer(&OfferText { feed: self.config.feed, ice: (ufrag, password), fingerprint, setup: self.config.setup })
    }

    fn credentials(&self) -> (&str, &str) {
        (std::str::from_utf8(&self.ufrag).unwrap_or(""), std::str::from_utf8(&self.password).unwrap_or(""))
    }

    /// Takes the SDP answer and starts checking `remote`, or the answer's first candidate. `None` if the answer is unusable.
    pub fn connect(&mut self, now: Nanos, answer: &str, remote: Option<SocketAddr>) -> Option<()> {
        let answer = Answer::parse(answer)?;
        let remote = remote.or(answer.candidates.first().copied())?;
        self.remote = Some(Address { remote, local: None, socket: 0 });
        self.answer = Some(answer);
        self.next_check = now;
        Some(())
    }

    /// A trickle fragment, or with new credentials an ICE restart (RFC 8840).
    pub fn fragment(&mut self, restart: Option<&mut dyn Random>) -> String {
        if let Some(random) = restart {
            (self.ufrag, self.password) = (ice_chars(random), ice_chars(random));
        }
        let (ufrag, password) = self.credentials();
        format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=end-of-candidates\r\n")
    }

    /// Takes the server's half of an ICE restart.
    pub fn restarted(&mut self, now: Nanos, fragment: &str) -> Option<()> {
        let find = |name: &str| fragment.lines().find_map(|line| line.strip_prefix(name));
        let (ufrag, password) = (find("a=ice-ufrag:")?.to_owned(), find("a=ice-pwd:")?.to_owned());
        self.answer.as_mut()?.ice = (ufrag, password);
        self.works = false;
        self.next_check = now;
        Some(())
    }

    /// How far it has come.
    pub fn progress(&self) -> Progressed {
        match (self.over, self.media.is_some(), self.works) {
            (true, ..) => Progressed::Over,
            (_, true, _) => Progressed::Connected,
            (_, _, true) => Progressed::Shaking,
            _ => Progressed::Checking,
        }
    }

    /// The answer's facts.
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// Its SSRC when it sends.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// When to call `poll` next.
    pub fn next_deadline(&self) -> Nanos {
        if self.over {
            return Nanos::NEVER;
        }
        self.handshake.as_ref().map_or(Nanos::NEVER, |handshake| handshake.timeout()).min(self.next_check)
    }

    /// Sends due checks and lets DTLS timers fire.
    pub fn poll(&mut self, now: Nanos, out: &mut Outbox) {
        if self.next_check <= now && !self.over {
            self.check(out);
            self.next_check = now.after(if self.works { CONSENT } else { CHECK });
        }
        if !self.over && self.handshake.as_ref().is_some_and(|handshake| handshake.timeout() <= now) {
            self.shake(now, None, out);
        }
    }

    /// Sends a check at once, as after a change of network.
    pub fn check(&mut self, out: &mut Outbox) {
        let (Some(answer), Some(remote)) = (&self.answer, self.remote) else { return };
        let username = format!("{}:{}", answer.ice.0, self.credentials().0);
        let transaction = TransId::new();
        let message = StunMessage::binding_request(&username, transaction, true, 1, 0x6e00_1eff, self.config.nominates);
        out.push(remote, |buffer| message.to_bytes(Some(answer.ice.1.as_bytes()), buffer, hmac_sha1).ok());
        self.transactions.truncate(MAX_CHECKS - 1);
        self.transactions.push_front(transaction);
    }

    /// Takes one datagram. `from` is where it came from, and where an answer to a check goes.
    pub fn receive<'p>(&mut self, now: Nanos, from: Address, datagram: &'p mut [u8], out: &mut Outbox) -> Heard<'p> {
        match datagram.first() {
            Some(0..=3) => self.stun(now, from, datagram, out),
            Some(20..=63) => self.shake(now, Some(datagram), out),
            Some(128..=191) if rtp::is_rtcp(datagram) => return self.rtcp(datagram),
            Some(128..=191) => return self.rtp(datagram),
            _ => {}
        }
        Heard::Nothing
    }

    fn stun(&mut self, now: Nanos, from: Address, datagram: &[u8], out: &mut Outbox) {
        let (Ok(message), Some(answer)) = (StunMessage::parse(datagram), &self.answer) else { return };
        if message.is_binding_request() && message.verify(&self.password, hmac_sha1) {
            self.counters.server_checks += 1;
            if self.config.answers_checks {
                let reply = StunMessage::binding_reply(message.trans_id(), from.remote);
                out.push(from, |buffer| reply.to_bytes(Some(&self.password), buffer, hmac_sha1).ok());
            }
        } else if message.is_successful_binding_response()
            && self.transactions.contains(&message.trans_id())
            && message.verify(answer.ice.1.as_bytes(), hmac_sha1)
        {
            self.answered(now, out);
        }
    }

    fn answered(&mut self, now: Nanos, out: &mut Outbox) {
        if !std::mem::replace(&mut self.works, true) {
            self.next_check = now.after(CONSENT);
        }
        if let (None, None, Some(answer)) = (&self.handshake, &self.media, &self.answer) {
            let role = if answer.active { Role::Server } else { Role::Client };
            self.handshake = Some(Box::new(Handshake::new(&self.config.dtls, answer.fingerprint, role, now)));
            self.shake(now, None, out);
        }
    }

    fn shake(&mut self, now: Nanos, datagram: Option<&[u8]>, out: &mut Outbox) {
        let (Some(handshake), Some(remote)) = (&mut self.handshake, self.remote) else { return };
        match handshake.advance(now, datagram, |record| {
            out.copy(remote, record);
        }) {
            Progress::Waiting => {}
            Progress::Done(keys) => {
                self.media = Some(Box::new(Media {
                    profile: keys.profile,
                    send: RtpKey::new(keys.profile, &keys.send),
                    send_rtcp: RtcpKey::new(keys.profile, &keys.send),
                    receive: RtpKey::new(keys.profile, &keys.receive),
                    receive_rtcp: RtcpKey::new(keys.profile, &keys.receive),
                    windows: Default::default(),
                    rtcp_windows: Default::default(),
                }));
            }
            Progress::Failed(_) | Progress::Closed => self.over = true,
        }
    }

    /// Forgets the DTLS engine: 10 KB that an established peer no longer needs, once the server has its last flight.
    pub fn forget_handshake(&mut self) {
        self.handshake = self.handshake.take().filter(|_| self.media.is_none());
    }

    fn stream_of(&self, ssrc: u32) -> Option<usize> {
        self.answer.as_ref()?.ssrcs.iter().position(|ours| *ours == ssrc).filter(|stream| *stream < STREAMS)
    }

    fn rtp<'p>(&mut self, packet: &'p mut [u8]) -> Heard<'p> {
        let Some((header, stream)) = Header::parse(packet).and_then(|header| Some((header, self.stream_of(header.ssrc)?))) else {
            return Heard::Nothing;
        };
        let Some(media) = &mut self.media else { return Heard::Nothing };
        let window = &mut media.windows[stream];
        let index = window.guess(header.sequence);
        if !window.is_new(index) {
            self.counters.replayed += 1;
            return Heard::Nothing;
        }
        let Ok(end) = media.receive.open(index, packet, header.len) else {
            self.counters.forged += 1;
            return Heard::Nothing;
        };
        window.advance(index);
        let mut csrcs = [0; 15];
        csrcs.iter_mut().zip(rtp::csrcs(packet)).for_each(|(csrc, word)| *csrc = word);
        Heard::Rtp { stream, header, index, csrcs, payload: &packet[header.len..end] }
    }

    fn rtcp<'p>(&mut self, packet: &'p mut [u8]) -> Heard<'p> {
        let ssrc = packet.get(4..8).map_or(0, |word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
        let stream = self.stream_of(ssrc).unwrap_or(0);
        let Some(media) = &mut self.media else { return Heard::Nothing };
        let Some(index) = rtcp_index(media.profile, packet).map(u64::from) else { return Heard::Nothing };
        if !media.rtcp_windows[stream].is_new(index) {
            self.counters.replayed += 1;
            return Heard::Nothing;
        }
        let Ok(end) = media.receive_rtcp.open(packet) else {
            self.counters.forged += 1;
            return Heard::Nothing;
        };
        media.rtcp_windows[stream].advance(index);
        Heard::Rtcp(&packet[..end])
    }

    /// Seals and queues one packet. False before the connection stands.
    pub fn say(&mut self, say: &Say<'_>, out: &mut Outbox) -> bool {
        let (Some(media), Some(remote)) = (&self.media, self.remote) else { return false };
        out.push(remote, |buffer| {
            let header: usize = 12 + 4 + 4;
            let len = header + say.payload.len();
            buffer[..2].copy_from_slice(&[0x90, if say.red { RED } else { OPUS }]);
            buffer[4..8].copy_from_slice(&say.timestamp.to_be_bytes());
            buffer[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
            // One word of one-byte extensions: the level, and the mid "0".
            buffer[12..20].copy_from_slice(&[0xbe, 0xde, 0, 1, LEVEL << 4, say.level & 0x7f, MID << 4, b'0']);
            buffer.get_mut(header..len)?.copy_from_slice(say.payload);
            let index = self.stream.take_index();
            buffer[2..4].copy_from_slice(&index.sequence().to_be_bytes());
            self.stream.count(say.payload.len(), say.timestamp);
            media.send.seal(index, buffer, header, len)
        })
    }

    /// Seals and queues one RTCP compound. False before the connection stands.
    pub fn report(&mut self, packet: &[u8], out: &mut Outbox) -> bool {
        let (Some(media), Some(remote)) = (&self.media, self.remote) else { return false };
        let Some(index) = self.stream.take_rtcp_index() else { return false };
        out.push(remote, |buffer| {
            buffer.get_mut(..packet.len())?.copy_from_slice(packet);
            media.send_rtcp.seal(index, buffer, packet.len())
        })
    }

    /// Says goodbye on the DTLS connection.
    pub fn close(&mut self, now: Nanos, out: &mut Outbox) {
        self.over = true;
        if let (Some(handshake), Some(remote)) = (&mut self.handshake, self.remote) {
            handshake.close(now, |record| {
                out.copy(remote, record);
            });
        }
    }
}

/// SHA-256 of a certificate (DER), as an offer names it.
pub fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, certificate).as_ref());
    out
}

/// How long an established peer keeps its DTLS engine at least.
pub const HANDSHAKE_TAIL: u64 = 5 * SECOND;
