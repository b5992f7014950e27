// The windows of one browser that are in one Space: one of them at a time hears it, for the server keeps one session of each kind
// for a person, so the newest wins; and each learns that there are others.

type Said = { from: number; kind: "asks" | "answers" | "claims" };

export interface TabHandlers {
  /** Another window took over. */
  claimed(): void;
  /** Another window of this browser is in the same Space. */
  met(): void;
}

export class Tabs {
  #channel: BroadcastChannel | null = null;
  readonly #self = Math.random();

  constructor(space: string, handlers: TabHandlers) {
    if (typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel(`rostra.space.${space}`);
    this.#channel.onmessage = ({ data }: MessageEvent<Said>) => {
      if (data.from === this.#self) return;
      if (data.kind === "claims") handlers.claimed();
      if (data.kind === "asks") this.#say("answers");
      if (data.kind === "answers") handlers.met();
    };
    this.#say("asks");
  }

  /** Take over from the other windows. */
  claim(): void {
    this.#say("claims");
  }

  close(): void {
    this.#channel?.close();
  }

  #say(kind: Said["kind"]): void {
    this.#channel?.postMessage({ from: this.#self, kind });
  }
}
