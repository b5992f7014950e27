"""A real media process on loopback, as the supervisor starts one, and offers that it answers."""

import asyncio
import os
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

from rostra.processes import sockets
from rostra.processes.children import Child, start
from rostra.settings import Address

SESSIONS = 64
_DIRECTIONS = {"ingest": "sendonly", "programme": "recvonly", "stage": "recvonly"}


def offer(feed: str = "programme") -> str:
    """An offer of a client that never connects."""
    sections = 3 if feed == "stage" else 1
    head = f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {' '.join(map(str, range(sections)))}\r\n"
    fingerprint = ":".join(["AB"] * 32)
    section = (
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijklmn\r\n"
        f"a=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\na={_DIRECTIONS[feed]}\r\n"
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
    )
    return head + "".join(f"{section}a=mid:{mid}\r\n" for mid in range(sections))


@dataclass
class MediaProcesses:
    """Media processes that share a region, a UDP socket and a control socket, and outlive none of them."""

    folder: Path
    running: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.socket = self.folder / "media.sock"
        self._control = sockets.control(self.socket)
        self._udp = sockets.media([Address("127.0.0.1", 0)])
        self._region = os.memfd_create("test-sessions")
        self.address = Address(*self._udp[0].getsockname())

    def start(self) -> Child:
        """Starts one more; only the first serves, the others stand by."""
        control, udp = self._control.fileno(), self._udp[0].fileno()
        given: dict[str, object] = {"region": self._region, "capacity": SESSIONS, "udp": [udp], "control": control}
        given["candidates"] = [str(self.address)]
        child = start("media", os.environ, [self._region, control, udp], given)
        self.running.append(child)
        return child

    async def wait(self, child: Child, state: str) -> None:
        """Until the process says ``state``."""
        while child.state != state:
            lines = await asyncio.wait_for(asyncio.to_thread(child.hear), 20)
            assert lines is not None, f"the process died before it was {state}"
            child.state = lines[-1] if lines else child.state

    def kill(self, child: Child) -> None:
        """`kill -9`, and its end."""
        self.running.remove(child)
        child.kill()
        os.waitpid(child.pid, 0)
        os.close(child.pipe)

    def freeze(self, child: Child) -> None:
        """From here on it runs no more, but lives."""
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)

    def thaw(self, child: Child) -> None:
        os.kill(child.pid, signal.SIGCONT)

    def close(self) -> None:
        for child in list(self.running):
            self.kill(child)
        held: list[socket.socket] = [self._control, *self._udp]
        for sock in held:
            sock.close()
        os.close(self._region)
