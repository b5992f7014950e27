// Numbers, times and lists in words, the same everywhere.
export const count = (n: number): string => n.toLocaleString("en");

export function people(n: number): string {
  return n === 1 ? "1 person" : `${count(n)} people`;
}

/** 63 → '1:03', 3852 → '1:04:12'. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const [h, m, rest] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60), String(s % 60).padStart(2, "0")];
  return h ? `${h}:${String(m).padStart(2, "0")}:${rest}` : `${m}:${rest}`;
}

/** '14 min', '2 h 5 min', '3 days'. */
export function span(seconds: number): string {
  const minutes = Math.max(0, Math.round(seconds / 60));
  if (minutes < 1) return "less than a minute";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) {
    const [h, m] = [Math.floor(minutes / 60), minutes % 60];
    return m ? `${h} h ${m} min` : h === 1 ? "1 hour" : `${h} hours`;
  }
  return `${Math.round(minutes / 1440)} days`;
}

/** How long ago: "just now", "14 min". */
export function since(at: string, now: number): string {
  const seconds = (now - Date.parse(at)) / 1000;
  return seconds < 30 ? "just now" : span(seconds);
}

/** 'Ann', 'Ann and Bo', 'Ann, Bo and 5 more'. */
export function names(all: string[], most = 2): string {
  const shown = all.length <= most + 1 ? all : all.slice(0, most);
  const rest = all.length - shown.length;
  if (rest) return `${shown.join(", ")} and ${rest} more`;
  return shown.length < 2 ? (shown[0] ?? "") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

/** 'Today', 'Tomorrow', 'Thu, 26 Nov' in the reader's own time zone. */
export function dayOf(at: Date, now: Date): string {
  const days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date(now).setHours(0, 0, 0, 0)) / 86_400_000);
  return days === 0 ? "Today" : days === 1 ? "Tomorrow" : day.format(at).replace(",", "");
}

export const hourOf = (at: Date): string => hour.format(at);
export const momentOf = (at: Date, now: Date): string => `${dayOf(at, now)}, ${hourOf(at)}`;

/** A language tag as its own speakers write it; the tag itself if the browser has no name for it. */
export function language(tag: string): string {
  if (!tag) return "";
  try {
    const name = new Intl.DisplayNames([tag], { type: "language" }).of(tag) ?? tag;
    return name.charAt(0).toLocaleUpperCase(tag) + name.slice(1);
  } catch {
    return tag;
  }
}

export function hostOf(url: string): string {
  try {
    return new URL(url).hostname.replace(/^www\./, "");
  } catch {
    return "";
  }
}
