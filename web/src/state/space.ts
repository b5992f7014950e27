// The log's meaning for the page: one pure function from a snapshot and the next event to the next snapshot. The same rules as
// python/rostra/domain/space.py, held to it by protocol/examples. What a viewer may not read, a redacted event cannot tell.
import { PERMITTED } from "../protocol/generated";
import type { Account, CountsAggregate, Exclusion, Hand, LogEvent, Role, Seat, Snapshot } from "../protocol/generated";

type Of<T extends LogEvent["type"]> = Extract<LogEvent, { type: T }>;
type Whole<T extends LogEvent["type"]> = Extract<Of<T>, { redacted?: undefined }>;

/** The snapshot once `event` has happened. The event must be the next one: `event.seq === snapshot.seq + 1`. */
export function reduce(snapshot: Snapshot, event: LogEvent): Snapshot {
  if (event.seq !== snapshot.seq + 1) throw new RangeError(`event ${event.seq} cannot follow ${snapshot.seq}`);
  const change = HANDLERS[event.type] as ((before: Snapshot, event: LogEvent) => Partial<Snapshot>) | undefined;
  // An event of a kind this page does not know yet changes nothing it knows of.
  return settled({ ...snapshot, ...change?.(snapshot, event), seq: event.seq });
}

/** What the log does not say: how many listen, how many hands are up, whose microphone is connected. */
export function withCounts(snapshot: Snapshot, counts: CountsAggregate): Snapshot {
  return { ...snapshot, listener_count: counts.listeners, hand_count: counts.hands, on_air: counts.on_air };
}

/** Whether `event` opened to this viewer what earlier events hid: only a new snapshot has the hands, invites and reasons so far. */
export function needsSnapshot(before: Snapshot, event: LogEvent): boolean {
  const gains = event.type === "cohost_added" || event.type === "host_transferred";
  return gains && event.account.id === before.you.account?.id && !seesAll(before.you.role);
}

/** What `account` is in this snapshot; anyone unknown listens. */
export function roleOf(snapshot: Pick<Snapshot, "host" | "cohosts" | "stage">, account: string | undefined): Role {
  if (account === undefined) return "listener";
  if (snapshot.host?.id === account) return "host";
  if (has(snapshot.cohosts, account)) return "cohost";
  return snapshot.stage.some((seat) => seat.account.id === account) ? "speaker" : "listener";
}

export const seesAll = (role: Role): boolean => role === "host" || role === "cohost";

const HANDLERS: { [T in LogEvent["type"]]: (before: Snapshot, event: Of<T>) => Partial<Snapshot> } = {
  space_created: (_, event) => ({ ...event.details, host: event.host, seats: event.seats, created_at: event.at, state: "scheduled" }),
  space_opened: (_, event) => ({ state: "live", started_at: event.at }),
  space_ended: (before, event) => over(before, "ended", event.at),
  space_canceled: (before, event) => over(before, "canceled", event.at),
  details_updated: (_, event) => ({ ...event.details }),
  hand_raised: (before, event) => (event.redacted ? {} : raised(before, event)),
  hand_lowered: (before, event) => (event.redacted ? {} : handless(before, event.account)),
  hand_declined: (before, event) => (event.redacted ? {} : handless(before, event.account)),
  invited: (before, event) => (event.redacted ? {} : { invites: put(before.invites, event.account) }),
  invite_declined: (before, event) => (event.redacted ? {} : { invites: without(before.invites, event.account) }),
  speaker_seated: seated,
  speaker_unseated: (before, event) => unseated(before, event.account),
  mic_changed: (before, event) => ({ stage: seat(before, event.account, { mic: event.on ? "on" : "off" }) }),
  muted: (before, event) => {
    const mute = event.redacted ? { by: null, reason: null } : { by: event.by, reason: event.reason };
    return { stage: seat(before, event.account, { mic: "off", mute }) };
  },
  unmuted: (before, event) => ({ stage: seat(before, event.account, { mute: null }) }),
  cohost_added: (before, event) => ({ cohosts: put(before.cohosts, event.account) }),
  cohost_removed: (before, event) => ({ cohosts: without(before.cohosts, event.account) }),
  host_transferred: (before, event) => ({
    ...handless(before, event.account.id),
    cohosts: without(put(before.cohosts, before.host), event.account.id),
    host: event.account,
  }),
  removed: (before, event) => (event.redacted ? {} : excluded(before, event)),
  banned: (before, event) => (event.redacted ? {} : excluded(before, event)),
  unbanned: (before, event) => (event.redacted ? {} : pardoned(before, event.account)),
  warned: () => ({}),
  stage_locked: () => ({ stage_locked: true }),
  stage_unlocked: () => ({ stage_locked: false }),
  pinned: (before, { pin, url, title }) => ({ pins: [...before.pins.filter((one) => one.pin !== pin), { pin, url, title }] }),
  unpinned: (before, event) => ({ pins: before.pins.filter((one) => one.pin !== event.pin) }),
};

