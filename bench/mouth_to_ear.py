"""Mouth to ear in Chromium on one machine: chirps in at a microphone, out at another tab's media elements, all on one clock.

The mouth is the microphone track as the page gets it, the ear what its media elements play, both tapped in the same way. The floor is the
same measure with nothing of ours between: two RTCPeerConnections of one tab, wired to each other. Usage: mouth_to_ear.py [--seconds 40]"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from common import Person, Server, median, percentile, report, serving

# isort: split
from chromium import Ears, chromium, wall
from playwright.async_api import Browser
from sounds import RATE, TEXTS, speech, write_wav
from visitor import Visitor

SETTLING_SECONDS = 8
"""Until a receiver's buffer has found its depth."""
LONGEST = 0.7
"""Seconds after which a chirp counts as lost."""
KEEP_MICROPHONE = """
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wish) => (window.microphone = await real(wish));
"""
LOOPBACK = """async () => {
  const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: wanted });
  const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
  from.onicecandidate = (event) => to.addIceCandidate(event.candidate);
  to.onicecandidate = (event) => from.addIceCandidate(event.candidate);
  const sounding = new Promise((done) => (to.ontrack = ({ track }) => done(track)));
  from.addTrack(microphone.getAudioTracks()[0].clone());
  await from.setLocalDescription(await from.createOffer());
  await to.setRemoteDescription(from.localDescription);
  await to.setLocalDescription(await to.createAnswer());
  await from.setRemoteDescription(to.localDescription);
  const element = document.createElement("audio");
  element.srcObject = new MediaStream([await sounding]);
  document.body.append(element);
  await element.play();
  window.held = [from, to];
}"""


def chirp() -> np.ndarray:
    """40 ms from 700 to 3500 Hz, inside the band of speech."""
    at = np.arange(int(0.04 * RATE)) / RATE
    phase = 2 * np.pi * (700 * at + (3500 - 700) / 0.08 * at**2)
    return (0.5 * np.sin(phase) * np.hanning(len(at))).astype(np.float32)


def microphone(folder: Path) -> Path:
    """A minute of quiet speech with a chirp at irregular moments, so that none can be taken for another."""
    sound = np.zeros(60 * RATE, np.float32)
    spoken = 0.06 * speech(TEXTS["ann"]) / 0.5
    for start in range(0, len(sound) - len(spoken), len(spoken)):
        sound[start : start + len(spoken)] += spoken
    moments = np.cumsum(np.random.default_rng(3).uniform(0.8, 1.4, 60))
    for moment in moments[moments < 59]:
        start = int(moment * RATE)
        sound[start : start + len(chirp())] += chirp()
    return write_wav(folder / "chirps.wav", sound)


def moments(sound: np.ndarray, at: np.ndarray) -> list[float]:
    """Wall times (s) of the chirps in ``sound``, whose pieces were at ``at``: the peaks of a matched filter."""
    shape = chirp()
    size = 1 << (len(sound) + len(shape)).bit_length()
    match = np.abs(np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(shape, size)), size)[: len(sound)])
    power = np.convolve(np.square(sound), np.ones(len(shape)), "same") + 1e-6
    score = match / np.sqrt(power * np.square(shape).sum())
    found: list[float] = []
    floor = 0.5 * float(np.percentile(match, 99.9))
    for peak in np.argsort(match)[::-1][:20_000]:
        if match[peak] < floor:
            break
        moment = wall(at, int(peak))
        if score[max(0, peak - 480) : peak + 2400].max() > 0.35 and all(abs(moment - other) > 0.4 for other in found):
            found.append(moment)
    return sorted(found)


def delays(mouth: Sequence[float], ear: Sequence[float]) -> list[float]:
    """ms from each chirp at the mouth to the first at the ear."""
    pairs = ((said, [heard for heard in ear if 0 < heard - said < LONGEST]) for said in mouth)
    return [(after[0] - said) * 1000 for said, after in pairs if after]


async def between(mouth: Ears, ear: Ears, seconds: float) -> dict[str, Any]:
    """Measure for so long, once the receiver has settled."""
    await asyncio.sleep(SETTLING_SECONDS)
    await asyncio.gather(mouth.take(), ear.take())
    await asyncio.sleep(seconds)
    said, heard = moments(*await mouth.take()), moments(*await ear.take())
    took = delays(said, heard)
    assert len(took) >= 0.7 * (len(said) - 1) > 5, f"{len(said)} chirps said, {len(heard)} heard, {len(took)} matched"
    return {"chirps": len(took), "p50_ms": round(median(took), 1), "p95_ms": round(percentile(took, 0.95), 1)}


async def floor(browser: Browser, server: Server, seconds: float) -> dict[str, Any]:
    """Two connections of one tab."""
    page = await browser.new_page(base_url=server.url)
    await page.add_init_script(KEEP_MICROPHONE)
    await page.goto("/healthz")
    await page.evaluate(LOOPBACK)
    ear = await Ears(page).open()
    found = await between(await ear.at("microphone"), ear, seconds)
    await page.context.close()
    return found


async def run(seconds: float, folder: Path) -> None:
    with serving() as server:
        async with chromium(microphone(folder), "--autoplay-policy=no-user-gesture-required") as browser:
            figures: dict[str, Any] = {"floor": await floor(browser, server, seconds)}
            host, guest = Person(server.url, "Host"), Person(server.url, "Guest")
            space = host.open_space()
            guest.seat(host, space)
            speaker = await inside(browser, server, space, host)
            await speaker.turn_mic(on=True)
            mouth = await (await speaker.ears.open()).at("microphone")
            onstage = await inside(browser, server, space, guest)
            figures["stage"] = await between(mouth, await onstage.ears.open(), seconds)
            await onstage.close()
            listener = await Visitor.arrive(browser, server.url, "Listener")
            await listener.listen_in(space)
            figures["programme"] = await between(mouth, await listener.ears.open(), seconds)
    bounds = {"stage": 100, "programme": 150}
    report("mouth_to_ear", {**figures, "bound_p50_ms": bounds})
    assert all(figures[feed]["p50_ms"] <= bound for feed, bound in bounds.items())


async def inside(browser: Browser, server: Server, space: str, person: Person) -> Visitor:
    """Somebody with a seat, in the page."""
    visitor = await Visitor.arrive(browser, server.url, "Somebody")
    await visitor.be(person)
    await visitor.page.add_init_script(KEEP_MICROPHONE)
    await visitor.page.goto(f"/s/{space}")
    await visitor.sits()
    return visitor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40)
    with TemporaryDirectory(prefix="rostra-bench-") as folder:
        asyncio.run(run(parser.parse_args().seconds, Path(folder)))


if __name__ == "__main__":
    main()
