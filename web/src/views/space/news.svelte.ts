// What happens while one is here: told to screen readers, noted on the screen where it matters, and kept as a short list.
import type { Notice, SpaceView } from "../../state/types";
import { alert, announce } from "../../ui/announce.svelte";
import { toast } from "../../ui/toasts.svelte";

export interface Line {
  id: number;
  at: number;
  text: string;
}

const KEPT = 60;
// Told by a banner, a dialog or the picture itself; a note on top would say it twice.
const SHOWN_ELSEWHERE: ReadonlySet<Notice["kind"]> = new Set([
  "muted",
  "moved",
  "invited",
  "hand_declined",
  "warned",
  "reconnecting",
  "stage",
  "ended",
]);

export class News {
  lines: Line[] = $state.raw([]);
  /** A host's answer to one's hand or a warning, until it is dismissed. */
  told: Notice | null = $state.raw(null);
  #next = 1;

  take(notice: Notice): void {
    (notice.urgent ? alert : announce)(notice.text);
    if (notice.kind === "hand_declined" || notice.kind === "warned" || notice.kind === "moved") this.told = notice;
    if (notice.kind === "stage" || notice.kind === "opened") {
      this.lines = [{ id: this.#next++, at: Date.now(), text: notice.text }, ...this.lines].slice(0, KEPT);
    }
    if (!SHOWN_ELSEWHERE.has(notice.kind)) toast(notice.text, notice.tone === "info" ? "done" : "failed");
  }

  follow(space: SpaceView): () => void {
    return space.onNotice((notice) => this.take(notice));
  }
}
