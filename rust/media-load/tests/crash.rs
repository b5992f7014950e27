//! Death at any instruction: a successor goes on from the region as it stood, and nobody on the other side notices much.

mod world;

use media_core::messages::FromMedia;
use media_core::session::Feed;
use media_core::time::{MILLISECOND, SECOND};
use media_load::peer::Progressed;
use world::World;
use world::net::Weather;
use world::person::{loudest, script};

const SEEDS: u64 = 300;

/// Two speakers with ears, `listeners` listeners, all connected and talking.
fn crowd(seed: u64, listeners: usize) -> World {
    let mut world = World::new(seed);
    for (name, csrc) in [("ann", 1), ("ben", 2)] {
        world.open(Feed::Ingest, name, csrc);
        world.open(Feed::Stage, name, csrc);
    }
    for at in 0..listeners {
        world.open(Feed::Programme, &format!("l{at}"), 0);
    }
    world.connect_all();
    world.allow("ann", 1, 2);
    world.allow("ben", 2, 2);
    let now = world.now;
    world.people[0].say(now, script(1, 0, 8), 7);
    world.people[2].say(now, script(2, 0, 8), 0xffff_ff00);
    world.people.iter_mut().skip(4).for_each(|person| person.decode = false);
    world
}

#[test]
fn a_death_between_any_two_writes_seals_no_index_twice_and_nobody_reconnects() {
    for seed in 0..SEEDS {
        let mut world = crowd(seed, 3);
        let mut dice = world::person::dice(seed ^ 0xdead);
        if seed % 2 == 1 {
            world.net.up = Weather { loss: 0.03, jitter: 10.0, ..Weather::default() };
            world.net.down = world.net.up;
        }
        world.run_ms(300);
        for _ in 0..4 {
            // Between two frames there are some hundred writes: this lands anywhere in them.
            world.crash_after(dice.bits() % 400);
            world.run_ms(300 + dice.bits() % 200);
        }
        assert_eq!(world.crashes, 4, "seed {seed}");
        let before = world.now;
        world.run_ms(1200);
        for (at, person) in world.people.iter().enumerate() {
            assert_eq!(person.peer.progress(), Progressed::Connected, "seed {seed}: person {at}");
            assert_eq!(person.peer.counters.forged, 0, "seed {seed}: person {at}");
            assert!(world.ended(at).is_none(), "seed {seed}: person {at}");
            if person.feed == Feed::Programme {
                let packets = person.hears[0].packets_between(before, world.now);
                assert!(packets > 20, "seed {seed}: listener {at} hears {packets} packets");
            }
            let steps = person.hears.iter().flat_map(|stream| stream.packets.windows(2));
            if seed % 2 == 0 {
                steps.for_each(|pair| {
                    let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp) as i32;
                    assert!(step >= 0 && pair[1].index > pair[0].index, "seed {seed}: person {at} goes back by {step}");
                });
            }
        }
        assert!(world.checker.packets > 300);
    }
}

#[test]
fn an_interrupted_frame_reaches_everyone_once_the_successor_is_there() {
    for seed in 0..60 {
        let mut world = crowd(1000 + seed, 12);
        world.run_ms(500);
        // Somewhere in the twelve seals of one fan-out: find a frame boundary, then count writes.
        world.crash_after(60 + seed * 2);
        let from = world.now;
        world.run_ms(100);
        assert_eq!(world.crashes, 1, "seed {seed}");
        for listener in 4..16 {
            let arrivals = &world.people[listener].hears[0];
            let gap = arrivals.longest_gap(from, world.now);
            assert!(gap <= 60, "seed {seed}: listener {listener} missed {gap} ms");
        }
        // Everyone has the same frames, by timestamp on the media clock (up to each one's own offset).
        let steps = |listener: usize| {
            let packets = &world.people[listener].hears[0].packets;
            let inside = packets.iter().filter(|packet| packet.arrival >= from).map(|packet| packet.timestamp).collect::<Vec<_>>();
            let mut steps: Vec<u32> = inside.iter().map(|timestamp| timestamp.wrapping_sub(inside[0])).collect();
            steps.dedup();
            steps
        };
        for listener in 5..16 {
            assert_eq!(steps(listener), steps(4), "seed {seed}: listener {listener}");
        }
    }
}