/** Everything that follows from the rest: roles of seats, and what the viewer is and may. */
function settled(next: Snapshot): Snapshot {
  const me = next.you.account?.id;
  const role = roleOf(next, me);
  const stage = next.stage.map((seat) => {
    const now = roleOf(next, seat.account.id);
    return now === seat.role ? seat : { ...seat, role: now };
  });
  const silenced = next.state === "ended" || next.state === "canceled" || next.you.removed !== null;
  const permissions = Object.entries(PERMITTED).filter(([, roles]) => roles.includes(role));
  const you = {
    ...next.you,
    role,
    permissions: silenced ? [] : permissions.map(([type]) => type as Snapshot["you"]["permissions"][number]).sort(),
    invited: me !== undefined && has(next.invites, me),
    hand: next.hands.find((hand) => hand.account.id === me) ?? null,
  };
  return seesAll(role) ? { ...next, stage, you } : { ...discreet(next, stage, me), you };
}

/** Without what only hosts may read, for one who is no host (any more). */
function discreet(next: Snapshot, stage: Seat[], me: string | undefined): Snapshot {
  return {
    ...next,
    hands: next.hands.filter((hand) => hand.account.id === me),
    invites: next.invites.filter((invited) => invited.id === me),
    removed: [],
    stage: stage.map((seat) => (seat.mute && seat.account.id !== me ? { ...seat, mute: { by: null, reason: null } } : seat)),
  };
}

function over(before: Snapshot, state: "ended" | "canceled", at: string): Partial<Snapshot> {
  const stage = before.stage.map((seat): Seat => ({ ...seat, mic: "off" }));
  return { state, ended_at: at, hands: [], hand_count: 0, invites: [], stage };
}

function raised(before: Snapshot, event: Whole<"hand_raised">): Partial<Snapshot> {
  const known = before.hands.find((hand) => hand.account.id === event.account.id);
  const hand: Hand = { account: event.account, question: event.question, raised_at: known?.raised_at ?? event.at };
  if (known) return { hands: before.hands.map((one) => (one === known ? hand : one)) };
  return { hands: [...before.hands, hand], hand_count: before.hand_count + 1 };
}

function handless(before: Snapshot, account: string): Partial<Snapshot> {
  const hands = before.hands.filter((hand) => hand.account.id !== account);
  return { hands, hand_count: Math.max(0, before.hand_count - (before.hands.length - hands.length)) };
}

function seated(before: Snapshot, event: Of<"speaker_seated">): Partial<Snapshot> {
  const { account, csrc, role, question, raised_at } = event;
  const taken = new Set(before.stage.map((seat) => seat.seat));
  let number = 1;
  while (taken.has(number)) number++;
  const stage = [...before.stage, { account, role, mic: "off" as const, mute: null, csrc, seat: number }];
  return {
    ...handless(before, account.id),
    invites: without(before.invites, account.id),
    answering: question !== null && raised_at !== null ? { account, question, raised_at } : before.answering,
    stage: stage.sort((a, b) => a.seat - b.seat),
  };
}

function unseated(before: Snapshot, account: string): Partial<Snapshot> {
  return {
    stage: before.stage.filter((seat) => seat.account.id !== account),
    answering: before.answering?.account.id === account ? null : before.answering,
  };
}

function excluded(before: Snapshot, event: Whole<"removed"> | Whole<"banned">): Partial<Snapshot> {
  const { account, reason, until, type: kind } = event;
  const exclusion: Exclusion = { account, reason, until, kind };
  const others = before.removed.some((one) => one.account.id === account.id)
    ? before.removed.map((one) => (one.account.id === account.id ? exclusion : one))
    : [...before.removed, exclusion];
  const mine = before.you.account?.id === account.id;
  return {
    ...unseated(before, account.id),
    ...handless(before, account.id),
    invites: without(before.invites, account.id),
    cohosts: without(before.cohosts, account.id),
    removed: others,
    you: mine ? { ...before.you, removed: { reason, until, kind } } : before.you,
  };
}

function pardoned(before: Snapshot, account: string): Partial<Snapshot> {
  const mine = before.you.account?.id === account;
  return {
    removed: before.removed.filter((one) => one.account.id !== account),
    you: mine ? { ...before.you, removed: null } : before.you,
  };
}

function seat(before: Snapshot, account: string, change: Partial<Seat>): Seat[] {
  return before.stage.map((one) => (one.account.id === account ? { ...one, ...change } : one));
}

const has = (accounts: Account[], id: string): boolean => accounts.some((account) => account.id === id);
const without = (accounts: Account[], id: string): Account[] => accounts.filter((account) => account.id !== id);
const put = (accounts: Account[], account: Account): Account[] =>
  has(accounts, account.id) ? accounts.map((one) => (one.id === account.id ? account : one)) : [...accounts, account];
