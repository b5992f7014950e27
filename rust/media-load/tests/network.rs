//! Bad networks, from seeds: loss, jitter, reordering, duplication, changed addresses, and those who pretend.

mod world;

use std::net::SocketAddr;

use media_core::messages::FromMedia;
use media_core::outbox::Outbox;
use media_core::session::Feed;
use media_core::time::{MILLISECOND, Nanos, SECOND};
use world::net::{Path, Weather};
use world::person::{loudest, script};
use world::{SERVER, World};

/// A stage of two and an audience of two.
fn quartet(seed: u64) -> (World, [usize; 2], [usize; 2], [usize; 2]) {
    let mut world = World::new(seed);
    let ingest = ["ann", "ben"].map(|name| world.open(Feed::Ingest, name, u32::from(name == "ben") + 1));
    let stage = ["ann", "ben"].map(|name| world.open(Feed::Stage, name, u32::from(name == "ben") + 1));
    let listeners = ["lou", "mia"].map(|name| world.open(Feed::Programme, name, 0));
    (world, ingest, stage, listeners)
}

#[test]
fn everyone_connects_and_hears_whatever_the_weather() {
    for seed in 0..120 {
        let (mut world, ingest, stage, listeners) = quartet(seed);
        let mut dice = world::person::dice(seed);
        let mut weather = || Weather {
            loss: f64::from(dice.between(0.0, 0.15)),
            twice: f64::from(dice.between(0.0, 0.1)),
            delay: f64::from(dice.between(0.0, 120.0)),
            jitter: f64::from(dice.between(0.0, 60.0)),
        };
        (world.net.up, world.net.down) = (weather(), weather());
        world.people.iter_mut().for_each(|person| person.decode = false);
        world.connect_all();
        world.allow("ann", 1, 2);
        world.allow("ben", 2, 2);
        let now = world.now;
        world.people[ingest[0]].say(now, script(1, 0, 8), 1);
        world.people[ingest[1]].say(now, script(2, 0, 8), 0xffff_fff0);
        world.people[ingest[1]].source.as_mut().unwrap().red = true;
        world.run_ms(2500);
        for listener in listeners {
            let hears = &world.people[listener].hears[0];
            let heard: Vec<u32> = hears.packets.iter().flat_map(|packet| &packet.csrcs).map(|csrc| csrc >> 8).collect();
            assert!(heard.contains(&1) && heard.contains(&2), "seed {seed}: {heard:?}");
            assert!(hears.packets.len() > 70, "seed {seed}: {} packets", hears.packets.len());
        }
        for ears in stage {
            let packets = world.people[ears].hears.iter().map(|stream| stream.packets.len()).sum::<usize>();
            assert!(packets > 50, "seed {seed}: {packets} packets on the stage");
        }
        // What the network sends twice is delivered once (rule 6), and nothing that is ours looks forged.
        assert!(world.people.iter().all(|person| person.peer.counters.forged == 0), "seed {seed}");
        assert_eq!(world.stat("forged_total"), 0.0, "seed {seed}");
        assert_eq!(world.stat("panics_total"), 0.0, "seed {seed}");
    }
}

#[test]
fn a_handshake_survives_the_loss_of_any_flight() {
    for seed in 0..60 {
        let mut world = World::new(600 + seed);
        world.net.down = Weather { loss: 0.4, delay: 10.0, ..Weather::default() };
        world.net.up = Weather { loss: 0.1, delay: 10.0, ..Weather::default() };
        let lou = world.open(Feed::Programme, "lou", 0);
        world.connect_all();
        (world.net.up, world.net.down) = Default::default();
        let now = world.now;
        world.run_ms(1000);
        assert!(world.people[lou].hears[0].packets_between(now, world.now) > 0, "seed {seed}");
        assert_eq!(world.stat("handshakes_total"), 1.0, "seed {seed}");
    }
}

