// What is heard of a Space: the programme in the audience, the stage feed on the stage, and the change between them without a gap.
import { canChooseOutput } from "../media/playback";
import type { Wake } from "../net/backoff";
import type { ApiError } from "../net/http";
import { Line, type Feed } from "./line";
import { recall, remember } from "./memory";
import type { AudioState } from "./types";

const PREPARE_MS = 1500;

export class Sound {
  state: AudioState = $state("idle");
  retryAt: number | null = $state(null);
  volume = $state(1);
  output = $state(recall("output"));
  /** Why it failed. */
  error: ApiError | null = $state.raw(null);
  #want = false;
  #isLive = false;
  #feed: Feed = "programme";
  /** What is heard, and what takes over once it sounds. */
  #now: Line | null = null;
  #next: Line | null = null;
  /** The next line was prepared ahead and waits for `follow`. */
  #held = false;
  #swapping = false;

  constructor(
    private readonly space: string,
    /** Another window of this browser that listens here has to stop. */
    private readonly claim: () => void,
  ) {}

  /** Whether someone asked to hear. */
  get isWanted(): boolean {
    return this.#want;
  }

  /** The receivers that are heard now. */
  get receivers(): RTCRtpReceiver[] {
    return this.#now?.session.receivers ?? [];
  }

  get stats(): Promise<RTCStatsReport> | null {
    return this.#now?.session.stats() ?? null;
  }

  listen(): void {
    this.#want = true;
    this.error = null;
    this.#begin();
  }

  stop(): void {
    this.#want = false;
    this.#end();
    this.state = "paused";
  }

  /** Another window listens now. */
  yieldElsewhere(): void {
    if (!this.#want) return;
    this.#want = false;
    this.#end();
    this.state = "elsewhere";
  }

  async tapToHear(): Promise<void> {
    await Promise.all([this.#now?.resume(), this.#next?.resume()]);
    this.#show();
  }

  /** Sound exists only while the Space is live. */
  setLive(isLive: boolean): void {
    this.#isLive = isLive;
    if (isLive) this.#begin();
    else if (this.#now || this.#next) {
      this.#end("server");
      this.state = "idle";
    }
  }

  /** Be on the stage or in the audience: the new feed takes over when it sounds. */
  follow(feed: Feed): void {
    this.#feed = feed;
    this.#held = false;
    if (!this.#want || !this.#isLive || !(this.#now || this.#next)) return;
    if (this.#now?.feed === feed) {
      this.#next?.close();
      this.#next = null;
      return;
    }
    if (this.#next?.feed !== feed) this.#openNext(feed);
    void this.#swap();
  }

  /** Open `feed` beside what is heard, so that `follow` can change over at once. Resolves when it stands or took too long. */
  async prepare(feed: Feed): Promise<void> {
    if (!this.#now || this.#now.feed === feed) return;
    this.#held = true;
    if (this.#next?.feed !== feed) this.#openNext(feed);
    await Promise.race([this.#next?.settled, new Promise((resolve) => setTimeout(resolve, PREPARE_MS))]);
  }

  /** What `prepare` opened is not needed after all. */
  forget(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#next?.close();
    this.#next = null;
  }

  nudge(wake: Wake): void {
    this.#now?.session.nudge(wake);
    this.#next?.session.nudge(wake);
  }

  setVolume(volume: number): void {
    this.volume = Math.min(1, Math.max(0, volume));
    for (const line of [this.#now, this.#next]) if (line) line.playback.volume = this.volume;
  }

  async chooseOutput(device: string): Promise<void> {
    if (!canChooseOutput()) return;
    await Promise.all([this.#now?.playback.setSink(device), this.#next?.playback.setSink(device)]);
    this.output = device;
    remember("output", device);
  }

  #begin(): void {
    if (!this.#want || !this.#isLive || this.#now || this.#next) return;
    this.claim();
    this.state = "joining";
    this.#now = this.#line(this.#feed, false);
    this.#now.session.open();
  }

  #openNext(feed: Feed): void {
    this.#next?.close();
    this.#next = this.#line(feed, true);
    this.#next.session.open();
  }

  #line(feed: Feed, muted: boolean): Line {
    const line: Line = new Line(this.space, {
      feed,
      muted,
      volume: this.volume,
      sink: this.output,
      onChange: () => this.#changed(line),
    });
    return line;
  }

  #changed(line: Line): void {
    if (line === this.#next) {
      if (line.session.phase === "refused") this.#next = null;
      else void this.#swap();
    } else if (line === this.#now && line.session.phase === "refused") {
      this.#refused(line);
      return;
    }
    this.#show();
  }

  async #swap(): Promise<void> {
    const next = this.#next;
    if (!next?.isConnected || this.#held || this.#swapping) return;
    this.#swapping = true;
    await next.sounding();
    this.#swapping = false;
    if (next !== this.#next || this.#held || next.session.phase === "closed") return;
    next.playback.muted = false;
    // Without a seat the server ends the stage feed itself.
    this.#now?.close(this.#now.feed === "stage" ? "server" : "us");
    this.#now = next;
    this.#next = null;
    this.#show();
  }

  #refused(line: Line): void {
    const error = line.session.error;
    this.#now = null;
    if (error?.code === "not_a_speaker" || (this.#next && !this.#held)) {
      // The seat went while the stage feed was being opened: the audience's sound is always there.
      this.#now = this.#next ?? this.#line("programme", false);
      this.#next = null;
      this.#now.playback.muted = false;
      if (this.#now.session.phase === "connecting") this.#now.session.open();
      this.#show();
      return;
    }
    this.#want = false;
    this.error = error;
    this.#end();
    const over = error?.code === "ended" || error?.code === "not_live" || error?.code === "removed" || error?.code === "banned";
    this.state = over ? "idle" : error?.code === "session_not_found" ? "elsewhere" : "failed";
  }

  #end(by: "us" | "server" = "us"): void {
    this.#now?.close(by);
    this.#next?.close(by);
    this.#now = this.#next = null;
    this.retryAt = null;
  }

  #show(): void {
    const line = this.#now;
    if (!line) return;
    const { phase, retryAt } = line.session;
    this.retryAt = phase === "full" ? retryAt : null;
    if (phase === "connected") this.state = line.blocked ? "blocked" : "playing";
    else if (phase === "full") this.state = "full";
    else if (phase !== "closed") this.state = phase === "connecting" || (!line.stood && this.state === "joining") ? "joining" : "reconnecting";
  }
}
