// The audience's places.
import { expect, test } from "vitest";
import { hall, perDot, spread, swell } from "./house";

const LOOK = { gap: 22, spacing: 16, dot: 8, top: 26 };

test.each([1, 49, 50, 320, 7_000, 48_212, 1_000_000])("%i people fit, and the number per dot is true", (people) => {
  const plan = hall(936, 176, people, LOOK);
  expect(plan.spots.length).toBeGreaterThan(0);
  expect(Math.abs(plan.spots.length * plan.per - people)).toBeLessThanOrEqual(Math.max(plan.per, people * 0.02));
});

test("an empty house has places and nobody in them", () => {
  const plan = hall(936, 176, 0, LOOK);
  expect(plan.spots).toEqual([]);
  expect(plan.rows.every((row) => row.taken === "" && row.empty !== "")).toBe(true);
});

test("people per dot is a round number", () => {
  expect([10, 400, 48_212, 90_001].map((people) => perDot(people, 560))).toEqual([1, 1, 90, 200]);
});

test("the taken places of a row are next to each other, so that one path draws them all", () => {
  const plan = hall(936, 176, 3_000, LOOK);
  for (const [n] of plan.rows.entries()) {
    const xs = plan.spots
      .filter((spot) => spot.row === n)
      .map((spot) => spot.x)
      .sort((a, b) => a - b);
    for (const [i, x] of xs.entries()) if (i) expect(x - (xs[i - 1] ?? 0)).toBeLessThan(LOOK.spacing + 0.5);
  }
});

test("a swell lights no more than there are, and raised hands keep apart", () => {
  const plan = hall(936, 176, 300, LOOK);
  expect(swell(plan.spots, plan.rows, 10_000).filter(Boolean).length).toBeLessThanOrEqual(plan.rows.length);
  const hands = spread(plan.spots, 9);
  for (const [i, a] of hands.entries()) for (const b of hands.slice(i + 1)) expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(28);
});