#[test]
fn five_percent_lost_and_20_ms_of_jitter_are_mostly_repaired() {
    let mut report = Vec::new();
    for (red, limit) in [(false, 0.03), (true, 0.008)] {
        let mut world = World::new(40);
        let (ann, lou) = (world.open(Feed::Ingest, "ann", 7), world.open(Feed::Programme, "lou", 0));
        world.people[lou].decode = false;
        world.connect_all();
        world.allow("ann", 7, 2);
        world.net.up = Weather { loss: 0.05, jitter: 20.0, ..Weather::default() };
        let now = world.now;
        world.people[ann].say(now, script(1, 0, 60), 0);
        world.people[ann].source.as_mut().unwrap().red = red;
        for _ in 0..12 {
            world.run_ms(5000);
            world.renew(&[("ann", 7, 2)]);
        }
        let concealed = world.stat("concealed_samples") / (60.0 * 48_000.0);
        report.push(format!(
            "RED {red}: {:.2} % concealed, {} recovered, {} late",
            concealed * 100.0,
            world.stat("recovered_frames"),
            world.stat("late_packets")
        ));
        assert!(concealed < limit, "{report:?}");
    }
    println!("{report:?}");
}

#[test]
fn a_clean_path_conceals_nothing() {
    let mut world = World::new(41);
    let (ann, lou) = (world.open(Feed::Ingest, "ann", 7), world.open(Feed::Programme, "lou", 0));
    world.people[lou].decode = false;
    world.connect_all();
    world.allow("ann", 7, 2);
    let now = world.now;
    world.people[ann].say(now, script(1, 0, 60), 0);
    for _ in 0..12 {
        world.run_ms(5000);
        world.renew(&[("ann", 7, 2)]);
    }
    assert!(world.stat("concealed_samples") <= 0.001 * 60.0 * 48_000.0, "{}", world.stat("concealed_samples"));
    assert_eq!(world.stat("late_packets"), 0.0);
}

#[test]
fn a_speaker_whose_packets_get_lost_is_told_so() {
    let mut world = World::new(42);
    let ann = world.open(Feed::Ingest, "ann", 7);
    world.connect_all();
    world.allow("ann", 7, 2);
    let now = world.now;
    world.people[ann].say(now, script(1, 0, 20), 0);
    world.run_ms(3000);
    assert!(world.people[ann].hears[0].reports >= 2);
}

#[test]
fn media_follows_a_rebound_address_once_it_has_answered() {
    for seed in 0..30 {
        let (mut world, ingest, _, listeners) = quartet(300 + seed);
        world.net.up = Weather { delay: 5.0, jitter: 15.0, loss: 0.02, ..Weather::default() };
        world.net.down = world.net.up;
        world.people[listeners[1]].peer.set_nominates(false);
        world.connect_all();
        world.allow("ann", 1, 2);
        let now = world.now;
        world.people[ingest[0]].say(now, script(1, 0, 20), 1);
        world.run_ms(1000 + seed * 11);
        // A listener's moves with their next check; a speaker's packets prove it at once.
        world.people[listeners[seed as usize % 2]].rebind();
        world.people[ingest[0]].rebind();
        let moved = world.now;
        world.run_ms(11_000);
        let heard = &world.people[listeners[seed as usize % 2]].hears[0];
        assert!(heard.packets_between(moved.after(8 * SECOND), world.now) > 50, "seed {seed}: the programme did not follow");
        let other = &world.people[listeners[1 - seed as usize % 2]].hears[0];
        let silent = loudest(other.between(moved.after(300 * MILLISECOND), moved.after(1500 * MILLISECOND)));
        assert!(silent < 40.0, "seed {seed}: a speaker who moved must be heard on: −{silent} dBFS");
        assert!(world.people.iter().all(|person| person.peer.counters.forged == 0));
        assert_eq!(world.stat("address_moves_total"), 2.0, "seed {seed}");
    }
}

