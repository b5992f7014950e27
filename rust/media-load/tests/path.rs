//! The whole path, sans-IO: offer, ICE, DTLS, SRTP, ingest, stage, programme, grants. Real Opus, virtual time.

mod world;

use media_core::messages::*;
use media_core::session::Feed;
use media_core::time::{MILLISECOND, Nanos, SECOND};
use media_load::peer::Progressed;
use world::person::{likeness, loudest, script};
use world::{SPACE, World};

/// A world in which Ann speaks and Lou listens, everyone connected.
fn ann_speaks(seed: u64) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let ann = world.open(Feed::Ingest, "ann", 7);
    let lou = world.open(Feed::Programme, "lou", 0);
    world.connect_all();
    world.allow("ann", 7, 2);
    let now = world.now;
    world.people[ann].say(now, script(1, 0, 20), 5_000);
    (world, ann, lou)
}

#[test]
fn a_listener_hears_a_speaker() {
    let (mut world, ann, lou) = ann_speaks(1);
    let started = world.now;
    world.run_ms(4000);
    let heard = world.people[lou].hears[0].between(started, world.now);
    let said = &script(1, 0, 20).pcm[48_000..3 * 48_000];
    let (likeness, lag) = likeness(said, &heard[48_000..], 12 * 250);
    assert!(likeness > 0.6, "likeness {likeness} at {lag} ms");
    let named: Vec<u32> = world.people[lou].hears[0].packets.iter().flat_map(|packet| &packet.csrcs).map(|csrc| csrc >> 8).collect();
    assert!(named.len() > 100 && named.iter().all(|csrc| *csrc == 7), "the CSRC names the speaker");
    let levels = world.people[lou].hears[0].packets.iter().flat_map(|packet| &packet.csrcs).map(|csrc| csrc & 0xff);
    assert!(levels.min().unwrap() < 40, "and their level");
    assert_eq!(world.people[lou].peer.counters.forged + world.people[lou].peer.counters.replayed, 0);
    assert!(world.people[ann].hears[0].packets.is_empty(), "an ingest session is sent no media");
    assert!(world.people[ann].hears[0].reports > 0, "but receiver reports");
}

#[test]
fn sequence_and_timestamps_are_continuous() {
    let (mut world, _, lou) = ann_speaks(2);
    world.run_ms(6000);
    let packets = &world.people[lou].hears[0].packets;
    for pair in packets.windows(2) {
        assert_eq!(pair[1].index, pair[0].index + 1);
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!(step > 0 && step % 960 == 0, "{step}");
        let real = (pair[1].arrival.since(pair[0].arrival) as f64 * 48e-6).round() as i64;
        assert!((real - i64::from(step)).abs() <= 2, "{real} samples of time, {step} of timestamp");
    }
}

#[test]
fn silence_costs_next_to_nothing() {
    let mut world = World::new(3);
    let lou = world.open(Feed::Programme, "lou", 0);
    world.connect_all();
    let start = world.now.after(2 * SECOND);
    world.run_until(start.after(10 * SECOND));
    let packets = world.people[lou].hears[0].packets_between(start, world.now);
    assert!((10..80).contains(&packets), "{packets} packets in 10 s of silence");
    assert!(world.people[lou].hears[0].packets.iter().any(|packet| packet.len <= 2), "the first empty frame of a run is sent");
}

#[test]
fn two_speakers_hear_each_other_and_never_themselves() {
    let mut world = World::new(4);
    let people = [("ann", 7u32, 1u64), ("ben", 8, 2)].map(|(name, csrc, seed)| {
        let ingest = world.open(Feed::Ingest, name, csrc);
        let stage = world.open(Feed::Stage, name, csrc);
        (name, csrc, seed, ingest, stage)
    });
    world.connect_all();
    let now = world.now;
    for (name, csrc, seed, ingest, _) in people {
        world.allow(name, csrc, 2);
        world.people[ingest].say(now, script(seed, 0, 20), 77 * csrc);
    }
    world.run_ms(4000);
    for (_, csrc, _, _, stage) in people {
        let other = people.iter().find(|person| person.1 != csrc).unwrap();
        let heard: Vec<u32> = world.people[stage]
            .hears
            .iter()
            .flat_map(|stream| &stream.packets)
            .flat_map(|packet| &packet.csrcs)
            .map(|csrc| csrc >> 8)
            .collect();
        assert!(heard.len() > 80 && heard.iter().all(|csrc| *csrc == other.1), "{heard:?}");
        let sound = world.people[stage].hears[0].between(now, world.now);
        let (likeness, lag) = likeness(&script(other.2, 0, 20).pcm[48_000..144_000], &sound[48_000..], 12 * 100);
        assert!(likeness > 0.6, "{likeness} at {lag} ms");
    }
}

