"""aiortc and FFmpeg, peers that know nothing of Rostra, speak and listen by URL and bearer token alone."""

import asyncio
import contextlib
import threading
import time
from pathlib import Path

import av
import numpy as np
from foreign import Connection, listen, speak
from server import Person, Server
from sounds import RATE, heard, loudness, voice

PRESENT, ABSENT = 5.0, 3.0


async def hears(connection: Connection, name: str, seconds: float = 8.0) -> None:
    """Return when a second of sound carries ``name``'s voice; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    scores: dict[str, float] = {}
    while time.monotonic() < deadline:
        scores = heard(await connection.listen(1.0))
        if scores[name] > PRESENT:
            return
    raise AssertionError(f"{name} was not heard: {scores}")


async def test_two_speak_and_a_stranger_listens(server: Server, host: Person, guest: Person) -> None:
    space = host.open_space()
    guest.seat(host, space)
    doors = f"{server.url}/api/v1/spaces/{space}"
    ann = await speak(f"{doors}/whip", host.token, voice("ann"))
    ben = await speak(f"{doors}/whip", guest.token, voice("ben"))
    stranger = await listen(f"{doors}/whep")
    await hears(stranger, "ann")
    await hears(stranger, "ben")
    sound = await stranger.listen(2.0)
    assert heard(sound)["cem"] < ABSENT and loudness(sound) > -40
    assert host.snapshot(space)["listener_count"] == 1
    for connection in (ann, ben, stranger):
        await connection.close()


async def test_a_mute_is_silence_at_the_listener_while_the_microphone_still_sends(server: Server, host: Person, guest: Person) -> None:
    space = host.open_space()
    guest.seat(host, space)
    doors = f"{server.url}/api/v1/spaces/{space}"
    ben = await speak(f"{doors}/whip", guest.token, voice("ben"))
    stranger = await listen(f"{doors}/whep")
    await hears(stranger, "ben")
    await asyncio.to_thread(host.must, space, "mute", account=guest.id)
    answered = len(stranger.pieces)
    sound = await stranger.listen(2.0)
    # The bound is 200 ms after the answer at the server; aiortc's own playout buffer adds up to 80 ms here.
    assert loudness(sound[int(0.28 * RATE) :]) < -55, loudness(sound[int(0.28 * RATE) :])
    assert answered > 0 and guest.snapshot(space)["stage"][1]["mute"] is not None
    refused = guest.command(space, "set_mic", on=True)
    assert (refused.status_code, refused.json()["code"]) == (403, "muted")
    host.must(space, "unmute", account=guest.id)
    guest.must(space, "set_mic", on=True)
    await hears(stranger, "ben")
    for connection in (ben, stranger):
        await connection.close()


async def test_a_removed_speaker_is_silent_and_cannot_come_back(server: Server, host: Person, guest: Person) -> None:
    space = host.open_space()
    guest.seat(host, space)
    doors = f"{server.url}/api/v1/spaces/{space}"
    ben = await speak(f"{doors}/whip", guest.token, voice("ben"))
    own = await listen(f"{doors}/whep", guest.token)
    stranger = await listen(f"{doors}/whep")
    await hears(stranger, "ben")
    await asyncio.to_thread(host.must, space, "remove", account=guest.id, reason="insults", minutes=10)
    sound = await stranger.listen(2.0)
    assert loudness(sound[int(0.28 * RATE) :]) < -55
    received = len(own.pieces)
    await asyncio.sleep(0.5)
    before = own.sound(0.1)
    assert len(own.pieces) - received < 25 or loudness(before) < -55, "a removed listener still hears"
    for door in ("whip", "whep"):
        answer = guest.http.post(f"/api/v1/spaces/{space}/{door}", content="v=0\r\n", headers={"Content-Type": "application/sdp"})
        assert (answer.status_code, answer.json()["code"]) == (403, "removed"), door
    assert guest.http.delete(ben.location).status_code in (403, 404)
    for connection in (ben, own, stranger):
        await connection.close()


async def test_ffmpeg_speaks_with_its_own_whip_client(server: Server, host: Person, tmp_path: Path) -> None:
    space = host.open_space()
    doors = f"{server.url}/api/v1/spaces/{space}"
    done = threading.Event()
    publisher = asyncio.create_task(asyncio.to_thread(publish_with_ffmpeg, f"{doors}/whip", host.token, voice("ann"), tmp_path, done))
    stranger = await listen(f"{doors}/whep")
    try:
        await hears(stranger, "ann", seconds=12.0)
    finally:
        done.set()
        await publisher
        await stranger.close()


def publish_with_ffmpeg(url: str, token: str, sound: np.ndarray, folder: Path, done: threading.Event) -> None:
    """Send ``sound`` through FFmpeg's `whip` muxer at real pace until ``done``. Its default P-224 certificate is refused, so it gets a P-256 one."""
    import subprocess

    certificate, key = folder / "cert.pem", folder / "key.pem"
    curve = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=whip"]
    subprocess.run([*curve, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    options = {"authorization": token, "cert_file": str(certificate), "key_file": str(key)}
    pcm = (np.clip(sound, -1, 1) * 32767).astype("<i2")
    with av.open(url, "w", format="whip", options=options) as output:
        stream = output.add_stream("libopus", rate=RATE, layout="stereo", options={"frame_duration": "20"})
        started, sent = time.monotonic(), 0
        while not done.is_set():
            at = sent % (len(pcm) - 960)
            frame = av.AudioFrame.from_ndarray(np.repeat(pcm[at : at + 960], 2).reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate, frame.pts = RATE, sent
            for packet in stream.encode(frame):
                output.mux(packet)
            sent += 960
            done.wait(max(0.0, started + sent / RATE - time.monotonic()))
        with contextlib.suppress(av.FFmpegError):
            for packet in stream.encode(None):
                output.mux(packet)
