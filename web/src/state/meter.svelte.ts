// Ten times a second: how loud everyone is, who speaks now, and whether the person talks into a closed microphone.
import { heard } from "../media/levels";
import type { Seat } from "../protocol/generated";
import type { Listed } from "./types";

const TICK_MS = 100;
/** Below this nobody counts as speaking; rings fall only after the hold, so that they do not flicker between words. */
const SPEAKING = 0.18;
const HOLD_MS = 500;
/** Talking into a closed microphone: this many loud ticks of the last ten, and how long the hint stays. */
const LOUD_TICKS = 4;
const LOUD_DB = -42;
const HINT_MS = 3000;

export interface Sources {
  receivers(): readonly RTCRtpReceiver[];
  /** Our own loudness in dB below full scale, or null while nothing is captured. */
  own(): number | null;
  /** Our seat's csrc while our microphone is on, else null. */
  ownCsrc(): number | null;
  /** Whether we hold a seat with the microphone off or muted, so that talking is in vain. */
  inVain(): boolean;
  stage(): readonly Seat[];
}

export class Meter {
  levels: Readonly<Record<number, number>> = $state.raw({});
  speaking: readonly Listed[] = $state.raw([]);
  lastSpeaker: Seat | null = $state.raw(null);
  own = $state(0);
  talkingInVain = $state(false);
  #spoke = new Map<number, number>();
  #loud: boolean[] = [];
  #hinted = -Infinity;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly sources: Sources) {}

  start(): void {
    this.#timer ??= setInterval(() => this.tick(performance.now()), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** One look; `now` in ms. */
  tick(now: number): void {
    const db = this.sources.own();
    const own = db === null ? 0 : Math.min(1, Math.max(0, (db + 60) / 50));
    if (own !== this.own) this.own = own;
    const levels = heard(this.sources.receivers());
    const csrc = this.sources.ownCsrc();
    if (csrc !== null && own > 0) levels[csrc] = own;
    if (!same(levels, this.levels)) this.levels = levels;
    this.#speakers(levels, now);
    this.#vain(db, now);
  }

  #speakers(levels: Record<number, number>, now: number): void {
    for (const [csrc, level] of Object.entries(levels)) if (level >= SPEAKING) this.#spoke.set(Number(csrc), now);
    for (const [csrc, at] of this.#spoke) if (now - at > HOLD_MS) this.#spoke.delete(csrc);
    const seats = this.sources.stage().filter((seat) => this.#spoke.has(seat.csrc) && seat.mic === "on");
    const listed = seats.map((seat) => ({ seat, level: levels[seat.csrc] ?? 0 })).sort((a, b) => b.level - a.level);
    const changed = listed.length > 0 || this.speaking.length > 0;
    if (changed) this.speaking = listed;
    const first = listed[0]?.seat;
    if (first && first.csrc !== this.lastSpeaker?.csrc) this.lastSpeaker = first;
  }

  #vain(db: number | null, now: number): void {
    this.#loud = [...this.#loud.slice(-9), db !== null && db > LOUD_DB];
    const vain = this.sources.inVain();
    if (vain && this.#loud.filter(Boolean).length >= LOUD_TICKS) this.#hinted = now;
    const hint = vain && now - this.#hinted < HINT_MS;
    if (hint !== this.talkingInVain) this.talkingInVain = hint;
  }
}

function same(a: Record<number, number>, b: Readonly<Record<number, number>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[Number(key)] === b[Number(key)]);
}
