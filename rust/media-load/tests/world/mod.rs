//! A whole world without sockets: one node, people with their own WebRTC sessions, a network between them, a clock that only the
//! test moves, and dice whose seed replays everything.
#![allow(dead_code)] // Each test binary uses its part.

pub mod net;
pub mod person;

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use media_core::dtls::DtlsSetup;
use media_core::messages::*;
use media_core::node::{Node, Polled};
use media_core::outbox::Outbox;
use media_core::session::Feed;
use media_core::time::{MILLISECOND, Nanos, SECOND};
use media_core::transport::TransportConfig;
use media_core::{Address, Region};
use media_load::peer::Progressed;
use media_load::speech::Dice;

use net::{Net, Path};
use person::Person;

pub const SPACE: &str = "space1";
pub const SERVER: &str = "192.0.2.1:5000";

/// Sends what a node sealed past a checker: no (key, SSRC, index) may ever seal two different packets.
#[derive(Default)]
pub struct Checker {
    seen: HashMap<(usize, u32, u64), u64>,
    last: HashMap<(usize, u32), u64>,
    pub packets: u64,
}

impl Checker {
    fn check(&mut self, person: usize, packet: &[u8], seed: u64) {
        if packet.len() < 12 || !(128..192).contains(&packet[0]) {
            return;
        }
        let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        let rtcp = (192..=223).contains(&packet[1]);
        let (ssrc, index) = if rtcp {
            (word(4), 1 << 60 | u64::from(word(packet.len() - 4)))
        } else {
            let (ssrc, sequence) = (word(8), u16::from_be_bytes([packet[2], packet[3]]));
            let last = self.last.entry((person, ssrc)).or_insert(u64::from(sequence));
            let index = last.wrapping_add_signed(i64::from(sequence.wrapping_sub(*last as u16) as i16));
            *last = index.max(*last);
            (ssrc, index)
        };
        let hash = packet.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        self.packets += 1;
        if let Some(before) = self.seen.insert((person, ssrc, index), hash) {
            assert_eq!(before, hash, "seed {seed}: person {person} was sent two packets of SSRC {ssrc} under index {index}");
        }
    }
}

/// A crash that is to come: after so many more writes to the region.
#[derive(Default)]
struct Crash {
    left: Option<u64>,
    region: Option<Arc<Region>>,
    copy: Option<Region>,
    writes: u64,
}

pub struct World {
    pub seed: u64,
    pub dice: Dice,
    pub now: Nanos,
    pub node: Node,
    pub region: Arc<Region>,
    pub people: Vec<Person>,
    pub net: Net,
    pub facts: Vec<FromMedia>,
    pub checker: Checker,
    pub crashes: u32,
    /// The most packets that one call of `poll` queued.
    pub widest: usize,
    /// Whether deaths are nobody's fault: neither a storm nor a session's.
    pub calm: bool,
    setup: DtlsSetup,
    out: Outbox,
    request: u64,
    crash: Rc<RefCell<Crash>>,
    /// Bytes, packets, and whether any was RTP, by destination that is nobody's.
    astray: HashMap<SocketAddr, (usize, usize, bool)>,
}

/// One certificate for all worlds: making one is slow, and nothing depends on which it is.
fn certificate() -> (Vec<u8>, Vec<u8>) {
    static MADE: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    MADE.get_or_init(|| DtlsSetup::make_certificate().unwrap()).clone()
}

fn setup(now: Nanos, seed: u64) -> DtlsSetup {
    let (certificate, key) = certificate();
    DtlsSetup::for_simulation(certificate, key, (now, Instant::now()), seed).unwrap()
}

fn config(setup: &DtlsSetup) -> TransportConfig {
    TransportConfig { candidates: vec![SERVER.parse().unwrap()], dtls: setup.clone() }
}

/// Nanoseconds since the Unix epoch when the world's clock says 0.
const EPOCH: u64 = 1_700_000_000 * SECOND;

impl World {
    /// A world of a seed, with an api connected. The seed is printed if the test fails.
    pub fn new(seed: u64) -> World {
        World::with_capacity(seed, 256)
    }

    pub fn with_capacity(seed: u64, capacity: u32) -> World {
        let dice = Dice::new(seed);
        // A clock that starts anywhere, so that nothing leans on round numbers.
        let now = Nanos(100 * SECOND + dice.clone().bits() % SECOND);
        let (region, setup, mut out) = (Arc::new(Region::heap(capacity)), setup(now, seed), Outbox::default());
        let mut node = Node::new(region.clone(), config(&setup), now, EPOCH + now.0, &mut out);
        node.api_connected(now, 1);
        World {
            seed,
            net: Net::new(seed ^ 0x4e7),
            dice,
            now,
            node,
            region,
            people: Vec::new(),
            facts: Vec::new(),
            checker: Checker::default(),
            crashes: 0,
            widest: 0,
            calm: true,
            setup,
            out,
            request: 0,
            crash: Rc::default(),
            astray: HashMap::new(),
        }
    }

