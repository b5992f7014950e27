"""aiortc and FFmpeg, peers that know nothing of Rostra, speak and listen by URL and bearer token alone."""

import asyncio
import contextlib
import subprocess
import threading
import time
from pathlib import Path

import av
import numpy as np
from aioice import stun
from foreign import ABSENT, hears, listen, speak
from server import Person, Server, only
from sounds import RATE, heard, loudness, voice
from wire import Weather, Wire, Wires


async def test_two_speak_and_a_stranger_listens(house: Server, host: Person, guest: Person, closing: list) -> None:
    space = host.open_space()
    guest.seat(host, space)
    closing.append(await speak(house.door(space, "whip"), host.token, voice("ann")))
    closing.append(await speak(house.door(space, "whip"), guest.token, voice("ben")))
    stranger = await listen(house.door(space, "whep"))
    closing.append(stranger)
    await hears(stranger, "ann")
    await hears(stranger, "ben")
    sound = await stranger.listen(2.0)
    assert heard(sound)["cem"] < ABSENT and loudness(sound) > -40
    assert host.snapshot(space)["listener_count"] == 1


async def test_the_stage_feed_has_everyone_but_oneself(house: Server, host: Person, guest: Person, wires: Wires, closing: list) -> None:
    space = host.open_space()
    guest.seat(host, space)
    closing.append(await speak(house.door(space, "whip"), host.token, voice("ann")))
    closing.append(await speak(house.door(space, "whip"), guest.token, voice("ben")))
    wire = wires()
    own = await listen(house.door(space, "whep?feed=stage"), host.token, wire, sections=3)
    closing.append(own)
    await hears(own, "ben")
    sound = await own.listen(3.0)
    assert heard(sound)["ann"] < ABSENT, heard(sound)
    seats = {seat["account"]["id"]: seat["csrc"] for seat in host.snapshot(space)["stage"]}
    assert {csrc >> 8 for packet in wire.down for csrc in packet.csrcs} == {seats[guest.id]}
    assert own.answer.count("m=audio") == 3 and len(set(own.ssrcs)) == len(own.ssrcs)


async def test_an_ice_restart_moves_the_sound_to_a_new_address(house: Server, host: Person, closing: list) -> None:
    """By hand, because aiortc has none: PATCH new credentials, check from a new socket, answer the server's own check, and hear."""
    space = host.open_space()
    closing.append(await speak(house.door(space, "whip"), host.token, voice("ann")))
    stranger = await listen(house.door(space, "whep"), host.token)
    closing.append(stranger)
    await hears(stranger, "ann")
    wish = "a=ice-ufrag:newer\r\na=ice-pwd:a-password-of-the-new-kind\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    headers = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": stranger.etag}
    stale = host.http.patch(stranger.location, content=wish, headers=headers | {"If-Match": '"of-another-time"'})
    assert stale.status_code == 412, stale.text
    answer = host.http.patch(stranger.location, content=wish, headers=headers)
    assert answer.status_code == 200 and answer.headers["ETag"] != stranger.etag, answer.text
    ufrag, password = only(answer.text, "a=ice-ufrag:"), only(answer.text, "a=ice-pwd:")
    here = Checker(only(stranger.answer, "a=candidate:").split())
    try:
        here.check(f"{ufrag}:newer", password)
        await asyncio.to_thread(here.answer_until_rtp, b"a-password-of-the-new-kind", f"newer:{ufrag}")
    finally:
        here.socket.close()


class Checker:
    """A bare ICE agent on a socket of its own."""

    def __init__(self, candidate: list[str]) -> None:
        self.socket = Wire.socket_to(candidate[4], int(candidate[5]))

    def check(self, username: str, password: str) -> None:
        """An authentic Binding request with a nomination (RFC 8445 §7.1.2)."""
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        request.attributes |= {"USERNAME": username, "PRIORITY": 1_845_501_695, "ICE-CONTROLLING": 7, "USE-CANDIDATE": None}
        request.add_message_integrity(password.encode())
        self.socket.send(bytes(request))

    def answer_until_rtp(self, password: bytes, username: str) -> None:
        """Answer what the server asks until it sends sound here; fail after 5 s."""
        self.socket.settimeout(5)
        asked = False
        while True:
            data = self.socket.recv(2048)
            if 128 <= data[0] <= 191:
                assert asked, "media moved to an address that had answered nothing"
                return
            message = stun.parse_message(data)
            if message.message_class == stun.Class.REQUEST:
                assert message.attributes["USERNAME"] == username
                assert message.check_message_integrity(password)
                asked = True
                reply = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=message.transaction_id)
                reply.attributes["XOR-MAPPED-ADDRESS"] = self.socket.getpeername()[:2]
                reply.add_message_integrity(password)
                self.socket.send(bytes(reply))


async def test_speech_and_music_survive_five_percent_loss(house: Server, host: Person, guest: Person, wires: Wires, closing: list) -> None:
    space = host.open_space()
    guest.seat(host, space)
    bad = Weather(loss=0.05, delay=0.02, jitter=0.01, seed=3)
    speakers = [wires(bad), wires(bad)]
    closing.append(await speak(house.door(space, "whip"), host.token, voice("ann"), speakers[0]))
    closing.append(await speak(house.door(space, "whip"), guest.token, voice("ben"), speakers[1]))
    clear = await listen(house.door(space, "whep"))
    poor = await listen(house.door(space, "whep"), wire=wires(bad))
    closing += [clear, poor]
    for name in ("ann", "ben"):
        await hears(clear, name)
        await hears(poor, name)
    sound = await clear.listen(6.0)
    assert min(wire.lost for wire in speakers) > 5, "the weather was too good"
    # The mix has no holes: what the speakers lost on their way is concealed before it is mixed.
    frames = sound[: len(sound) // 960 * 960].reshape(-1, 960)
    holes = sum(loudness(frame) < -60 for frame in frames)
    assert holes <= len(frames) * 0.01, f"{holes} of {len(frames)} frames are silent"


async def test_ipv6(house6: Server, closing: list) -> None:
    host = Person(house6.url, "Amara")
    space = host.open_space()
    ann = await speak(house6.door(space, "whip"), host.token, voice("ann"))
    stranger = await listen(house6.door(space, "whep"))
    closing += [ann, stranger]
    assert only(stranger.answer, "a=candidate:").split()[4] == "::1"
    await hears(stranger, "ann")


async def test_ffmpeg_speaks_with_its_own_whip_client(house: Server, host: Person, tmp_path: Path, closing: list) -> None:
    space = host.open_space()
    done = threading.Event()
    publisher = asyncio.create_task(asyncio.to_thread(publish_with_ffmpeg, house.door(space, "whip"), host.token, tmp_path, done))
    stranger = await listen(house.door(space, "whep"))
    closing.append(stranger)
    try:
        await hears(stranger, "ann", seconds=12.0)
    finally:
        done.set()
        await publisher


def publish_with_ffmpeg(url: str, token: str, folder: Path, done: threading.Event) -> None:
    """Send Ann's voice through FFmpeg's `whip` muxer at real pace until ``done``, with a P-256 certificate: its own P-224 is refused."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=whip"
    subprocess.run([*made.split(), "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    options = {"authorization": token, "cert_file": str(certificate), "key_file": str(key)}
    pcm = (np.clip(voice("ann"), -1, 1) * 32767).astype("<i2")
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
