// What is drawn of a person from their name and id.
import { expect, test } from "vitest";
import { hash, initials, shortName } from "./identity";

test("initials are two where a script has case, else one", () => {
  expect(["Amara Okonkwo-Lindqvist", "Ann", "陳美玲 Chen", "يوسف الحدّاد", "grid_truth_8841", "  ", "👩‍👩‍👧 Fam"].map(initials)).toEqual([
    "AL",
    "A",
    "陳",
    "ي",
    "G8",
    "?",
    "👩‍👩‍👧",
  ]);
});

test("one account has one pattern", () => {
  expect(hash("acc1")).toBe(hash("acc1"));
  expect(hash("acc1")).not.toBe(hash("acc2"));
});

test("the name said aloud is the first word", () => {
  expect([shortName(" Amara Okonkwo "), shortName("voltwatcher")]).toEqual(["Amara", "voltwatcher"]);
});