    pub fn setup(&self) -> &DtlsSetup {
        &self.setup
    }

    /// What the node answers to a request.
    pub fn ask(&mut self, message: impl FnOnce(u64) -> ToMedia) -> FromMedia {
        self.request += 1;
        let message = message(self.request);
        let reply = self.node.control(self.now, &mut self.dice, message, &mut self.out).expect("requests are answered");
        self.settle();
        reply
    }

    /// POSTs an offer for a new person; they connect as time goes on. Returns their number.
    pub fn open(&mut self, feed: Feed, owner: &str, csrc: u32) -> usize {
        let person = Person::new(self.people.len(), feed, owner, csrc, &self.setup, &mut self.dice);
        self.join(person, 1)
    }

    /// The same for a person made by the test.
    pub fn join(&mut self, mut person: Person, seq: u64) -> usize {
        let offer = person.peer.offer();
        let reply = self.ask(|request| {
            ToMedia::OpenSession(OpenSession {
                request,
                session: person.session.clone(),
                space: SPACE.into(),
                owner: person.owner.clone(),
                feed: person.feed.name().into(),
                csrc: person.csrc,
                seq,
                offer,
            })
        });
        let FromMedia::Answered(answered) = reply else { panic!("seed {}: {reply:?}", self.seed) };
        person.etag = answered.etag;
        person.peer.connect(self.now, &answered.sdp, None).expect("the answer is usable");
        self.people.push(person);
        self.people.len() - 1
    }

    /// Opens a microphone.
    pub fn allow(&mut self, owner: &str, csrc: u32, seq: u64) -> FromMedia {
        let grant = grant(owner, csrc, seq);
        self.ask(|request| ToMedia::Allow(Allow { request, grant }))
    }

    pub fn deny(&mut self, owner: &str, seq: u64, scope: &str) -> FromMedia {
        let (space, owner, scope) = (SPACE.to_owned(), owner.to_owned(), scope.to_owned());
        self.ask(|request| ToMedia::Deny(Deny { request, space, owner, seq, scope }))
    }

    /// Renews the grants named (owner, csrc, seq) and ends all others.
    pub fn renew(&mut self, grants: &[(&str, u32, u64)]) {
        let grants = grants.iter().map(|(owner, csrc, seq)| grant(owner, *csrc, *seq)).collect();
        assert!(self.node.control(self.now, &mut self.dice, ToMedia::Renew(Renew { grants }), &mut self.out).is_none());
        self.settle();
    }

    pub fn stat(&mut self, name: &str) -> f64 {
        let FromMedia::Stats(stats) = self.ask(|request| ToMedia::GetStats(GetStats { request })) else { panic!("no stats") };
        let wanted = format!("rostra_media_{name}");
        stats.stats.iter().find(|stat| stat.name == wanted).unwrap_or_else(|| panic!("no {wanted}")).value
    }

    pub fn run_ms(&mut self, milliseconds: u64) {
        self.run_until(self.now.after(milliseconds * MILLISECOND));
    }

    /// Runs until everyone is connected; fails after `seconds`.
    pub fn connect_all(&mut self) {
        let end = self.now.after(10 * SECOND);
        while self.now < end && !self.all_connected() {
            self.run_ms(20);
        }
        let states: Vec<_> = self.people.iter().map(|person| person.peer.progress()).collect();
        assert!(self.all_connected(), "seed {}: {states:?}", self.seed);
    }

