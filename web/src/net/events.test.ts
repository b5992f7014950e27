// The stream heals itself: no event lost, none twice, none out of order, and it knows when to stop.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { LogEvent } from "../protocol/generated";
import { EventFeed, type FeedHandlers } from "./events";

/** A server whose streams the test writes to, one per request. */
class Server {
  readonly asked: string[] = [];
  readonly #answers: (() => Response)[] = [];
  #writer: ReadableStreamDefaultController<Uint8Array> | null = null;

  readonly fetch: typeof fetch = (_, init) => {
    this.asked.push(new Headers(init?.headers).get("Last-Event-ID") ?? "");
    const answer = this.#answers.shift();
    if (!answer) return Promise.reject(new TypeError("no network"));
    init?.signal?.addEventListener("abort", () => this.#writer?.error(new DOMException("stopped", "AbortError")));
    return Promise.resolve(answer());
  };

  stream(): this {
    this.#answers.push(() => new Response(new ReadableStream<Uint8Array>({ start: (writer) => void (this.#writer = writer) })));
    return this;
  }

  answer(status: number, code = "", headers: Record<string, string> = {}): this {
    const body = status === 204 ? null : JSON.stringify({ code, detail: "" });
    this.#answers.push(() => new Response(body, { status, headers }));
    return this;
  }

  async write(text: string): Promise<void> {
    this.#writer?.enqueue(new TextEncoder().encode(text));
    await vi.advanceTimersByTimeAsync(0);
  }

  async events(...seqs: number[]): Promise<void> {
    await this.write(seqs.map((seq) => `id: ${seq}\nevent: stage_locked\ndata: {"seq":${seq},"type":"stage_locked"}\n\n`).join(""));
  }

  async hangUp(): Promise<void> {
    this.#writer?.close();
    await vi.advanceTimersByTimeAsync(0);
  }
}

let server: Server;
let seen: string[];
let feed: EventFeed;

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  seen = [];
});

afterEach(() => {
  feed.close();
  vi.useRealTimers();
});

async function follow(after: number, random = () => 1): Promise<void> {
  const handlers: FeedHandlers = {
    onEvent: (event: LogEvent) => seen.push(String(event.seq)),
    onAggregate: (aggregate) => seen.push(aggregate.type),
    onLive: () => seen.push("live"),
    onLost: () => seen.push("lost"),
    onEnd: (error) => seen.push(`end ${error?.code ?? ""}`.trim()),
    onGap: () => seen.push("gap"),
  };
  feed = new EventFeed("s1", after, handlers, { fetch: server.fetch, random });
  feed.start();
  await vi.advanceTimersByTimeAsync(0);
}

test("events in order, aggregates beside them", async () => {
  server.stream();
  await follow(4);
  await server.write('event: counts\ndata: {"type":"counts"}\n\n');
  await server.events(5, 6);
  expect(seen).toEqual(["live", "counts", "5", "6"]);
  expect(server.asked).toEqual(["4"]);
});

test("resumes after the last event read, and a repeat is dropped", async () => {
  server.stream().stream();
  await follow(0);
  await server.events(1, 2);
  await server.hangUp();
  await vi.advanceTimersByTimeAsync(250);
  await server.events(2, 3);
  expect(server.asked).toEqual(["0", "2"]);
  expect(seen).toEqual(["live", "1", "2", "lost", "live", "3"]);
});

test("a line cut inside an event resumes before it", async () => {
  server.stream().stream();
  await follow(0);
  await server.write('id: 1\ndata: {"seq":1,"type":"stage_locked"}\n\nid: 2\ndata: {"se');
  await server.hangUp();
  await vi.advanceTimersByTimeAsync(250);
  await server.events(2);
  expect(server.asked).toEqual(["0", "1"]);
  expect(seen).toEqual(["live", "1", "lost", "live", "2"]);
});

test("waits longer after each failure, up to 8 s, and starts over once it hears something", async () => {
  await follow(0);
  const waits: number[] = [];
  for (let tries = 1; tries < 9; tries++) {
    let waited = 0;
    while (server.asked.length === tries) {
      await vi.advanceTimersByTimeAsync(50);
      waited += 50;
    }
    waits.push(waited);
  }
  expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
  server.stream();
  await vi.advanceTimersByTimeAsync(8000);
  await server.write(": beat\n\n");
  await server.hangUp();
  const before = server.asked.length;
  await vi.advanceTimersByTimeAsync(250);
  expect(server.asked.length).toBe(before + 1);
});

test("jitter is full: a lucky one returns at once", async () => {
  await follow(0, () => 0);
  await vi.advanceTimersByTimeAsync(10);
  expect(server.asked.length).toBeGreaterThan(5);
});

test("a nudge does not wait", async () => {
  await follow(0);
  for (let tries = 0; tries < 6; tries++) await vi.advanceTimersByTimeAsync(8000);
  const before = server.asked.length;
  server.stream();
  feed.nudge();
  await vi.advanceTimersByTimeAsync(0);
  expect(server.asked.length).toBe(before + 1);
});

test("a silent line is dropped after two missed beats, a beating one is not", async () => {
  server.stream().stream();
  await follow(0);
  await server.write(": beat\n\n");
  for (let beats = 0; beats < 4; beats++) {
    await vi.advanceTimersByTimeAsync(15_000);
    await server.write(": beat\n\n");
  }
  expect(server.asked.length).toBe(1);
  await vi.advanceTimersByTimeAsync(41_000);
  expect(seen).toEqual(["live", "lost"]);
  expect(server.asked.length).toBe(2);
});

test("after waking, a line silent for longer than a beat is not trusted", async () => {
  server.stream().stream();
  await follow(0);
  await server.write(": beat\n\n");
  await vi.advanceTimersByTimeAsync(10_000);
  feed.nudge();
  expect(seen).toEqual(["live"]);
  await vi.advanceTimersByTimeAsync(14_000);
  feed.nudge();
  await vi.advanceTimersByTimeAsync(250);
  expect(server.asked.length).toBe(2);
});

test.each([
  [403, "removed", "end removed"],
  [403, "banned", "end banned"],
  [404, "space_not_found", "end space_not_found"],
  [204, "", "end"],
])("%i %s ends it", async (status, code, said) => {
  server.stream().answer(status, code);
  await follow(0);
  await server.hangUp();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(seen).toEqual([said]);
  expect(server.asked.length).toBe(2);
});

test("503 waits as long as it is asked to", async () => {
  server.answer(503, "overloaded", { "Retry-After": "5" }).stream();
  await follow(0, () => 0);
  await vi.advanceTimersByTimeAsync(4900);
  expect(server.asked.length).toBe(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(server.asked.length).toBe(2);
});

test("a hole in the log asks for a new snapshot and reads no further", async () => {
  server.stream();
  await follow(3);
  await server.events(4, 6, 7);
  expect(seen).toEqual(["live", "4", "gap"]);
});

test("nothing comes after close", async () => {
  server.stream();
  await follow(0);
  feed.close();
  await expect(server.events(1)).rejects.toThrow();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(seen).toEqual([]);
});
