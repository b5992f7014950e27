//! What is heard: loudness, peaks, delay, growth of frames with the crowd.

mod world;

use std::sync::Arc;

use media_audio::level::loudness;
use media_core::session::Feed;
use media_core::time::{MILLISECOND, SECOND};
use media_load::speech::Speech;
use world::World;
use world::net::Weather;
use world::person::{Script, encode, encode_music, likeness, script};

/// Loudness while someone talks: over the frames within 12 dB of the loudest.
fn speech_loudness(pcm: &[f32]) -> f32 {
    let power = |frame: &[f32]| frame.iter().map(|sample| sample * sample).sum::<f32>() / frame.len() as f32;
    let frames: Vec<&[f32]> = pcm.chunks_exact(960 * 5).collect();
    let peak = frames.iter().map(|frame| power(frame)).fold(0.0, f32::max);
    loudness(&frames.iter().filter(|frame| power(frame) > peak / 16.0).flat_map(|frame| frame.iter().copied()).collect::<Vec<f32>>())
}

/// `seconds` of the programme of one speaker alone, from when levels have settled.
fn alone(seed: u64, said: Arc<Script>, seconds: u64) -> Vec<f32> {
    let mut world = World::new(seed);
    let (ann, lou) = (world.open(Feed::Ingest, "ann", 7), world.open(Feed::Programme, "lou", 0));
    world.connect_all();
    world.allow("ann", 7, 2);
    let now = world.now;
    world.people[ann].say(now, said, 0);
    world.run_ms(seconds * 1000);
    world.people[lou].hears[0].between(now.after(4 * SECOND), world.now).to_vec()
}

#[test]
fn speakers_twenty_decibels_apart_are_heard_equally_loud() {
    for seed in 1..4 {
        let levels: Vec<f32> = [16, -4].map(|level| speech_loudness(&alone(seed, script(seed, level, 14), 13))).to_vec();
        let apart = (levels[0] - levels[1]).abs();
        println!("seed {seed}: {levels:?} LUFS");
        assert!(apart <= 2.0, "seed {seed}: {levels:?}");
        assert!(levels.iter().all(|level| (-23.0..-15.0).contains(level)), "seed {seed}: {levels:?}");
    }
}

#[test]
fn eight_who_talk_at_once_stay_below_minus_one_decibel() {
    let mut world = World::new(20);
    let lou = world.open(Feed::Programme, "lou", 0);
    let speakers: Vec<usize> = (0..8).map(|at| world.open(Feed::Ingest, &format!("s{at}"), at + 1)).collect();
    world.connect_all();
    let now = world.now;
    for (at, speaker) in speakers.iter().enumerate() {
        world.allow(&format!("s{at}"), at as u32 + 1, 2);
        world.people[*speaker].say(now, script(50 + at as u64, 14, 10), at as u32);
    }
    world.run_ms(9000);
    let heard = world.people[lou].hears[0].between(now, world.now);
    let peak = heard.iter().fold(0f32, |peak, sample| peak.max(sample.abs()));
    // Between samples too: four times oversampled by a cubic.
    let between =
        heard.windows(4).map(|w| [0.25f32, 0.5, 0.75].map(|at| cubic(w, at).abs()).into_iter().fold(0.0, f32::max)).fold(0.0, f32::max);
    let peak = 20.0 * peak.max(between).log10();
    println!("peak {peak:.2} dBTP, {:.1} LUFS", speech_loudness(heard));
    assert!(peak <= -1.0, "{peak} dBTP");
    assert!(speech_loudness(heard) > -22.0, "limited, not crushed");
    let named = world.people[lou].hears[0].packets.iter().map(|packet| packet.csrcs.len()).max().unwrap();
    assert!(named >= 6, "{named} named at once");
}

fn cubic(w: &[f32], at: f32) -> f32 {
    let [a, b, c, d] = [w[0], w[1], w[2], w[3]];
    b + 0.5 * at * (c - a + at * (2.0 * a - 5.0 * b + 4.0 * c - d + at * (3.0 * (b - c) + d - a)))
}

