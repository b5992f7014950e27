//! `media-load speak`: one speaker through a WHIP door, at real pace.

use std::fs;
use std::io::Write;
use std::net::UdpSocket;

use media_audio::FRAME;
use media_audio::level::dbov;
use media_audio::opus::{Encoder, EncoderSettings, MAX_PAYLOAD};
use media_core::Address;
use media_core::outbox::Outbox;
use media_core::rtcp::{self, Said, SenderReport};
use media_core::session::Feed;
use media_core::time::{MILLISECOND, Nanos, SECOND};
use media_load::peer::{HANDSHAKE_TAIL, Heard, Peer, Progressed, Say};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

use crate::clock;
use crate::door::Door;
use crate::flags::Flags;
use crate::http::{Client, Url};
use crate::listen::round;
use crate::sound::Sound;
use crate::wire::{self, ROOM};

/// 20 ms.
const PACE: u64 = 20 * MILLISECOND;
/// Sender reports this often.
const REPORT: u64 = 5 * SECOND;
/// Without a datagram from the server for so long it is gone.
const EXPIRY: u64 = 10 * SECOND;

/// What was asked for.
#[derive(Debug, PartialEq)]
pub struct Speak {
    url: Url,
    bearer: Option<String>,
    wav: Option<String>,
    tone: Option<f32>,
    babble: Option<u64>,
    level: f32,
    seconds: f64,
    /// Whether the figures are printed as JSON, and no progress.
    pub json: bool,
}

impl Speak {
    /// Takes its flags.
    pub fn of(flags: &mut Flags) -> Result<Speak, String> {
        let speak = Speak {
            url: Url::parse(&flags.must::<String>("url")?)?,
            bearer: flags.maybe("bearer")?,
            wav: flags.maybe("wav")?,
            tone: flags.maybe("tone")?,
            babble: flags.maybe("babble")?,
            level: flags.maybe("level")?.unwrap_or(0.0),
            seconds: flags.number("seconds", 0.1, 1e6)?,
            json: flags.switch("json"),
        };
        let sounds = [speak.wav.is_some(), speak.tone.is_some(), speak.babble.is_some()];
        if sounds.iter().filter(|given| **given).count() > 1 {
            return Err("--wav, --tone and --babble exclude each other".to_owned());
        }
        Ok(speak)
    }

    fn sound(&self) -> Result<Sound, String> {
        if let Some(name) = &self.wav {
            let file = fs::read(name).map_err(|error| format!("{name}: {error}"))?;
            return Sound::wav(&file, self.level).map_err(|error| format!("{name}: {error}"));
        }
        Ok(match self.tone {
            Some(frequency) => Sound::tone(frequency, self.level),
            None => Sound::babble(self.babble.unwrap_or(1), self.level),
        })
    }

    /// Runs it; the figures.
    pub fn run(&self) -> Result<Value, String> {
        let sound = self.sound()?;
        let door = Door { url: self.url.clone(), bearer: self.bearer.clone(), dtls: clock::dtls()?, feed: Feed::Ingest };
        let mut client = Client::default();
        let mut opened = door.open(&mut client)?;
        let socket = wire::open(opened.remote, 0).map_err(|error| format!("the socket: {error}"))?;
        opened.peer.connect(opened.answered, &opened.answer, Some(opened.remote)).ok_or("the answer cannot be used")?;
        let dtx = opened.answer.contains("usedtx=1");
        let mut mouth = Mouth::new(opened.peer, socket, sound, dtx, Address { remote: opened.remote, local: None, socket: 0 })?;
        let spoken = self.speak(&mut mouth);
        mouth.goodbye();
        let ended = opened.session.map(|session| door.close(&mut client, &session)).transpose();
        spoken?;
        ended?;
        Ok(mouth.figures(opened.asked))
    }

    fn speak(&self, mouth: &mut Mouth) -> Result<(), String> {
        let mut progress = clock::now().after(SECOND);
        loop {
            let now = clock::now();
            mouth.turn(now)?;
            if mouth.started.is_some_and(|started| now.since(started) as f64 >= self.seconds * 1e9) {
                return Ok(());
            }
            if !self.json && progress <= now {
                progress = now.after(SECOND);
                let _ = writeln!(std::io::stderr(), "{} packets sent, {} RTCP packets seen", mouth.packets, mouth.reports);
            }
        }
    }
}

/// A session being spoken into.
struct Mouth {
    peer: Peer,
    socket: UdpSocket,
    remote: Address,
    sound: Sound,
    encoder: Encoder,
    out: Outbox,
    dtx: bool,
    quiet: bool,
    timestamp: u32,
    /// When the next frame is complete.
    next: Nanos,
    report: Nanos,
    heard: Nanos,
    started: Option<Nanos>,
    packets: u64,
    octets: u64,
    late: u64,
    reports: u64,
    /// Fraction lost of 256, and jitter in timestamp units, as last reported.
    lost: Option<(u8, u32)>,
}

