// The lists of Spaces: live and coming up, page by page, kept fresh while someone looks.
import * as api from "../net/api";
import type { ApiError } from "../net/http";
import type { NewSpace, SpaceCard, SpaceState } from "../protocol/generated";
import { asApiError } from "./session.svelte";

const POLL_MS = 10_000;
const PAGE = 24;

/** One list. `cards` keeps its last good content while a refresh fails. */
export class SpaceList {
  cards: SpaceCard[] = $state.raw([]);
  /** loading: nothing yet · ready · more: the next page is on its way · failed: nothing could be had */
  state: "loading" | "ready" | "more" | "failed" = $state("loading");
  error: ApiError | null = $state.raw(null);
  hasMore = $state(false);
  #cursor: string | null = null;
  #pages = 1;
  #asked = 0;

  constructor(
    readonly of: SpaceState,
    private readonly query: () => string,
  ) {}

  /** Read again what is shown. */
  async refresh(): Promise<void> {
    const asked = ++this.#asked;
    try {
      let cursor: string | null = null;
      const cards: SpaceCard[] = [];
      for (let page = 0; page < this.#pages; page++) {
        const found: api.Page<SpaceCard> = await api.listSpaces({ state: this.of, q: this.query(), cursor, limit: PAGE });
        cards.push(...found.data);
        cursor = found.next_cursor;
        if (!cursor) break;
      }
      if (asked === this.#asked) this.#take(cards, cursor);
    } catch (error) {
      if (asked !== this.#asked) return;
      this.error = asApiError(error);
      this.state = this.cards.length ? "ready" : "failed";
    }
  }

  /** The next page. */
  async more(): Promise<void> {
    if (!this.#cursor || this.state === "more") return;
    this.state = "more";
    const asked = ++this.#asked;
    try {
      const found = await api.listSpaces({ state: this.of, q: this.query(), cursor: this.#cursor, limit: PAGE });
      if (asked !== this.#asked) return;
      this.#pages++;
      const known = new Set(this.cards.map((card) => card.id));
      this.#take([...this.cards, ...found.data.filter((card) => !known.has(card.id))], found.next_cursor);
    } catch (error) {
      if (asked !== this.#asked) return;
      this.error = asApiError(error);
      this.state = "ready";
    }
  }

  /** Start over, for another query. */
  reset(): void {
    this.#pages = 1;
    this.state = "loading";
    void this.refresh();
  }

  #take(cards: SpaceCard[], cursor: string | null): void {
    this.cards = cards;
    this.#cursor = cursor;
    this.hasMore = cursor !== null;
    this.error = null;
    this.state = "ready";
  }
}

/** What home shows. `start()` when it appears, and call what it returns when it goes. */
export class HomeStore {
  #query = $state("");
  readonly live = new SpaceList("live", () => this.#query);
  readonly upcoming = new SpaceList("scheduled", () => this.#query);
  #typing: ReturnType<typeof setTimeout> | undefined;

  get query(): string {
    return this.#query;
  }

  /** Search as one types, a moment after the last key. */
  set query(query: string) {
    this.#query = query;
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => [this.live, this.upcoming].forEach((list) => list.reset()), 250);
  }

  refresh(): void {
    void this.live.refresh();
    void this.upcoming.refresh();
  }

  start(): () => void {
    const look = () => document.visibilityState === "visible" && this.refresh();
    look();
    const timer = setInterval(look, POLL_MS);
    document.addEventListener("visibilitychange", look);
    addEventListener("online", look);
    return () => {
      clearInterval(timer);
      clearTimeout(this.#typing);
      document.removeEventListener("visibilitychange", look);
      removeEventListener("online", look);
    };
  }
}

/** Make a Space; the caller becomes its host and needs a name first. */
export async function createSpace(space: NewSpace): Promise<{ ok: true; id: string } | { ok: false; error: ApiError }> {
  try {
    return { ok: true, id: (await api.createSpace(space)).id };
  } catch (error) {
    return { ok: false, error: asApiError(error) };
  }
}
