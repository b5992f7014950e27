// A window's person: the cookie by default, a token of its own once it chose to be someone else.
import { beforeEach, expect, test, vi } from "vitest";
import { becomeOwnPerson, identified, isOwnPerson, keepToken } from "./identity";

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal("sessionStorage", { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) });
});

test("by default the browser's cookie speaks, and tokens are not kept where scripts can read them", () => {
  keepToken("secret");
  expect(isOwnPerson()).toBe(false);
  expect(identified({ headers: { Accept: "x" } })).toEqual({ credentials: "same-origin", headers: { Accept: "x" } });
});

test("someone else in this window is nobody first and then the name taken here, without the browser's cookies", () => {
  becomeOwnPerson();
  expect(identified({})).toEqual({ credentials: "omit", headers: undefined });
  keepToken("t");
  expect(identified({ headers: { Accept: "x" } })).toEqual({ credentials: "omit", headers: { Accept: "x", Authorization: "Bearer t" } });
  keepToken(null);
  expect(identified({})).toEqual({ credentials: "omit", headers: undefined });
});
