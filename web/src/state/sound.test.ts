// From the audience to the stage and back: the old sound stays until the new one is there.
import { beforeEach, expect, test, vi } from "vitest";
import type { Phase } from "../net/webrtc";
import { Sound } from "./sound.svelte";

interface FakeLine {
  feed: string;
  blocked: boolean;
  playback: { muted: boolean; volume: number };
  session: { phase: Phase; error: { code: string } | null; retryAt: number | null; opened: number };
  closed: boolean;
  become(phase: Phase, code?: string): void;
  sound(): void;
}

const fakes = vi.hoisted(() => ({ lines: [] as unknown[] }));

vi.mock("./line", () => ({
  Line: class {
    blocked = false;
    stood = false;
    closed = false;
    feed: string;
    playback: { muted: boolean; volume: number };
    session = { phase: "connecting" as Phase, error: null as object | null, retryAt: null, opened: 0, receivers: [], open: () => void this.session.opened++ };
    sound: () => void = () => undefined;
    settle: () => void = () => undefined;
    settled = new Promise<void>((resolve) => (this.settle = resolve));
    sounds = new Promise<void>((resolve) => (this.sound = resolve));
    constructor(_: string, readonly options: { feed: string; muted: boolean; volume: number; onChange(): void }) {
      this.feed = options.feed;
      this.playback = { muted: options.muted, volume: options.volume };
      fakes.lines.push(this);
    }
    get isConnected(): boolean {
      return this.session.phase === "connected";
    }
    sounding(): Promise<void> {
      return this.sounds;
    }
    become(phase: Phase, code = ""): void {
      this.session.phase = phase;
      this.session.error = code ? { code } : null;
      this.stood ||= phase === "connected";
      this.settle();
      this.options.onChange();
    }
    close(): void {
      this.closed = true;
      this.session.phase = "closed";
    }
  },
}));

let sound: Sound;
let claims: number;
const line = (at: number) => fakes.lines.at(at) as FakeLine;
const tick = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => {
  fakes.lines = [];
  claims = 0;
  sound = new Sound("s1", () => void claims++);
  sound.setLive(true);
});

function playing(): void {
  sound.listen();
  line(0).become("connected");
}

test("nothing sounds before someone asks, and nothing before the Space is live", () => {
  expect(fakes.lines).toEqual([]);
  sound.setLive(false);
  sound.listen();
  expect(fakes.lines).toEqual([]);
  sound.setLive(true);
  expect(line(0).feed).toBe("programme");
  expect(sound.state).toBe("joining");
  expect(claims).toBe(1);
});

test("up: the programme is heard until the stage feed sounds, and never both", async () => {
  playing();
  sound.follow("stage");
  const [programme, stage] = [line(0), line(1)];
  expect([stage.feed, stage.playback.muted, programme.playback.muted]).toEqual(["stage", true, false]);
  stage.become("connected");
  await tick();
  expect([programme.closed, stage.playback.muted, sound.state]).toEqual([false, true, "playing"]);
  stage.sound();
  await tick();
  expect([programme.closed, stage.playback.muted, sound.state]).toEqual([true, false, "playing"]);
});

test("up and down again before the stage feed stood: the programme simply goes on", async () => {
  playing();
  sound.follow("stage");
  sound.follow("programme");
  expect([line(0).closed, line(1).closed]).toEqual([false, true]);
  expect(sound.state).toBe("playing");
});

test("the seat was gone before the stage feed opened: the programme goes on", () => {
  playing();
  sound.follow("stage");
  line(1).become("refused", "not_a_speaker");
  expect([line(0).closed, sound.state]).toEqual([false, "playing"]);
});

test("down by oneself: the programme waits in the wings and takes over at the word", async () => {
  sound.follow("stage");
  playing();
  const ready = sound.prepare("programme");
  const [stage, programme] = [line(0), line(1)];
  programme.become("connected");
  programme.sound();
  await ready;
  await tick();
  expect([stage.closed, programme.playback.muted]).toEqual([false, true]);
  sound.follow("programme");
  await tick();
  expect([stage.closed, programme.playback.muted]).toEqual([true, false]);
});

test("down refused after all: what was prepared is dropped", async () => {
  sound.follow("stage");
  playing();
  const ready = sound.prepare("programme");
  line(1).become("connected");
  await ready;
  sound.forget();
  expect([line(0).closed, line(1).closed, sound.state]).toEqual([false, true, "playing"]);
});

test("the stage feed is refused while it was all there was: the programme is opened", () => {
  sound.follow("stage");
  sound.listen();
  line(0).become("refused", "not_a_speaker");
  expect([line(1).feed, line(1).session.opened, line(1).playback.muted]).toEqual(["programme", 1, false]);
});

test.each<[Phase, string, string]>([
  ["full", "", "full"],
  ["refused", "session_not_found", "elsewhere"],
  ["refused", "removed", "idle"],
  ["refused", "bad_sdp", "failed"],
  ["reconnecting", "", "joining"],
])("%s %s shows as %s", (phase, code, state) => {
  sound.listen();
  line(0).become(phase, code);
  expect(sound.state).toBe(state);
});

test("lost and back", () => {
  playing();
  line(0).become("reconnecting");
  expect(sound.state).toBe("reconnecting");
  line(0).become("connected");
  expect(sound.state).toBe("playing");
});

test("a browser that wants a tap says so", () => {
  sound.listen();
  line(0).blocked = true;
  line(0).become("connected");
  expect(sound.state).toBe("blocked");
});

test("another window takes over, and listening here takes back", () => {
  playing();
  sound.yieldElsewhere();
  expect([sound.state, line(0).closed]).toEqual(["elsewhere", true]);
  sound.listen();
  expect([sound.state, claims]).toEqual(["joining", 2]);
});

test("paused by a person stays paused, whatever the log says", () => {
  playing();
  sound.stop();
  sound.setLive(true);
  sound.follow("stage");
  expect(sound.state).toBe("paused");
  expect(fakes.lines).toHaveLength(1);
});
