// Doing something on the server and saying how it went, in the product's voice: what happened, what still holds, what to do.
import type { ApiError, Result } from "../state/types";
import { toast } from "./toasts.svelte";

const WORDS: Record<string, string> = {
  offline: "We cannot reach the server. Nothing was changed.",
  overloaded: "The server is busy. Nothing was changed.",
  internal: "Something went wrong on the server. Nothing was changed.",
  not_permitted: "Your role here does not allow this.",
  not_a_speaker: "You have no seat on the stage.",
  muted: "A host muted you, and only a host can unmute you.",
  removed: "You were removed from this Space.",
  banned: "You are banned from this Space.",
  stage_locked: "The stage is locked. Nobody can be brought up until a host unlocks it.",
  stage_full: "Every seat is taken. Move someone to the audience first.",
  account_not_found: "This person is not here any more.",
  space_not_found: "There is no such Space.",
  not_live: "This Space has not started.",
  ended: "This Space is over.",
  no_hand: "This hand is down already.",
  no_invite: "The invitation was taken back.",
  unauthenticated: "We lost track of who you are. Load the page again.",
};

/** A refusal in words. The server's own detail where it says more than the code. */
export function wordsFor(error: ApiError): string {
  if (error.code === "rate_limited") {
    return error.retryAfter
      ? `That was a lot at once. Try again in ${Math.ceil(error.retryAfter)} s.`
      : "That was a lot at once. Try again in a moment.";
  }
  const known = WORDS[error.code];
  if (known) return known;
  const detail = error.errors[0]?.message ?? error.detail;
  return detail ? `Not done: ${detail}.`.replace(/\.\.$/, ".") : "Not done. Try again.";
}

/** Waits for an act; a note says `done` (if given), or why it failed with a way to try again where that may help. */
export async function act(doing: () => Promise<Result>, done = ""): Promise<boolean> {
  const result = await doing();
  if (result.ok) {
    if (done) toast(done);
    return true;
  }
  const passing = result.error.code === "offline" || result.error.code === "overloaded";
  toast(wordsFor(result.error), "failed", passing ? () => void act(doing, done) : undefined);
  return false;
}
