"""One path between a client and the media port: every packet noted with the kernel's time of arrival, and spoiled if a test asks for it."""

import contextlib
import heapq
import itertools
import random
import re
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

SO_TIMESTAMPNS = 35
DTLS_ALERT = b"\x15"
_CANDIDATE = re.compile(r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host.*\r?\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet on its way to the listener. SRTP leaves its header readable (RFC 3711 §3.1)."""

    at: float
    """Wall time (s) at which the kernel took it."""
    size: int
    """Bytes of UDP payload: header, sealed sound and tag."""
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    csrcs: tuple[int, ...]
    """Who is heard: `seat csrc << 8 | level`."""


def rtp(data: bytes, at: float) -> Packet | None:
    """The packet, if it is RTP rather than STUN, DTLS or RTCP (RFC 7983, RFC 5761 §4)."""
    if len(data) < 12 or not 128 <= data[0] <= 191 or 64 <= data[1] & 0x7F <= 95:
        return None
    sequence, timestamp, ssrc = struct.unpack_from(">HII", data, 2)
    csrcs = struct.unpack_from(f">{data[0] & 15}I", data, 12)
    return Packet(at, len(data), data[1] & 0x7F, sequence, timestamp, ssrc, csrcs)


@dataclass(frozen=True)
class Weather:
    """What happens to packets, both ways: each is lost with probability ``loss``, else late by ``delay`` plus up to ``jitter`` seconds."""

    loss: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    seed: int = 1


@dataclass
class Wire:
    """A relay in front of the media port. Put an answer through ``lead``, and the client talks through here."""

    weather: Weather = field(default_factory=Weather)
    down: list[Packet] = field(default_factory=list)
    """RTP from the server, in order of arrival."""
    up: list[Packet] = field(default_factory=list)
    """RTP from the client."""
    sent: list[bytes] = field(default_factory=list)
    """The client's last datagrams of any kind, as they went up."""
    lost: int = 0
    is_obstinate: bool = False
    """Keep the server's goodbyes (DTLS alerts) from the client, which then goes on sending as if nothing had been decided."""

    def lead(self, answer: str) -> str:
        """``answer`` with this relay as its only candidate, and the relay pointed at the one that stood there."""
        found = _CANDIDATE.search(answer)
        assert found, answer
        host, port = found.group(1), int(found.group(2))
        if not hasattr(self, "_thread"):
            self._start(host, port)
        here = f"a=candidate:1 1 udp 2130706431 127.0.0.1 {self._client.getsockname()[1]} typ host\r\n"
        return _CANDIDATE.sub("", answer[: found.start()]) + here + _CANDIDATE.sub("", answer[found.end() :])

    @staticmethod
    def socket_to(host: str, port: int) -> socket.socket:
        """A UDP socket connected to a candidate."""
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect((host, port))
        return sock

    def inject(self, data: bytes) -> None:
        """Send a datagram to the media port from the client's own address, as the server sees it."""
        with contextlib.suppress(OSError):
            self._server.send(data)

    def close(self) -> None:
        if not hasattr(self, "_thread"):
            return
        self._stop.set()
        self._thread.join()
        for sock in (self._client, self._server):
            sock.close()

    def _start(self, host: str, port: int) -> None:
        self._client = _stamped(socket.AF_INET)
        self._client.bind(("127.0.0.1", 0))
        self._server = _stamped(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._server.connect((host, port))
        self._chance = random.Random(self.weather.seed)
        self._later: list[tuple[float, int, bool, bytes]] = []
        self._reached: tuple[str, int] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._client, selectors.EVENT_READ, (self._client, False))
        selector.register(self._server, selectors.EVENT_READ, (self._server, True))
        while not self._stop.is_set():
            wait = min(0.2, max(0.0, self._later[0][0] - time.monotonic())) if self._later else 0.2
            for key, _ in selector.select(wait):
                sock, down = key.data
                self._take(sock, down=down)
            while self._later and self._later[0][0] <= time.monotonic():
                _, _, down, data = heapq.heappop(self._later)
                self._pass(data, down=down)

    def _take(self, sock: socket.socket, *, down: bool) -> None:
        while True:
            try:
                data, ancillary, _, sender = sock.recvmsg(4096, 64)
            except (BlockingIOError, ConnectionError):
                return
            if not down:
                self._reached = sender
                self.sent = [*self.sent[-99:], data]
            packet = rtp(data, _stamp(ancillary))
            if packet:
                (self.down if down else self.up).append(packet)
            if down and self.is_obstinate and data[:1] == DTLS_ALERT:
                continue
            if self._chance.random() < self.weather.loss:
                self.lost += 1
                continue
            pause = self.weather.delay + self.weather.jitter * self._chance.random()
            if pause == 0.0:
                self._pass(data, down=down)
            else:
                heapq.heappush(self._later, (time.monotonic() + pause, len(self.up) + len(self.down) + self.lost, down, data))

    def _pass(self, data: bytes, *, down: bool) -> None:
        with contextlib.suppress(OSError):  # The other side is away for the moment; UDP forgets.
            if not down:
                self._server.send(data)
            elif self._reached:
                self._client.sendto(data, self._reached)


class Wires:
    """Makes wires, and closes them all."""

    def __init__(self) -> None:
        self._made: list[Wire] = []

    def __call__(self, weather: Weather | None = None) -> Wire:
        self._made.append(Wire(weather or Weather()))
        return self._made[-1]

    def close(self) -> None:
        for wire in self._made:
            wire.close()


def _stamped(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.setblocking(False)
    return sock


def _stamp(ancillary: Iterable[tuple[int, int, bytes]]) -> float:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            return seconds + nanoseconds / 1e9
    raise AssertionError("the kernel gave no time of arrival")


def longest_gap(packets: list[Packet], since: float = 0.0, until: float = float("inf")) -> float:
    """The longest time (s) between two packets that followed each other, of those that overlap ``since``…``until``."""
    spans = [(b.at - a.at, a.at, b.at) for a, b in itertools.pairwise(packets)]
    return max((gap for gap, start, end in spans if end >= since and start <= until), default=float("inf"))


def last_heard(packets: list[Packet], csrc: int, quiet: int = 100) -> float:
    """Wall time (s) of the last packet in which the seat ``csrc`` is heard louder than −``quiet`` dBov; 0 if never."""
    return max((p.at for p in packets if any(c >> 8 == csrc and c & 0xFF < quiet for c in p.csrcs)), default=0.0)
