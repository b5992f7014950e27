// Seat keys and everyone's keys. Off in fields, in dialogs, with a modifier, and when switched off in the settings.
import { prefs } from "../../ui/prefs.svelte";

export interface KeyActs {
  help(): void;
  mic(): void;
  talk(on: boolean): void;
  hand?: (() => void) | undefined;
  select?: ((seat: number | null) => void) | undefined;
  /** The letter pressed while a seat is selected, or a stage letter; true if it meant something. */
  letter?: ((letter: string, shift: boolean) => boolean) | undefined;
}

const TYPED_IN = "input, textarea, select, [contenteditable], [role=slider]";

function free(event: KeyboardEvent): boolean {
  const target = event.target instanceof Element ? event.target : null;
  if (!prefs.keys || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return false;
  return !target?.closest(TYPED_IN) && !document.querySelector("dialog[open], [role=menu]");
}

/** Space on a button or link presses it; only elsewhere does it mean talking. */
const onControl = (event: KeyboardEvent): boolean =>
  event.target instanceof Element && event.target.closest("button, a, [role=tab], summary") !== null;

function digit(event: KeyboardEvent): number | null {
  const found = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
  if (!found) return null;
  return event.shiftKey ? (Number(found[1]) <= 4 ? Number(found[1]) + 9 : null) : Number(found[1]);
}

/** Whether the press was used. */
function press(event: KeyboardEvent, acts: KeyActs): boolean {
  const key = event.key.toLowerCase();
  if (key === " ") {
    if (onControl(event)) return false;
    if (!event.repeat) acts.talk(true);
    return true;
  }
  if (event.repeat) return false;
  if (key === "escape" && acts.select) return (acts.select(null), false);
  if (key === "?") return (acts.help(), true);
  const seat = digit(event);
  if (seat !== null && acts.select) return (acts.select(seat), true);
  if (acts.letter?.(key, event.shiftKey)) return true;
  if (key === "m" && !event.shiftKey) return (acts.mic(), true);
  if (key === "h" && acts.hand) return (acts.hand(), true);
  return false;
}

/** Listens until the returned function is called. `acts` is asked at each press, so that it may change. */
export function listenToKeys(acts: () => KeyActs): () => void {
  let talking = false;
  const down = (event: KeyboardEvent): void => {
    if (!free(event)) return;
    if (event.key === " " && !onControl(event)) talking = true;
    if (press(event, acts())) event.preventDefault();
  };
  const quiet = (): void => {
    if (talking) acts().talk(false);
    talking = false;
  };
  const up = (event: KeyboardEvent): void => {
    if (event.key === " ") quiet();
  };
  addEventListener("keydown", down);
  addEventListener("keyup", up);
  addEventListener("blur", quiet);
  return () => {
    removeEventListener("keydown", down);
    removeEventListener("keyup", up);
    removeEventListener("blur", quiet);
  };
}
