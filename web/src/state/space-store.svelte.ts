// One Space as the page lives it: what the server says, what is heard, one's own microphone, and every act, in one place.
import { canChooseOutput } from "../media/playback";
import { clearSystem, showOnSystem, tellSystem } from "../media/media-session";
import * as api from "../net/api";
import { onWake, type Wake } from "../net/backoff";
import { isPassing } from "../net/http";
import { isOwnPerson } from "../net/identity";
import { BEFORE_LIVE } from "../protocol/generated";
import type { Account, Command, CommandType, Hand, LogEvent, Role, Seat, Snapshot } from "../protocol/generated";
import { Air } from "./air.svelte";
import { Meter } from "./meter.svelte";
import { noticeOf } from "./notices";
import { asApiError, session } from "./session.svelte";
import { Sound } from "./sound.svelte";
import { roleOf } from "./space";
import { SpaceCommands } from "./space-commands";
import { Tabs } from "./tabs";
import { Truth } from "./truth.svelte";
import type { ApiError, AudioState, Burst, Connection, Devices, Listed, MicState, Notice, Result, SpaceView } from "./types";
import { Voice } from "./voice.svelte";

const BURST_MS = 4000;
const QUALITY_MS = 5000;
const TRIES = 3;

export class SpaceStore extends SpaceCommands implements SpaceView {
  bursts: readonly Burst[] = $state.raw([]);
  quality: { rtt: number | null; loss: number | null } = $state.raw({ rtt: null, loss: null });
  inAnotherWindow = $state(false);
  readonly #truth: Truth;
  readonly #sound: Sound;
  readonly #voice: Voice;
  readonly #meter: Meter;
  readonly #tabs: Tabs;
  readonly #air = new Air();
  readonly #listeners = new Set<(notice: Notice) => void>();
  readonly #stops: (() => void)[] = [];
  #burst = 0;
  #packets = { received: 0, lost: 0 };

