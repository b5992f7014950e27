// The listeners a viewer may see by name, for a house small enough to show them one by one.
import type { Account } from "../../protocol/generated";
import type { SpaceView } from "../../state/types";

const FACES_BELOW = 50;
const FRESH_MS = 15_000;

/** Names of listeners; empty where the Space hides them or the house is large. Asked for at most every 15 s. */
export class Crowd {
  named: Account[] = $state.raw([]);
  #asked = 0;

  constructor(private readonly space: SpaceView) {}

  get #wanted(): boolean {
    const { snapshot, role, listeners } = this.space;
    const may = snapshot?.show_listeners === true || role === "host" || role === "cohost";
    return may && snapshot?.state === "live" && listeners > 0 && listeners < FACES_BELOW;
  }

  /** Call it when the number of listeners changes. */
  async read(): Promise<void> {
    if (!this.#wanted) {
      if (this.named.length) this.named = [];
      return;
    }
    if (Date.now() - this.#asked < FRESH_MS) return;
    this.#asked = Date.now();
    try {
      const { people } = await this.space.participants();
      this.named = people.filter((one) => one.role === "listener" && one.account.id !== this.space.me?.id).map((one) => one.account);
    } catch {
      // The house is a picture; it goes on without names.
    }
  }
}
