//! Bytes that nobody sane would send, of every length, from strangers and from people with a session: nothing panics, nothing grows.

mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use media_core::messages::FromMedia;
use media_core::outbox::Outbox;
use media_core::session::Feed;
use media_load::peer::{Progressed, Say};
use media_load::speech::Dice;
use proptest::prelude::*;
use world::net::Path;
use world::person::{loudest, script};
use world::{SERVER, World};

/// Counts the bytes that live.
struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);
/// One test at a time, so that the bytes counted are its own.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every call is handed to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Relaxed);
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn speaking(seed: u64) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let (ann, lou) = (world.open(Feed::Ingest, "ann", 7), world.open(Feed::Programme, "lou", 0));
    world.open(Feed::Stage, "ben", 8);
    world.connect_all();
    world.allow("ann", 7, 2);
    let now = world.now;
    world.people[ann].say(now, script(1, 0, 8), 0);
    world.run_ms(300);
    (world, ann, lou)
}

/// Garbage of a length that looks a little like each protocol in turn.
fn garbage(dice: &mut Dice, len: usize, kind: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..len).map(|_| dice.bits() as u8).collect();
    let head: &[u8] = match kind % 6 {
        0 => &[],
        1 => &[0, 1, ((len.saturating_sub(20)) >> 8) as u8, (len.saturating_sub(20)) as u8, 0x21, 0x12, 0xa4, 0x42],
        2 => &[1, 1, ((len.saturating_sub(20)) >> 8) as u8, (len.saturating_sub(20)) as u8, 0x21, 0x12, 0xa4, 0x42],
        3 => &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1],
        4 => &[0x9f, 111],
        _ => &[0x9f, 201],
    };
    let fits = head.len().min(len);
    bytes[..fits].copy_from_slice(&head[..fits]);
    bytes
}

fn throw(world: &mut World, from: SocketAddr, bytes: &[u8]) {
    let now = world.now;
    world.net.send(now, from, SERVER.parse().unwrap(), bytes, Path::Up);
}

#[test]
fn every_length_from_anywhere_changes_nothing() {
    let _alone = ALONE.lock();
    let (mut world, ann, lou) = speaking(1);
    world.people[lou].decode = false;
    let mut dice = Dice::new(1);
    let stranger: SocketAddr = "10.9.9.8:8".parse().unwrap();
    let mut round = |world: &mut World| {
        for len in 0..=1500 {
            for kind in 0..6 {
                let from = if (len + kind) % 2 == 0 { stranger } else { world.people[ann].address };
                let bytes = garbage(&mut dice, len, kind);
                throw(world, from, &bytes);
            }
            if len % 50 == 0 {
                world.run_ms(1);
            }
        }
        world.run_ms(100);
        // The world's own notes of what was heard are not the node's memory.
        world.people.iter_mut().for_each(|person| person.hears = Default::default());
        world.checker = Default::default();
    };
    (0..2).for_each(|_| round(&mut world));
    let before = LIVE.load(Relaxed);
    (0..2).for_each(|_| round(&mut world));
    let grown = LIVE.load(Relaxed) - before;
    assert!(grown < 64 * 1024, "{grown} bytes more after another 18,000 datagrams");
    assert_eq!(world.stat("panics_total"), 0.0);
    assert_eq!(world.sent_to(stranger).0, 0, "a stranger is never answered");
    world.run_ms(500);
    assert!(world.people[lou].hears[0].packets.len() > 15, "the programme goes on");
    assert!(world.people.iter().all(|person| person.peer.progress() == Progressed::Connected));
}

#[test]
fn a_speaker_who_sends_rubbish_harms_only_their_own_voice() {
    let _alone = ALONE.lock();
    let (mut world, ann, lou) = speaking(2);
    let mallory = world.open(Feed::Ingest, "mallory", 9);
    world.connect_all();
    world.allow("mallory", 9, 2);
    let mut dice = Dice::new(2);
    for at in 0..4000u32 {
        // Authentic packets with anything inside: as Opus, as RED, as RTCP.
        let payload: Vec<u8> = (0..dice.bits() % 1200).map(|_| dice.bits() as u8).collect();
        let mut out = Outbox::default();
        let timestamp = if at % 50 == 0 { dice.bits() as u32 } else { at * 960 };
        if at % 3 == 2 {
            world.people[mallory].peer.report(&[&[0x80 | dice.bits() as u8 & 31, 200 + (at % 8) as u8][..], &payload].concat(), &mut out);
        } else {
            let say = Say { timestamp, level: dice.bits() as u8 & 127, red: at % 3 == 1, payload: &payload };
            world.people[mallory].peer.say(&say, &mut out);
        }
        let address = world.people[mallory].address;
        let datagrams: Vec<Vec<u8>> = out.iter().map(|(_, datagram)| datagram.to_vec()).collect();
        datagrams.iter().for_each(|datagram| throw(&mut world, address, datagram));
        world.run_ms(1);
        if world.ended(mallory).is_some() {
            break;
        }
    }
    assert_eq!(world.stat("panics_total"), 0.0);
    let down = |fact: &&FromMedia| matches!(fact, FromMedia::SessionDown(down) if down.session.owner != "mallory");
    assert_eq!(world.facts.iter().filter(down).count(), 0);
    world.deny("mallory", 5, "space");
    let now = world.now;
    world.people[ann].say(now, script(1, 0, 8), 123_456);
    world.run_ms(2000);
    assert!(loudest(world.people[lou].hears[0].between(now, world.now)) < 40.0, "Ann is heard");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_datagrams_panic_a_node(datagrams in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..1500), 0usize..3, any::<u8>()), 1..40)) {
        let _alone = ALONE.lock();
        let (mut world, ann, lou) = speaking(3);
        for (mut bytes, from, first) in datagrams {
            if let Some(byte) = bytes.first_mut() {
                *byte = first;
            }
            let from = [world.people[ann].address, world.people[lou].address, "10.9.9.8:8".parse().unwrap()][from];
            throw(&mut world, from, &bytes);
            world.run_ms(1);
        }
        prop_assert_eq!(world.stat("panics_total"), 0.0);
        prop_assert!(world.people.iter().all(|person| person.peer.progress() == Progressed::Connected));
    }

    #[test]
    fn no_handshake_bytes_panic_a_node(datagrams in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..400), 0usize..200, any::<bool>()), 1..12)) {
        let _alone = ALONE.lock();
        // Someone in the middle of a handshake, whose records are replaced or bent.
        let mut world = World::new(4);
        let eve = world.open(Feed::Programme, "eve", 0);
        world.run_ms(1);
        for (noise, at, whole) in datagrams {
            let mut bytes = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, at as u8, (noise.len() >> 8) as u8, noise.len() as u8];
            bytes.extend(&noise);
            if !whole {
                bytes.truncate(at);
            }
            let from = world.people[eve].address;
            throw(&mut world, from, &bytes);
            world.run_ms(5);
        }
        prop_assert_eq!(world.stat("panics_total"), 0.0);
    }
}
