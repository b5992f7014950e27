// What the screens see of a Space: every state a screen must show, and every act a person may take. SpaceStore implements it.
import type { ApiError } from "../net/http";
import type { Account, CommandType, Details, Hand, Role, Seat, Snapshot } from "../protocol/generated";

export type { ApiError };

/** How an act ended. `error.code` is the server's code, or "offline" when it could not be reached. */
export type Result = { ok: true } | { ok: false; error: ApiError };

/**
 * How the page stands to the Space.
 * - loading: no snapshot yet
 * - live: events arrive (the Space itself may be scheduled or live: see `snapshot.state`)
 * - reconnecting: events stopped; the snapshot shown is the last one known
 * - ended: over, or called off (`snapshot.state` says which)
 * - removed: the viewer was removed or banned; `snapshot.you.removed` or `problem` says why and until when
 * - missing: there is no such Space
 * - failed: the first load failed; it is tried again by itself, and by `retry()`
 */
export type Connection = "loading" | "live" | "reconnecting" | "ended" | "removed" | "missing" | "failed";

/**
 * What is heard.
 * - idle: nobody asked to listen
 * - paused: the person stopped it, here or on the lock screen; `listen()` goes on
 * - joining: asked, first sound not here yet
 * - playing
 * - blocked: the browser wants a tap first: show "Tap to hear", which calls `tapToHear()`
 * - reconnecting: the sound was lost and is coming back by itself
 * - full: the server has no room; tried again at `audioRetryAt`
 * - elsewhere: another window of this browser listens to the same Space now; `listen()` brings it back here
 * - failed: the browser or network cannot carry it; `listen()` tries again
 */
export type AudioState = "idle" | "paused" | "joining" | "playing" | "blocked" | "reconnecting" | "full" | "elsewhere" | "failed";

/**
 * One's own microphone.
 * - unavailable: no seat on the stage
 * - off / starting / on: one's own choice; `starting` is between the press and the server's word
 * - muted: imposed by a host; only a host lifts it (`mySeat.mute` has who and why)
 * - denied: the browser refuses the microphone · missing: there is none, or it vanished · busy: another program holds it
 * - reconnecting: in the seat, mic off until we are sure
 */
export type MicState = "unavailable" | "off" | "starting" | "on" | "muted" | "denied" | "missing" | "busy" | "reconnecting";

/** A sentence that something happened. `urgent`: about the viewer's own mute, removal or call-up (assertive). */
export interface Notice {
  kind:
    | "muted" | "unmuted" | "moved" | "seated" | "invited" | "hand_declined" | "warned" | "cohost" | "host"
    | "mic_lost" | "device" | "reconnecting" | "reconnected" | "stage" | "ended" | "opened";
  text: string;
  tone: "info" | "warn" | "danger";
  urgent: boolean;
  /** The host's own words, if any. */
  reason?: string;
}

/** Reactions that just came in, to be drawn and forgotten; dropped from the list after 4 s. */
export interface Burst {
  id: number;
  emoji: string;
  count: number;
}

/** Audio devices. Labels are empty until the microphone was allowed once. */
export interface Devices {
  inputs: readonly { id: string; label: string }[];
  outputs: readonly { id: string; label: string }[];
  input: string;
  output: string;
  /** Whether this browser can choose where sound comes out. */
  canChooseOutput: boolean;
}

/** A seat with what only this page knows of it. */
export interface Listed {
  seat: Seat;
  /** 0…1, at 10 Hz. */
  level: number;
}

export interface SpaceView {
  readonly id: string;
  /** null until loaded. */
  readonly snapshot: Snapshot | null;
  readonly connection: Connection;
  /** Why `connection` is removed, missing or failed. */
  readonly problem: ApiError | null;

  readonly me: Account | null;
  readonly role: Role;
  readonly mySeat: Seat | null;
  /** Nobody yet: the first act needs a name. Ask, then `ensureName(name)`, then act. */
  readonly needsName: boolean;
  readonly isHost: boolean;
  /** Whether the viewer's role may give this command now. */
  can(command: CommandType): boolean;
  /** Whether the viewer outranks this account, and so may mute, move, remove or ban it. */
  canModerate(account: string): boolean;