    fn all_connected(&self) -> bool {
        let connected = |person: &Person| person.gone || person.peer.progress() == Progressed::Connected;
        (0..self.people.len()).all(|at| connected(&self.people[at]) || self.ended(at).is_some())
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: Nanos) {
        loop {
            let people = self.people.iter().map(Person::next_deadline).fold(Nanos::NEVER, Nanos::min);
            let next = people.min(self.net.next_deadline()).min(self.node.next_deadline());
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn step(&mut self) {
        let server: SocketAddr = SERVER.parse().unwrap();
        while let Some(mut packet) = self.net.due(self.now) {
            if packet.to == server {
                let from = Address { remote: packet.from, local: None, socket: 0 };
                self.node.receive(self.now, &mut self.dice, from, &mut packet.bytes, &mut self.out);
                self.after_node();
            } else if let Some(person) = self.people.iter_mut().find(|person| person.address == packet.to) {
                let mut out = Outbox::default();
                person.receive(self.now, packet.from, &mut packet.bytes, &mut out);
                person.flush(self.now, &mut out, &mut self.net);
            }
        }
        for person in &mut self.people {
            person.poll(self.now, &mut self.net);
        }
        self.poll();
    }

    fn poll(&mut self) {
        loop {
            let polled = self.node.poll(self.now, &mut self.dice, &mut self.out);
            self.widest = self.widest.max(self.out.len());
            if self.after_node() {
                continue;
            }
            self.settle();
            if polled == Polled::Idle {
                break;
            }
        }
        self.facts.extend(self.node.take_facts());
    }

    /// Sends what the node queued.
    fn settle(&mut self) {
        if self.after_node() {
            return;
        }
        let server = SERVER.parse().unwrap();
        for (to, datagram) in self.out.iter() {
            let person = self.people.iter().position(|person| person.address == to.remote);
            let person = person
                .unwrap_or_else(|| self.people.iter().position(|person| person.old_addresses.contains(&to.remote)).unwrap_or(usize::MAX));
            if person == usize::MAX {
                let (bytes, packets, rtp) = self.astray.entry(to.remote).or_default();
                (*bytes, *packets, *rtp) = (*bytes + datagram.len(), *packets + 1, *rtp || datagram[0] >= 128);
            }
            self.checker.check(person, datagram, self.seed);
            self.net.send(self.now, server, to.remote, datagram, Path::Down);
        }
        self.out.clear();
    }

    /// Has the node die after so many more writes to its region; a successor takes over from exactly there.
    pub fn crash_after(&mut self, writes: u64) {
        let crash = self.crash.clone();
        *crash.borrow_mut() = Crash { left: Some(writes), region: Some(self.region.clone()), copy: None, writes: 0 };
        media_region::watch(Some(Box::new(move || {
            let mut crash = crash.borrow_mut();
            crash.writes += 1;
            match crash.left {
                Some(0) => {
                    crash.left = None;
                    crash.copy = crash.region.take().map(|region| region.fork());
                }
                Some(left) => crash.left = Some(left - 1),
                None => {}
            }
        })));
    }

    /// If the node has died meanwhile, a successor goes on, and what the dead one did after its death never happened.
    fn after_node(&mut self) -> bool {
        let Some(copy) = self.crash.borrow_mut().copy.take() else { return false };
        media_region::watch(None);
        // What was queued was never sent.
        self.out.clear();
        self.succeed(copy);
        true
    }

    /// A successor on `region` takes over now, and its api connects again.
    pub fn succeed(&mut self, region: Region) {
        self.succeed_without_api(region);
        self.node.api_connected(self.now, 1);
    }

    /// A successor on `region` takes over now.
    pub fn succeed_without_api(&mut self, region: Region) {
        self.crashes += 1;
        if self.calm {
            // These deaths have nothing to do with what is in the region.
            region.header().forgive();
            region.header().take_handling();
        }
        self.region = Arc::new(region);
        self.node = Node::new(self.region.clone(), config(&self.setup), self.now, EPOCH + self.now.0, &mut self.out);
        self.settle();
    }

    /// The record in the region of a live person's session.
    pub fn record_of(&self, person: usize) -> u32 {
        let id = u128::from_str_radix(&self.people[person].session, 16).unwrap().to_be_bytes();
        let records = self.region.records().iter();
        (0u32..).zip(records).find(|(_, record)| record.data().is_some_and(|data| data.id == id)).expect("the session stands").0
    }

    /// kill -9 between two instructions of nothing in particular, and a successor after `milliseconds`.
    pub fn kill(&mut self, milliseconds: u64) {
        let copy = self.region.fork();
        self.out.clear();
        self.net.drop_until(SERVER.parse().unwrap(), self.now.after(milliseconds * MILLISECOND));
        self.now = self.now.after(milliseconds * MILLISECOND);
        self.succeed(copy);
    }

    /// Bytes and packets sent to an address that is nobody's.
    pub fn sent_to(&self, address: SocketAddr) -> (usize, usize) {
        self.astray.get(&address).map_or((0, 0), |(bytes, packets, _)| (*bytes, *packets))
    }

    /// Whether any of them was RTP or RTCP.
    pub fn rtp_sent_to(&self, address: SocketAddr) -> bool {
        self.astray.get(&address).is_some_and(|(_, _, rtp)| *rtp)
    }

    /// The end of a session as the api heard of it.
    pub fn ended(&self, person: usize) -> Option<String> {
        let id = &self.people[person].session;
        self.facts.iter().find_map(|fact| match fact {
            FromMedia::SessionDown(down) if down.session.id == *id => Some(down.reason.clone()),
            _ => None,
        })
    }
}

pub fn grant(owner: &str, csrc: u32, seq: u64) -> Grant {
    Grant { space: SPACE.into(), account: owner.into(), csrc, seq }
}
