// Whose microphone is on but not connected, for long enough to be worth showing: a moment after turning it on, or after the server
// came back, says nothing.
import type { Snapshot } from "../protocol/generated";

const PATIENCE_MS = 2000;

export class Air {
  #off: ReadonlySet<string> = $state.raw(new Set());
  #since = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Whether this account's connection is lost. */
  isOff(account: string): boolean {
    return this.#off.has(account);
  }

  follow(snapshot: Snapshot): void {
    const now = performance.now();
    const silent = snapshot.stage.filter((seat) => seat.mic === "on" && !snapshot.on_air.includes(seat.account.id));
    this.#since = new Map(silent.map((seat) => [seat.account.id, this.#since.get(seat.account.id) ?? now]));
    this.#look();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    const off = [...this.#since].filter(([, since]) => now - since >= PATIENCE_MS).map(([account]) => account);
    if (off.length !== this.#off.size || off.some((account) => !this.#off.has(account))) this.#off = new Set(off);
    const waits = [...this.#since.values()].map((since) => since + PATIENCE_MS - now).filter((wait) => wait > 0);
    if (waits.length) this.#timer = setTimeout(() => this.#look(), Math.min(...waits) + 1);
  }
}
