// What each event means to one viewer, and when events cannot tell enough.
import { expect, test } from "vitest";
import type { Account, LogEvent, Snapshot } from "../protocol/generated";
import { needsSnapshot, reduce, withCounts } from "./space";

const ann: Account = { id: "ann", handle: "ann", name: "Ann", guest: true };
const bo: Account = { id: "bo", handle: "bo", name: "Bo", guest: true };
const cy: Account = { id: "cy", handle: "cy", name: "Cy", guest: true };
const AT = "2026-11-24T12:00:00.000Z";

function seen(by: Account | null, change: Partial<Snapshot> = {}): Snapshot {
  const host = { account: ann, role: "host" as const, mic: "on" as const, mute: null, csrc: 1, seat: 1 };
  return {
    id: "s1", title: "T", description: "", lang: "", topics: [], visibility: "public", scheduled_start: null, who_may_speak: "everyone",
    show_listeners: false, state: "live", created_at: AT, started_at: AT, ended_at: null, seq: 10, host: ann, seats: 13, stage_locked: false,
    stage: [host], cohosts: [], hands: [], hand_count: 0, answering: null, invites: [], removed: [], pins: [], listener_count: 5,
    recording: "off", on_air: [], ...change,
    you: { account: by, role: by?.id === "ann" ? "host" : "listener", permissions: [], invited: false, hand: null, removed: null, ...change.you },
  };
}

type Body = LogEvent extends infer E ? (E extends LogEvent ? Omit<E, "seq" | "at" | "actor"> & { actor?: string | null } : never) : never;

function after(snapshot: Snapshot, ...bodies: Body[]): Snapshot {
  return bodies.reduce((now, body) => reduce(now, { at: AT, actor: "ann", ...body, seq: now.seq + 1 } as LogEvent), snapshot);
}

test("an event that does not follow is refused", () => {
  expect(() => reduce(seen(null), { seq: 12, at: AT, actor: null, type: "stage_locked" })).toThrow(RangeError);
});

test("an event of an unknown kind only moves the log on", () => {
  const before = after(seen(bo), { type: "stage_locked" });
  expect(after(before, { type: "consent_given" } as unknown as Body)).toEqual({ ...before, seq: 12 });
});

test("one's own hand, its new question keeping the place, and the seat it leads to", () => {
  const up = after(seen(bo), { type: "hand_raised", account: bo, question: "Why?" });
  expect(up.you.hand?.question).toBe("Why?");
  expect(up.hand_count).toBe(1);
  const again = after(up, { type: "hand_raised", account: bo, question: "Who?" });
  expect(again.hand_count).toBe(1);
  const seated = after(again, { type: "speaker_seated", account: bo, role: "speaker", csrc: 2, question: "Who?", raised_at: AT });
  expect(seated.you).toMatchObject({ role: "speaker", hand: null });
  expect(seated.hand_count).toBe(0);
  expect(seated.answering?.question).toBe("Who?");
  expect(seated.stage.map((seat) => seat.seat)).toEqual([1, 2]);
});

test("a freed seat is the next one taken, and the question leaves with its owner", () => {
  const three = after(
    seen(ann),
    { type: "speaker_seated", account: bo, role: "speaker", csrc: 2, question: "Q", raised_at: AT },
    { type: "speaker_seated", account: cy, role: "speaker", csrc: 3, question: null, raised_at: null },
  );
  expect(three.answering?.question).toBe("Q");
  const left = after(three, { type: "speaker_unseated", account: "bo", cause: "moved", reason: "" });
  expect(left.answering).toBeNull();
  const back = after(left, { type: "speaker_seated", account: bo, role: "speaker", csrc: 4, question: null, raised_at: null });
  expect(back.stage.map((seat) => [seat.account.id, seat.seat, seat.csrc])).toEqual([["ann", 1, 1], ["bo", 2, 4], ["cy", 3, 3]]);
});

