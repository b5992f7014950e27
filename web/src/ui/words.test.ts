// Numbers, times and lists in words.
import { expect, test } from "vitest";
import { clock, dayOf, hostOf, names, since, span } from "./words";

test("a clock shows hours only when there are any", () => {
  expect([0, 63, 3852, -5].map(clock)).toEqual(["0:00", "1:03", "1:04:12", "0:00"]);
});

test("a span is told in the largest unit that says enough", () => {
  expect([20, 840, 3600, 7500, 6 * 3600, 3 * 86400].map(span)).toEqual([
    "less than a minute",
    "14 min",
    "1 hour",
    "2 h 5 min",
    "6 hours",
    "3 days",
  ]);
});

test("what was a moment ago is just now", () => {
  const at = "2026-11-24T19:00:00.000Z";
  expect(since(at, Date.parse(at) + 5_000)).toBe("just now");
  expect(since(at, Date.parse(at) + 840_000)).toBe("14 min");
});

test("long lists of names are cut, never by one", () => {
  expect(names([])).toBe("");
  expect(names(["Ann"])).toBe("Ann");
  expect(names(["Ann", "Bo"])).toBe("Ann and Bo");
  expect(names(["Ann", "Bo", "Cy"])).toBe("Ann, Bo and Cy");
  expect(names(["Ann", "Bo", "Cy", "Di"])).toBe("Ann, Bo and 2 more");
});

test("days near now have names", () => {
  const now = new Date(2026, 10, 24, 23, 30);
  expect(dayOf(new Date(2026, 10, 24, 23, 50), now)).toBe("Today");
  expect(dayOf(new Date(2026, 10, 25, 0, 10), now)).toBe("Tomorrow");
  expect(dayOf(new Date(2026, 10, 26, 19, 0), now)).toBe("Thu 26 Nov");
});

test("a link is named by its host, a bad one by nothing", () => {
  expect(hostOf("https://www.gridradar.example/live?x=1")).toBe("gridradar.example");
  expect(hostOf("not a link")).toBe("");
});
