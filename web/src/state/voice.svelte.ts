// One's own microphone: a wish, a captured device, a WHIP session and the server's word, and never on by itself.
import { listDevices, Mic, MicError, onPermission, type Device, type MicProblem } from "../media/mic";
import { spacePath } from "../net/api";
import type { Wake } from "../net/backoff";
import { ApiError } from "../net/http";
import { MediaSession, type Phase } from "../net/webrtc";
import type { Command, Seat } from "../protocol/generated";
import { recall, remember } from "./memory";
import type { MicState, Notice, Result } from "./types";

const CONNECT_MS = 12_000;
/** Someone else's connection of this account may still be going away, as after a reload. */
const STALE_MS = 2500;

export interface VoiceDoors {
  command(wish: Command): Promise<{ result: Result; seq: number }>;
  notice(notice: Notice): void;
  /** Another window of this browser that speaks here has to stop. */
  claim(): void;
}

export class Voice {
  problem: MicProblem | null = $state(null);
  inputs: Device[] = $state.raw([]);
  outputs: Device[] = $state.raw([]);
  input = $state(recall("input"));
  #seat: Seat | null = $state.raw(null);
  #isWanted = $state(false);
  #isPending = $state(false);
  #phase: Phase | null = $state(null);
  #isTesting = $state(false);
  #mic: Mic | null = $state.raw(null);
  #session: MediaSession | null = null;
  #onAir = false;
  #turn = 0;
  #told: Promise<unknown> = Promise.resolve();
  #waiting: ((phase: Phase) => void) | null = null;
  #seen = 0;
  #answered = 0;
  #stale: ReturnType<typeof setTimeout> | undefined;
  #stopPermission: () => void;

