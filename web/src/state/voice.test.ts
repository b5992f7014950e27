// The microphone never comes back by itself, never without the person's wish, and the last press wins.
import { beforeEach, expect, test, vi } from "vitest";
import type { Phase } from "../net/webrtc";
import type { Command, Seat } from "../protocol/generated";
import type { Notice, Result } from "./types";
import { Voice } from "./voice.svelte";

const fakes = vi.hoisted(() => ({
  mics: [] as { sending: object; isOpen: boolean; stopped: boolean; onLost: () => void }[],
  sessions: [] as { phase: string; door: string; tracks: unknown[]; become: (phase: Phase) => void }[],
  connects: true,
  refuses: null as string | null,
}));

vi.mock("../media/mic", () => {
  class MicError extends Error {
    constructor(readonly problem: string) {
      super(problem);
    }
  }
  class Mic {
    sending = {};
    isOpen = false;
    stopped = false;
    device = "m1";
    constructor(readonly onLost: () => void) {
      fakes.mics.push(this);
    }
    static capture(_: string, onLost: () => void): Promise<Mic> {
      return fakes.refuses ? Promise.reject(new MicError(fakes.refuses)) : Promise.resolve(new Mic(onLost));
    }
    open(isOpen: boolean): void {
      this.isOpen = isOpen;
    }
    stop(): void {
      this.isOpen = false;
      this.stopped = true;
    }
  }
  return { Mic, MicError, onPermission: () => () => undefined, listDevices: () => Promise.resolve({ inputs: [], outputs: [] }) };
});

vi.mock("../net/webrtc", () => ({
  MediaSession: class {
    phase = "connecting";
    error = null;
    door: string;
    tracks: unknown[] = [];
    constructor(readonly options: { door: string; onPhase(phase: Phase): void }) {
      this.door = options.door;
      fakes.sessions.push(this);
    }
    open(): void {
      if (fakes.connects) this.become("connected");
    }
    become(phase: Phase): void {
      this.phase = phase;
      this.options.onPhase(phase);
    }
    replaceTrack(track: unknown): Promise<void> {
      this.tracks.push(track);
      return Promise.resolve();
    }
    close(): void {
      this.become("closed");
    }
  },
}));

const seat: Seat = {
  account: { id: "bo", handle: "bo", name: "Bo", guest: true }, role: "speaker", mic: "off", mute: null, csrc: 2, seat: 2,
};
let voice: Voice;
let wishes: Command[];
let notices: Notice[];
let seq: number;
let answer: () => Promise<Result>;
let now: Seat;

/** What the log says next. */
function log(change: Partial<Seat>, onAir = true): void {
  now = { ...now, ...change };
  voice.follow(now, onAir, ++seq);
}

const told = () => wishes.map((wish) => (wish.type === "set_mic" ? wish.on : wish.type));
const tick = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(fakes, { mics: [], sessions: [], connects: true, refuses: null });
  wishes = [];
  notices = [];
  seq = 10;
  now = seat;
  answer = () => Promise.resolve({ ok: true });
  voice = new Voice("s1", {
    command: async (wish) => {
      wishes.push(wish);
      const result = await answer();
      if (result.ok && wish.type === "set_mic" && !now.mute) log({ mic: wish.on ? "on" : "off" });
      return { result, seq };
    },
    notice: (notice) => notices.push(notice),
    claim: () => undefined,
  });
});

async function on(): Promise<void> {
  voice.follow(now, false, seq);
  await voice.set(true);
}

test("nothing is captured or opened before the first wish to speak", () => {
  voice.follow(now, false, seq);
  expect(voice.state).toBe("off");
  expect([fakes.mics, fakes.sessions, wishes]).toEqual([[], [], []]);
});

test("the first wish asks, opens the door closed, and only then says so", async () => {
  await on();
  expect(fakes.sessions[0]?.door).toBe("/api/v1/spaces/s1/whip?mic=off");
  expect(told()).toEqual([true]);
  expect(voice.state).toBe("on");
  expect(fakes.mics[0]?.isOpen).toBe(true);
});

test("off is silent at once, before any answer", async () => {
  await on();
  answer = () => new Promise(() => undefined);
  void voice.set(false);
  expect(fakes.mics[0]?.isOpen).toBe(false);
  expect(voice.state).toBe("off");
});

test("a refusal closes it again", async () => {
  answer = () => Promise.resolve({ ok: false, error: { code: "muted" } } as unknown as Result);
  await on();
  expect(fakes.mics[0]?.isOpen).toBe(false);
  expect(voice.state).toBe("off");
});

test.each(["denied", "missing", "busy"])("a microphone that is %s says so, and a later try may work", async (problem) => {
  fakes.refuses = problem;
  voice.follow(now, false, seq);
  expect((await voice.set(true)).ok).toBe(false);
  expect(voice.state).toBe(problem);
  expect(fakes.sessions).toEqual([]);
  fakes.refuses = null;
  await voice.set(true);
  expect(voice.state).toBe("on");
});

