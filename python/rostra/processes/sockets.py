"""The sockets that outlive every child: bound once, by the supervisor, for the API, for media and for their talk."""

import contextlib
import errno
import fcntl
import ipaddress
import os
import socket
import struct
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

from rostra.settings import Address, Settings, SettingsError

_BUFFER_BYTES = 8 << 20
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_SIOCGIFCONF, _SIOCGIFFLAGS, _IFF_UP, _IFREQ_BYTES = 0x8912, 0x8913, 1, 40
_LINK_SCOPE = 0x20
_UNUSABLE_V6 = 0x08 | 0x20 | 0x40
"""Flags of an IPv6 address that failed duplicate detection, is deprecated or tentative (linux/if_addr.h)."""
_MOST_CANDIDATES = 16
_ATTEMPTS = 8
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def http(address: Address) -> socket.socket:
    """The listening socket of the web client and the API. Raises ``SettingsError``."""
    sock = _bind("ROSTRA_HTTP", address, socket.SOCK_STREAM)
    sock.listen(2048)
    return sock


def media(addresses: Sequence[Address]) -> list[socket.socket]:
    """The UDP sockets of all media. A machine without IPv6 goes without; port 0 becomes one free port for all. Raises ``SettingsError``."""
    for _ in range(_ATTEMPTS if addresses[0].port == 0 else 0):
        with contextlib.suppress(SettingsError):  # What was free for the first address may be taken for the second.
            return _bind_all(addresses)
    return _bind_all(addresses)


def _bind_all(addresses: Sequence[Address]) -> list[socket.socket]:
    with contextlib.ExitStack() as undo:
        bound: list[socket.socket] = []
        for address in addresses:
            port = address.port or (bound[0].getsockname()[1] if bound else 0)
            for sock in _bind_media(Address(address.host, port), alone=not bound):
                bound.append(undo.enter_context(sock))
                _enlarge(sock, _SO_RCVBUFFORCE, socket.SO_RCVBUF)
                _enlarge(sock, _SO_SNDBUFFORCE, socket.SO_SNDBUF)
        undo.pop_all()
        return bound


def url(listening: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = listening.getsockname()[:2]
    return f"http://{Address('127.0.0.1' if host in ('::', '0.0.0.0') else host, port)}/"


def private_folder() -> Path:
    """A new folder that only this user may enter. Raises ``SettingsError``."""
    path = Path(os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp") / f"rostra-{os.urandom(8).hex()}"
    try:
        path.mkdir(mode=0o700)
    except OSError as error:
        raise SettingsError(f"the folder {path} for the control socket cannot be made: {error.strerror}") from None
    return path


def control(path: Path) -> socket.socket:
    """The Unix socket on which the media core takes commands, for this user only; one that a dead server left is replaced. Raises
    ``SettingsError``."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        if path.is_socket():
            if sock.connect_ex(str(path)) == 0:
                raise SettingsError(f"ROSTRA_MEDIA_CONTROL: {path} is already in use")
            path.unlink()
        sock.bind(str(path))
    except OSError as error:
        raise SettingsError(f"ROSTRA_MEDIA_CONTROL: the socket {path} cannot be made: {error.strerror}") from None
    finally:
        os.umask(before)
    sock.listen(64)
    return sock


def remove(paths: Iterable[Path]) -> None:
    """Removes what was made for a run: socket files, then their folder."""
    with contextlib.suppress(OSError):
        for path in paths:
            path.rmdir() if path.is_dir() else path.unlink()


def candidates(settings: Settings, sockets: Iterable[socket.socket]) -> list[str]:
    """``address:port`` for SDP answers: what is set, else every local address that the sockets reach."""
    sockets = list(sockets)
    port = sockets[0].getsockname()[1]
    asked: list[str] = list(settings.media_advertise)
    for sock in () if asked else sockets:
        host = sock.getsockname()[0]
        if not ipaddress.ip_address(host).is_unspecified:
            asked.append(host)
        else:
            asked += _local_v4() if sock.family == socket.AF_INET else _local_v4() + _local_v6()
    return [str(Address(host, port)) for host in dict.fromkeys(asked)][:_MOST_CANDIDATES]


def drain(sockets: Iterable[socket.socket]) -> None:
    """Throws away what waits in the sockets: something in it may be deadly."""
    for sock in sockets:
        with contextlib.suppress(BlockingIOError):
            for _ in range(100_000):
                sock.recv(1, socket.MSG_DONTWAIT)


def _bind_media(address: Address, *, alone: bool) -> list[socket.socket]:
    try:
        return [_bind("ROSTRA_MEDIA_UDP", address, socket.SOCK_DGRAM)]
    except _NoFamily as error:
        if address.host == "::":
            return [_bind("ROSTRA_MEDIA_UDP", Address("0.0.0.0", address.port), socket.SOCK_DGRAM)]
        if alone:
            raise SettingsError(f"ROSTRA_MEDIA_UDP: cannot listen on {address}: {error}") from None
        return []


class _NoFamily(Exception):
    """This machine has no such address family."""


def _bind(setting: str, address: Address, kind: socket.SocketKind) -> socket.socket:
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, kind)
        if sock.family == socket.AF_INET6:
            # `[::]` serves both families.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.host != "::"))
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        if kind == socket.SOCK_DGRAM and error.errno in _NO_SUCH_FAMILY and address.host in ("::", "::1"):
            raise _NoFamily(error.strerror) from None
        why = "it is already in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise SettingsError(f"{setting}: cannot listen on {address}: {why}") from None
    return sock


def _enlarge(sock: socket.socket, forced: int, plain: int) -> None:
    """A burst of joins must fit; only a privileged process may pass the system's limit."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, forced, _BUFFER_BYTES)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, plain, _BUFFER_BYTES)


def _local_v4() -> list[str]:
    """Every IPv4 address of an interface that is up, loopback last (netdevice(7))."""
    buffer = array("B", bytes(_IFREQ_BYTES * 256))
    start, length = buffer.buffer_info()
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        length = struct.unpack("iP", fcntl.ioctl(sock, _SIOCGIFCONF, struct.pack("iP", length, start)))[0]
        for at in range(0, length, _IFREQ_BYTES):
            request = buffer[at : at + _IFREQ_BYTES].tobytes()
            flags = struct.unpack_from("16xH", fcntl.ioctl(sock, _SIOCGIFFLAGS, request))[0]
            if flags & _IFF_UP:
                found.append(socket.inet_ntoa(request[20:24]))
    return sorted(found, key=lambda host: host.startswith("127."))


def _local_v6() -> list[str]:
    """Every usable IPv6 address but link-local ones, which mean nothing without an interface; loopback last."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines():
            digits, _, _, scope, flags, _ = line.split()
            if int(scope, 16) != _LINK_SCOPE and not int(flags, 16) & _UNUSABLE_V6:
                found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    return sorted(found, key=lambda host: host == "::1")
