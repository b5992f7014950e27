// Rings without flicker, the loudest first, and the hint to whoever talks into a closed microphone.
import { beforeEach, expect, test } from "vitest";
import type { Seat } from "../protocol/generated";
import { Meter, type Sources } from "./meter.svelte";

const seat = (csrc: number, mic: "on" | "off" = "on"): Seat => ({
  account: { id: `a${csrc}`, handle: "", name: "", guest: true }, role: "speaker", mic, mute: null, csrc, seat: csrc,
});

let heard: { csrc: number; level: number }[];
let sources: Sources & { db: number | null; vain: boolean; csrc: number | null; seats: Seat[] };
let meter: Meter;

beforeEach(() => {
  heard = [];
  sources = {
    db: null, vain: false, csrc: null, seats: [seat(1), seat(2), seat(3, "off")],
    receivers: () => [{ getContributingSources: () => heard.map(({ csrc, level }) => ({ source: (csrc << 8) | level, timestamp: performance.now() })) } as RTCRtpReceiver],
    own: () => sources.db,
    ownCsrc: () => sources.csrc,
    inVain: () => sources.vain,
    stage: () => sources.seats,
  };
  meter = new Meter(sources);
});

const speaking = () => meter.speaking.map((one) => one.seat.csrc);

test("the loudest first", () => {
  heard = [{ csrc: 1, level: 40 }, { csrc: 2, level: 20 }];
  meter.tick(0);
  expect(speaking()).toEqual([2, 1]);
  expect(meter.lastSpeaker?.csrc).toBe(2);
});

test("a short pause keeps the ring, a long one ends it, and the last speaker stays", () => {
  heard = [{ csrc: 1, level: 20 }];
  meter.tick(0);
  heard = [];
  meter.tick(400);
  expect(speaking()).toEqual([1]);
  expect(meter.speaking[0]?.level).toBe(0);
  meter.tick(600);
  expect(speaking()).toEqual([]);
  expect(meter.lastSpeaker?.csrc).toBe(1);
});

test("a whisper and a closed microphone do not count", () => {
  heard = [{ csrc: 1, level: 60 }, { csrc: 3, level: 10 }];
  meter.tick(0);
  expect(speaking()).toEqual([]);
});

test("nothing new, nothing changed: the same object, so that nothing is drawn again", () => {
  heard = [{ csrc: 1, level: 20 }];
  meter.tick(0);
  const { levels } = meter;
  meter.tick(100);
  expect(meter.levels).toBe(levels);
});

test("one's own voice counts among the speakers while the mic is on", () => {
  [sources.db, sources.csrc] = [-20, 2];
  meter.tick(0);
  expect(speaking()).toEqual([2]);
  expect(meter.own).toBeGreaterThan(0.5);
});

test("talking in vain is noticed after some words, not after a click, and the hint goes", () => {
  sources.vain = true;
  const say = (db: number, from: number, ticks: number) => {
    sources.db = db;
    for (let tick = 0; tick < ticks; tick++) meter.tick(from + tick * 100);
  };
  say(-20, 0, 2);
  say(-70, 200, 8);
  expect(meter.talkingInVain).toBe(false);
  say(-25, 1000, 5);
  expect(meter.talkingInVain).toBe(true);
  say(-70, 1500, 20);
  expect(meter.talkingInVain).toBe(true);
  say(-70, 3500, 30);
  expect(meter.talkingInVain).toBe(false);
  say(-25, 7000, 5);
  sources.vain = false;
  meter.tick(7600);
  expect(meter.talkingInVain).toBe(false);
});
