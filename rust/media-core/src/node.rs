//! The media node: everything between control messages, datagrams and time. Sans-IO; a panic on a session's bytes costs that session.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use media_audio::{FRAME, Samples};
use media_region::{Address, BATCH, Region, Takeover};

use crate::control::{fact_down, fact_up, wire_session};
use crate::flight::Flight;
use crate::grants::Grants;
use crate::ingest::Arrived;
use crate::messages::{Counts, FromMedia, SpaceCount, Welcome};
use crate::outbox::Outbox;
use crate::packets::Received;
use crate::random::Random;
use crate::rtcp::{self, Said, SenderReport};
use crate::session::{Feed, Session, SessionKey, SpaceName};
use crate::space::MediaSpace;
use crate::time::{MILLISECOND, Nanos, SECOND};
use crate::transport::{Lifecycle, Transport, TransportConfig};

/// Ticks between two sender reports of one session: 5 s, spread over all of them.
const REPORT_TICKS: u64 = 250;
/// The most frames made up for after a stall; what is older is skipped.
const MAX_BEHIND: u64 = 5;
/// The supervisor kills a holder that has not beaten for a second.
const BEAT: u64 = 250 * MILLISECOND;
/// A dead process's frame is finished if it is younger than this, in samples.
const UNFINISHED: u32 = 9600;
/// After a takeover the programme says nothing for so long unless it has something to say: what the listeners' decoders make
/// up sounds better than silence.
const WARM_UP: u64 = 100 * MILLISECOND;

/// A landed frame's last batch of at least so many packets goes to the kernel before the next frame begins, so that a successor
/// can still find it; smaller ones share a batch with the next Space's.
const FLUSH: usize = 64;

/// After frames had to be skipped, every programme's frames are long for this time: fewer packets for the same sound.
const PRESSED: u64 = 60 * SECOND;

/// Whether `poll` is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// Until `next_deadline` or the next input.
    Idle,
    /// No: send what is queued, clear it and call again.
    More,
}

/// What a node has counted since it began.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NodeCounters {
    pub(crate) panics: u64,
    pub(crate) frames_skipped: u64,
    pub(crate) packets_out: u64,
    pub(crate) octets_out: u64,
    pub(crate) reports: u64,
    pub(crate) reported_lost: u64,
}

/// The node.
pub struct Node {
    pub(crate) region: Arc<Region>,
    pub(crate) transport: Transport,
    pub(crate) grants: Grants,
    pub(crate) spaces: HashMap<SpaceName, MediaSpace>,
    pub(crate) facts: Vec<FromMedia>,
    pub(crate) counters: NodeCounters,
    flight: Box<Flight>,
    /// Spaces whose turn to play this frame is still to come, and the frame's end.
    turn: Vec<SpaceName>,
    end: Samples,
    /// The next frame's end on the media clock, in frames.
    frame: u64,
    beaten: Nanos,
    counted: Nanos,
    wall_offset: u64,
    quiet_until: Nanos,
    pressed_until: Nanos,
    takeover: Takeover,
}

impl Node {
    /// A node that goes on with whatever stands in `region`. `wall` is nanoseconds since the Unix epoch at `now`. After the third
    /// death in ten seconds it ends every session instead (rule 5): `out` gets the goodbyes.
    pub fn new(region: Arc<Region>, config: TransportConfig, now: Nanos, wall: u64, out: &mut Outbox) -> Node {
        let takeover = region.header().take_over(now.0);
        let grants = Grants::new(region.clone(), now);
        region.header().beat(now.0);
        let transport = Transport::new(region.clone(), config);
        let mut node = Node {
            region,
            transport,
            grants,
            spaces: HashMap::new(),
            facts: Vec::new(),
            counters: NodeCounters::default(),
            flight: Box::new(Flight::new()),
            turn: Vec::new(),
            end: Samples(0),
            frame: now.samples() / FRAME as u64 + 1,
            beaten: now,
            counted: now,
            wall_offset: wall.wrapping_sub(now.0),
            takeover,
            pressed_until: Nanos(0),
            quiet_until: if takeover == Takeover::Calm { now } else { now.after(WARM_UP) },
        };
        let standing: Vec<SessionKey> = node.transport.sessions().map(|(key, _)| key).collect();
        if takeover == Takeover::Storm {
            standing.iter().for_each(|key| node.close_session(*key, "storm", out));
        }
        standing.iter().for_each(|key| node.enter(now, *key));
        node.resume(now);
        node
    }

    /// How this process came to hold the region.
    pub fn takeover(&self) -> Takeover {
        self.takeover
    }

    /// Takes up the frame that a dead process was sending.
    fn resume(&mut self, now: Nanos) {
        let Some(frame) = self.region.header().fan_out().unfinished() else { return };
        let space = self.spaces.get(&SpaceName::of_bytes(frame.space));
        if let Some(space) = space.filter(|_| (now.samples() as u32).wrapping_sub(frame.timestamp) < UNFINISHED) {
            self.flight.resume(frame, space.listeners().len());
        }
    }

