"""What Chromium itself says of our WebRTC, without our page between: ciphers, codecs, who is heard, and an ICE restart."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from chromium import lead_through
from playwright.async_api import Browser, Page
from server import Person, Server
from wire import Wire, Wires

SPEAK = """async ([door, token]) => {
  const pc = (window.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" }));
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  pc.addTransceiver(microphone.getAudioTracks()[0], { direction: "sendonly" });
  return await post(pc, door, token);
}"""
LISTEN = """async ([door, token]) => {
  const pc = (window.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" }));
  pc.addTransceiver("audio", { direction: "recvonly" });
  pc.ontrack = ({ track }) => {
    const element = document.createElement("audio");
    element.srcObject = new MediaStream([track]);
    document.body.append(element);
    element.play();
  };
  return await post(pc, door, token);
}"""
POST = """() => { window.post = async (pc, door, token) => {
  await pc.setLocalDescription(await pc.createOffer());
  const headers = { "Content-Type": "application/sdp", Authorization: `Bearer ${token}` };
  const answer = await fetch(door, { method: "POST", headers, body: pc.localDescription.sdp });
  if (answer.status !== 201) throw new Error(await answer.text());
  [window.location_, window.etag] = [answer.headers.get("Location"), answer.headers.get("ETag")];
  await pc.setRemoteDescription({ type: "answer", sdp: await answer.text() });
}; }"""
RESTART = """async (token) => {
  pc.restartIce();
  await pc.setLocalDescription(await pc.createOffer());
  const line = (name) => pc.localDescription.sdp.match(new RegExp(`^a=${name}:.*$`, "m"))[0].trim() + "\\r\\n";
  const body = line("ice-ufrag") + line("ice-pwd") + "m=audio 9 UDP/TLS/RTP/SAVPF 0\\r\\na=mid:0\\r\\n";
  const headers = { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": etag, Authorization: `Bearer ${token}` };
  const answer = await fetch(location_, { method: "PATCH", headers, body });
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  const fragment = await answer.text();
  const value = (name) => fragment.match(new RegExp(`^a=${name}:(.*)$`, "m"))[1].trim();
  const put = (sdp, name) => sdp.replace(new RegExp(`a=${name}:.*`, "g"), `a=${name}:${value(name)}`);
  const sdp = put(put(pc.remoteDescription.sdp, "ice-ufrag"), "ice-pwd");
  await pc.setRemoteDescription({ type: "answer", sdp });
}"""
FACTS = """async () => {
  const stats = [...(await pc.getStats()).values()];
  const find = (type) => stats.find((one) => one.type === type) ?? {};
  const codec = stats.find((one) => one.id === (find("outbound-rtp").codecId ?? find("inbound-rtp").codecId)) ?? {};
  const pair = stats.find((one) => one.type === "candidate-pair" && one.nominated) ?? {};
  const local = stats.find((one) => one.id === pair.localCandidateId) ?? {};
  const sources = pc.getReceivers().flatMap((one) => one.getContributingSources().map(({ source }) => source));
  return {
    state: pc.connectionState, cipher: find("transport").srtpCipher, codec: codec.mimeType, nacks: find("inbound-rtp").nackCount ?? 0,
    sent: find("outbound-rtp").packetsSent ?? 0, received: find("inbound-rtp").packetsReceived ?? 0,
    lost: find("inbound-rtp").packetsLost ?? 0, reported: find("remote-inbound-rtp").packetsLost, ufrag: local.usernameFragment, sources,
  };
}"""


async def peer(browser: Browser, house: Server, script: str, door: str, token: str, closing: list, wire: Wire | None = None) -> Page:
    page = await browser.new_page(base_url=house.url)
    closing.append(page.context)
    if wire:
        await lead_through(page, wire, "whip")
    await page.goto("/healthz")
    await page.evaluate(POST)
    await page.evaluate(script, [door, token])
    await facts(page, lambda now: now["state"] == "connected")
    return page


async def facts(page: Page, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What Chromium's statistics say as soon as that is ``enough``."""
    async with asyncio.timeout(12):
        for pause in itertools.repeat(0.1):
            now = await page.evaluate(FACTS)
            if enough(now):
                return now
            await asyncio.sleep(pause)
    raise AssertionError("unreachable")


async def test_chromium_agrees_to_what_we_mean(
    house: Server, host: Person, guest: Person, ann: Browser, wires: Wires, closing: list
) -> None:
    space = host.open_space()
    guest.seat(host, space)
    speaker = await peer(ann, house, SPEAK, house.door(space, "whip"), guest.token, closing, wire := wires())
    listener = await peer(ann, house, LISTEN, house.door(space, "whep"), host.token, closing)
    heard = await facts(listener, lambda now: now["received"] > 150)
    said = await facts(speaker, lambda now: now["reported"] is not None)
    assert {said["cipher"], heard["cipher"]} == {"SRTP_AEAD_AES_256_GCM"}
    # A speaker sends each frame twice (RED); a listener gets plain Opus and asks for nothing again.
    assert {packet.payload_type for packet in wire.up} == {63} and heard["codec"] == "audio/opus" and heard["nacks"] == 0
    assert said["reported"] == 0 and heard["lost"] == 0
    # Who is heard, and how loud, is in the contributing sources: `seat csrc << 8 | level`.
    levels = {source & 0xFF for source in heard["sources"]}
    assert {source >> 8 for source in heard["sources"]} == {2} and len(levels) > 5 and min(levels) < 40


async def test_chromium_restarts_ice_and_goes_on_hearing(house: Server, host: Person, ann: Browser, closing: list) -> None:
    space = host.open_space()
    await peer(ann, house, SPEAK, house.door(space, "whip"), host.token, closing)
    listener = await peer(ann, house, LISTEN, house.door(space, "whep"), host.token, closing)
    before = await facts(listener, lambda now: now["received"] > 0)
    await listener.evaluate(RESTART, host.token)
    moved = await facts(listener, lambda now: now["ufrag"] != before["ufrag"])
    after = await facts(listener, lambda now: now["received"] > moved["received"] + 100)
    assert (after["state"], after["lost"]) == ("connected", 0)
