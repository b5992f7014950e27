//! The media node: everything between control messages, datagrams and time. Sans-IO; a panic on a session's bytes costs that session.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use media_audio::{FRAME, Samples};
use media_region::{Address, Region};

use crate::control::{fact_down, fact_up, wire_session};
use crate::grants::Grants;
use crate::ingest::Arrived;
use crate::messages::{Counts, FromMedia, SpaceCount, Stat, Stats, Welcome};
use crate::outbox::Outbox;
use crate::packets::Received;
use crate::random::Random;
use crate::rtcp::{self, SenderReport};
use crate::session::{Feed, SessionKey, SpaceName};
use crate::space::MediaSpace;
use crate::time::{Nanos, SECOND};
use crate::transport::{Lifecycle, Transport, TransportConfig};

/// Ticks between two sender reports of one session: 5 s, spread over all of them.
const REPORT_TICKS: u64 = 250;
/// The most frames made up for after a stall; what is older is skipped.
const MAX_BEHIND: u64 = 5;

/// The node.
pub struct Node {
    pub(crate) region: Arc<Region>,
    pub(crate) transport: Transport,
    pub(crate) grants: Grants,
    pub(crate) spaces: HashMap<SpaceName, MediaSpace>,
    pub(crate) facts: Vec<FromMedia>,
    generation: u32,
    /// The next frame's end on the media clock, in frames.
    frame: u64,
    counted: Nanos,
    wall_offset: u64,
    panics: u64,
    ticks_late: u64,
    packets_out: u64,
    bytes_out: u64,
}

impl Node {
    /// A node that goes on with whatever stands in `region`. `wall` is nanoseconds since the Unix epoch at `now`.
    pub fn new(region: Arc<Region>, config: TransportConfig, now: Nanos, wall: u64) -> Node {
        let generation = region.header().next_generation();
        let grants = Grants::new(region.clone(), now);
        region.header().beat(now.0);
        let transport = Transport::new(region.clone(), config);
        let mut node = Node {
            region,
            transport,
            grants,
            spaces: HashMap::new(),
            facts: Vec::new(),
            generation,
            frame: now.samples() / FRAME as u64 + 1,
            counted: now,
            wall_offset: wall.wrapping_sub(now.0),
            panics: 0,
            ticks_late: 0,
            packets_out: 0,
            bytes_out: 0,
        };
        let standing: Vec<SessionKey> = node.transport.sessions().map(|(key, _)| key).collect();
        for key in standing {
            node.enter(now, key);
        }
        node
    }

    /// The first message of a new api connection.
    pub fn api_connected(&mut self, now: Nanos, pid: u32) -> FromMedia {
        self.grants.api_connected(now);
        self.facts.clear();
        self.spaces.values_mut().for_each(|space| space.reported = 0);
        FromMedia::Welcome(Welcome {
            protocol: crate::messages::PROTOCOL,
            pid,
            generation: self.generation,
            sessions: self.transport.sessions().map(|(_, session)| wire_session(session)).collect(),
        })
    }

    /// The api's connection is gone: grants freeze.
    pub fn api_lost(&mut self, now: Nanos) {
        self.grants.api_lost(now);
    }