#[test]
fn the_three_loudest_others_are_heard() {
    let mut world = World::new(5);
    let eve = world.open(Feed::Stage, "eve", 99);
    let levels = [0, -25, -3, -6, -30];
    let speakers: Vec<usize> = (0..5).map(|at| world.open(Feed::Ingest, &format!("s{at}"), at + 1)).collect();
    world.connect_all();
    let now = world.now;
    for (at, speaker) in speakers.iter().enumerate() {
        world.allow(&format!("s{at}"), at as u32 + 1, 2);
        // One voice for all, so that they talk at the same time.
        world.people[*speaker].say(now, script(11, levels[at], 20), 1000 * at as u32);
    }
    let settled = now.after(2 * SECOND);
    world.run_until(now.after(6 * SECOND));
    let mut heard = [0; 6];
    for packet in world.people[eve].hears.iter().flat_map(|stream| &stream.packets).filter(|packet| packet.arrival > settled) {
        heard[(packet.csrcs[0] >> 8) as usize] += 1;
    }
    assert!(heard[1] > 100 && heard[3] > 100 && heard[4] > 100, "{heard:?}");
    assert!(heard[2] + heard[5] < 20, "{heard:?}");
    for stream in &world.people[eve].hears {
        assert!(stream.packets.windows(2).all(|pair| pair[1].index == pair[0].index + 1), "sequence numbers are continuous");
        assert!(stream.packets.windows(2).all(|pair| (pair[1].timestamp.wrapping_sub(pair[0].timestamp) as i32) > 0), "time goes on");
    }
}

#[test]
fn a_mute_is_silence_within_200_ms_on_packets() {
    for seed in 0..10 {
        let (mut world, ann, lou) = ann_speaks(100 + seed);
        let ben = world.open(Feed::Stage, "ben", 8);
        world.connect_all();
        world.run_ms(1500 + seed * 37);
        assert!(!world.people[ben].hears[0].packets.is_empty());
        assert!(matches!(world.deny("ann", 3, "mic"), FromMedia::Done(_)));
        let denied = world.now;
        world.run_ms(3000);
        let sound = world.people[lou].hears[0].between(denied.after(200 * MILLISECOND), world.now);
        assert!(loudest(sound) > 70.0, "seed {seed}: −{} dBFS", loudest(sound));
        let late = world.people[ben].hears[0].packets.iter().filter(|packet| packet.arrival > denied).count();
        assert_eq!(late, 0, "seed {seed}: the stage heard {late} packets after the mute was answered");
        assert!(world.people[ann].source.as_ref().unwrap().packets > 100, "while the microphone went on sending");
        assert_eq!(world.people[ann].peer.progress(), Progressed::Connected);
    }
}

#[test]
fn a_deny_beats_an_older_allow_and_a_newer_allow_beats_it() {
    let (mut world, _, lou) = ann_speaks(6);
    world.run_ms(1000);
    world.deny("ann", 9, "mic");
    let refused = world.allow("ann", 7, 8);
    assert!(matches!(refused, FromMedia::Refused(Refused { ref code, .. }) if code == "stale"), "{refused:?}");
    world.renew(&[("ann", 7, 8)]);
    let denied = world.now;
    world.run_ms(1500);
    assert!(loudest(world.people[lou].hears[0].between(denied.after(200 * MILLISECOND), world.now)) > 70.0);
    assert!(matches!(world.allow("ann", 7, 10), FromMedia::Done(_)));
    let allowed = world.now;
    world.run_ms(2000);
    assert!(loudest(world.people[lou].hears[0].between(allowed, world.now)) < 35.0, "the microphone is open again");
}

