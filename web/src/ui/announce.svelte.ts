// What a screen reader is told: stage changes politely, one sentence per two seconds; what happens to oneself at once.
const PACE_MS = 2000;
const waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let flip = false;

export const spoken: { polite: string; assertive: string } = $state({ polite: "", assertive: "" });

function say(): void {
  const text = waiting.shift();
  timer = text === undefined ? undefined : setTimeout(say, PACE_MS);
  if (text !== undefined) spoken.polite = text;
}

/** A change on the stage. More than four waiting: the oldest are dropped, since news ages. */
export function announce(text: string): void {
  waiting.push(text);
  if (waiting.length > 4) waiting.shift();
  if (timer === undefined) say();
}

/** One's own mute, removal or call-up. A changing no-break space makes a repeat heard again. */
export function alert(text: string): void {
  flip = !flip;
  spoken.assertive = text + (flip ? "\u00a0" : "");
}