    /// Takes one datagram.
    pub fn receive(&mut self, now: Nanos, random: &mut dyn Random, from: Address, datagram: &mut [u8], out: &mut Outbox) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.deliver(now, random, from, datagram, out)));
        if outcome.is_err() {
            self.panics += 1;
            self.region.header().set_handling(None);
            if let Some(key) = self.transport.by_address.get(&(from.remote, from.socket)).copied() {
                self.drop_session(key, "panic");
            }
        }
    }

    fn deliver(&mut self, now: Nanos, random: &mut dyn Random, from: Address, datagram: &mut [u8], out: &mut Outbox) {
        match self.transport.receive(now, random, from, datagram, out) {
            Received::Nothing => {}
            Received::Rtp { key, header, index, level, payload } => {
                let arrived = Arrived { header, index, level, payload };
                let space = self.transport.get(key).filter(|session| session.feed == Feed::Ingest).map(|session| session.space);
                if let Some(space) = space.and_then(|space| self.spaces.get_mut(&space)) {
                    space.arrive(now, &self.grants, &self.transport, key, &arrived, out);
                }
            }
            Received::Rtcp { key, packet } => {
                if rtcp::read(packet, |_| ()) && self.transport.get(key).is_some_and(|session| session.feed == Feed::Ingest) {
                    self.drop_session(key, "goodbye");
                }
            }
        }
    }

    /// Lets timers fire and plays every frame that is due. Call at `next_deadline` or after any input.
    pub fn poll(&mut self, now: Nanos, out: &mut Outbox) {
        self.region.header().beat(now.0);
        while let Some(happened) = self.transport.poll(now, out) {
            match happened {
                Lifecycle::Up(key) => self.up(now, key),
                Lifecycle::Down(key, reason) => self.drop_session(key, reason.name()),
            }
        }
        let due = now.samples() / FRAME as u64;
        if self.spaces.is_empty() {
            self.frame = due + 1;
        } else if due >= self.frame + MAX_BEHIND {
            self.ticks_late += due - self.frame;
            self.frame = due;
        }
        while self.frame <= due && !self.spaces.is_empty() {
            self.tick(now, out);
            self.frame += 1;
        }
        if now.since(self.counted) >= SECOND {
            self.counted = now;
            self.count();
            self.receiver_reports(out);
        }
        self.packets_out += out.len() as u64;
        self.bytes_out += out.iter().map(|(_, datagram)| datagram.len() as u64).sum::<u64>();
    }

    fn tick(&mut self, now: Nanos, out: &mut Outbox) {
        let end = Samples(self.frame * FRAME as u64);
        for space in self.spaces.values_mut() {
            space.tick(now, end, &self.grants, &self.transport, out);
        }
        self.sender_reports(now, out);
    }

    /// When `poll` next has something to do.
    pub fn next_deadline(&self) -> Nanos {
        let frame = if self.spaces.is_empty() { Nanos::NEVER } else { Nanos::of_samples(self.frame * FRAME as u64) };
        frame.min(self.transport.next_deadline()).min(self.counted.after(SECOND))
    }

    /// Facts since the last call.
    pub fn take_facts(&mut self) -> std::vec::Drain<'_, FromMedia> {
        self.facts.drain(..)
    }

    /// Puts a live session into its Space.
    fn enter(&mut self, now: Nanos, key: SessionKey) {
        if let Some(session) = self.transport.get(key) {
            self.spaces.entry(session.space).or_insert_with(|| MediaSpace::new(session.space)).join(now, key, session);
        }
    }

    fn up(&mut self, now: Nanos, key: SessionKey) {
        self.enter(now, key);
        self.facts.extend(self.transport.get(key).map(fact_up));
    }

    /// Ends a session without a word to its other side.
    pub(crate) fn drop_session(&mut self, key: SessionKey, reason: &str) {
        let Some(session) = self.transport.get(key) else { return };
        let space = session.space;
        self.facts.push(fact_down(session, reason));
        self.transport.reap(key);
        self.left(space, key);
    }

    /// Ends a session and says goodbye.
    pub(crate) fn close_session(&mut self, now: Nanos, key: SessionKey, reason: &str, out: &mut Outbox) {
        let Some(session) = self.transport.get(key) else { return };
        let space = session.space;
        self.facts.push(fact_down(session, reason));
        self.transport.close(now, key, out);
        self.left(space, key);
    }

    fn left(&mut self, name: SpaceName, key: SessionKey) {
        let Some(space) = self.spaces.get_mut(&name) else { return };
        space.leave(key);
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
            .filter(|space| space.listeners() != space.reported)
            .map(|space| {
                space.reported = space.listeners();
                SpaceCount { space: space.name.text().to_owned(), listeners: space.reported }
            })
            .collect();
        if !changed.is_empty() {
            self.facts.push(FromMedia::Counts(Counts { spaces: changed }));
        }
    }

    /// Sender reports of the sessions whose turn it is, so that they never come all at once.
    fn sender_reports(&mut self, now: Nanos, out: &mut Outbox) {
        let turn = self.frame % REPORT_TICKS;
        let due: Vec<(SessionKey, usize)> = self
            .transport
            .sessions()
            .filter(|(key, session)| u64::from(key.slot) % REPORT_TICKS == turn && session.is_live() && session.feed != Feed::Ingest)
            .flat_map(|(key, session)| (0..session.feed.sections()).map(move |stream| (key, stream)))
            .collect();
        for (key, stream) in due {
            let (packets, octets) = self.transport.sent(key, stream);
            let Some(session) = self.transport.get(key).filter(|_| packets > 0) else { continue };
            let timestamp = (now.samples() as u32).wrapping_add(session.offset(stream));
            let wall = now.0.wrapping_add(self.wall_offset);
            let report = SenderReport { ssrc: session.ssrc(stream), wall, timestamp, packets, octets };
            self.transport.seal_rtcp(key, stream, out, |buffer| rtcp::sender_report(&report, buffer));
        }
    }

    /// Tells speakers what arrives of them, so that their encoders add redundancy when it gets lost.
    fn receiver_reports(&mut self, out: &mut Outbox) {
        for space in self.spaces.values_mut() {
            for speaker in space.speakers() {
                let Some((block, lost)) = speaker.reception() else { continue };
                let ours = self.transport.get(speaker.key).map_or(0, |session| session.ssrc(0));
                self.transport.seal_rtcp(speaker.key, 0, out, |buffer| rtcp::receiver_report(ours, &block, lost, buffer));
            }
        }
    }

    /// Counters and gauges for `/metrics`.
    pub(crate) fn stats(&mut self, request: u64, now: Nanos) -> FromMedia {
        let counters = self.transport.counters;
        let sessions =
            |feed: Feed| self.transport.sessions().filter(|(_, session)| session.feed == feed && session.is_live()).count() as f64;
        let voices =
            self.spaces.values_mut().flat_map(|space| space.speakers().iter().map(|speaker| (speaker.voice.stats(), speaker.refused)));
        let (mut concealed, mut late, mut recovered, mut refused) = (0, 0, 0, 0);
        voices.for_each(|(voice, over)| {
            concealed += voice.concealed;
            late += voice.late;
            recovered += voice.recovered;
            refused += over;
        });
        let stat = |name: &str, value: f64| Stat { name: format!("rostra_media_{name}"), value };
        let stats = vec![
            stat("generation", f64::from(self.generation)),
            stat("sessions_ingest", sessions(Feed::Ingest)),
            stat("sessions_programme", sessions(Feed::Programme)),
            stat("sessions_stage", sessions(Feed::Stage)),
            stat("sessions_slow_profile", self.transport.sessions().filter(|(_, session)| session.is_slow_profile()).count() as f64),
            stat("grants_open", self.grants.open(now) as f64),
            stat("packets_out_total", self.packets_out as f64),
            stat("bytes_out_total", self.bytes_out as f64),
            stat("forged_total", counters.forged as f64),
            stat("replayed_total", counters.replayed as f64),
            stat("stun_refused_total", counters.stun_refused as f64),
            stat("dtls_refused_total", counters.dtls_refused as f64),
            stat("handshakes_total", counters.handshakes as f64),
            stat("handshakes_failed_total", counters.handshakes_failed as f64),
            stat("address_moves_total", counters.moves as f64),
            stat("concealed_samples", concealed as f64),
            stat("late_packets", late as f64),
            stat("recovered_frames", recovered as f64),
            stat("refused_packets", refused as f64),
            stat("frames_skipped_total", self.ticks_late as f64),
            stat("panics_total", self.panics as f64),
        ];
        FromMedia::Stats(Stats { request, stats })
    }
}
