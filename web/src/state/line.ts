// One way of hearing the Space, programme or stage feed: a media session and the elements that play it.
import { Playback } from "../media/playback";
import { spacePath } from "../net/api";
import { MediaSession, type Phase } from "../net/webrtc";

export type Feed = "programme" | "stage";

/** Packets of someone who talks arrive at once; silence sends none, so it is not waited for longer than this. */
const FIRST_SOUND_MS = 300;

export interface LineOptions {
  feed: Feed;
  muted: boolean;
  volume: number;
  sink: string;
  onChange(): void;
}

export class Line {
  readonly feed: Feed;
  readonly session: MediaSession;
  readonly playback: Playback;
  /** Whether the browser wants a tap first. */
  blocked = false;
  /** Whether it was connected at least once. */
  stood = false;
  #tracks: MediaStreamTrack[] = [];
  #settled: () => void = () => undefined;
  /** Resolves at the first connection, or when there will be none. */
  readonly settled = new Promise<void>((resolve) => (this.#settled = resolve));

  constructor(space: string, options: LineOptions) {
    this.feed = options.feed;
    this.playback = new Playback(options);
    const stage = options.feed === "stage";
    this.session = new MediaSession({
      door: `${spacePath(space)}/whep${stage ? "?feed=stage" : ""}`,
      sections: stage ? 3 : 1,
      onTracks: (tracks) => {
        this.#tracks = tracks;
        void this.#play(tracks, options.onChange);
      },
      onPhase: (phase: Phase) => {
        if (phase === "connected") this.stood = true;
        if (phase === "connected" || phase === "refused" || phase === "closed") this.#settled();
        options.onChange();
      },
    });
  }

  get isConnected(): boolean {
    return this.session.phase === "connected";
  }

  /** Resolves once it is connected and sounds, or would if anyone spoke. */
  async sounding(): Promise<void> {
    if (this.#tracks.some((track) => !track.muted)) return;
    await new Promise<void>((resolve) => {
      const limit = setTimeout(resolve, FIRST_SOUND_MS);
      for (const track of this.#tracks) {
        track.addEventListener("unmute", () => (clearTimeout(limit), resolve()), { once: true });
      }
    });
  }

  async resume(): Promise<void> {
    this.blocked = (await this.playback.resume()) === "blocked";
  }

  close(by: "us" | "server" = "us"): void {
    this.playback.close();
    this.session.close(by);
  }

  async #play(tracks: MediaStreamTrack[], onChange: () => void): Promise<void> {
    this.blocked = (await this.playback.play(tracks)) === "blocked";
    onChange();
  }
}
