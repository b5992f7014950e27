// One window of a browser at a time hears a Space: the server keeps one session of each kind for a person, so the newest wins.

export class Tabs {
  #channel: BroadcastChannel | null = null;
  readonly #self = Math.random();

  constructor(space: string, onClaimed: () => void) {
    if (typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel(`rostra.space.${space}`);
    this.#channel.onmessage = (message: MessageEvent<number>) => message.data !== this.#self && onClaimed();
  }

  /** Take over from the other windows. */
  claim(): void {
    this.#channel?.postMessage(this.#self);
  }

  close(): void {
    this.#channel?.close();
  }
}
