// What the system's media controls and lock screen show and do while a Space is heard.

export interface Controls {
  play(): void;
  pause(): void;
  toggleMic(): void;
}

/** Show this Space on the system's controls. */
export function showOnSystem(title: string, by: string, controls: Controls): void {
  const media = navigator.mediaSession;
  if (!media) return;
  media.metadata = new MediaMetadata({ title, artist: by, artwork: [{ src: "/icon.svg", type: "image/svg+xml" }] });
  handle("play", () => controls.play());
  handle("pause", () => controls.pause());
  handle("stop", () => controls.pause());
  handle("togglemicrophone", () => controls.toggleMic());
}

/** Whether something plays, and whether the microphone is live. */
export function tellSystem(playing: boolean, micOn: boolean): void {
  const media = navigator.mediaSession;
  if (!media) return;
  media.playbackState = playing ? "playing" : "paused";
  const { setMicrophoneActive } = media as MediaSession & { setMicrophoneActive?: (active: boolean) => unknown };
  if (setMicrophoneActive) void Promise.resolve(setMicrophoneActive.call(media, micOn)).catch(() => undefined);
}

export function clearSystem(): void {
  const media = navigator.mediaSession;
  if (!media) return;
  media.metadata = null;
  media.playbackState = "none";
  for (const action of ["play", "pause", "stop", "togglemicrophone"] as const) handle(action, null);
}

function handle(action: MediaSessionAction | "togglemicrophone", handler: (() => void) | null): void {
  try {
    navigator.mediaSession.setActionHandler(action as MediaSessionAction, handler);
  } catch {
    // Browsers refuse actions they do not know.
  }
}
