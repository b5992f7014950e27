//! One person's media session as their browser would lead it: speaking real Opus at real pace, decoding what comes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex};

use media_audio::FRAME;
use media_audio::level::dbov;
use media_audio::opus::{Decoder, Encoder, EncoderSettings, MAX_PAYLOAD, MAX_SAMPLES};
use media_core::Address;
use media_core::dtls::DtlsSetup;
use media_core::outbox::Outbox;
use media_core::random::{Random, bytes};
use media_core::session::Feed;
use media_core::time::{MILLISECOND, Nanos, SECOND};
use media_load::peer::{Heard, Peer, PeerConfig, Progressed, Say};
use media_load::signal::OPUS;
use media_load::speech::{Dice, Speech};

use super::SERVER;
use super::net::{Net, Path};

/// 20 ms as a browser sends it: the packet, and its level.
pub type Said = (Vec<u8>, u8);

/// What someone says: the sound, and its packets.
pub struct Script {
    pub pcm: Vec<f32>,
    pub packets: Vec<Said>,
}

/// Speech of a seed, `level` dB louder than usual, encoded as Chromium does: 32 kbit/s, in-band FEC, DTX. Made once per process.
pub fn script(seed: u64, level: i32, seconds: usize) -> Arc<Script> {
    type Scripts = HashMap<(u64, i32, usize), Arc<Script>>;
    static MADE: LazyLock<Mutex<Scripts>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap();
    made.entry((seed, level, seconds))
        .or_insert_with(|| {
            let mut speech = Speech::new(seed).at_level(level as f32);
            encode(&(0..seconds * 50).flat_map(|_| speech.frame()).collect::<Vec<f32>>())
        })
        .clone()
}

/// Speech as a script: with FEC and DTX libopus takes whatever is steady for noise and leaves it out.
pub fn encode(pcm: &[f32]) -> Arc<Script> {
    encode_with(pcm, EncoderSettings { bitrate: 32_000, complexity: 3, loss: 10, dtx: true })
}

/// Any sound as a script.
pub fn encode_music(pcm: &[f32]) -> Arc<Script> {
    encode_with(pcm, EncoderSettings { bitrate: 48_000, complexity: 3, loss: 0, dtx: false })
}

fn encode_with(pcm: &[f32], settings: EncoderSettings) -> Arc<Script> {
    let mut encoder = Encoder::new(settings).unwrap();
    let mut payload = [0; MAX_PAYLOAD];
    let packets = pcm
        .chunks_exact(FRAME)
        .map(|frame| {
            let len = encoder.encode(frame, &mut payload).unwrap();
            (payload[..len].to_vec(), dbov(frame))
        })
        .collect();
    Arc::new(Script { pcm: pcm.to_vec(), packets })
}

/// A running microphone.
pub struct Source {
    script: Arc<Script>,
    at: usize,
    /// When the frame at `at` is complete.
    next: Nanos,
    /// When the script's first sample was captured.
    pub started: Nanos,
    timestamp: u32,
    pub red: bool,
    quiet: bool,
    previous: Option<Vec<u8>>,
    pub packets: u64,
}

/// A packet as it was heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    pub arrival: Nanos,
    pub index: u64,
    pub timestamp: u32,
    pub len: usize,
    pub csrcs: Vec<u32>,
}

/// What came on one stream.
#[derive(Default)]
pub struct Hearing {
    pub packets: Vec<Packet>,
    /// Sound by RTP timestamp since the first packet, which arrived at `start`; gaps are silent.
    pub pcm: Vec<f32>,
    pub start: Option<(Nanos, u32)>,
    decoder: Option<Decoder>,
    pub reports: u64,
}

impl Hearing {
    fn take(&mut self, packet: Packet, payload: &[u8], decode: bool) {
        let (_, first) = *self.start.get_or_insert((packet.arrival, packet.timestamp));
        let at = packet.timestamp.wrapping_sub(first) as i32;
        self.packets.push(packet);
        if !decode || at < 0 {
            return;
        }
        let decoder = self.decoder.get_or_insert_with(|| Decoder::new().unwrap());
        let mut out = [0.0; MAX_SAMPLES];
        let len = decoder.decode(payload, &mut out).expect("the server sends valid Opus");
        let end = at as usize + len;
        if self.pcm.len() < end {
            self.pcm.resize(end, 0.0);
        }
        self.pcm[at as usize..end].copy_from_slice(&out[..len]);
    }