  constructor(
    private readonly space: string,
    private readonly doors: VoiceDoors,
  ) {
    this.#stopPermission = onPermission((state) => {
      if (state === "granted" && this.problem === "denied") this.problem = null;
      if (state !== "granted" && this.#mic) this.#lost("denied");
    });
  }

  get state(): MicState {
    const seat = this.#seat;
    if (!seat) return "unavailable";
    if (seat.mute) return "muted";
    if (this.problem) return this.problem;
    if (this.#isPending) return "starting";
    if (this.#phase === "reconnecting" || this.#phase === "full") return "reconnecting";
    return seat.mic === "on" && this.#isWanted && this.#phase === "connected" ? "on" : "off";
  }

  /** Whether sound of ours could be heard now, as far as this page lets it. */
  get isOpen(): boolean {
    return this.state === "on";
  }

  /** dB below full scale, or null while nothing is captured. */
  level(): number | null {
    return this.#mic?.level() ?? null;
  }

  /** What the log says of our seat, and whether some connection of ours sends. */
  follow(seat: Seat | null, onAir: boolean, seq: number): void {
    const before = this.#seat;
    this.#seat = seat;
    this.#onAir = onAir;
    this.#seen = seq;
    if (!seat) {
      if (before) this.release("server");
      return;
    }
    if (seat.mute) this.#quiet();
    // Another device of ours turned it off. Our own acts are still on their way here while `#answered` is ahead.
    else if (before?.mic === "on" && seat.mic === "off" && this.#isSettled) this.#quiet();
    this.#reconcile();
  }

  async set(on: boolean): Promise<Result> {
    if (!this.#seat) return refusal("not_a_speaker", "You have no seat on the stage.");
    const turn = ++this.#turn;
    if (!on) return this.#off();
    if (this.#seat.mute) return refusal("muted", "A host muted you; only a host can unmute you.");
    this.#isPending = true;
    this.problem = null;
    try {
      return await this.#on(turn);
    } finally {
      if (turn === this.#turn) this.#isPending = false;
    }
  }

  async test(): Promise<Result> {
    this.#isTesting = true;
    try {
      await this.#capture();
      return { ok: true };
    } catch (error) {
      this.#isTesting = false;
      return failure(error);
    }
  }

  stopTest(): void {
    this.#isTesting = false;
    if (!this.#session) this.#stopMic();
  }

  async chooseInput(device: string): Promise<Result> {
    try {
      if (this.#mic) {
        await this.#mic.choose(device);
        await this.#session?.replaceTrack(this.#mic.sending);
      }
    } catch (error) {
      return failure(error);
    }
    this.input = device;
    this.problem = null;
    remember("input", device);
    return { ok: true };
  }

  async listDevices(): Promise<void> {
    const { inputs, outputs } = await listDevices();
    this.inputs = inputs;
    this.outputs = outputs;
  }

  nudge(wake: Wake): void {
    this.#session?.nudge(wake);
  }

  /** Leave the stage: nothing is sent or captured any more. */
  release(by: "us" | "server" = "us"): void {
    clearTimeout(this.#stale);
    this.#stale = undefined;
    this.#turn++;
    this.#isPending = false;
    this.#quiet();
    this.#session?.close(by);
    this.#session = null;
    this.#phase = null;
    if (!this.#isTesting) this.#stopMic();
  }

  close(): void {
    this.#isTesting = false;
    this.release();
    this.#stopPermission();
  }

  get #isSettled(): boolean {
    return !this.#isPending && this.#phase === "connected" && this.#seen >= this.#answered;
  }

  async #on(turn: number): Promise<Result> {
    try {
      const mic = await this.#capture();
      if (turn !== this.#turn) {
        if (!this.#session && !this.#isTesting) this.#stopMic();
        return { ok: true };
      }
      this.doors.claim();
      await this.#session?.replaceTrack(mic.sending);
      await this.#connect(mic);
    } catch (error) {
      return failure(error);
    }
    if (turn !== this.#turn) return { ok: true };
    this.#isWanted = true;
    return this.#say();
  }

  /** Tell the server that the microphone is on, and let sound through. The media core holds it back until it agrees. */
  async #say(): Promise<Result> {
    this.#mic?.open(true);
    const result = await this.#tell(true);
    // What was wished for may have changed while the answer was on its way.
    if (!result.ok) this.#quiet();
    return result;
  }

  async #off(): Promise<Result> {
    this.#isPending = false;
    this.#quiet();
    const result = await this.#tell(false);
    if (!result.ok) this.#reconcile();
    return result;
  }

  /** One `set_mic` at a time, so that the last press is also the last to arrive. */
  #tell(on: boolean): Promise<Result> {
    const told = this.#told.then(async (): Promise<Result> => {
      if (on && !this.#isWanted) return { ok: true };
      const { result, seq } = await this.doors.command({ type: "set_mic", on });
      this.#answered = Math.max(this.#answered, seq);
      return result;
    });
    this.#told = told;
    return told;
  }

  #quiet(): void {
    this.#isWanted = false;
    this.#mic?.open(false);
  }

  async #capture(): Promise<Mic> {
    if (this.#mic) return this.#mic;
    try {
      this.#mic = await Mic.capture(this.input, () => this.#lost("missing"));
    } catch (error) {
      if (error instanceof MicError) this.problem = error.problem;
      throw error;
    }
    this.problem = null;
    this.input = this.#mic.device;
    void this.listDevices();
    return this.#mic;
  }

  /** Resolves when our session stands. Throws ApiError. */
  #connect(mic: Mic): Promise<void> {
    if (this.#phase === "connected") return Promise.resolve();
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new ApiError("offline", 0, "The connection for your voice could not be made.")), CONNECT_MS);
      const look = (phase: Phase) => {
        if (phase !== "connected" && phase !== "refused" && phase !== "closed") return;
        clearTimeout(limit);
        this.#waiting = null;
        if (phase === "connected") resolve();
        else reject(this.#session?.error ?? new ApiError("not_a_speaker", 403, "You have no seat on the stage."));
      };
      this.#waiting = look;
      if (!this.#session || this.#session.phase === "refused") this.#open(mic);
    });
  }

  #open(mic: Mic): void {
    const session = new MediaSession({
      door: `${spacePath(this.space)}/whip?mic=off`,
      sections: 0,
      track: mic.sending,
      onPhase: (phase) => this.#session === session && this.#changed(phase),
    });
    this.#session = session;
    session.open();
  }

  #changed(phase: Phase): void {
    const before = this.#phase;
    this.#phase = phase;
    this.#waiting?.(phase);
    if (phase === "refused") this.#refused();
    else if (phase !== "connected") this.#mic?.open(false);
    else if (before === "reconnecting" || before === "full") void this.#restore();
  }

  /** Back after a loss: as it was before, but only what this visit's person wished and no host forbade. */
  async #restore(): Promise<void> {
    if (!this.#isWanted || this.#isPending || !this.#seat || this.#seat.mute) return;
    this.#isPending = true;
    await this.#say();
    this.#isPending = false;
  }

  #refused(): void {
    const taken = this.#session?.error?.code === "session_not_found";
    this.release();
    if (taken) {
      this.doors.notice({
        kind: "device", tone: "warn", urgent: true,
        text: "Your mic is off here: you speak from another device now.",
      });
    }
  }

  #lost(problem: MicProblem): void {
    const wasOn = this.#isWanted;
    this.problem = problem;
    this.#quiet();
    this.#stopMic();
    void this.#session?.replaceTrack(null);
    void this.listDevices();
    const text = problem === "missing" ? "Your microphone was unplugged, so your mic is off." : "The browser took the microphone away, so your mic is off.";
    this.doors.notice({ kind: "mic_lost", tone: "warn", urgent: true, text });
    if (wasOn) void this.#off();
  }

  #stopMic(): void {
    this.#mic?.stop();
    this.#mic = null;
  }

  /** The log says "on" while this page's person did not wish it: a reload, or an answer that never came. */
  #reconcile(): void {
    const isOurs = () => this.#session !== null || !this.#onAir;
    const isWrong = () => this.#seat?.mic === "on" && !this.#isWanted && !this.#isPending && isOurs();
    if (!isWrong()) {
      clearTimeout(this.#stale);
      this.#stale = undefined;
    } else {
      this.#stale ??= setTimeout(() => {
        this.#stale = undefined;
        if (isWrong()) void this.#off();
      }, STALE_MS);
    }
  }
}

function refusal(code: ApiError["code"], detail: string): Result {
  return { ok: false, error: new ApiError(code, 0, detail) };
}

function failure(error: unknown): Result {
  if (error instanceof ApiError) return { ok: false, error };
  const problem = error instanceof MicError ? error.problem : "missing";
  return refusal("not_permitted", SAID[problem]);
}

const SAID: Record<MicProblem, string> = {
  denied: "Your browser is not letting us use the microphone.",
  missing: "No microphone was found.",
  busy: "Another program is using the microphone.",
};