test("a mute turns the mic off; who and why is only for those it concerns", () => {
  const on = after(seen(bo), { type: "speaker_seated", account: cy, role: "speaker", csrc: 2, question: null, raised_at: null }, { type: "mic_changed", account: "cy", on: true });
  const hidden = after(on, { type: "muted", redacted: true, account: "cy" });
  expect(hidden.stage[1]).toMatchObject({ mic: "off", mute: { by: null, reason: null } });
  const hosts = after(seen(ann), { type: "speaker_seated", account: cy, role: "speaker", csrc: 2, question: null, raised_at: null });
  const told = after(hosts, { type: "muted", account: "cy", by: "ann", reason: "noise" });
  expect(told.stage[1]?.mute).toEqual({ by: "ann", reason: "noise" });
  expect(after(told, { type: "unmuted", account: "cy" }).stage[1]).toMatchObject({ mic: "off", mute: null });
});

test("whoever is removed may do nothing more; only hosts keep the list", () => {
  const mine = after(seen(bo), { type: "removed", account: bo, reason: "rude", until: null });
  expect(mine.you).toMatchObject({ removed: { reason: "rude", until: null, kind: "removed" }, permissions: [] });
  expect(mine.removed).toEqual([]);
  const hosts = after(seen(ann), { type: "banned", account: bo, reason: "rude", until: null });
  expect(hosts.removed).toEqual([{ account: bo, reason: "rude", until: null, kind: "banned" }]);
  expect(after(hosts, { type: "unbanned", account: "bo" }).removed).toEqual([]);
});

test("a new host: roles of seats and one's own follow", () => {
  const next = after(seen(ann), { type: "speaker_seated", account: bo, role: "speaker", csrc: 2, question: null, raised_at: null }, { type: "host_transferred", account: bo });
  expect(next.you.role).toBe("cohost");
  expect(next.cohosts).toEqual([ann]);
  expect(next.stage.map((seat) => seat.role)).toEqual(["cohost", "host"]);
});

test("the end: hands, invites and permissions go, microphones close", () => {
  const end = after(seen(ann), { type: "hand_raised", account: bo, question: "" }, { type: "invited", account: cy }, { type: "space_ended" });
  expect(end).toMatchObject({ state: "ended", hands: [], hand_count: 0, invites: [], ended_at: AT });
  expect(end.you.permissions).toEqual([]);
  expect(end.stage[0]?.mic).toBe("off");
});

test("counts come beside the log", () => {
  const next = withCounts(seen(bo), { type: "counts", listeners: 9, hands: 3, on_air: ["ann"] });
  expect(next).toMatchObject({ listener_count: 9, hand_count: 3, on_air: ["ann"], seq: 10 });
});

test("nothing that came before is changed in place", () => {
  const before = seen(ann);
  const copy = structuredClone(before);
  after(before, { type: "hand_raised", account: bo, question: "" }, { type: "speaker_seated", account: bo, role: "speaker", csrc: 2, question: null, raised_at: null }, { type: "cohost_added", account: bo });
  expect(before).toEqual(copy);
});

test("who stops being a host forgets what only hosts may read", () => {
  const host = after(
    seen(ann),
    { type: "speaker_seated", account: bo, role: "speaker", csrc: 2, question: null, raised_at: null },
    { type: "muted", account: "bo", by: "ann", reason: "noise" },
    { type: "hand_raised", account: cy, question: "secret" },
    { type: "host_transferred", account: bo },
  );
  expect(host.hands).toHaveLength(1);
  const none = after(host, { type: "cohost_removed", account: "ann" });
  expect(none).toMatchObject({ hands: [], hand_count: 1, you: { role: "speaker" } });
  expect(none.stage[1]?.mute).toEqual({ by: null, reason: null });
});

test("a new snapshot is asked for when one becomes a host, and only then", () => {
  const asks = (before: Snapshot, body: Body) => needsSnapshot(before, { seq: 11, at: AT, actor: "ann", ...body } as LogEvent);
  expect(asks(seen(bo), { type: "cohost_added", account: bo })).toBe(true);
  expect(asks(seen(bo), { type: "host_transferred", account: bo })).toBe(true);
  expect(asks(seen(bo), { type: "cohost_added", account: cy })).toBe(false);
  expect(asks(seen(ann), { type: "host_transferred", account: bo })).toBe(false);
  expect(asks(seen(null), { type: "cohost_added", account: bo })).toBe(false);
});
