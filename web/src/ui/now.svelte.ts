// The clock on the wall, once a second, for whatever shows a time passing.
export const now: { ms: number } = $state({ ms: Date.now() });

setInterval(() => {
  now.ms = Date.now();
}, 1000);
