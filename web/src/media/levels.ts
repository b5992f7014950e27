// Who is heard and how loud, out of the media itself: each contributing source on the wire is `csrc << 8 | level`.

/** Entries linger in the browser after their speaker fell silent; only fresh ones count. */
const FRESH_MS = 250;

/** What getContributingSources says, as far as it is needed here. */
export interface Source {
  source: number;
  timestamp: number;
}

/** −dBov (0 loud … 127 silent) as 0…1: speech lies between about −60 and −15 dBov. */
export function loudness(minusDbov: number): number {
  return Math.min(1, Math.max(0, (62 - minusDbov) / 47));
}

/**
 * Levels by seat csrc, 0…1. Each level of a speaker is a source of its own, so the freshest of a seat counts.
 * `now` is on the clock of the timestamps.
 */
export function levelsOf(sources: Iterable<Source>, now: number): Record<number, number> {
  const newest = new Map<number, Source>();
  for (const one of sources) {
    if (now - one.timestamp > FRESH_MS) continue;
    const csrc = one.source >>> 8;
    const known = newest.get(csrc);
    if (!known || one.timestamp > known.timestamp) newest.set(csrc, one);
  }
  const levels: Record<number, number> = {};
  for (const [csrc, one] of newest) {
    const level = loudness(one.source & 0xff);
    if (csrc !== 0 && level > 0) levels[csrc] = level;
  }
  return levels;
}

/** Levels of everyone in these receivers now. */
export function heard(receivers: readonly RTCRtpReceiver[]): Record<number, number> {
  const sources = receivers.flatMap((receiver) => receiver.getContributingSources());
  // The specification counts from the page's time origin, browsers from the epoch.
  const epoch = sources.some((one) => one.timestamp > 1e11);
  return levelsOf(sources, epoch ? performance.timeOrigin + performance.now() : performance.now());
}
