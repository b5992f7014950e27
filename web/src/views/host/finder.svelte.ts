// The list of people as one types a name: asked a moment after the last key, an older answer never over a newer one.
import type { Account, Role } from "../../protocol/generated";
import type { SpaceView } from "../../state/types";

const PAUSE_MS = 250;

export class Finder {
  people: { account: Account; role: Role }[] = $state.raw([]);
  state: "loading" | "ready" | "failed" = $state("loading");
  more = $state(false);
  #query = "";
  #cursor: string | null = null;
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly space: SpaceView) {}

  ask(query: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(query.trim(), null), this.#turn === 0 ? 0 : PAUSE_MS);
  }

  next(): void {
    if (this.#cursor) void this.#read(this.#query, this.#cursor);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #read(query: string, cursor: string | null): Promise<void> {
    const turn = ++this.#turn;
    this.#query = query;
    try {
      const found = await this.space.participants(query, cursor);
      if (turn !== this.#turn) return;
      this.people = cursor ? [...this.people, ...found.people] : found.people;
      this.#cursor = found.next;
      this.more = found.next !== null;
      this.state = "ready";
    } catch {
      if (turn === this.#turn) this.state = this.people.length ? "ready" : "failed";
    }
  }
}
