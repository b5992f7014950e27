// One live media connection through a WHIP or WHEP door (RFC 9725), kept up by itself: ICE restart by PATCH first, a new POST after.
import { backoff, type Wake } from "./backoff";
import { ApiError, isPassing, refusal } from "./http";
import { identified } from "./identity";
import { answerWith, restartFragment } from "./sdp";

/**
 * - connecting: the first connection is on its way
 * - connected
 * - reconnecting: it was lost, or a try failed; more tries follow
 * - full: the server has no room; tried again at `retryAt`
 * - refused: for good; `error` says why
 * - closed: by us
 */
export type Phase = "connecting" | "connected" | "reconnecting" | "full" | "refused" | "closed";

export interface SessionOptions {
  /** Path and query of the door. */
  door: string;
  /** How many streams to receive; 0 for WHIP. */
  sections: number;
  /** What to send (WHIP); may be replaced later. */
  track?: MediaStreamTrack | null;
  onPhase(phase: Phase): void;
  /** The streams of a new connection; those before are dead. */
  onTracks?(tracks: MediaStreamTrack[]): void;
}

export interface SessionTools {
  fetch: typeof fetch;
  connection: () => RTCPeerConnection;
  random: () => number;
}

const CONNECT_MS = 10_000;
const RESTART_MS = 6000;
/** This often within a minute "no such session": another device of the same account holds it. */
const TAKEN_TIMES = 3;
const TAKEN_MS = 60_000;

const TOOLS: SessionTools = {
  fetch: (...args) => fetch(...args),
  connection: () => new RTCPeerConnection({ bundlePolicy: "max-bundle" }),
  random: Math.random,
};

/** A session ended under us. */
class Gone extends Error {}

export class MediaSession {
  phase: Phase = "connecting";
  error: ApiError | null = null;
  /** When the next try comes, by the performance clock; null while none is planned. */
  retryAt: number | null = null;
  #pc: RTCPeerConnection | null = null;
  #location = "";
  #etag = "";
  #failures = 0;
  #gone: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #working = false;

  constructor(
    private readonly options: SessionOptions,
    private readonly tools: SessionTools = TOOLS,
  ) {}

