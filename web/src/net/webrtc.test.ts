// What a media session does when things fail, with a peer connection that only plays its part; real ones run end to end.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MediaSession, type Phase } from "./webrtc";

const SDP = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n";

/** A peer connection that connects as soon as it has an answer, unless told otherwise. */
class Peer extends EventTarget {
  static all: Peer[] = [];
  static connects = true;
  connectionState = "new";
  onconnectionstatechange: (() => void) | null = null;
  localDescription: { sdp: string } | null = null;
  remoteDescription: { sdp: string } | null = null;
  restarts = 0;
  readonly receivers: { track: object }[] = [];
  readonly sender = { replaceTrack: vi.fn(() => Promise.resolve()) };

  constructor() {
    super();
    Peer.all.push(this);
  }

  addTransceiver = (): void => void this.receivers.push({ track: {} });
  getReceivers = (): { track: object }[] => this.receivers;
  getSenders = (): object[] => [this.sender];
  createOffer = (): Promise<object> => Promise.resolve({ type: "offer" });
  restartIce = (): void => void this.restarts++;

  setLocalDescription(): Promise<void> {
    this.localDescription = { sdp: SDP };
    return Promise.resolve();
  }

  setRemoteDescription(description: { sdp: string }): Promise<void> {
    this.remoteDescription = description;
    if (Peer.connects) this.become("connected");
    return Promise.resolve();
  }

  become(state: string): void {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
    this.onconnectionstatechange?.();
  }

  close(): void {
    this.connectionState = "closed";
  }
}

let calls: string[];
let answers: Record<string, (() => Response)[]>;
let phases: Phase[];
let session: MediaSession;

const created = (): Response => new Response(SDP, { status: 201, headers: { Location: "/api/v1/sessions/1", ETag: '"e1"' } });
const problem = (status: number, code: string, headers: Record<string, string> = {}) => (): Response =>
  new Response(JSON.stringify({ code, detail: "" }), { status, headers });

beforeEach(() => {
  vi.useFakeTimers();
  Peer.all = [];
  Peer.connects = true;
  calls = [];
  phases = [];
  answers = { POST: [], PATCH: [], DELETE: [] };
  const fetched: typeof fetch = (_, init) => {
    const method = init?.method ?? "GET";
    calls.push(method);
    const answer = answers[method]?.shift() ?? (method === "POST" ? created : () => new Response("", { status: 200 }));
    return Promise.resolve(answer());
  };
  session = new MediaSession(
    { door: "/whep", sections: 1, onPhase: (phase) => phases.push(phase) },
    { fetch: fetched, connection: () => new Peer() as unknown as RTCPeerConnection, random: () => 1 },
  );
});

afterEach(() => {
  session.close();
  vi.useRealTimers();
});

async function open(): Promise<Peer> {
  session.open();
  await vi.advanceTimersByTimeAsync(0);
  return Peer.all.at(-1) as Peer;
}

test("connects, and deletes at close", async () => {
  await open();
  expect(phases).toEqual(["connected"]);
  session.close();
  expect(calls).toEqual(["POST", "DELETE"]);
  expect(phases.at(-1)).toBe("closed");
});

test("a lost path is healed by an ICE restart in the same connection", async () => {
  const peer = await open();
  answers.PATCH = [() => new Response("a=ice-ufrag:n\r\na=ice-pwd:np\r\n", { headers: { ETag: '"e2"' } })];
  peer.become("disconnected");
  await vi.advanceTimersByTimeAsync(0);
  expect(peer.restarts).toBe(1);
  expect(peer.remoteDescription?.sdp).toContain("a=ice-pwd:np");
  expect(calls).toEqual(["POST", "PATCH"]);
  expect(session.phase).toBe("connected");
  expect(Peer.all).toHaveLength(1);
});

test.each([
  ["does not know the session", problem(404, "session_not_found"), []],
  ["has another idea of it", problem(412, "precondition_failed"), ["DELETE"]],
  ["cannot be understood", () => new Response(null, { status: 204 }), ["DELETE"]],
])("a server that %s gets a new offer", async (_, answer, told) => {
  const peer = await open();
  answers.PATCH = [answer];
  peer.become("disconnected");
  await vi.advanceTimersByTimeAsync(0);
  expect(calls).toEqual(["POST", "PATCH", ...told, "POST"]);
  expect(Peer.all).toHaveLength(2);
  expect(session.phase).toBe("connected");
});

test("a restart that does not connect in time is followed by a new offer", async () => {
  const peer = await open();
  answers.PATCH = [() => new Response("a=ice-ufrag:n\r\na=ice-pwd:np\r\n")];
  Peer.connects = false;
  peer.become("disconnected");
  await vi.advanceTimersByTimeAsync(5900);
  expect(calls).toEqual(["POST", "PATCH"]);
  Peer.connects = true;
  await vi.advanceTimersByTimeAsync(200);
  expect(calls).toEqual(["POST", "PATCH", "DELETE", "POST"]);
  expect(session.phase).toBe("connected");
});

test("a failed connection is not restarted but made anew", async () => {
  const peer = await open();
  peer.become("failed");
  await vi.advanceTimersByTimeAsync(0);
  expect(calls).toEqual(["POST", "DELETE", "POST"]);
});

test("no room: waits as asked, says so, and comes in", async () => {
  answers.POST = [problem(503, "overloaded", { "Retry-After": "4" })];
  await open();
  expect(session.phase).toBe("full");
  expect(session.retryAt).toBe(performance.now() + 4250);
  await vi.advanceTimersByTimeAsync(4200);
  expect(calls).toEqual(["POST"]);
  await vi.advanceTimersByTimeAsync(100);
  expect(phases).toEqual(["full", "connected"]);
});

test.each(["not_a_speaker", "removed", "banned"])("%s is final", async (code) => {
  answers.POST = [problem(403, code)];
  await open();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(calls).toEqual(["POST"]);
  expect(session.phase).toBe("refused");
  expect(session.error?.code).toBe(code);
});

test("a host's decision that came first is looked at again", async () => {
  answers.POST = [problem(409, "conflict")];
  await open();
  await vi.advanceTimersByTimeAsync(250);
  expect(session.phase).toBe("connected");
});

test("an account that speaks on two devices does not fight itself for ever", async () => {
  await open();
  for (let times = 0; times < 3; times++) {
    answers.PATCH = [problem(404, "session_not_found")];
    Peer.all.at(-1)?.become("disconnected");
    await vi.advanceTimersByTimeAsync(6000);
  }
  expect(session.phase).toBe("refused");
  expect(session.error?.code).toBe("session_not_found");
});

test("closing while the answer is on its way leaves nothing behind at the server", async () => {
  session.open();
  session.close();
  await vi.advanceTimersByTimeAsync(0);
  expect(calls).toEqual(["POST", "DELETE"]);
  expect(phases).toEqual(["closed"]);
});

test("after a sleep a standing connection is checked, at a mere look it is not", async () => {
  const peer = await open();
  session.nudge("seen");
  expect(peer.restarts).toBe(0);
  session.nudge("changed");
  expect(peer.restarts).toBe(1);
});
