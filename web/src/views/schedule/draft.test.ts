// What the schedule page sends.
import { expect, test } from "vitest";
import { Draft } from "./draft.svelte";

const NOW = new Date(2026, 10, 24, 18, 42);

test("a new draft starts at the next full hour with time to prepare", () => {
  const draft = new Draft(NOW);
  expect([draft.date, draft.time]).toEqual(["2026-11-24", "20:00"]);
});

test("it says what is missing, one thing at a time", () => {
  const draft = new Draft(NOW);
  expect(draft.problem(NOW.getTime())).toBe("Give it a title.");
  draft.title = "Pilots";
  expect(draft.problem(NOW.getTime())).toBe("");
  draft.date = "2026-11-23";
  expect(draft.problem(NOW.getTime())).toContain("has passed");
  draft.date = "";
  expect(draft.problem(NOW.getTime())).toBe("Choose a date and a time.");
  draft.when = "now";
  expect(draft.problem(NOW.getTime())).toBe("");
});

test("now opens at once, later names the moment, never both", () => {
  const draft = new Draft(NOW);
  draft.title = " Pilots ";
  expect(draft.wish()).toMatchObject({ title: "Pilots", scheduled_start: new Date(2026, 10, 24, 20, 0).toISOString() });
  expect(draft.wish()).not.toHaveProperty("open");
  draft.when = "now";
  expect(draft.wish()).toMatchObject({ open: true });
  expect(draft.wish()).not.toHaveProperty("scheduled_start");
});

test("at most three different topics", () => {
  const draft = new Draft(NOW);
  for (const topic of ["Sea", "Sea", " Work,", "", "Fog", "Tide"]) draft.addTopic(topic);
  expect(draft.topics).toEqual(["Sea", "Work", "Fog"]);
  draft.removeTopic("Work");
  expect(draft.topics).toEqual(["Sea", "Fog"]);
});
