// Hearing remote sound through media elements, so that echo cancellation, output choice and lock-screen controls work.

/** The elements of one connection: one for the programme, three for the stage feed. */
export class Playback {
  #elements: HTMLAudioElement[] = [];
  #muted: boolean;
  #volume: number;
  #sink: string;

  constructor(options: { muted: boolean; volume: number; sink: string }) {
    this.#muted = options.muted;
    this.#volume = options.volume;
    this.#sink = options.sink;
  }

  /** Play these tracks instead of those before. Resolves to whether the browser wants a tap first. */
  async play(tracks: MediaStreamTrack[]): Promise<"playing" | "blocked"> {
    this.close();
    this.#elements = tracks.map((track) => this.#element(track));
    return this.resume();
  }

  /** Try again, from a tap. */
  async resume(): Promise<"playing" | "blocked"> {
    const results = await Promise.all(this.#elements.map(start));
    return results.includes("blocked") ? "blocked" : "playing";
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    for (const element of this.#elements) element.muted = muted;
  }

  set volume(volume: number) {
    this.#volume = volume;
    for (const element of this.#elements) element.volume = volume;
  }

  /** Choose where it sounds; "" is the system's choice. Fails where the browser cannot or the device is gone. */
  async setSink(sink: string): Promise<void> {
    await Promise.all(this.#elements.map((element) => element.setSinkId(sink)));
    this.#sink = sink;
  }

  close(): void {
    for (const element of this.#elements) {
      element.pause();
      element.srcObject = null;
      element.remove();
    }
    this.#elements = [];
  }

  #element(track: MediaStreamTrack): HTMLAudioElement {
    const element = document.createElement("audio");
    element.autoplay = true;
    element.muted = this.#muted;
    element.volume = this.#volume;
    element.srcObject = new MediaStream([track]);
    if (this.#sink && canChooseOutput()) element.setSinkId(this.#sink).catch(() => undefined); // Gone: the system's choice.
    document.body.append(element);
    return element;
  }
}

/** Whether this browser lets a page choose the output device. */
export function canChooseOutput(): boolean {
  return "setSinkId" in HTMLMediaElement.prototype;
}

async function start(element: HTMLAudioElement): Promise<"playing" | "blocked"> {
  try {
    await element.play();
    return "playing";
  } catch (error) {
    // AbortError: replaced by other tracks meanwhile, which is no refusal.
    return error instanceof DOMException && error.name === "NotAllowedError" ? "blocked" : "playing";
  }
}