  constructor(readonly id: string) {
    super();
    // A window that is someone else shares nothing with the browser's others.
    const others = isOwnPerson() ? `${id}.${Math.random()}` : id;
    this.#tabs = new Tabs(others, { claimed: () => this.#elsewhere(), met: () => (this.inAnotherWindow = true) });
    this.#truth = new Truth(id, {
      event: (before, event, after) => this.#happened(before, event, after),
      changed: (snapshot) => this.#settle(snapshot),
      reactions: (reactions) => this.#react(reactions),
      back: () => this.#say({ kind: "reconnected", text: "Connected again.", tone: "info", urgent: false }),
    });
    this.#sound = new Sound(id, () => this.#tabs.claim());
    this.#voice = new Voice(id, {
      command: (wish) => this.#command(wish),
      notice: (notice) => this.#say(notice),
      claim: () => this.#tabs.claim(),
    });
    this.#meter = new Meter({
      receivers: () => this.#sound.receivers,
      own: () => this.#voice.level(),
      ownCsrc: () => (this.#voice.isOpen ? (this.mySeat?.csrc ?? null) : null),
      inVain: () => this.mic === "off" || this.mic === "muted",
      stage: () => this.snapshot?.stage ?? [],
    });
  }

  /** Load, and follow until `close`. */
  start(): void {
    void this.#truth.start();
    void this.#voice.listDevices();
    this.#meter.start();
    const beat = setInterval(() => void this.#measure(), QUALITY_MS);
    const gone = () => this.#leave();
    // A page brought back from the browser's memory has lost its connections: begin anew.
    const shown = (event: PageTransitionEvent) => event.persisted && location.reload();
    const devices = () => void this.#voice.listDevices();
    addEventListener("pagehide", gone);
    addEventListener("pageshow", shown);
    navigator.mediaDevices?.addEventListener("devicechange", devices);
    this.#stops.push(
      this.#mirror(),
      onWake((wake) => this.#wake(wake)),
      () => clearInterval(beat),
      () => removeEventListener("pagehide", gone),
      () => removeEventListener("pageshow", shown),
      () => navigator.mediaDevices?.removeEventListener("devicechange", devices),
    );
  }

  close(): void {
    this.#leave();
    this.#truth.close();
    this.#meter.stop();
    this.#air.close();
    this.#tabs.close();
    this.#listeners.clear();
    for (const stop of this.#stops) stop();
  }

  get snapshot(): Snapshot | null {
    return this.#truth.snapshot;
  }

  get connection(): Connection {
    return this.#truth.connection;
  }

  get problem(): ApiError | null {
    return this.#truth.problem;
  }

  get me(): Account | null {
    return session.account;
  }

  get role(): Role {
    return this.snapshot?.you.role ?? "listener";
  }

  get mySeat(): Seat | null {
    const me = this.snapshot?.you.account?.id;
    return this.snapshot?.stage.find((seat) => seat.account.id === me) ?? null;
  }

  get needsName(): boolean {
    return session.account === null;
  }

  get isHost(): boolean {
    return this.role === "host" || this.role === "cohost";
  }

  get audio(): AudioState {
    return this.#sound.state;
  }

  get audioRetryAt(): number | null {
    return this.#sound.retryAt;
  }

  get volume(): number {
    return this.#sound.volume;
  }

  get mic(): MicState {
    return this.#voice.state;
  }

  get micLevel(): number {
    return this.#meter.own;
  }

  get talkingWhileMuted(): boolean {
    return this.#meter.talkingInVain;
  }

  get devices(): Devices {
    const { inputs, outputs, input } = this.#voice;
    return { inputs, outputs, input, output: this.#sound.output, canChooseOutput: canChooseOutput() };
  }

  get levels(): Readonly<Record<number, number>> {
    return this.#meter.levels;
  }

  get speaking(): readonly Listed[] {
    return this.#meter.speaking;
  }

  get lastSpeaker(): Seat | null {
    return this.#meter.lastSpeaker;
  }

  get hands(): readonly Hand[] {
    return this.snapshot?.hands ?? [];
  }

  get handCount(): number {
    return this.snapshot?.hand_count ?? 0;
  }

  get myHand(): Hand | null {
    return this.snapshot?.you.hand ?? null;
  }

  get invited(): boolean {
    return this.snapshot?.you.invited ?? false;
  }

  get listeners(): number {
    return this.snapshot?.listener_count ?? 0;
  }

  can(command: CommandType): boolean {
    const snapshot = this.snapshot;
    if (!snapshot?.you.permissions.includes(command)) return false;
    return snapshot.state === "live" || BEFORE_LIVE.includes(command);
  }

  canModerate(account: string): boolean {
    if (!this.snapshot || !this.isHost) return false;
    const theirs = roleOf(this.snapshot, account);
    return theirs !== "host" && (theirs !== "cohost" || this.role === "host");
  }

  isOffAir(seat: Seat): boolean {
    return this.#air.isOff(seat.account.id);
  }

  onNotice(listener: (notice: Notice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  retry(): void {
    void this.#truth.start();
  }

  async ensureName(name: string): Promise<Result> {
    if (session.account) return { ok: true };
    const result = await session.takeName(name);
    // The stream shows each viewer their own, so it starts again as this account.
    if (result.ok) await this.#truth.start();
    return result;
  }

  async listen(): Promise<void> {
    this.#sound.listen();
  }

  stopListening(): void {
    this.#sound.stop();
  }

  tapToHear(): Promise<void> {
    return this.#sound.tapToHear();
  }

  setVolume(volume: number): void {
    this.#sound.setVolume(volume);
  }

  async setMic(on: boolean): Promise<Result> {
    // Nobody should talk to people they do not hear.
    if (on && !this.#sound.isWanted && this.mySeat) this.#sound.listen();
    return this.#voice.set(on);
  }

  testMic(): Promise<Result> {
    return this.#voice.test();
  }

  stopMicTest(): void {
    this.#voice.stopTest();
  }

  chooseInput(device: string): Promise<Result> {
    return this.#voice.chooseInput(device);
  }

  async chooseOutput(device: string): Promise<Result> {
    try {
      await this.#sound.chooseOutput(device);
      return { ok: true };
    } catch (error) {
      return { ok: false, error: asApiError(error) };
    }
  }

  /** The audience's sound is opened first, so that nothing is missed. */
  async stepDown(): Promise<Result> {
    await this.#sound.prepare("programme");
    const result = await this.wish({ type: "step_down" });
    if (!result.ok) this.#sound.forget();
    return result;
  }

  /** Whoever opens a Space wants to hear it. */
  override async open(): Promise<Result> {
    this.#sound.listen();
    return super.open();
  }

  async participants(query = "", cursor: string | null = null): ReturnType<SpaceView["participants"]> {
    const page = await api.listParticipants(this.id, { q: query, cursor });
    return { people: page.data, next: page.next_cursor };
  }

  protected async wish(command: Command): Promise<Result> {
    return (await this.#command(command)).result;
  }

  /** Sent again under one key while the line fails, so that it happens once. */
  async #command(command: Command): Promise<{ result: Result; seq: number }> {
    const key = crypto.randomUUID();
    for (let attempt = 1; ; attempt++) {
      try {
        const outcome = await api.command(this.id, command, key);
        this.#truth.apply(outcome.events);
        return { result: { ok: true }, seq: outcome.seq };
      } catch (thrown) {
        const error = asApiError(thrown);
        if (error.status === 401) session.set(null);
        const again = attempt < TRIES && isPassing(error) && error.code !== "rate_limited";
        if (!again) return { result: { ok: false, error }, seq: 0 };
        await new Promise((wake) => setTimeout(wake, (error.retryAfter ?? 0) * 1000 + 300 * attempt));
      }
    }
  }

  #settle(snapshot: Snapshot): void {
    const { account, removed } = snapshot.you;
    if (account?.id !== session.account?.id) session.set(account);
    const seat = this.mySeat;
    const isLive = snapshot.state === "live" && !removed;
    this.#air.follow(snapshot);
    this.#sound.follow(seat ? "stage" : "programme");
    this.#sound.setLive(isLive);
    this.#voice.follow(isLive ? seat : null, snapshot.on_air.includes(account?.id ?? ""), snapshot.seq);
  }

  /** The system's controls follow what is heard. */
  #mirror(): () => void {
    const controls = {
      play: () => void this.listen(),
      pause: () => this.stopListening(),
      toggleMic: () => void this.setMic(this.mic !== "on"),
    };
    return $effect.root(() => {
      const title = $derived(this.snapshot?.title ?? "");
      const host = $derived(this.snapshot?.host.name ?? "");
      const isHeard = $derived(this.audio !== "idle" && this.audio !== "elsewhere" && this.audio !== "failed");
      $effect(() => (isHeard ? showOnSystem(title, host, controls) : clearSystem()));
      $effect(() => tellSystem(this.audio === "playing", this.mic === "on"));
    });
  }

  #happened(before: Snapshot, event: LogEvent, after: Snapshot): void {
    const notice = noticeOf(before, event, after);
    if (notice) this.#say(notice);
  }

  #say(notice: Notice): void {
    for (const listener of this.#listeners) listener(notice);
  }

  #react(reactions: Record<string, number>): void {
    const fresh = Object.entries(reactions).map(([emoji, count]) => ({ id: ++this.#burst, emoji, count }));
    this.bursts = [...this.bursts, ...fresh];
    const last = this.#burst;
    setTimeout(() => (this.bursts = this.bursts.filter((burst) => burst.id > last)), BURST_MS);
  }

  #elsewhere(): void {
    this.#sound.yieldElsewhere();
    this.#voice.release();
  }

  #wake(wake: Wake): void {
    this.#truth.nudge();
    this.#sound.nudge(wake);
    this.#voice.nudge(wake);
  }

  #leave(): void {
    this.#sound.stop();
    this.#voice.close();
    clearSystem();
  }

  async #measure(): Promise<void> {
    const report = await this.#sound.stats;
    if (!report) return;
    let [rtt, received, lost]: [number | null, number, number] = [null, 0, 0];
    for (const stat of report.values() as Iterable<Record<string, number & string & boolean>>) {
      if (stat.type === "candidate-pair" && stat.nominated && stat.currentRoundTripTime !== undefined) rtt = stat.currentRoundTripTime * 1000;
      if (stat.type !== "inbound-rtp") continue;
      received += stat.packetsReceived ?? 0;
      lost += stat.packetsLost ?? 0;
    }
    const [more, gone] = [received - this.#packets.received, lost - this.#packets.lost];
    this.#packets = { received, lost };
    const loss = more > 0 && gone >= 0 ? gone / (more + gone) : null;
    this.quality = { rtt, loss };
  }
}