#[test]
fn a_copied_check_from_elsewhere_moves_nothing() {
    let (mut world, _, _, listeners) = quartet(43);
    world.connect_all();
    let lou = listeners[0];
    world.run_ms(500);
    // Someone on the path copies Lou's checks and sends them from an address of a victim, who answers nothing.
    let victim: SocketAddr = "10.9.9.9:9".parse().unwrap();
    for round in 0..20 {
        let mut out = Outbox::default();
        world.people[lou].peer.check(&mut out);
        let copies: Vec<Vec<u8>> = out.iter().map(|(_, datagram)| datagram.to_vec()).collect();
        let now = world.now;
        for copy in copies {
            world.net.send(now, victim, SERVER.parse().unwrap(), &copy, Path::Up);
        }
        world.run_ms(100 + round);
    }
    assert_eq!(world.stat("address_moves_total"), 0.0);
    let (to_victim, packets) = world.sent_to(victim);
    assert!(to_victim <= 20 * 250, "{to_victim} bytes in {packets} packets for 20 spoofed checks");
    assert!(!world.rtp_sent_to(victim), "no media for the victim");
    let now = world.now;
    world.run_ms(5000);
    assert!(world.people[lou].hears[0].packets_between(now, world.now) > 5, "Lou still has the programme");
}

#[test]
fn who_cannot_be_authenticated_gets_nothing() {
    let (mut world, ingest, _, listeners) = quartet(44);
    world.connect_all();
    world.allow("ann", 1, 2);
    let now = world.now;
    world.people[ingest[0]].say(now, script(1, 0, 20), 1);
    world.run_ms(1000);
    let stranger: SocketAddr = "10.9.9.8:8".parse().unwrap();
    let mut dice = world::person::dice(1);
    let ssrc = world.people[ingest[0]].peer.ssrc();
    for at in 0..2000u32 {
        // RTP with Ann's SSRC, DTLS records, STUN without integrity: from a stranger, and from Ann's own address.
        let mut bytes: Vec<u8> = (0..40 + at % 200).map(|_| dice.bits() as u8).collect();
        match at % 4 {
            0 => {
                bytes[..2].copy_from_slice(&[0x80, 111]);
                bytes[8..12].copy_from_slice(&ssrc.to_be_bytes());
            }
            1 => bytes[..3].copy_from_slice(&[22, 254, 253]),
            2 => bytes[..8].copy_from_slice(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]),
            _ => bytes[..2].copy_from_slice(&[0x80, 201]),
        }
        let from = if at % 8 < 4 { stranger } else { world.people[ingest[0]].address };
        let now = world.now;
        world.net.send(now, from, SERVER.parse().unwrap(), &bytes, Path::Up);
        world.run_ms(1);
    }
    assert_eq!(world.sent_to(stranger).0, 0, "a stranger is never answered");
    let now = world.now;
    world.run_ms(1000);
    assert!(loudest(world.people[listeners[0]].hears[0].between(now, world.now)) < 40.0, "Ann is heard on");
    assert!(world.facts.iter().all(|fact| !matches!(fact, FromMedia::SessionDown(_))));
}

#[test]
fn a_recorded_stream_played_again_is_heard_once() {
    let (mut world, ingest, _, _) = quartet(45);
    world.connect_all();
    world.allow("ann", 1, 2);
    let now = world.now;
    world.net.record_up = true;
    world.people[ingest[0]].say(now, script(1, 0, 20), 1);
    world.run_ms(2000);
    world.people[ingest[0]].source = None;
    world.run_ms(500);
    let recorded = std::mem::take(&mut world.net.recorded);
    world.net.record_up = false;
    let before = world.stat("replayed_total");
    let rtp: Vec<_> = recorded.into_iter().filter(|packet| packet.bytes[0] >= 128).collect();
    assert!(rtp.len() > 60);
    for packet in &rtp {
        let now = world.now;
        world.net.send(now, packet.from, packet.to, &packet.bytes, Path::Up);
    }
    world.run_ms(100);
    assert_eq!(world.stat("replayed_total") - before, rtp.len() as f64);
}