test("after a loss it is silent, then as the person had it", async () => {
  await on();
  fakes.sessions[0]?.become("reconnecting");
  expect(fakes.mics[0]?.isOpen).toBe(false);
  expect(voice.state).toBe("reconnecting");
  log({ mic: "off" }); // The server closes it when the door is opened again.
  fakes.sessions[0]?.become("connected");
  await tick();
  expect(told()).toEqual([true, true]);
  expect(voice.state).toBe("on");
});

test("the log's late word that the door closed it does not undo the return", async () => {
  await on();
  fakes.sessions[0]?.become("reconnecting");
  fakes.sessions[0]?.become("connected");
  await tick();
  // Events older than the answer we have: off by the door, then on by us.
  voice.follow({ ...now, mic: "off" }, true, seq - 1);
  voice.follow({ ...now, mic: "on" }, true, seq);
  expect(voice.state).toBe("on");
  expect(told()).toEqual([true, true]);
});

test.each([
  ["was off before", async () => void (await voice.set(false))],
  ["was muted meanwhile", () => log({ mic: "off", mute: { by: "ann", reason: "" } })],
  ["was muted meanwhile and the mute lifted", () => (log({ mic: "off", mute: { by: "ann", reason: "" } }), log({ mute: null }))],
])("after a loss it stays off if it %s", async (_, act) => {
  await on();
  fakes.sessions[0]?.become("reconnecting");
  await act();
  const before = told().length;
  fakes.sessions[0]?.become("connected");
  await tick();
  expect(told().slice(before)).toEqual([]);
  expect(fakes.mics[0]?.isOpen).toBe(false);
});

test("a lifted mute does not turn it on", async () => {
  await on();
  log({ mic: "off", mute: { by: "ann", reason: "" } });
  expect(voice.state).toBe("muted");
  expect(fakes.mics[0]?.isOpen).toBe(false);
  log({ mute: null });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(voice.state).toBe("off");
  expect(told()).toEqual([true]);
});

test("while muted a wish to speak is refused here already", async () => {
  log({ mute: { by: "ann", reason: "" } });
  const result = await voice.set(true);
  expect(!result.ok && result.error.code).toBe("muted");
  expect(fakes.mics).toEqual([]);
});

test("after a reload the log may still say on: it is turned off, not joined", async () => {
  log({ mic: "on" }, false);
  expect(voice.state).toBe("off");
  await vi.advanceTimersByTimeAsync(3000);
  expect(told()).toEqual([false]);
});

test("another device that speaks for us is left alone", async () => {
  log({ mic: "on" }, true);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(told()).toEqual([]);
});

test("an off that was not heard is said again", async () => {
  await on();
  answer = () => Promise.resolve({ ok: false, error: { code: "offline" } } as unknown as Result);
  await voice.set(false);
  answer = () => Promise.resolve({ ok: true });
  await vi.advanceTimersByTimeAsync(3000);
  expect(told()).toEqual([true, false, false]);
});

test("quick presses: the last one is true, and is the last to be said", async () => {
  await on();
  for (let times = 0; times < 3; times++) {
    void voice.set(false);
    void voice.set(true);
  }
  void voice.set(false);
  await tick();
  expect(told().at(-1)).toBe(false);
  expect(voice.state).toBe("off");
  expect(fakes.mics[0]?.isOpen).toBe(false);
});

test("one word at a time, so that none overtakes another", async () => {
  let say: (result: Result) => void = () => undefined;
  answer = () => new Promise((resolve) => (say = resolve));
  voice.follow(now, false, seq);
  void voice.set(true);
  await tick();
  void voice.set(false);
  await tick();
  expect(told()).toEqual([true]);
  say({ ok: true });
  await tick();
  expect(told()).toEqual([true, false]);
});

test("off while the browser still asks means off", async () => {
  voice.follow(now, false, seq);
  const asked = voice.set(true);
  void voice.set(false);
  await asked;
  await tick();
  expect(told()).not.toContain(true);
  expect(fakes.mics[0]?.stopped).toBe(true);
});

test("a vanished headset turns it off and says so", async () => {
  await on();
  fakes.mics[0]?.onLost();
  await tick();
  expect(voice.state).toBe("missing");
  expect(told()).toEqual([true, false]);
  expect(notices.map((notice) => [notice.kind, notice.urgent])).toEqual([["mic_lost", true]]);
  expect(fakes.sessions[0]?.tracks.at(-1)).toBeNull();
  await voice.set(true);
  expect(fakes.sessions).toHaveLength(1);
  expect(fakes.sessions[0]?.tracks.at(-1)).toBe(fakes.mics[1]?.sending);
  expect(voice.state).toBe("on");
});

test("without a seat nothing is captured or connected any more", async () => {
  await on();
  voice.follow(null, false, ++seq);
  expect(voice.state).toBe("unavailable");
  expect(fakes.sessions[0]?.phase).toBe("closed");
  expect(fakes.mics[0]?.stopped).toBe(true);
});

test("turned off from another device of ours", async () => {
  await on();
  log({ mic: "off" });
  expect(voice.state).toBe("off");
  expect(fakes.mics[0]?.isOpen).toBe(false);
  log({ mic: "on" });
  expect(voice.state).toBe("off");
});