#[test]
fn a_death_at_any_moment_of_a_handshake_costs_at_most_that_session() {
    for seed in 0..100 {
        let mut world = crowd(2000 + seed, 1);
        world.run_ms(200);
        let joining = world.open(Feed::Programme, "late", 0);
        world.crash_after(seed * 12);
        world.run_ms(1500);
        let joined = world.people[joining].peer.progress() == Progressed::Connected && !world.people[joining].hears[0].packets.is_empty();
        let before = world.now;
        world.run_ms(500);
        assert!(world.people[4].hears[0].packets_between(before, world.now) > 10, "seed {seed}: the other listener hears on");
        if !joined {
            let again = world.open(Feed::Programme, "late", 0);
            world.run_ms(1000);
            assert!(!world.people[again].hears[0].packets.is_empty(), "seed {seed}: a second POST works");
        }
        assert!(world.people.iter().all(|person| person.peer.counters.forged == 0), "seed {seed}");
    }
}

#[test]
fn a_kill_is_a_short_silence_and_speech_goes_on() {
    for seed in 0..40 {
        let mut world = crowd(3000 + seed, 1);
        world.people[4].decode = true;
        world.run_ms(1500 + seed * 7);
        let killed = world.now;
        world.kill(30);
        world.run_ms(2000);
        let heard = &world.people[4].hears[0];
        let gap = heard.longest_gap(killed, killed.after(SECOND));
        assert!(gap <= 120, "seed {seed}: {gap} ms without a packet");
        let sound = heard.between(killed.after(200 * MILLISECOND), world.now);
        assert!(loudest(sound) < 40.0, "seed {seed}: −{} dBFS", loudest(sound));
    }
}

#[test]
fn a_mute_survives_every_death() {
    for seed in 0..60 {
        let mut world = crowd(4000 + seed, 1);
        world.people[4].decode = true;
        world.deny("ben", 3, "mic");
        world.run_ms(400);
        // The mute's own writes are among those the death falls between; whatever was answered stays true.
        world.crash_after(seed % 12);
        let reply = world.deny("ann", 5, "mic");
        world.run_ms(100);
        if world.crashes == 0 {
            world.kill(20);
        }
        if !matches!(reply, FromMedia::Done(_)) || world.crashes == 1 {
            // The api never got an answer it could trust: it asks again.
            world.deny("ann", 5, "mic");
        }
        let muted = world.now;
        world.kill(20);
        world.renew(&[("ann", 1, 4), ("ben", 2, 2)]);
        world.run_ms(1500);
        let sound = world.people[4].hears[0].between(muted.after(200 * MILLISECOND), world.now);
        assert!(loudest(sound) > 60.0, "seed {seed}: −{} dBFS after a mute", loudest(sound));
    }
}

#[test]
fn frozen_grants_survive_a_death_while_the_api_is_gone() {
    let mut world = crowd(5000, 1);
    world.run_ms(500);
    world.node.api_lost(world.now);
    world.run_ms(60_000);
    let copy = world.region.fork();
    world.succeed_without_api(copy);
    let killed = world.now;
    world.run_ms(2000);
    let named = world.people[4].hears[0].packets.iter().filter(|packet| packet.arrival > killed && !packet.csrcs.is_empty()).count();
    assert!(named > 20, "{named} packets with sound after a minute without an api and a death");
}

#[test]
fn a_session_that_two_processes_died_on_is_quarantined() {
    let mut world = crowd(6000, 1);
    world.calm = false;
    world.run_ms(300);
    for death in 1..=2 {
        // As a packet of Ann's kills the process that handles it.
        world.region.header().set_handling(Some(world.record_of(0)));
        world.kill(4000);
        world.run_ms(300);
        let alive = world.stat("sessions_ingest");
        assert_eq!(alive, if death == 1 { 2.0 } else { 1.0 });
    }
}

#[test]
fn three_deaths_in_ten_seconds_end_the_sessions_cleanly() {
    let mut world = crowd(7000, 2);
    world.calm = false;
    for _ in 0..6 {
        world.run_ms(100);
        world.kill(20);
    }
    for victim in [0, 1] {
        world.region.header().set_handling(Some(world.record_of(victim)));
        world.kill(20);
        world.run_ms(500);
    }
    assert_eq!(world.stat("sessions_programme"), 2.0, "deaths from outside accuse nobody");
    world.region.header().set_handling(Some(world.record_of(2)));
    world.kill(20);
    assert_eq!(world.stat("sessions_programme") + world.stat("sessions_ingest"), 0.0);
    let again = world.open(Feed::Programme, "fresh", 0);
    world.run_ms(500);
    assert_eq!(world.people[again].peer.progress(), Progressed::Connected, "and the server serves on");
}