  /** The receivers of the current connection. */
  get receivers(): RTCRtpReceiver[] {
    return this.options.sections ? (this.#pc?.getReceivers() ?? []) : [];
  }

  open(): void {
    void this.#work(() => this.#post());
  }

  /** End it: at once here, and at the server even while the page unloads; unless the server ended it, as the log says. */
  close(by: "us" | "server" = "us"): void {
    if (this.phase === "closed") return;
    clearTimeout(this.#timer);
    if (by === "server") this.#location = "";
    this.#drop();
    this.#enter("closed");
  }

  /** Send another track, or nothing, without any signalling. */
  async replaceTrack(track: MediaStreamTrack | null): Promise<void> {
    this.options.track = track;
    await this.#pc?.getSenders()[0]?.replaceTrack(track);
  }

  /** It is worth trying again at once. */
  nudge(wake: Wake): void {
    if (this.phase === "closed" || this.phase === "refused" || this.#working) return;
    if (this.#timer !== undefined) this.open();
    else if (wake === "changed" || this.#pc?.connectionState !== "connected") void this.#work(() => this.#heal());
  }

  stats(): Promise<RTCStatsReport> | null {
    return this.#pc?.getStats() ?? null;
  }

  /** One thing at a time; whatever fails is tried again or ends in `refused`. */
  async #work(task: () => Promise<void>): Promise<void> {
    if (this.#working || this.#isOver()) return;
    this.#working = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.retryAt = null;
    try {
      await task();
    } catch (error) {
      if (!this.#isOver()) this.#failed(error);
    } finally {
      this.#working = false;
    }
  }

  async #post(): Promise<void> {
    this.#drop();
    const pc = (this.#pc = this.tools.connection());
    const { sections, track } = this.options;
    if (sections === 0) pc.addTransceiver(track ?? "audio", { direction: "sendonly" });
    for (let at = 0; at < sections; at++) pc.addTransceiver("audio", { direction: "recvonly" });
    await pc.setLocalDescription(await pc.createOffer());
    const response = await this.#send(this.options.door, "POST", "application/sdp", pc.localDescription?.sdp ?? "");
    const location = response.headers.get("Location") ?? "";
    const answer = await response.text();
    if (this.#isOver() || this.#pc !== pc) {
      void this.#delete(location);
      return;
    }
    this.#location = location;
    this.#etag = response.headers.get("ETag") ?? "";
    if (sections) this.options.onTracks?.(pc.getReceivers().map((receiver) => receiver.track));
    await pc.setRemoteDescription({ type: "answer", sdp: answer });
    if (sections === 0 && this.options.track !== track) await pc.getSenders()[0]?.replaceTrack(this.options.track ?? null);
    await this.#connected(pc, CONNECT_MS);
    pc.onconnectionstatechange = () => this.#changed(pc);
    this.#changed(pc);
  }

  /** ICE restart; when the server no longer knows the session, or it does not help, a new one. */
  async #heal(): Promise<void> {
    this.#enter("reconnecting");
    const pc = this.#pc;
    if (pc && pc.connectionState !== "failed" && this.#etag) {
      try {
        await this.#restart(pc);
        return;
      } catch (error) {
        if (this.#isOver()) return;
        if (error instanceof Gone) this.#location = "";
        if (error instanceof Gone && this.#isTaken()) {
          throw new ApiError("session_not_found", 404, "Another device of yours has taken this over.");
        }
      }
    }
    await this.#post();
  }

  async #restart(pc: RTCPeerConnection): Promise<void> {
    pc.restartIce();
    await pc.setLocalDescription(await pc.createOffer());
    const before = pc.remoteDescription?.sdp ?? "";
    const fragment = restartFragment(pc.localDescription?.sdp ?? "");
    const response = await this.#send(this.#location, "PATCH", "application/trickle-ice-sdpfrag", fragment, { "If-Match": this.#etag });
    const answer = answerWith(before, await response.text());
    if (!answer) throw new Error("no credentials in the answer to a restart");
    this.#etag = response.headers.get("ETag") ?? "";
    await pc.setRemoteDescription({ type: "answer", sdp: answer });
    await this.#connected(pc, RESTART_MS);
    this.#changed(pc);
  }

  async #send(path: string, method: string, type: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
    let response: Response;
    const limit = AbortSignal.timeout(CONNECT_MS);
    try {
      response = await this.tools.fetch(path, identified({ method, body, headers: { "Content-Type": type, ...headers }, signal: limit }));
    } catch {
      throw new ApiError("offline", 0, "The server cannot be reached.");
    }
    if (response.ok) return response;
    const error = await refusal(response);
    throw error.code === "session_not_found" ? new Gone(error.code) : error;
  }

  #connected(pc: RTCPeerConnection, within: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (end: () => void) => {
        clearTimeout(limit);
        pc.removeEventListener("connectionstatechange", look);
        end();
      };
      const look = () => {
        // After a restart the old "connected" may still stand; media over it counts as well.
        if (pc.connectionState === "connected") done(resolve);
        else if (pc.connectionState === "failed" || pc.connectionState === "closed") done(() => reject(new Error(pc.connectionState)));
      };
      const limit = setTimeout(() => done(() => reject(new Error("no connection in time"))), within);
      pc.addEventListener("connectionstatechange", look);
      look();
    });
  }

  #changed(pc: RTCPeerConnection): void {
    if (pc !== this.#pc || this.#isOver()) return;
    if (pc.connectionState === "connected") {
      this.#failures = 0;
      this.#enter("connected");
    } else if (pc.connectionState === "disconnected" || pc.connectionState === "failed") {
      void this.#work(() => this.#heal());
    }
  }

  #failed(error: unknown): void {
    this.#drop();
    const api = error instanceof ApiError ? error : null;
    if (api && !isPassing(api) && api.code !== "conflict") {
      this.error = api;
      this.#enter("refused");
      return;
    }
    this.#failures++;
    const wait = (api?.retryAfter ?? 0) * 1000 + backoff(this.#failures, this.tools.random);
    this.retryAt = performance.now() + wait;
    this.#timer = setTimeout(() => this.open(), wait);
    this.#enter(api?.code === "overloaded" && api.status === 503 ? "full" : "reconnecting");
  }

  #isTaken(): boolean {
    const now = performance.now();
    this.#gone = [...this.#gone.filter((at) => now - at < TAKEN_MS), now];
    return this.#gone.length >= TAKEN_TIMES;
  }

  #isOver(): boolean {
    return this.phase === "closed" || this.phase === "refused";
  }

  #enter(phase: Phase): void {
    this.phase = phase;
    this.options.onPhase(phase);
  }

  #drop(): void {
    const [pc, location] = [this.#pc, this.#location];
    this.#pc = null;
    this.#location = this.#etag = "";
    if (pc) pc.onconnectionstatechange = null;
    if (!location) {
      pc?.close();
      return;
    }
    // The door is told first: a closing connection says goodbye by itself, and the server would then know no such session.
    this.#delete(location).finally(() => pc?.close());
    for (const sender of pc?.getSenders() ?? []) void sender.replaceTrack(null).catch(() => undefined);
  }

  async #delete(location: string): Promise<void> {
    try {
      await this.tools.fetch(location, identified({ method: "DELETE", keepalive: true }));
    } catch {
      // The page or the network is going: the server finds out by itself.
    }
  }
}