    /// Sound between two moments, as it would be heard by someone who plays each packet on arrival.
    pub fn between(&self, from: Nanos, to: Nanos) -> &[f32] {
        let Some((start, _)) = self.start else { return &[] };
        let at = |moment: Nanos| (moment.since(start) as usize * 48 / 1_000_000).min(self.pcm.len());
        &self.pcm[at(from)..at(to)]
    }

    /// Packets that arrived between two moments.
    pub fn packets_between(&self, from: Nanos, to: Nanos) -> usize {
        self.packets.iter().filter(|packet| packet.arrival >= from && packet.arrival < to).count()
    }

    /// The longest time without a packet between two moments, in milliseconds.
    pub fn longest_gap(&self, from: Nanos, to: Nanos) -> u64 {
        let inside = self.packets.iter().map(|packet| packet.arrival).filter(|at| *at >= from && *at < to);
        let mut all: Vec<Nanos> = [from].into_iter().chain(inside).chain([to]).collect();
        all.sort();
        all.windows(2).map(|pair| pair[1].since(pair[0]) / MILLISECOND).max().unwrap_or(0)
    }
}

pub struct Person {
    pub peer: Peer,
    pub address: SocketAddr,
    pub old_addresses: Vec<SocketAddr>,
    pub feed: Feed,
    pub owner: String,
    pub csrc: u32,
    pub session: String,
    pub etag: String,
    pub source: Option<Source>,
    pub hears: [Hearing; 3],
    pub decode: bool,
    /// Has left without a word: says nothing, answers nothing.
    pub gone: bool,
    connected: Option<Nanos>,
    reported: Nanos,
}

impl Person {
    pub fn new(number: usize, feed: Feed, owner: &str, csrc: u32, setup: &DtlsSetup, random: &mut dyn Random) -> Person {
        let config = PeerConfig { feed, dtls: setup.clone(), setup: "actpass", answers_checks: true, nominates: true };
        Person::with(number, config, owner, csrc, random)
    }