    /// The first message of a new api connection.
    pub fn api_connected(&mut self, now: Nanos, pid: u32) -> FromMedia {
        self.grants.api_connected(now);
        self.spaces.values_mut().for_each(|space| space.reported = 0);
        FromMedia::Welcome(Welcome {
            protocol: crate::messages::PROTOCOL,
            pid,
            generation: self.region.header().generation(),
            sessions: self.transport.sessions().map(|(_, session)| wire_session(session)).collect(),
        })
    }

    /// The last api's connection is gone: grants freeze.
    pub fn api_lost(&mut self, now: Nanos) {
        self.grants.api_lost(now);
    }

    /// Takes one datagram.
    pub fn receive(&mut self, now: Nanos, random: &mut dyn Random, from: Address, datagram: &mut [u8], out: &mut Outbox) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.deliver(now, random, from, datagram, out)));
        self.region.header().set_handling(None);
        if outcome.is_err() {
            self.counters.panics += 1;
            if let Some(key) = self.transport.at_address(from) {
                self.drop_session(key, "panic");
            }
        }
    }

    fn deliver(&mut self, now: Nanos, random: &mut dyn Random, from: Address, datagram: &mut [u8], out: &mut Outbox) {
        match self.transport.receive(now, random, from, datagram, out) {
            Received::Nothing => {}
            Received::Rtp { key, header, index, level, payload } => {
                let arrived = Arrived { header, index, level, payload };
                let space = self.transport.get(key).map(|session| session.space);
                if let Some(space) = space.and_then(|space| self.spaces.get_mut(&space)) {
                    space.arrive(now, &self.grants, &self.transport, key, &arrived, out);
                }
            }
            Received::Rtcp { key, packet } => self.heard(now, key, packet),
        }
    }

    fn heard(&mut self, now: Nanos, key: SessionKey, packet: &[u8]) {
        let Some(Session { feed, space, .. }) = self.transport.get(key) else { return };
        let (feed, space) = (*feed, *space);
        let mut bye = false;
        let speaker = self.spaces.get_mut(&space).and_then(|space| space.speaker(key));
        let mut sender = None;
        rtcp::read(packet, |said| match said {
            Said::Report(block) => {
                self.counters.reports += 1;
                self.counters.reported_lost += u64::from(block.fraction_lost);
            }
            Said::Sender(time) => sender = Some(time),
            Said::Bye => bye = true,
        });
        if let (Some(time), Some(speaker)) = (sender, speaker) {
            speaker.sender_report(now, time);
        }
        if bye && feed == Feed::Ingest {
            self.drop_session(key, "goodbye");
        }
    }

    /// Lets timers fire and plays every frame that is due, a batch of packets at a time. Call it at `next_deadline` and after any
    /// input, with everything queued before already sent.
    pub fn poll(&mut self, now: Nanos, random: &mut dyn Random, out: &mut Outbox) -> Polled {
        if now.since(self.beaten) >= BEAT / 2 {
            self.beaten = now;
            self.region.header().beat(now.0);
        }
        self.flight.flushed(&self.region);
        while let Some(happened) = self.transport.poll(now, out) {
            match happened {
                Lifecycle::Up(key) => self.up(now, random, key, out),
                Lifecycle::Down(key, reason) => self.drop_session(key, reason.name()),
            }
        }
        while out.len() < BATCH {
            if let Some(space) = self.flight.aloft() {
                let listeners = self.spaces.get(&space).map_or(&[][..], |space| space.listeners());
                self.flight.advance(&self.transport, listeners, out);
                if self.flight.aloft().is_none() && out.len() >= FLUSH {
                    return Polled::More;
                }
            } else if let Some(space) = self.turn.pop() {
                self.play(now, space);
            } else if !self.next_frame(now, out) {
                self.every_second(now, out);
                (self.counters.packets_out, self.counters.octets_out) = out.total();
                return Polled::Idle;
            }
        }
        Polled::More
    }

    /// Starts the next frame if one is due.
    fn next_frame(&mut self, now: Nanos, out: &mut Outbox) -> bool {
        let due = now.samples() / FRAME as u64;
        if self.spaces.is_empty() {
            self.frame = due + 1;
            return false;
        }
        if due >= self.frame + MAX_BEHIND {
            self.counters.frames_skipped += due - self.frame;
            self.pressed_until = now.after(PRESSED);
            self.frame = due;
        }
        if self.frame > due {
            return false;
        }
        self.end = Samples(self.frame * FRAME as u64);
        self.sender_reports(now, out);
        self.turn.extend(self.spaces.keys());
        self.frame += 1;
        true
    }

    /// Plays one frame of a Space, and starts its programme on its way.
    fn play(&mut self, now: Nanos, name: SpaceName) {
        let Some(space) = self.spaces.get_mut(&name) else { return };
        let broken = space.play(now, self.end, &self.grants, &self.transport);
        let listeners = space.listeners().len();
        let (hushed, pressed) = (now < self.quiet_until, now < self.pressed_until);
        let crowd = if pressed { usize::MAX } else { listeners };
        if let Some((timestamp, frame)) = space.mix(now, self.end, crowd).filter(|(_, frame)| !hushed || !frame.sources.is_empty()) {
            self.flight.begin(&self.region, name, timestamp, &frame, listeners);
        }
        if let Some(key) = broken {
            self.counters.panics += 1;
            self.drop_session(key, "panic");
        }
    }

    fn every_second(&mut self, now: Nanos, out: &mut Outbox) {
        if now.since(self.counted) < SECOND {
            return;
        }
        self.counted = now;
        self.count();
        self.receiver_reports(now, out);
    }

    /// When `poll` next has something to do.
    pub fn next_deadline(&self) -> Nanos {
        let idle = self.spaces.is_empty();
        let frame = if idle { Nanos::NEVER } else { Nanos::of_samples(self.frame * FRAME as u64).min(self.counted.after(SECOND)) };
        frame.min(self.transport.next_deadline()).min(self.beaten.after(BEAT))
    }

    /// Facts since the last call.
    pub fn take_facts(&mut self) -> std::vec::Drain<'_, FromMedia> {
        self.facts.drain(..)
    }

    /// Puts a live session into its Space.
    fn enter(&mut self, now: Nanos, key: SessionKey) {
        if let Some(name) = self.transport.get(key).map(|session| session.space) {
            self.spaces.entry(name).or_insert_with(|| MediaSpace::new(name)).join(now, key, &mut self.transport);
        }
    }

    fn up(&mut self, now: Nanos, random: &mut dyn Random, key: SessionKey, out: &mut Outbox) {
        self.enter(now, key);
        self.transport.measure(now, random, key, out);
        self.facts.extend(self.transport.get(key).map(fact_up));
    }

    /// Ends a session without a word to its other side.
    pub(crate) fn drop_session(&mut self, key: SessionKey, reason: &str) {
        self.leave(key, reason);
        self.transport.reap(key);
    }

    /// Ends a session and says goodbye.
    pub(crate) fn close_session(&mut self, key: SessionKey, reason: &str, out: &mut Outbox) {
        self.leave(key, reason);
        self.transport.close(key, out);
    }

    fn leave(&mut self, key: SessionKey, reason: &str) {
        let Some(session) = self.transport.get(key) else { return };
        let name = session.space;
        self.facts.push(fact_down(session, reason));
        let Some(space) = self.spaces.get_mut(&name) else { return };
        space.leave(key, &mut self.transport);
        if space.is_empty() {
            if space.reported != 0 {
                self.facts.push(FromMedia::Counts(Counts { spaces: vec![SpaceCount { space: name.text().to_owned(), listeners: 0 }] }));
            }
            self.spaces.remove(&name);
        }
    }

    fn count(&mut self) {
        let changed: Vec<SpaceCount> = self
            .spaces
            .values_mut()
            .filter(|space| space.listeners().len() as u32 != space.reported)
            .map(|space| {
                space.reported = space.listeners().len() as u32;
                SpaceCount { space: space.name.text().to_owned(), listeners: space.reported }
            })
            .collect();
        if !changed.is_empty() {
            self.facts.push(FromMedia::Counts(Counts { spaces: changed }));
        }
    }

    /// Sender reports of the sessions whose turn it is, so that they never come all at once.
    fn sender_reports(&mut self, now: Nanos, out: &mut Outbox) {
        for slot in ((self.frame % REPORT_TICKS) as usize..self.transport.slots()).step_by(REPORT_TICKS as usize) {
            let Some((key, session)) = self.transport.in_slot(slot).filter(|(_, session)| session.is_live()) else { continue };
            let streams = if session.feed == Feed::Ingest { 0 } else { session.feed.sections() };
            for stream in 0..streams {
                let (packets, octets) = self.transport.sent(key, stream);
                if packets == 0 {
                    continue;
                }
                let timestamp = (now.samples() as u32).wrapping_add(self.transport.offset(key, stream));
                let wall = now.0.wrapping_add(self.wall_offset);
                let report = SenderReport { ssrc: self.transport.ssrc(key, stream), wall, timestamp, packets, octets };
                self.transport.seal_rtcp(key, stream, out, |buffer| rtcp::sender_report(&report, buffer));
            }
        }
    }

    /// Tells speakers what arrives of them, so that their encoders add redundancy when it gets lost.
    fn receiver_reports(&mut self, now: Nanos, out: &mut Outbox) {
        for space in self.spaces.values_mut() {
            for speaker in space.speakers() {
                let Some((block, lost)) = speaker.reception(now) else { continue };
                let ours = self.transport.ssrc(speaker.key, 0);
                self.transport.seal_rtcp(speaker.key, 0, out, |buffer| rtcp::receiver_report(ours, &block, lost, buffer));
            }
        }
    }
}
