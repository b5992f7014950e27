// Where the audience sits: rows of dots bent round the stage. Placement is of the crowd as a whole; it tells nothing of anyone.
export interface Spot {
  row: number;
  x: number;
  y: number;
}

export interface Row {
  r: number;
  empty: string; // path data of every place
  taken: string; // path data of the taken places, '' for none
  spacing: number;
}

export interface Hall {
  rows: Row[];
  spots: Spot[]; // taken places, best first
  per: number; // people per dot
  dot: number; // diameter, px
  centre: number; // y of the rows' common centre
}

interface Look {
  gap: number;
  spacing: number;
  dot: number;
  top: number;
}

const APART = 28;
const NICE = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90];

/** The least round number of people per dot for which `people` fit into `places`. */
export function perDot(people: number, places: number): number {
  const least = Math.max(1, people / Math.max(1, places));
  for (let unit = 1; ; unit *= 10) {
    for (const n of NICE) if (n * unit >= least) return n * unit;
  }
}

/** A hall of `width` × `height` pixels with `people` in it, the front rows and the middle filled first. */
export function hall(width: number, height: number, people: number, look: Look, faces = false): Hall {
  const radius = Math.max(420, width * 0.95 + 120);
  const centre = look.top - radius;
  const places: (Spot & { near: number })[] = [];
  const radii: number[] = [];
  for (let row = 0; look.top + row * look.gap < height + look.gap; row++) {
    const r = radius + row * look.gap;
    radii.push(r);
    const step = look.spacing / r;
    const half = row % 2 ? 0.5 : 0;
    const reach = Math.floor(Math.min(Math.asin(Math.min(1, width / 2 / r)), Math.acos(Math.min(1, -centre / r))) / step - half);
    for (let n = -reach - (half ? 1 : 0); n <= reach; n++) {
      const angle = (n + half) * step;
      const spot = { row, x: width / 2 + r * Math.sin(angle), y: centre + r * Math.cos(angle) };
      places.push({ ...spot, near: Math.hypot(spot.x - width / 2, row * look.gap * 2.4) });
    }
  }
  places.sort((a, b) => a.near - b.near);
  const per = faces ? 1 : perDot(people, places.length);
  const spots = places.slice(0, people > 0 ? Math.max(1, Math.round(people / per)) : 0);
  const rows = radii.map((r, row) => ({ r, spacing: look.spacing, empty: path(places, row, r), taken: path(spots, row, r) }));
  return { rows, spots, per, dot: look.dot, centre };
}

/** The taken places nearest the stage, for a swell of `lit` dots. */
export function swell(spots: Spot[], rows: Row[], lit: number): string[] {
  const near = spots.slice(0, Math.min(spots.length, lit));
  return rows.map((row, n) => path(near, n, row.r));
}

/** `count` places spread over the hall, the same ones each time, none too near another or one of `taken`. */
export function spread(spots: Spot[], count: number, taken: Spot[] = []): Spot[] {
  const out: Spot[] = [];
  for (let n = 0; n < spots.length && out.length < count; n++) {
    const spot = spots[(n * 37 + 11) % spots.length];
    if (spot && [...out, ...taken].every((other) => Math.hypot(other.x - spot.x, other.y - spot.y) > APART)) out.push(spot);
  }
  return out;
}

// One path per row, its dots drawn by a dash of no length every `spacing`; half a pixel more so that the last is not lost.
function path(spots: Spot[], row: number, r: number): string {
  const own = spots.filter((spot) => spot.row === row);
  if (!own.length) return "";
  const [a, b] = own.reduce(([left, right], spot) => [spot.x < left.x ? spot : left, spot.x > right.x ? spot : right], [own[0]!, own[0]!]);
  return `M${a.x.toFixed(1)} ${a.y.toFixed(1)}A${r.toFixed(1)} ${r.toFixed(1)} 0 0 0 ${(b.x + 0.5).toFixed(1)} ${b.y.toFixed(1)}`;
}
