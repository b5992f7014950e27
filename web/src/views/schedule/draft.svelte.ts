// What is being filled in on the schedule page, and what of it the server will be told.
import { MAX_TOPICS, type NewSpace } from "../../protocol/generated";

const pad = (n: number): string => String(n).padStart(2, "0");
export const dateField = (at: Date): string => `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
export const timeField = (at: Date): string => `${pad(at.getHours())}:${pad(at.getMinutes())}`;

/** The next full hour that is at least half an hour away. */
export function soon(now: Date): Date {
  const at = new Date(now.getTime() + 90 * 60_000);
  at.setMinutes(0, 0, 0);
  return at;
}

export class Draft {
  when: "now" | "later" = $state("later");
  title = $state("");
  description = $state("");
  topics: string[] = $state([]);
  lang = $state("");
  date = $state("");
  time = $state("");
  who: "everyone" | "invited" = $state("everyone");
  visibility: "public" | "unlisted" = $state("public");
  showListeners = $state(false);
  seats = $state(13);

  constructor(now: Date) {
    const at = soon(now);
    this.date = dateField(at);
    this.time = timeField(at);
  }

  /** The chosen moment, in this browser's time zone; null if it is not one. */
  get start(): Date | null {
    const at = new Date(`${this.date}T${this.time}`);
    return Number.isNaN(at.getTime()) ? null : at;
  }

  addTopic(text: string): void {
    const topic = text.trim().replace(/,+$/, "");
    if (topic && this.topics.length < MAX_TOPICS && !this.topics.includes(topic)) this.topics = [...this.topics, topic];
  }

  removeTopic(topic: string): void {
    this.topics = this.topics.filter((one) => one !== topic);
  }

  /** Why it cannot be sent yet, or "". */
  problem(now: number): string {
    if (!this.title.trim()) return "Give it a title.";
    if (this.when === "now") return "";
    if (!this.start) return "Choose a date and a time.";
    return this.start.getTime() <= now ? "This time has passed. Choose a later one, or start now." : "";
  }

  wish(): NewSpace {
    return {
      title: this.title.trim(),
      description: this.description.trim(),
      topics: this.topics,
      lang: this.lang,
      who_may_speak: this.who,
      visibility: this.visibility,
      show_listeners: this.showListeners,
      seats: this.seats,
      ...(this.when === "now" ? { open: true } : { scheduled_start: this.start?.toISOString() ?? null }),
    };
  }
}
