// Snapshot, then events, then whatever the line does: what is shown is always what the server said last.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError } from "../net/http";
import type { FeedHandlers } from "../net/events";
import type { LogEvent, Snapshot } from "../protocol/generated";
import { Truth } from "./truth.svelte";

const fakes = vi.hoisted(() => ({
  feeds: [] as { after: number; handlers: FeedHandlers; closed: boolean; nudged: number }[],
  snapshots: [] as (() => Promise<unknown>)[],
  asked: 0,
}));

vi.mock("../net/events", () => ({
  EventFeed: class {
    closed = false;
    nudged = 0;
    constructor(_: string, readonly after: number, readonly handlers: FeedHandlers) {
      fakes.feeds.push(this);
    }
    start(): void {}
    close(): void {
      this.closed = true;
    }
    nudge(): void {
      this.nudged++;
    }
  },
}));

vi.mock("../net/api", () => ({
  getSpace: () => {
    fakes.asked++;
    return fakes.snapshots.shift()?.() ?? Promise.reject(new ApiError("offline", 0, ""));
  },
}));

const ann = { id: "ann", handle: "ann", name: "Ann", guest: true };
const bo = { id: "bo", handle: "bo", name: "Bo", guest: true };

function snap(seq: number, change: object = {}, you: object = {}): Snapshot {
  return {
    id: "s1", state: "live", seq, host: ann, stage: [], cohosts: [], hands: [], hand_count: 0, invites: [], removed: [], pins: [], answering: null,
    listener_count: 0, on_air: [], stage_locked: false, ...change,
    you: { account: bo, role: "listener", permissions: [], invited: false, hand: null, removed: null, ...you },
  } as unknown as Snapshot;
}

const event = (seq: number, body: object = { type: "stage_locked" }) => ({ seq, at: "", actor: "ann", ...body }) as LogEvent;
const gives = (...snapshots: Snapshot[]) => fakes.snapshots.push(...snapshots.map((one) => () => Promise.resolve(one)));
const refuses = (error: ApiError) => fakes.snapshots.push(() => Promise.reject(error));
const feed = () => fakes.feeds.at(-1) as (typeof fakes.feeds)[number];

let truth: Truth;
let happened: number[];
let backs: number;

beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(fakes, { feeds: [], snapshots: [], asked: 0 });
  happened = [];
  backs = 0;
  truth = new Truth("s1", {
    event: (_, one) => happened.push(one.seq),
    changed: () => undefined,
    reactions: () => undefined,
    back: () => void backs++,
  });
});

afterEach(() => {
  truth.close();
  vi.useRealTimers();
});

async function live(snapshot: Snapshot): Promise<void> {
  gives(snapshot);
  await truth.start();
  feed().handlers.onLive();
}

test("follows from the snapshot's place in the log", async () => {
  await live(snap(7));
  expect(feed().after).toBe(7);
  expect(truth.connection).toBe("live");
  feed().handlers.onEvent(event(8));
  expect(truth.snapshot?.stage_locked).toBe(true);
});

test("a command's answer is true at once, and the stream's copy of it changes nothing", async () => {
  await live(snap(7));
  truth.apply([event(8), event(9)]);
  feed().handlers.onEvent(event(8));
  feed().handlers.onEvent(event(9));
  feed().handlers.onEvent(event(10));
  expect(happened).toEqual([8, 9, 10]);
});

test("an answer that runs ahead of the stream waits for what is missing", async () => {
  await live(snap(7));
  truth.apply([event(9)]);
  expect(truth.snapshot?.seq).toBe(7);
  feed().handlers.onEvent(event(8));
  feed().handlers.onEvent(event(9));
  expect(truth.snapshot?.seq).toBe(9);
});

test("becoming a host brings a new snapshot, and an older one than what is known is not taken", async () => {
  await live(snap(7));
  gives(snap(8, { hand_count: 3 }, { role: "cohost" }), snap(8, { hand_count: 99 }));
  feed().handlers.onEvent(event(8, { type: "cohost_added", account: bo }));
  await vi.advanceTimersByTimeAsync(0);
  expect(truth.snapshot?.hand_count).toBe(3);
  feed().handlers.onEvent(event(9, { type: "cohost_removed", account: "bo" }));
  feed().handlers.onEvent(event(10, { type: "cohost_added", account: bo }));
  await vi.advanceTimersByTimeAsync(0);
  expect(truth.snapshot).toMatchObject({ seq: 10, hand_count: 3 });
});

test("a lost line is said, and so is its return", async () => {
  await live(snap(7));
  feed().handlers.onLost();
  expect(truth.connection).toBe("reconnecting");
  feed().handlers.onLive();
  expect([truth.connection, backs]).toEqual(["live", 1]);
});

test("a gap starts over from a new snapshot", async () => {
  await live(snap(7));
  gives(snap(20));
  feed().handlers.onGap();
  await vi.advanceTimersByTimeAsync(0);
  expect(fakes.feeds.map((one) => one.after)).toEqual([7, 20]);
});

test("an ended Space stays shown and is not followed", async () => {
  await live(snap(7));
  feed().handlers.onEvent(event(8, { type: "space_ended" }));
  expect([truth.connection, truth.snapshot?.state]).toEqual(["ended", "ended"]);
  const over = new Truth("s1", { event: () => undefined, changed: () => undefined, reactions: () => undefined, back: () => undefined });
  gives(snap(9, { state: "ended" }));
  await over.start();
  expect(over.connection).toBe("ended");
  expect(fakes.feeds).toHaveLength(1);
});

test("whoever is removed is out at once, and may look again when the time is over", async () => {
  await live(snap(7));
  const until = new Date(Date.now() + 60_000).toISOString();
  feed().handlers.onEvent(event(8, { type: "removed", account: bo, reason: "rude", until }));
  expect(truth.connection).toBe("removed");
  expect(feed().closed).toBe(true);
  gives(snap(9));
  await vi.advanceTimersByTimeAsync(59_000);
  expect(fakes.asked).toBe(1);
  await vi.advanceTimersByTimeAsync(3000);
  feed().handlers.onLive();
  expect([fakes.asked, truth.connection]).toEqual([2, "live"]);
});

test("a stream that is refused asks why", async () => {
  await live(snap(7));
  gives(snap(8, {}, { removed: { reason: "rude", until: null, kind: "banned" } }));
  feed().handlers.onEnd(new ApiError("banned", 403, ""));
  await vi.advanceTimersByTimeAsync(0);
  expect([truth.connection, truth.snapshot?.you.removed?.reason]).toEqual(["removed", "rude"]);
});

test("no such Space is final; no such server is tried again", async () => {
  refuses(new ApiError("offline", 0, ""));
  await truth.start();
  expect(truth.connection).toBe("failed");
  refuses(new ApiError("space_not_found", 404, ""));
  await vi.advanceTimersByTimeAsync(500);
  expect(truth.connection).toBe("missing");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(fakes.asked).toBe(2);
});

test("a nudge tries a failed load at once", async () => {
  refuses(new ApiError("offline", 0, ""));
  await truth.start();
  gives(snap(1));
  truth.nudge();
  await vi.advanceTimersByTimeAsync(0);
  expect(truth.snapshot?.seq).toBe(1);
});
