// What is drawn of a person whose picture we do not have: initials, and a pattern that is always the same for one account.
export function hash(text: string): number {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return h >>> 0;
}

const segmenter = typeof Intl.Segmenter === "function" ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;

function first(word: string): string {
  if (!segmenter) return [...word][0] ?? "";
  for (const part of segmenter.segment(word)) return part.segment;
  return "";
}

/** One or two letters: first and last word's, or one where a script writes names without spaces. */
export function initials(name: string): string {
  const words = name
    .trim()
    .split(/[\s._-]+/u)
    .filter((word) => /[\p{L}\p{N}\p{S}]/u.test(word));
  if (!words.length) return "?";
  const head = first(words[0]!).toLocaleUpperCase();
  const cased = head.toLocaleLowerCase() !== head;
  return words.length > 1 && cased ? head + first(words[words.length - 1]!).toLocaleUpperCase() : head;
}

/** The name people say aloud: the first word, whole if there is only one. */
export const shortName = (name: string): string => name.trim().split(/\s+/u)[0] ?? name;
