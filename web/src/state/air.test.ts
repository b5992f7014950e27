// A lost connection is shown once it lasts, and no longer.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Snapshot } from "../protocol/generated";
import { Air } from "./air.svelte";

let air: Air;
const log = (mic: "on" | "off", ...on_air: string[]) => air.follow({ stage: [{ account: { id: "bo" }, mic }], on_air } as unknown as Snapshot);

beforeEach(() => {
  vi.useFakeTimers();
  air = new Air();
});

afterEach(() => {
  air.close();
  vi.useRealTimers();
});

test("a moment says nothing, a while does, and its return ends it at once", () => {
  log("on");
  vi.advanceTimersByTime(1900);
  log("on");
  expect(air.isOff("bo")).toBe(false);
  vi.advanceTimersByTime(200);
  expect(air.isOff("bo")).toBe(true);
  log("on", "bo");
  expect(air.isOff("bo")).toBe(false);
});

test("back in time starts the clock anew", () => {
  log("on");
  vi.advanceTimersByTime(1500);
  log("on", "bo");
  log("on");
  vi.advanceTimersByTime(1500);
  expect(air.isOff("bo")).toBe(false);
});

test("with the mic off nothing is missing", () => {
  log("off");
  vi.advanceTimersByTime(5000);
  expect(air.isOff("bo")).toBe(false);
});