    pub fn with(number: usize, config: PeerConfig, owner: &str, csrc: u32, random: &mut dyn Random) -> Person {
        Person {
            feed: config.feed,
            peer: Peer::new(config, random),
            address: SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 40_000 + number as u16)),
            old_addresses: Vec::new(),
            owner: owner.to_owned(),
            csrc,
            session: bytes::<16>(random).iter().map(|byte| format!("{byte:02x}")).collect(),
            etag: String::new(),
            source: None,
            hears: Default::default(),
            decode: true,
            gone: false,
            connected: None,
            reported: Nanos(0),
        }
    }

    /// Starts to say `script` at `now`, from its beginning.
    pub fn say(&mut self, now: Nanos, script: Arc<Script>, timestamp: u32) {
        let (red, quiet) = (false, false);
        self.source = Some(Source {
            script,
            at: 0,
            next: now.after(20 * MILLISECOND),
            started: now,
            timestamp,
            red,
            quiet,
            previous: None,
            packets: 0,
        });
    }

    /// Their address is another from now on, as behind a NAT that forgot.
    pub fn rebind(&mut self) {
        self.old_addresses.push(self.address);
        self.address.set_port(self.address.port() ^ 0x8000);
    }

    pub fn next_deadline(&self) -> Nanos {
        if self.gone {
            return Nanos::NEVER;
        }
        let source = self.source.as_ref().map_or(Nanos::NEVER, |source| source.next);
        self.peer.next_deadline().min(source)
    }

    pub fn poll(&mut self, now: Nanos, net: &mut Net) {
        if self.gone || self.next_deadline() > now {
            return;
        }
        let mut out = Outbox::default();
        self.peer.poll(now, &mut out);
        while self.source.as_ref().is_some_and(|source| source.next <= now) {
            self.speak(&mut out);
        }
        if self.peer.progress() == Progressed::Connected {
            let connected = *self.connected.get_or_insert(now);
            if now.since(connected) > 3 * SECOND {
                self.peer.forget_handshake();
            }
            self.report(now, &mut out);
        }
        self.flush(now, &mut out, net);
    }

    /// A receiver report every five seconds, as every real client sends them.
    fn report(&mut self, now: Nanos, out: &mut Outbox) {
        if now.since(self.reported) >= 5 * SECOND {
            self.reported = now;
            let [a, b, c, d] = self.peer.ssrc().to_be_bytes();
            self.peer.report(&[0x80, 201, 0, 1, a, b, c, d], out);
        }
    }

    fn speak(&mut self, out: &mut Outbox) {
        let Some(source) = &mut self.source else { return };
        let (payload, level) = source.script.packets[source.at % source.script.packets.len()].clone();
        let empty = payload.len() <= 2;
        if !(empty && source.quiet) {
            let mut whole = Vec::new();
            if source.red {
                let previous = source.previous.as_deref().unwrap_or(&[]);
                if !previous.is_empty() {
                    whole.extend((0x8000_0000 | u32::from(OPUS) << 24 | 960 << 10 | previous.len() as u32).to_be_bytes());
                }
                whole.push(OPUS);
                whole.extend(previous);
            }
            whole.extend(&payload);
            let said = self.peer.say(&Say { timestamp: source.timestamp, level, red: source.red, payload: &whole }, out);
            source.packets += u64::from(said);
        }
        source.previous = Some(payload).filter(|_| !(empty && source.quiet));
        source.quiet = empty;
        source.at += 1;
        source.timestamp = source.timestamp.wrapping_add(FRAME as u32);
        source.next = source.next.after(20 * MILLISECOND);
    }

    pub fn receive(&mut self, now: Nanos, from: SocketAddr, datagram: &mut [u8], out: &mut Outbox) {
        if self.gone {
            return;
        }
        let from = Address { remote: from, local: None, socket: 0 };
        match self.peer.receive(now, from, datagram, out) {
            Heard::Nothing => {}
            Heard::Rtp { stream, header, index, csrcs, payload } => {
                let csrcs = csrcs.iter().copied().filter(|csrc| *csrc != 0).collect();
                let packet = Packet { arrival: now, index, timestamp: header.timestamp, len: payload.len(), csrcs };
                self.hears[stream].take(packet, payload, self.decode);
            }
            Heard::Rtcp(_) => self.hears[0].reports += 1,
        }
    }

    pub fn flush(&mut self, now: Nanos, out: &mut Outbox, net: &mut Net) {
        let server: SocketAddr = SERVER.parse().unwrap();
        for (to, datagram) in out.iter() {
            assert_eq!(to.remote, server, "people talk to the server only");
            net.send(now, self.address, server, datagram, Path::Up);
        }
        out.clear();
    }
}

/// How much of `said` is in `heard`: the best normalised correlation over lags of up to `lags` samples at 12 kHz, and that lag in
/// milliseconds.
pub fn likeness(said: &[f32], heard: &[f32], lags: usize) -> (f32, f32) {
    let thin = |pcm: &[f32]| pcm.chunks_exact(4).map(|four| four.iter().sum::<f32>() / 4.0).collect::<Vec<f32>>();
    let (said, heard) = (thin(said), thin(heard));
    let mut best = (0.0, 0.0);
    for lag in 0..lags {
        let Some(shifted) = heard.get(lag..) else { break };
        let len = said.len().min(shifted.len());
        let (mut product, mut one, mut two) = (0.0f32, 1e-9f32, 1e-9f32);
        for (said, heard) in said[..len].iter().zip(&shifted[..len]) {
            product += said * heard;
            one += said * said;
            two += heard * heard;
        }
        let likeness = product / (one * two).sqrt();
        if likeness > best.0 {
            best = (likeness, lag as f32 / 12.0);
        }
    }
    best
}

/// −dBFS of the loudest 20 ms of some sound; 200 for nothing.
pub fn loudest(pcm: &[f32]) -> f32 {
    pcm.chunks(FRAME)
        .map(|frame| frame.iter().map(|sample| sample * sample).sum::<f32>() / frame.len() as f32)
        .fold(0.0, f32::max)
        .max(1e-20)
        .log10()
        * -10.0
}

pub fn dice(seed: u64) -> Dice {
    Dice::new(seed)
}
