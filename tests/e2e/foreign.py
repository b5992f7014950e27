"""Foreign WHIP and WHEP peers: aiortc speaks and listens with nothing of ours but the URL and a bearer token."""

import asyncio
import fractions
from dataclasses import dataclass, field

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from sounds import RATE

FRAME = RATE // 50


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
    pieces: list[np.ndarray] = field(default_factory=list)
    tasks: list[asyncio.Task] = field(default_factory=list)

    def sound(self, seconds: float) -> np.ndarray:
        """The last ``seconds`` heard, float32 mono at 48 kHz."""
        return np.concatenate([*self.pieces[-int(seconds * 50) - 1 :], np.zeros(1, np.float32)])

    async def listen(self, seconds: float) -> np.ndarray:
        """The next ``seconds`` of sound as it arrives."""
        start = len(self.pieces)
        while len(self.pieces) < start + seconds * 50:
            await asyncio.sleep(0.05)
        return np.concatenate(self.pieces[start:])

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await self.link.close()


async def negotiate(link: RTCPeerConnection, url: str, token: str | None) -> Connection:
    await link.setLocalDescription(await link.createOffer())
    headers = {"Content-Type": "application/sdp"} | ({"Authorization": f"Bearer {token}"} if token else {})
    async with httpx.AsyncClient() as http:
        answer = await http.post(url, content=link.localDescription.sdp, headers=headers)
    assert answer.status_code == 201, f"{answer.status_code} {answer.text}"
    await link.setRemoteDescription(RTCSessionDescription(sdp=answer.text, type="answer"))
    return Connection(link, answer.headers["Location"], answer.headers["ETag"])


async def speak(url: str, token: str, sound: np.ndarray) -> Connection:
    """Publish ``sound`` to a WHIP URL."""
    link = RTCPeerConnection()
    link.addTransceiver(Speech(sound), direction="sendonly")
    return await negotiate(link, url, token)


async def listen(url: str, token: str | None = None) -> Connection:
    """Subscribe to a WHEP URL and keep what is heard."""
    link = RTCPeerConnection()
    link.addTransceiver("audio", direction="recvonly")
    ready: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
    link.on("track", lambda track: ready.done() or ready.set_result(track))
    connection = await negotiate(link, url, token)

    async def keep() -> None:
        track = await ready
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        while True:
            for frame in resampler.resample(await track.recv()):
                connection.pieces.append(frame.to_ndarray().reshape(-1))

    connection.tasks.append(asyncio.create_task(keep()))
    return connection