#[test]
fn a_grant_ends_15_s_after_its_last_renewal() {
    let (mut world, _, lou) = ann_speaks(7);
    let mut last = world.now;
    for _ in 0..3 {
        world.run_ms(5000);
        world.renew(&[("ann", 7, 2)]);
        last = world.now;
    }
    world.run_until(last.after(20 * SECOND));
    let hears = &world.people[lou].hears[0];
    assert!(loudest(hears.between(last.after(13 * SECOND), last.after(15 * SECOND))) < 35.0, "heard to the end");
    assert!(loudest(hears.between(last.after(15 * SECOND + 200 * MILLISECOND), world.now)) > 70.0, "and not beyond");
}

#[test]
fn a_renewal_that_does_not_name_a_grant_ends_it() {
    let (mut world, _, lou) = ann_speaks(8);
    world.run_ms(1500);
    world.renew(&[]);
    let ended = world.now;
    world.run_ms(1500);
    assert!(loudest(world.people[lou].hears[0].between(ended.after(200 * MILLISECOND), world.now)) > 70.0);
}

#[test]
fn while_the_api_is_gone_grants_are_frozen_and_after_ten_minutes_they_end() {
    let (mut world, _, lou) = ann_speaks(9);
    world.people[lou].decode = false;
    world.run_ms(1000);
    world.node.api_lost(world.now);
    let lost = world.now;
    let speaking = |world: &World, from: Nanos, to: Nanos| {
        let packets = world.people[lou].hears[0].packets.iter();
        packets.filter(|packet| packet.arrival >= from && packet.arrival < to && !packet.csrcs.is_empty()).count()
    };
    world.run_until(lost.after(605 * SECOND));
    assert!(speaking(&world, lost.after(590 * SECOND), lost.after(599 * SECOND)) > 100, "still heard after ten minutes less a second");
    assert_eq!(speaking(&world, lost.after(601 * SECOND), world.now), 0, "safe hold after ten");
    world.node.api_connected(world.now, 1);
    let back = world.now;
    world.run_ms(1000);
    assert_eq!(speaking(&world, back, world.now), 0, "an api that comes back later finds it closed");
}

#[test]
fn a_removal_closes_every_session_of_that_person_and_no_other() {
    let mut world = World::new(10);
    let feeds = [Feed::Ingest, Feed::Stage, Feed::Programme];
    let ann = feeds.map(|feed| world.open(feed, "ann", 7));
    let ben = feeds.map(|feed| world.open(feed, "ben", 8));
    world.connect_all();
    world.allow("ann", 7, 2);
    world.allow("ben", 8, 2);
    let now = world.now;
    world.people[ann[0]].say(now, script(1, 0, 20), 0);
    world.people[ben[0]].say(now, script(2, 0, 20), 0);
    world.run_ms(1000);
    assert!(matches!(world.deny("ann", 5, "space"), FromMedia::Done(_)));
    let removed = world.now;
    world.run_ms(2000);
    for person in ann {
        assert_eq!(world.ended(person).as_deref(), Some("denied"));
        let late = world.people[person].hears.iter().flat_map(|stream| &stream.packets).filter(|packet| packet.arrival > removed);
        assert_eq!(late.count(), 0);
    }
    assert!(ben.iter().all(|person| world.ended(*person).is_none()));
    let reply = {
        let person = world::person::Person::new(50, Feed::Programme, "ann", 0, &world.setup().clone(), &mut world.dice.clone());
        let offer = person.peer.offer();
        world.ask(|request| {
            let (session, space, owner, feed) = (person.session.clone(), SPACE.into(), "ann".into(), "programme".into());
            ToMedia::OpenSession(OpenSession { request, session, space, owner, feed, csrc: 0, seq: 4, offer })
        })
    };
    assert!(matches!(reply, FromMedia::Refused(Refused { ref code, .. }) if code == "stale"), "a door authorised before: {reply:?}");
}

