// What is said of an event depends on whom it happens to.
import { expect, test } from "vitest";
import type { Account, LogEvent, Seat, Snapshot } from "../protocol/generated";
import { noticeOf } from "./notices";
import type { Notice } from "./types";

const ann: Account = { id: "ann", handle: "ann", name: "Ann", guest: true };
const bo: Account = { id: "bo", handle: "bo", name: "Bo", guest: true };
const seat: Seat = { account: bo, role: "speaker", mic: "on", mute: null, csrc: 2, seat: 2 };

function said(event: object, me: Account | null): Notice | null {
  const snapshot = { host: ann, stage: [seat], you: { account: me } } as unknown as Snapshot;
  return noticeOf(snapshot, { seq: 1, at: "", actor: "ann", ...event } as LogEvent, snapshot);
}

test("one's own mute is urgent and has the host's reason; to others it is news", () => {
  const mute = { type: "muted", account: "bo", by: "ann", reason: "noise" };
  expect(said(mute, bo)).toMatchObject({ kind: "muted", urgent: true, reason: "noise" });
  expect(said({ type: "muted", redacted: true, account: "bo" }, null)).toMatchObject({ kind: "stage", urgent: false, text: "Bo was muted by a host." });
  expect(said({ ...mute, by: "bo" }, bo)).toBeNull();
});

test("moved by a host is urgent, stepping down is one's own act, being removed is told elsewhere", () => {
  const left = { type: "speaker_unseated", account: "bo", reason: "" };
  expect(said({ ...left, cause: "moved" }, bo)).toMatchObject({ kind: "moved", urgent: true });
  expect(said({ ...left, cause: "stepped_down" }, bo)).toBeNull();
  expect(said({ ...left, cause: "removed" }, bo)).toBeNull();
  expect(said({ ...left, cause: "moved", redacted: true }, null)?.text).toBe("Bo left the stage.");
});

test("called up is urgent and says where and that the mic is off", () => {
  const seated = { type: "speaker_seated", account: bo, role: "speaker", csrc: 2, question: null, raised_at: null };
  expect(said(seated, bo)?.text).toBe("You are on the stage, in seat 2. Your mic is off.");
  expect(said(seated, ann)).toMatchObject({ urgent: false, text: "Bo came to the stage." });
});

test("what a viewer may not read says nothing", () => {
  for (const type of ["invited", "hand_declined", "warned", "hand_raised"]) expect(said({ type, redacted: true }, bo)).toBeNull();
});