impl Mouth {
    fn new(peer: Peer, socket: UdpSocket, sound: Sound, dtx: bool, remote: Address) -> Result<Mouth, String> {
        let settings = EncoderSettings { bitrate: 32_000, complexity: 5, loss: 10, dtx };
        Ok(Mouth {
            peer,
            socket,
            remote,
            sound,
            encoder: Encoder::new(settings).map_err(|error| error.to_string())?,
            out: Outbox::default(),
            dtx,
            quiet: false,
            timestamp: clock::wall() as u32,
            next: Nanos::NEVER,
            report: Nanos::NEVER,
            heard: clock::now(),
            started: None,
            packets: 0,
            octets: 0,
            late: 0,
            reports: 0,
            lost: None,
        })
    }

    /// Does what is due at `now`, then waits for the next thing.
    fn turn(&mut self, now: Nanos) -> Result<(), String> {
        self.peer.poll(now, &mut self.out);
        if self.peer.progress() == Progressed::Over || now.since(self.heard) > EXPIRY {
            return Err("the server has ended the session, or is gone".to_owned());
        }
        if self.started.is_none() && self.peer.progress() == Progressed::Connected {
            (self.started, self.next, self.report) = (Some(now), now.after(PACE), now.after(REPORT));
        }
        if self.started.is_some_and(|started| now.since(started) > HANDSHAKE_TAIL) {
            self.peer.forget_handshake();
        }
        while self.next <= now {
            self.late = self.late.max(now.since(self.next));
            self.say()?;
            self.next = self.next.after(PACE);
        }
        if self.report <= now {
            self.report = now.after(REPORT);
            self.send_report();
        }
        wire::flush(&self.socket, &mut self.out);
        self.wait();
        self.receive();
        Ok(())
    }

    fn wait(&self) {
        let left = self.peer.next_deadline().min(self.next).min(self.heard.after(EXPIRY)).since(clock::now()).max(100_000);
        let timeout = Timespec { tv_sec: (left / SECOND) as i64, tv_nsec: (left % SECOND) as i64 };
        let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout));
    }

    fn receive(&mut self) {
        let mut buffer = [0; ROOM];
        while let Ok((len, _)) = wire::receive(&self.socket, &mut buffer) {
            self.heard = clock::now();
            if let Heard::Rtcp(compound) = self.peer.receive(self.heard, self.remote, &mut buffer[..len], &mut self.out) {
                self.reports += 1;
                rtcp::read(compound, |said| {
                    if let Said::Report(block) = said {
                        self.lost = Some((block.fraction_lost, block.jitter));
                    }
                });
            }
        }
    }

    /// The next frame. With DTX the first empty frame of a silence is sent and the rest are not.
    fn say(&mut self) -> Result<(), String> {
        let frame = self.sound.frame();
        let mut payload = [0; MAX_PAYLOAD];
        let len = self.encoder.encode(&frame, &mut payload).map_err(|error| error.to_string())?;
        let empty = self.dtx && len <= 2;
        if !(empty && self.quiet) {
            let say = Say { timestamp: self.timestamp, level: dbov(&frame), red: false, payload: &payload[..len] };
            if self.peer.say(&say, &mut self.out) {
                self.packets += 1;
                self.octets += len as u64;
            }
        }
        self.quiet = empty;
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        Ok(())
    }

    fn send_report(&mut self) {
        let (ssrc, timestamp) = (self.peer.ssrc(), self.timestamp);
        let report = SenderReport { ssrc, wall: clock::wall(), timestamp, packets: self.packets as u32, octets: self.octets };
        let mut packet = [0; 128];
        if let Some(len) = rtcp::sender_report(&report, &mut packet) {
            self.peer.report(&packet[..len], &mut self.out);
        }
    }

    fn goodbye(&mut self) {
        let mut packet = [0; 16];
        if let Some(len) = rtcp::goodbye(self.peer.ssrc(), &mut packet) {
            self.peer.report(&packet[..len], &mut self.out);
        }
        wire::flush(&self.socket, &mut self.out);
    }

    fn figures(&self, asked: Nanos) -> Value {
        json!({
            "connected_ms": self.started.map(|started| round(started.since(asked) as f64 / 1e6, 2)),
            "seconds": self.started.map(|started| round(clock::now().since(started) as f64 / 1e9, 2)),
            "packets": self.packets,
            "octets": self.octets,
            "late_ms": round(self.late as f64 / 1e6, 2),
            "reports": self.reports,
            "lost_percent": self.lost.map(|(lost, _)| round(f64::from(lost) / 2.56, 2)),
            "jitter_ms": self.lost.map(|(_, jitter)| round(f64::from(jitter) / 48.0, 2)),
        })
    }
}