#[test]
fn moving_to_the_audience_closes_the_stage_but_not_the_programme() {
    let mut world = World::new(11);
    let ann = [Feed::Ingest, Feed::Stage, Feed::Programme].map(|feed| world.open(feed, "ann", 7));
    world.connect_all();
    world.deny("ann", 5, "stage");
    world.run_ms(100);
    assert_eq!(ann.map(|person| world.ended(person).is_some()), [true, true, false]);
}

#[test]
fn the_end_of_a_space_closes_all_of_it() {
    let (mut world, ann, lou) = ann_speaks(12);
    world.run_ms(500);
    world.ask(|request| ToMedia::CloseSpace(CloseSpace { request, space: SPACE.into(), seq: 9 }));
    world.run_ms(500);
    assert_eq!([ann, lou].map(|person| world.ended(person)), [Some("ended".into()), Some("ended".into())]);
    assert!(matches!(world.allow("ann", 7, 8), FromMedia::Refused(_)));
    assert_eq!(world.stat("sessions_ingest") + world.stat("sessions_programme"), 0.0);
}

#[test]
fn what_was_said_before_the_grant_never_surfaces() {
    // Packets wander 150 ms late: those captured before the grant arrive after it.
    for seed in 0..20 {
        let mut world = World::new(200 + seed);
        let (ann, lou) = (world.open(Feed::Ingest, "ann", 7), world.open(Feed::Programme, "lou", 0));
        let ben = world.open(Feed::Stage, "ben", 8);
        world.connect_all();
        // A loud tone before, silence after: whatever is heard was said before. (A codec rings for a while, 20 dB below.)
        let now = world.now;
        let before = 1000 + seed * 13;
        let pcm: Vec<f32> = (0..48 * 4000).map(|at| if at < 48 * before { 0.5 * (at as f32 * 0.1).sin() } else { 0.0 }).collect();
        world.net.up = world::net::Weather { jitter: 150.0, ..Default::default() };
        world.people[ann].say(now, world::person::encode(&pcm), 9_000);
        world.run_until(now.after(before * MILLISECOND));
        world.allow("ann", 7, 2);
        world.run_ms(2000);
        let heard = loudest(world.people[lou].hears[0].between(now, world.now));
        assert!(heard > 25.0, "seed {seed}: the programme lets −{heard} dBFS of it out");
        let staged = loudest(&world.people[ben].hears[0].pcm);
        assert!(staged > 25.0, "seed {seed}: the stage lets −{staged} dBFS of it out");
    }
}

#[test]
fn a_second_session_of_a_feed_replaces_the_first() {
    let (mut world, ann, lou) = ann_speaks(13);
    world.run_ms(500);
    let again = world.open(Feed::Programme, "lou", 0);
    world.connect_all();
    world.run_ms(1500);
    assert_eq!(world.ended(lou).as_deref(), Some("replaced"));
    assert!(world.people[again].hears[0].packets.len() > 30 && world.ended(ann).is_none());
    assert_eq!(world.stat("sessions_programme"), 1.0);
}

#[test]
fn an_unconnected_session_dies_in_15_s_and_a_silent_one_in_30() {
    let (mut world, _, lou) = ann_speaks(14);
    let never = world.open(Feed::Programme, "zoe", 0);
    world.people[never].gone = true;
    let opened = world.now;
    world.run_until(opened.after(14_900 * MILLISECOND));
    assert_eq!(world.ended(never), None);
    world.run_until(opened.after(15_100 * MILLISECOND));
    assert_eq!(world.ended(never).as_deref(), Some("unconnected"));
    world.people[lou].gone = true;
    let gone = world.now;
    world.run_until(gone.after(27 * SECOND));
    assert_eq!(world.ended(lou), None);
    world.run_until(gone.after(31_200 * MILLISECOND));
    assert_eq!(world.ended(lou).as_deref(), Some("expired"));
}

