// Frames come out whole, however the bytes were cut.
import { expect, test } from "vitest";
import { FrameParser, type Frame } from "./sse";

const STREAM = "retry: 2000\n\nid: 7\nevent: muted\ndata: {\"seq\":7}\n\n: beat\n\nevent: counts\ndata: a\ndata: b\n\n";
const FRAMES: Frame[] = [
  { id: "7", event: "muted", data: '{"seq":7}' },
  { id: null, event: "counts", data: "a\nb" },
];

function parsed(chunks: string[]): Frame[] {
  const parser = new FrameParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
}

test("one chunk", () => {
  expect(parsed([STREAM])).toEqual(FRAMES);
});

test("every cut in two, and every letter by itself", () => {
  for (let at = 0; at <= STREAM.length; at++) expect(parsed([STREAM.slice(0, at), STREAM.slice(at)])).toEqual(FRAMES);
  expect(parsed([...STREAM])).toEqual(FRAMES);
});

test("other line endings, cut between CR and LF too", () => {
  expect(parsed([STREAM.replaceAll("\n", "\r\n")])).toEqual(FRAMES);
  expect(parsed([...STREAM.replaceAll("\n", "\r\n")])).toEqual(FRAMES);
  expect(parsed([STREAM.replaceAll("\n", "\r"), "\n"])).toEqual(FRAMES);
});

test("an unfinished frame is not given", () => {
  expect(parsed(["id: 8\ndata: half\n"])).toEqual([]);
});

test("an id does not spill over to the next frame", () => {
  expect(parsed(["id: 1\ndata: x\n\ndata: y\n\n"]).map((frame) => frame.id)).toEqual(["1", null]);
});
