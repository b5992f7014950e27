// The hemicycle's geometry: arcs around a centre, as SVG path data. Angles in degrees, 180 at the left, 0 at the right.
export interface Part {
  v: number; // voice hue, 1 to 8
  share: number; // weight, any unit
}

export function at(cx: number, cy: number, r: number, deg: number): [number, number] {
  const rad = (deg * Math.PI) / 180;
  return [cx + r * Math.cos(rad), cy - r * Math.sin(rad)];
}

export function arc(cx: number, cy: number, r: number, from: number, to: number): string {
  const [x0, y0] = at(cx, cy, r, from);
  const [x1, y1] = at(cx, cy, r, to);
  const large = Math.abs(from - to) > 180 ? 1 : 0;
  return `M${x0.toFixed(1)} ${y0.toFixed(1)}A${r} ${r} 0 ${large} ${from > to ? 1 : 0} ${x1.toFixed(1)} ${y1.toFixed(1)}`;
}

/** The half circle cut into parts by share, with `gap` degrees between them. */
export function segments(parts: Part[], gap = 2.2): { v: number; from: number; to: number }[] {
  const degrees = 180 - gap * Math.max(0, parts.length - 1);
  const total = parts.reduce((sum, part) => sum + part.share, 0) || 1;
  let angle = 180;
  return parts.map((part) => {
    const from = angle;
    const to = from - (part.share / total) * degrees;
    angle = to - gap;
    return { v: part.v, from, to };
  });
}

/** The voice hue of a seat: eight hues, by seat number. */
export const hue = (seat: number): number => ((seat - 1) % 8) + 1;
