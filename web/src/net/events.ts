// A Space's events as a stream that heals itself: every numbered event exactly once and in order, whatever the network does.
import type { Aggregate, LogEvent } from "../protocol/generated";
import { spacePath } from "./api";
import { backoff } from "./backoff";
import { ApiError, isPassing, refusal } from "./http";
import { identified } from "./identity";
import { FrameParser, type Frame } from "./sse";

/** The server beats every 15 s; this long without a byte, the line is dead. */
const STALL_MS = 35_000;
const CHECK_MS = 5000;
/** On waking, a line that was silent for longer than a beat is not trusted. */
const DOUBT_MS = 20_000;

export interface FeedHandlers {
  /** The next event of the log. */
  onEvent(event: LogEvent): void;
  onAggregate(aggregate: Aggregate): void;
  onLive(): void;
  onLost(): void;
  /** Nothing more will come: the Space is over (null), or the server refuses us for good. */
  onEnd(error: ApiError | null): void;
  /** The log went on without us: read a new snapshot and make a new feed. */
  onGap(): void;
}

export interface FeedTools {
  fetch: typeof fetch;
  random: () => number;
}

export class EventFeed {
  #cursor: number;
  #failures = 0;
  #live = false;
  #closed = false;
  #heard = 0;
  #attempt: AbortController | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly space: string,
    after: number,
    private readonly handlers: FeedHandlers,
    private readonly tools: FeedTools = { fetch: (...args) => fetch(...args), random: Math.random },
  ) {
    this.#cursor = after;
  }

  start(): void {
    this.#watch = setInterval(() => this.#doubt(STALL_MS), CHECK_MS);
    void this.#connect();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#attempt?.abort();
  }

  /** The network or the machine came back: do not wait out a delay, do not trust a silent line. */
  nudge(): void {
    if (this.#closed) return;
    if (this.#live) this.#doubt(DOUBT_MS);
    else if (this.#retry !== undefined) void this.#connect();
  }

  #doubt(silence: number): void {
    if (this.#attempt && performance.now() - this.#heard > silence) this.#attempt.abort();
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const attempt = (this.#attempt = new AbortController());
    this.#heard = performance.now();
    let error: unknown = null;
    try {
      await this.#read(attempt);
    } catch (thrown) {
      error = thrown;
    }
    if (this.#attempt === attempt) this.#attempt = null;
    if (this.#closed) return;
    if (error instanceof ApiError && !isPassing(error)) {
      this.#end(error);
      return;
    }
    this.#later(error);
  }

  /** Reads until the stream ends. Throws ApiError, or whatever broke the line. */
  async #read(attempt: AbortController): Promise<void> {
    const response = await this.tools.fetch(`${spacePath(this.space)}/events`, identified({
      headers: { Accept: "text/event-stream", "Last-Event-ID": String(this.#cursor) },
      cache: "no-store",
      signal: attempt.signal,
    }));
    if (response.status === 204) {
      this.#end(null);
      return;
    }
    if (!response.ok || !response.body) throw await refusal(response);
    const reader = response.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
    const parser = new FrameParser();
    for (let part = await reader.read(); !part.done && !this.#closed; part = await reader.read()) {
      this.#heard = performance.now();
      this.#stand();
      for (const frame of parser.push(part.value)) this.#take(frame);
    }
  }

  #stand(): void {
    this.#failures = 0;
    if (this.#live) return;
    this.#live = true;
    this.handlers.onLive();
  }

  #take(frame: Frame): void {
    if (this.#closed) return;
    const data = JSON.parse(frame.data) as LogEvent | Aggregate;
    if (frame.id === null) {
      this.handlers.onAggregate(data as Aggregate);
      return;
    }
    const event = data as LogEvent;
    if (event.seq <= this.#cursor) return;
    if (event.seq !== this.#cursor + 1) {
      this.close();
      this.handlers.onGap();
      return;
    }
    this.#cursor = event.seq;
    this.handlers.onEvent(event);
  }

  #later(error: unknown): void {
    if (this.#live) {
      this.#live = false;
      this.handlers.onLost();
    }
    this.#failures++;
    const asked = error instanceof ApiError && error.retryAfter !== null ? error.retryAfter * 1000 : 0;
    this.#retry = setTimeout(() => void this.#connect(), asked + backoff(this.#failures, this.tools.random));
  }

  #end(error: ApiError | null): void {
    if (this.#closed) return;
    this.close();
    this.handlers.onEnd(error);
  }
}
