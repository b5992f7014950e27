// Reasons and durations of putting someone out, and the sentence they will read.
import { span } from "./words";

export const REASONS: readonly [label: string, reason: string][] = [
  ["Insults", "insulting people"],
  ["Hate", "hateful speech"],
  ["Disruption", "disrupting the Space"],
  ["Advertising", "advertising"],
];

export const MINUTES: readonly [label: string, minutes: number | null][] = [
  ["10 min", 10],
  ["6 hours", 360],
  ["24 hours", 1440],
  ["This Space", null],
];

export const DAYS: readonly [label: string, days: number | null][] = [
  ["1 day", 1],
  ["30 days", 30],
  ["For good", null],
];

/** What is left until a moment, as in "You can listen again in 6 hours". */
export function again(until: string | null, now: number): string {
  if (!until) return "You cannot come back to this Space.";
  const left = (Date.parse(until) - now) / 1000;
  return left <= 0 ? "You can listen again now." : `You can listen again in ${span(left)}.`;
}

export function told(kind: "removed" | "banned", reason: string, end: string): string {
  return `You were ${kind === "removed" ? "removed from" : "banned from"} this Space. ${reason ? `Reason: ${reason}. ` : ""}${end}`;
}
