// The one Space this page is in: kept across its screens (join, the Space), left when the visitor goes elsewhere.
import { SpaceStore } from "./space-store.svelte";
import type { SpaceView } from "./types";

let current: SpaceStore | null = null;

/** The store of a Space; the same one until `leaveSpace` or another id. */
export function openSpace(id: string): SpaceView {
  if (current?.id !== id) {
    leaveSpace();
    current = new SpaceStore(id);
    current.start();
  }
  return current;
}

/** Stop sound, microphone and events of the Space this page is in, if any. */
export function leaveSpace(): void {
  current?.close();
  current = null;
}
