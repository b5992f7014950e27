"""Foreign WHIP and WHEP peers: aiortc speaks and listens with nothing of ours but the URL and a bearer token."""

import asyncio
import fractions
import time
from dataclasses import dataclass, field

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.rtp import RtpPacket
from sounds import RATE, heard, loudness
from waiting import eventually
from wire import Wire

FRAME = RATE // 50
PRESENT, ABSENT = 5.0, 3.0


class Speech(MediaStreamTrack):
    """A microphone that plays ``sound`` (float32, 48 kHz) in a loop, 20 ms at a time, at real pace."""

    kind = "audio"

    def __init__(self, sound: np.ndarray) -> None:
        super().__init__()
        self.sound = (np.clip(sound, -1, 1) * 32767).astype("<i2")
        self.sent = 0
        self.started: float | None = None

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        if self.started is None:
            self.started = loop.time()
        await asyncio.sleep(max(0.0, self.started + self.sent / RATE - loop.time()))
        at = self.sent % (len(self.sound) - FRAME)
        frame = av.AudioFrame.from_ndarray(self.sound[at : at + FRAME].reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.sent, fractions.Fraction(1, RATE)
        self.sent += FRAME
        return frame


@dataclass
class Connection:
    """One WHIP or WHEP session of aiortc's."""

    link: RTCPeerConnection
    location: str
    etag: str
    answer: str
    streams: list[list[np.ndarray]] = field(default_factory=list)
    """What arrives in each section, decoded and played out."""
    payloads: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """The Opus of each packet by SSRC and sequence number, as decrypted."""
    ssrcs: list[int] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task] = field(default_factory=list)

    async def listen(self, seconds: float, stream: int = 0, patience: float = 10.0) -> np.ndarray:
        """The next ``seconds`` of sound as it arrives in one section."""
        pieces = self.streams[stream]
        start = len(pieces)
        await eventually(lambda: sum(map(len, pieces[start:])) >= seconds * RATE, seconds + patience)
        return np.concatenate(pieces[start:])

    def loud(self, wire: Wire, floor: float = -55.0) -> list[tuple[float, float]]:
        """(wall time of arrival, dBFS) of each packet that sounds louder than ``floor``, decoded one by one in the order of ``wire``."""
        out, decoders = [], {}
        for packet in wire.down:
            payload = self.payloads.get((packet.ssrc, packet.sequence))
            if payload is None:
                continue
            decoder = decoders.setdefault(packet.ssrc, av.CodecContext.create("libopus", "r"))
            frames = decoder.decode(av.Packet(payload))
            level = max((loudness(frame.to_ndarray().astype(np.float32) / 32768) for frame in frames), default=-120.0)
            if level > floor:
                out.append((packet.at, level))
        return out

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.link.close()


async def hears(connection: Connection, name: str, seconds: float = 8.0) -> None:
    """Return when a second of sound carries ``name``'s voice; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    scores: dict[str, float] = {}
    while time.monotonic() < deadline:
        scores = heard(await connection.listen(1.0))
        if scores[name] > PRESENT:
            return
    raise AssertionError(f"{name} was not heard: {scores}")


async def negotiate(link: RTCPeerConnection, url: str, token: str | None, wire: Wire | None = None) -> Connection:
    """POST the offer; with a ``wire`` the media goes through it."""
    await link.setLocalDescription(await link.createOffer())
    headers = {"Content-Type": "application/sdp"} | ({"Authorization": f"Bearer {token}"} if token else {})
    async with httpx.AsyncClient(timeout=20) as http:
        answer = await http.post(url, content=link.localDescription.sdp, headers=headers)
    assert answer.status_code == 201, f"{answer.status_code} {answer.text}"
    connection = Connection(link, answer.headers["Location"], answer.headers["ETag"], answer.text)
    link.on("connectionstatechange", lambda: connection.states.append(link.connectionState))
    sdp = wire.lead(answer.text) if wire else answer.text
    await link.setRemoteDescription(RTCSessionDescription(sdp=_candidates_everywhere(sdp), type="answer"))
    return connection


def _candidates_everywhere(answer: str) -> str:
    """aiortc looks for a bundle's candidates in its last section, where RFC 8843 §7.1.3 wants none."""
    first, *others = answer.split("\r\nm=audio")
    candidates = "".join(line for line in first.splitlines(keepends=True) + others[0].splitlines(keepends=True) if "candidate" in line)
    return "\r\nm=audio".join([first, others[0], *(section + candidates for section in others[1:])])


async def speak(url: str, token: str, sound: np.ndarray, wire: Wire | None = None) -> Connection:
    """Publish ``sound`` to a WHIP URL."""
    link = RTCPeerConnection()
    link.addTransceiver(Speech(sound), direction="sendonly")
    return await negotiate(link, url, token, wire)


async def listen(url: str, token: str | None = None, wire: Wire | None = None, sections: int = 1) -> Connection:
    """Subscribe to a WHEP URL and keep what is heard."""
    link = RTCPeerConnection()
    for _ in range(sections):
        link.addTransceiver("audio", direction="recvonly")
    tracks: list[MediaStreamTrack] = []
    link.on("track", tracks.append)
    connection = await negotiate(link, url, token, wire)
    assert len(tracks) == sections
    for transceiver in link.getTransceivers():
        _keep_payloads(transceiver.receiver, connection)
    connection.streams = [[] for _ in tracks]
    connection.tasks = [asyncio.create_task(_keep_sound(track, pieces)) for track, pieces in zip(tracks, connection.streams, strict=True)]
    return connection


async def _keep_sound(track: MediaStreamTrack, pieces: list[np.ndarray]) -> None:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    while True:
        arrived = await track.recv()
        assert isinstance(arrived, av.AudioFrame)
        for frame in resampler.resample(arrived):
            pieces.append(frame.to_ndarray().reshape(-1))


def _keep_payloads(receiver: RTCRtpReceiver, connection: Connection) -> None:
    handle = receiver._handle_rtp_packet

    async def keep(packet: RtpPacket, arrival_time_ms: int) -> None:
        if packet.ssrc not in connection.ssrcs:
            connection.ssrcs.append(packet.ssrc)
        connection.payloads[packet.ssrc, packet.sequence_number] = packet.payload
        await handle(packet, arrival_time_ms)

    receiver._handle_rtp_packet = keep  # type: ignore[method-assign]