  /** Another window of this browser, and so the same person, is in this Space. */
  readonly inAnotherWindow: boolean;
  readonly audio: AudioState;
  /** When `audio` is full or failed: when it is tried again (performance clock, ms), or null. */
  readonly audioRetryAt: number | null;
  /** 0…1; 1 at first. */
  readonly volume: number;
  /** Milliseconds there and back to the server, and the share of packets lost in the last seconds (0…1); null when unknown. */
  readonly quality: { rtt: number | null; loss: number | null };

  readonly mic: MicState;
  /** One's own level, 0…1, at 10 Hz, whenever the microphone is captured. */
  readonly micLevel: number;
  /** The person talks while the microphone is off or muted. */
  readonly talkingWhileMuted: boolean;
  readonly devices: Devices;

  /** By `seat.csrc`, 0…1, at 10 Hz; who is not in it is silent. */
  readonly levels: Readonly<Record<number, number>>;
  /** Who speaks now, loudest first, with a short hold so that rings do not flicker. */
  readonly speaking: readonly Listed[];
  /** Who is or was last speaking: the hero while nobody is. */
  readonly lastSpeaker: Seat | null;
  /** Whether this seat's mic is on but its connection has been lost for a while: drawn dashed, "Reconnecting". */
  isOffAir(seat: Seat): boolean;

  readonly hands: readonly Hand[];
  readonly handCount: number;
  readonly myHand: Hand | null;
  readonly invited: boolean;
  readonly listeners: number;
  readonly bursts: readonly Burst[];
  /** Called for each notice until the returned function is called. */
  onNotice(listener: (notice: Notice) => void): () => void;

  retry(): void;
  /** Take a guest name; the Space is then seen as that account. */
  ensureName(name: string): Promise<Result>;
  /** Start hearing. Call it from a press. The microphone is not touched. */
  listen(): Promise<void>;
  stopListening(): void;
  tapToHear(): Promise<void>;
  setVolume(volume: number): void;

  /** Turn one's own mic on or off. The first `true` asks for the microphone and opens the connection. */
  setMic(on: boolean): Promise<Result>;
  /** Capture the microphone for a level meter before any seat (pre-join); it is sent nowhere. */
  testMic(): Promise<Result>;
  stopMicTest(): void;
  chooseInput(device: string): Promise<Result>;
  chooseOutput(device: string): Promise<Result>;

  raiseHand(question?: string): Promise<Result>;
  lowerHand(): Promise<Result>;
  approve(account: string): Promise<Result>;
  decline(account: string, reason?: string): Promise<Result>;
  invite(account: string): Promise<Result>;
  acceptInvite(): Promise<Result>;
  declineInvite(): Promise<Result>;
  stepDown(): Promise<Result>;
  moveToAudience(account: string, reason?: string): Promise<Result>;
  mute(account: string, reason?: string): Promise<Result>;
  unmute(account: string): Promise<Result>;
  muteAll(except?: string[]): Promise<Result>;
  /** `minutes` absent: for the Space's whole life. */
  remove(account: string, reason: string, minutes?: number): Promise<Result>;
  ban(account: string, reason: string, until?: string): Promise<Result>;
  unban(account: string): Promise<Result>;
  warn(account: string, text: string): Promise<Result>;
  addCohost(account: string): Promise<Result>;
  removeCohost(account: string): Promise<Result>;
  transferHost(account: string): Promise<Result>;
  lockStage(): Promise<Result>;
  unlockStage(): Promise<Result>;
  pin(url: string, title?: string): Promise<Result>;
  unpin(pin: string): Promise<Result>;
  react(emoji: string): Promise<Result>;
  open(): Promise<Result>;
  end(): Promise<Result>;
  cancel(): Promise<Result>;
  updateDetails(changes: Partial<Details>): Promise<Result>;
  /** A page of people here, hosts' names first. Listeners appear only to those who may see them. */
  participants(query?: string, cursor?: string | null): Promise<{ people: { account: Account; role: Role }[]; next: string | null }>;

  /** Stop everything: sound, microphone, events. The store is of no use afterwards. */
  close(): void;
}