#[test]
fn an_ice_restart_keeps_the_session_and_its_keys() {
    let (mut world, _, lou) = ann_speaks(15);
    world.run_ms(1000);
    let patch = |world: &mut World, fragment: String, if_match: String| {
        let session = world.people[lou].session.clone();
        world.ask(|request| ToMedia::PatchSession(PatchSession { request, session, if_match, fragment }))
    };
    let trickle = world.people[lou].peer.fragment(None);
    let etag = world.people[lou].etag.clone();
    assert!(matches!(patch(&mut world, trickle.clone(), etag.clone()), FromMedia::Answered(Answered { ref sdp, .. }) if sdp.is_empty()));
    assert!(
        matches!(patch(&mut world, trickle, String::new()), FromMedia::Refused(Refused { ref code, .. }) if code == "precondition_required")
    );
    let mut dice = world.dice.clone();
    let fragment = world.people[lou].peer.fragment(Some(&mut dice));
    assert!(
        matches!(patch(&mut world, fragment.clone(), "\"ice-9\"".into()), FromMedia::Refused(Refused { ref code, .. }) if code == "precondition_failed")
    );
    let FromMedia::Answered(answered) = patch(&mut world, fragment, etag.clone()) else { panic!("no answer") };
    assert_ne!(answered.etag, etag);
    let now = world.now;
    world.people[lou].rebind();
    world.people[lou].peer.restarted(now, &answered.sdp).unwrap();
    world.run_ms(3000);
    let hears = &world.people[lou].hears[0];
    assert!(hears.longest_gap(now.after(200 * MILLISECOND), world.now) < 600, "heard on at the new address");
    assert!(hears.packets.windows(2).all(|pair| pair[1].index > pair[0].index));
    assert_eq!(world.ended(lou), None);
    assert_eq!(world.stat("address_moves_total"), 1.0);
    assert_eq!(world.stat("handshakes_total"), 2.0);
}

#[test]
fn an_offer_that_insists_on_being_the_dtls_server_is_served() {
    let mut world = World::new(16);
    let config = media_load::peer::PeerConfig {
        feed: Feed::Ingest,
        dtls: world.setup().clone(),
        setup: "passive",
        answers_checks: false,
        nominates: false,
    };
    let person = world::person::Person::with(0, config, "ann", 7, &mut world.dice);
    let ann = world.join(person, 1);
    let lou = world.open(Feed::Programme, "lou", 0);
    world.connect_all();
    world.allow("ann", 7, 2);
    let now = world.now;
    world.people[ann].say(now, script(1, 0, 20), 0);
    world.run_ms(1500);
    assert!(loudest(world.people[lou].hears[0].between(now, world.now)) < 35.0);
}

#[test]
fn the_region_says_that_the_node_lives_even_when_it_idles() {
    let mut world = World::new(17);
    for _ in 0..40 {
        world.run_ms(100);
        let age = world.now.since(Nanos(world.region.header().heartbeat()));
        assert!(age <= 300 * MILLISECOND, "{} ms old", age / MILLISECOND);
    }
}

#[test]
fn a_large_audience_is_served_in_batches_and_all_of_it() {
    let mut world = World::with_capacity(18, 1024);
    let ann = world.open(Feed::Ingest, "ann", 7);
    let listeners: Vec<usize> = (0..600).map(|at| world.open(Feed::Programme, &format!("l{at}"), 0)).collect();
    world.people.iter_mut().for_each(|person| person.decode = false);
    world.connect_all();
    world.allow("ann", 7, 2);
    let now = world.now;
    world.people[ann].say(now, script(1, 0, 20), 0);
    world.run_ms(1000);
    world.widest = 0;
    let start = world.now;
    world.run_ms(1000);
    // Between two batches whoever drives the node reads its sockets: a crowd must not keep it from that.
    assert!(world.widest <= 300, "{} packets in one batch", world.widest);
    let counts: Vec<usize> = listeners.iter().map(|at| world.people[*at].hears[0].packets_between(start, world.now)).collect();
    assert!(counts.iter().all(|count| *count == counts[0] && *count > 10), "{counts:?}");
}