#[test]
fn a_flood_of_audio_is_cut_to_what_a_voice_needs() {
    let mut world = World::new(46);
    let (ann, lou) = (world.open(Feed::Ingest, "ann", 7), world.open(Feed::Stage, "lou", 8));
    world.connect_all();
    world.allow("ann", 7, 2);
    let script = script(1, 0, 20);
    let start = world.now;
    for at in 0..2000u32 {
        // Ten times real time, for four seconds.
        let mut out = Outbox::default();
        let (payload, level) = &script.packets[at as usize % script.packets.len()];
        let say = media_load::peer::Say { timestamp: at * 960, level: *level, red: false, payload };
        world.people[ann].peer.say(&say, &mut out);
        let (now, address) = (world.now, world.people[ann].address);
        for (_, datagram) in out.iter() {
            world.net.send(now, address, SERVER.parse().unwrap(), datagram, Path::Up);
        }
        world.run_ms(2);
    }
    let heard: usize = world.people[lou].hears.iter().map(|stream| stream.packets.len()).sum();
    let seconds = world.now.since(start) as f64 / SECOND as f64;
    assert!(heard as f64 <= (seconds * 1.2 + 1.0) * 50.0 + 1.0, "{heard} frames in {seconds} s");
    assert!(world.stat("refused_packets") > 1000.0);
}

#[test]
fn sessions_without_a_connection_are_bounded_and_speakers_have_room_kept() {
    let mut world = World::with_capacity(47, 160);
    let offer = |world: &mut World, feed: Feed, at: usize| {
        let setup = world.setup().clone();
        let person = world::person::Person::new(at, feed, &format!("p{at}"), 0, &setup, &mut world.dice);
        let (session, space, owner, offer) = (person.session.clone(), world::SPACE.into(), person.owner.clone(), person.peer.offer());
        let feed = feed.name().to_owned();
        world.ask(|request| {
            media_core::messages::ToMedia::OpenSession(media_core::messages::OpenSession {
                request,
                session,
                space,
                owner,
                feed,
                csrc: 0,
                seq: 1,
                offer,
            })
        })
    };
    let opened = (0..200).filter(|at| matches!(offer(&mut world, Feed::Programme, *at), FromMedia::Answered(_))).count();
    assert_eq!(opened, 96, "64 records are kept for speakers");
    assert!(matches!(offer(&mut world, Feed::Ingest, 900), FromMedia::Answered(_)));
    world.run_ms(16_000);
    assert_eq!(world.stat("sessions_pending"), 0.0);
    assert!(matches!(offer(&mut world, Feed::Programme, 901), FromMedia::Answered(_)));
}

#[test]
fn a_check_with_another_address_does_not_take_it_from_who_is_there() {
    let (mut world, ingest, _, listeners) = quartet(48);
    world.connect_all();
    world.allow("ann", 1, 2);
    let now = world.now;
    world.people[ingest[0]].say(now, script(1, 0, 20), 1);
    // Mallory has a session of her own, and sends its checks with Ann's and Lou's addresses.
    let mallory = world.open(Feed::Programme, "mallory", 0);
    world.people[mallory].gone = true;
    let victims = [world.people[ingest[0]].address, world.people[listeners[0]].address];
    for _ in 0..40 {
        let mut out = Outbox::default();
        world.people[mallory].peer.check(&mut out);
        let now = world.now;
        for victim in victims {
            out.iter().for_each(|(_, datagram)| world.net.send(now, victim, SERVER.parse().unwrap(), datagram, Path::Up));
        }
        world.run_ms(50);
    }
    let now: Nanos = world.now;
    world.run_ms(500);
    let lou = &world.people[listeners[0]];
    assert!(loudest(lou.hears[0].between(now, world.now)) < 40.0, "Ann is heard by Lou");
    assert!(world.ended(ingest[0]).is_none() && world.ended(listeners[0]).is_none());
}
