// Levels out of contributing sources.
import { expect, test } from "vitest";
import { levelsOf, loudness } from "./levels";

const at = (csrc: number, level: number, timestamp: number) => ({ source: (csrc << 8) | level, timestamp });

test("a seat's number and level come out of one source", () => {
  const levels = levelsOf([at(1, 30, 1000), at(0xfffffe, 20, 1000)].map((one) => ({ ...one, source: one.source >>> 0 })), 1000);
  expect(Object.keys(levels).map(Number)).toEqual([1, 0xfffffe]);
  expect(levels[1]).toBe(loudness(30));
});

test("the freshest level of a seat counts, and what lingers does not", () => {
  expect(levelsOf([at(2, 20, 900), at(2, 40, 1000)], 1000)).toEqual({ 2: loudness(40) });
  expect(levelsOf([at(2, 20, 700)], 1000)).toEqual({});
});

test("louder is more, silence is nothing", () => {
  expect(loudness(10)).toBe(1);
  expect(loudness(20)).toBeGreaterThan(loudness(35));
  expect(loudness(127)).toBe(0);
  expect(levelsOf([at(3, 127, 1000)], 1000)).toEqual({});
});
