// The reducer and the Python domain agree: the same events make the same snapshot, for every example of protocol/examples.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { LogEvent, Snapshot } from "../protocol/generated";
import { reduce } from "./space";

const EXAMPLES = new URL("../../../protocol/examples/", import.meta.url);

interface First {
  snapshot: Snapshot;
  underivable?: string[];
}

describe("protocol/examples", () => {
  const files = readdirSync(EXAMPLES).filter((name) => name.endsWith(".jsonl"));

  test("there are some", () => expect(files.length).toBeGreaterThan(0));

  test.each(files)("%s", (name) => {
    const lines = readFileSync(new URL(name, EXAMPLES), "utf8").trim().split("\n").map((line) => JSON.parse(line) as object);
    const first = lines[0] as First;
    const last = lines.at(-1) as { snapshot: Snapshot };
    const events = lines.slice(1, -1).map((line) => (line as { event: LogEvent }).event);
    expect(events.length).toBeGreaterThan(0);
    const made = events.reduce(reduce, first.snapshot);
    expect(known(made, first.underivable)).toEqual(known(last.snapshot, first.underivable));
  });
});

/** A snapshot without what this viewer's events cannot tell; a name with dots reaches inside. */
function known(snapshot: Snapshot, underivable: string[] = []): Record<string, unknown> {
  const copy = structuredClone(snapshot) as unknown as Record<string, unknown>;
  for (const path of underivable) {
    const parts = path.split(".");
    const last = parts.pop() ?? "";
    const holder = parts.reduce<Record<string, unknown> | undefined>((at, part) => at?.[part] as Record<string, unknown> | undefined, copy);
    delete holder?.[last];
  }
  return copy;
}
