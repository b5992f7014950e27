// How long to wait before trying again: exponential with full jitter, so that a crowd that fell together does not return together.

const FIRST_MS = 250;
const MOST_MS = 8000;

/** Milliseconds before the next try after `failures` in a row (1 is the first). `random` gives 0…1. */
export function backoff(failures: number, random: () => number = Math.random): number {
  return random() * Math.min(MOST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1));
}

/** changed: the network or the machine came back, so what stood before is not to be trusted · seen: someone looks again. */
export type Wake = "changed" | "seen";

/** Calls back when it is worth trying again at once. Returns a function that stops it. */
export function onWake(callback: (wake: Wake) => void): () => void {
  const changed = () => callback("changed");
  const seen = () => document.visibilityState === "visible" && callback("seen");
  let last = Date.now();
  // A timer that comes much too late slept with the machine. Browsers call hidden pages once a minute at worst.
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - last > (document.hidden ? 75_000 : 15_000)) changed();
    last = now;
  }, 3000);
  addEventListener("online", changed);
  document.addEventListener("visibilitychange", seen);
  return () => {
    clearInterval(timer);
    removeEventListener("online", changed);
    document.removeEventListener("visibilitychange", seen);
  };
}
