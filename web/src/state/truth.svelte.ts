// The Space as the server tells it: a snapshot, then every event in order, and a new snapshot whenever events cannot tell enough.
import * as api from "../net/api";
import { backoff } from "../net/backoff";
import { EventFeed } from "../net/events";
import { ApiError, isPassing } from "../net/http";
import type { Aggregate, LogEvent, Snapshot } from "../protocol/generated";
import { asApiError } from "./session.svelte";
import { needsSnapshot, reduce, withCounts } from "./space";
import type { Connection } from "./types";

export interface TruthHandlers {
  /** An event that just became true. */
  event(before: Snapshot, event: LogEvent, after: Snapshot): void;
  /** The snapshot changed in any way. */
  changed(snapshot: Snapshot): void;
  reactions(reactions: Record<string, number>): void;
  /** Events come again after a loss. */
  back(): void;
}

export class Truth {
  snapshot: Snapshot | null = $state.raw(null);
  connection: Connection = $state("loading");
  problem: ApiError | null = $state.raw(null);
  #feed: EventFeed | null = null;
  #failures = 0;
  #again: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(
    private readonly id: string,
    private readonly handlers: TruthHandlers,
  ) {}

  /** Load and follow. Also starts over: as someone else, after a gap, or because a person asked. */
  async start(): Promise<void> {
    this.#feed?.close();
    this.#feed = null;
    clearTimeout(this.#again);
    try {
      const snapshot = await api.getSpace(this.id);
      if (this.#closed) return;
      this.#failures = 0;
      this.#take(snapshot);
      this.#follow(snapshot);
    } catch (error) {
      if (!this.#closed) this.#failed(asApiError(error));
    }
  }

  /** What a command answered may be known before the stream tells it. */
  apply(events: readonly LogEvent[]): void {
    for (const event of events) this.#event(event);
  }

  nudge(): void {
    if (this.#feed) this.#feed.nudge();
    else if (this.connection === "failed" || this.connection === "reconnecting") void this.start();
  }

  close(): void {
    this.#closed = true;
    this.#feed?.close();
    clearTimeout(this.#again);
  }

  #follow(snapshot: Snapshot): void {
    if (snapshot.you.removed) {
      this.#out(snapshot);
      return;
    }
    if (isOver(snapshot)) {
      this.connection = "ended";
      return;
    }
    this.#feed = new EventFeed(this.id, snapshot.seq, {
      onEvent: (event) => this.#event(event),
      onAggregate: (aggregate) => this.#aggregate(aggregate),
      onLive: () => this.#live(),
      onLost: () => (this.connection = "reconnecting"),
      onGap: () => void this.start(),
      onEnd: (error) => this.#ended(error),
    });
    this.#feed.start();
  }

  #live(): void {
    const back = this.connection === "reconnecting";
    this.connection = "live";
    this.problem = null;
    if (back) this.handlers.back();
  }

  #event(event: LogEvent): void {
    const before = this.snapshot;
    if (!before || event.seq !== before.seq + 1) return;
    const after = reduce(before, event);
    this.snapshot = after;
    this.handlers.changed(after);
    this.handlers.event(before, event, after);
    if (after.you.removed) this.#out(after);
    else if (isOver(after)) this.connection = "ended";
    else if (needsSnapshot(before, event)) void this.#refresh();
  }

  #aggregate(aggregate: Aggregate): void {
    if (aggregate.type === "reactions") this.handlers.reactions(aggregate.reactions);
    else if (aggregate.type === "counts" && this.snapshot) {
      this.snapshot = withCounts(this.snapshot, aggregate);
      this.handlers.changed(this.snapshot);
    }
  }

  async #refresh(): Promise<void> {
    try {
      this.#take(await api.getSpace(this.id));
    } catch {
      // What is shown stays right as far as it goes; the next event or reconnection asks again.
    }
  }

  #take(snapshot: Snapshot): void {
    // Events that came meanwhile are newer, and any that still follow build on what they left.
    if (this.#closed || (this.snapshot && snapshot.seq < this.snapshot.seq)) return;
    this.snapshot = snapshot;
    this.handlers.changed(snapshot);
  }

  #ended(error: ApiError | null): void {
    if (error === null || error.code === "ended") void this.#close("ended", null);
    else if (error.code === "removed" || error.code === "banned") void this.#close("removed", error);
    else if (error.status === 404) void this.#close("missing", error);
    else this.#failed(error);
  }

  /** The stream is over; the last snapshot says what is left to say. */
  async #close(connection: Connection, problem: ApiError | null): Promise<void> {
    this.connection = connection;
    this.problem = problem;
    await this.#refresh();
  }

  #out(snapshot: Snapshot): void {
    this.#feed?.close();
    this.#feed = null;
    this.connection = "removed";
    const until = snapshot.you.removed?.until;
    const wait = until ? Date.parse(until) - Date.now() + 1000 : Infinity;
    // Timers cannot count further than 24.8 days.
    if (wait < 2 ** 31) this.#again = setTimeout(() => void this.start(), Math.max(1000, wait));
  }

  #failed(error: ApiError): void {
    this.problem = error;
    if (error.status === 404) {
      this.connection = "missing";
      return;
    }
    this.connection = this.snapshot ? "reconnecting" : "failed";
    const lasting = !isPassing(error);
    this.#failures += lasting ? 4 : 1;
    this.#again = setTimeout(() => void this.start(), (error.retryAfter ?? 0) * 1000 + 200 + backoff(this.#failures));
  }
}

function isOver(snapshot: Snapshot): boolean {
  return snapshot.state === "ended" || snapshot.state === "canceled";
}