#[test]
fn silence_is_not_turned_up_and_tones_pass() {
    let mut speech = Speech::new(5).at_level(-50.0);
    let murmur: Vec<f32> = (0..14 * 50).flat_map(|_| speech.frame()).collect();
    let murmur = loudness(&alone(21, encode(&murmur), 13));
    assert!(murmur < -60.0, "a murmur of −75 LUFS comes out at {murmur}");
    let tone: Vec<f32> =
        (0..14 * 48_000).map(|at| (0.2 * (f64::from(at) * 880.0 * std::f64::consts::TAU / 48_000.0).sin()) as f32).collect();
    let heard = alone(22, encode_music(&tone), 13);
    let (mut sin, mut cos, mut all) = (0.0, 0.0, 0.0);
    for (at, sample) in heard.iter().enumerate() {
        let (phase, sample) = (at as f64 * 880.0 * std::f64::consts::TAU / 48_000.0, f64::from(*sample));
        (sin, cos, all) = (sin + sample * phase.sin(), cos + sample * phase.cos(), all + sample * sample);
    }
    let share = 2.0 * (sin * sin + cos * cos) / (all * heard.len() as f64);
    assert!(share > 0.9, "{share} of the energy is the tone's");
}

/// What the server adds to the way from mouth to ear: the delay of the programme less one frame (it leaves when it is full), the
/// speaker's own encoder (6.5 ms) and the network.
fn added_delay(seed: u64, weather: Weather) -> f32 {
    let mut world = World::new(seed);
    world.net.up = weather;
    let (ann, lou) = (world.open(Feed::Ingest, "ann", 7), world.open(Feed::Programme, "lou", 0));
    world.connect_all();
    world.allow("ann", 7, 2);
    // The phase of the speaker's frames against the server's is anyone's guess.
    world.run_ms(seed % 20);
    let now = world.now;
    world.people[ann].say(now, script(1, 0, 20), 0);
    world.run_ms(8000);
    let heard = world.people[lou].hears[0].between(now.after(4 * SECOND), world.now);
    let said = &script(1, 0, 20).pcm[4 * 48_000..7 * 48_000];
    let (likeness, lag) = likeness(said, heard, 12 * 250);
    assert!(likeness > 0.5, "seed {seed}: {likeness} at {lag} ms");
    lag - 20.0 - 6.5 - weather.delay as f32
}

#[test]
fn the_programme_adds_at_most_45_ms_on_a_clean_path() {
    let mut delays: Vec<f32> = (0..20).map(|seed| added_delay(seed, Weather::default())).collect();
    delays.sort_by(f32::total_cmp);
    println!("added by the server, clean path: median {:.1} ms, worst {:.1} ms", delays[10], delays[19]);
    assert!(delays[10] <= 35.0 && delays[19] <= 45.0, "{delays:?}");
    let mut rough: Vec<f32> =
        (0..10).map(|seed| added_delay(100 + seed, Weather { loss: 0.02, delay: 20.0, jitter: 20.0, twice: 0.0 })).collect();
    rough.sort_by(f32::total_cmp);
    println!("2 % lost, 20 ms of jitter: median {:.1} ms, worst {:.1} ms", rough[5], rough[9]);
    assert!(rough[9] <= 90.0, "{rough:?}");
}

#[test]
fn the_stage_feed_adds_nothing_but_the_way() {
    let mut world = World::new(30);
    let (ann, ben) = (world.open(Feed::Ingest, "ann", 7), world.open(Feed::Stage, "ben", 8));
    world.connect_all();
    world.allow("ann", 7, 2);
    let now = world.now;
    world.people[ann].say(now, script(1, 0, 20), 0);
    world.run_ms(3000);
    let first = &world.people[ben].hears[0].packets[0];
    assert!(first.arrival.since(now) <= 60 * MILLISECOND);
    for packet in &world.people[ben].hears[0].packets {
        let phase = packet.arrival.since(now) % (20 * MILLISECOND);
        assert_eq!(phase, 0, "forwarded the moment it came");
    }
}

#[test]
fn frames_grow_with_the_crowd_in_steps_three_seconds_apart() {
    let mut programme = media_audio::Programme::new().unwrap();
    let mut lengths = Vec::new();
    let mut tick = |listeners: usize, at: u64, lengths: &mut Vec<(u64, u32)>| {
        programme.suit(listeners, media_audio::Samples(at * 960));
        if let Some(frame) = programme.tick(std::iter::empty()) {
            lengths.push((at, frame.samples));
        }
    };
    (0..500).for_each(|at| tick(100, at, &mut lengths));
    (500..1100).for_each(|at| tick(20_000, at, &mut lengths));
    (1100..1300).for_each(|at| tick(1_400, at, &mut lengths));
    (1300..1400).for_each(|at| tick(100, at, &mut lengths));
    let longest =
        |from: u64, to: u64| lengths.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, samples)| *samples).max().unwrap_or(0);
    assert_eq!(longest(0, 500), 960);
    assert_eq!(longest(500, 640), 1920, "one step at first");
    assert_eq!(longest(700, 1100), 2880);
    assert_eq!(longest(1104, 1300), 2880, "a crowd that shrinks by less than a tenth keeps its frames");
    assert_eq!(longest(1304, 1400), 960);
}
