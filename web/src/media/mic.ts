// The microphone: asking for it, measuring it, switching it live, and noticing when it vanishes.

export type MicProblem = "denied" | "missing" | "busy";

export class MicError extends Error {
  constructor(readonly problem: MicProblem) {
    super(problem);
  }
}

export interface Device {
  id: string;
  label: string;
}

/** A captured microphone. What is sent is a copy of the track, silent until `open`. */
export class Mic {
  /** The track to send. */
  sending: MediaStreamTrack;
  #source: MediaStreamTrack;
  #meter: Meter;
  #isOpen = false;
  #stopWatch: () => void;

  private constructor(
    stream: MediaStream,
    private readonly onLost: () => void,
  ) {
    const track = stream.getAudioTracks()[0];
    if (!track) throw new MicError("missing");
    this.#source = track;
    this.sending = copyOf(track);
    this.#meter = new Meter(stream);
    this.#stopWatch = this.#watch();
  }

  /** Ask for a microphone (any if `device` is "" or gone). `onLost` is called if it ends by itself. Throws MicError. */
  static async capture(device: string, onLost: () => void): Promise<Mic> {
    return new Mic(await ask(device ? { ideal: device } : undefined), onLost);
  }

  get device(): string {
    return this.#source.getSettings().deviceId ?? "";
  }

  /** Let sound through, or silence. */
  open(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.sending.enabled = isOpen;
  }

  /** Loudness now, in dB below full scale (0 … about −100), whether open or not. */
  level(): number {
    return this.#meter.level();
  }

  /** Change the microphone under a running call; the new track to send is in `sending`. Throws MicError, and then nothing changed. */
  async choose(device: string): Promise<void> {
    const stream = await ask({ exact: device });
    const track = stream.getAudioTracks()[0];
    if (!track) throw new MicError("missing");
    this.#release();
    this.#source = track;
    this.sending = copyOf(track);
    this.sending.enabled = this.#isOpen;
    this.#meter = new Meter(stream);
    this.#stopWatch = this.#watch();
  }

  stop(): void {
    this.open(false);
    this.#release();
  }

  #release(): void {
    this.#stopWatch();
    this.#meter.close();
    this.#source.stop();
    this.sending.stop();
  }

  #watch(): () => void {
    const track = this.#source;
    const id = this.device;
    const lost = () => this.onLost();
    const look = async () => {
      const present = await navigator.mediaDevices.enumerateDevices();
      // Before permission ids are empty, which tells nothing.
      const known = present.filter((one) => one.kind === "audioinput" && one.deviceId);
      if (id && known.length && !known.some((one) => one.deviceId === id) && track.readyState === "live") lost();
    };
    track.addEventListener("ended", lost);
    navigator.mediaDevices.addEventListener("devicechange", look);
    return () => {
      track.removeEventListener("ended", lost);
      navigator.mediaDevices.removeEventListener("devicechange", look);
    };
  }
}

/** How loud a stream is, by its waveform. */
class Meter {
  #context = new AudioContext({ latencyHint: "balanced" });
  #analyser = this.#context.createAnalyser();
  #samples: Float32Array<ArrayBuffer>;
  // Kept, for Firefox collects a source that nobody holds, and then hears silence.
  #source: MediaStreamAudioSourceNode;

  constructor(stream: MediaStream) {
    this.#analyser.fftSize = 4096;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source = this.#context.createMediaStreamSource(stream);
    this.#source.connect(this.#analyser);
    // Capturing counts as permission to run, but not in every browser at once.
    void this.#context.resume().catch(() => undefined);
  }

  level(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    return 10 * Math.log10(sum / this.#samples.length + 1e-10);
  }

  close(): void {
    this.#source.disconnect();
    void this.#context.close();
  }
}

/** Audio devices, once each. */
export async function listDevices(): Promise<{ inputs: Device[]; outputs: Device[] }> {
  const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const of = (kind: MediaDeviceKind) =>
    all.filter((one) => one.kind === kind && one.deviceId).map((one) => ({ id: one.deviceId, label: one.label }));
  return { inputs: of("audioinput"), outputs: of("audiooutput") };
}

/** Calls back when the person changes the browser's permission for the microphone. Returns a function that stops it. */
export function onPermission(callback: (state: PermissionState) => void): () => void {
  let status: PermissionStatus | null = null;
  let stopped = false;
  const tell = () => status && callback(status.state);
  navigator.permissions
    ?.query({ name: "microphone" as PermissionName })
    .then((found) => {
      if (stopped) return;
      status = found;
      status.addEventListener("change", tell);
    })
    .catch(() => undefined); // Not every browser knows this name; a try then tells.
  return () => {
    stopped = true;
    status?.removeEventListener("change", tell);
  };
}

async function ask(deviceId: ConstrainDOMString | undefined): Promise<MediaStream> {
  // Pages that did not come over https (or from this machine) have no microphone at all.
  if (!navigator.mediaDevices) throw new MicError("denied");
  const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: deviceId ? { ...wanted, deviceId } : wanted });
  } catch (error) {
    throw new MicError(problemOf(error));
  }
}

function problemOf(error: unknown): MicProblem {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  return name === "NotReadableError" || name === "AbortError" ? "busy" : "denied";
}

function copyOf(track: MediaStreamTrack): MediaStreamTrack {
  const copy = track.clone();
  copy.enabled = false;
  copy.contentHint = "speech";
  return copy;
}
