"""The supervisor: owns the sockets and the session region, keeps one process per role running, and holds no other logic."""

import contextlib
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from rostra.processes import sockets
from rostra.processes.children import Child, start
from rostra.processes.region import SessionRegion
from rostra.processes.restarts import Deaths, delay
from rostra.processes.title import set_title
from rostra.settings import Settings, SettingsError, gather, parse

ROLES = ("media", "api", "worker")
BAD_SETTINGS = 2
"""Exit status of a process that cannot run with these settings: starting it again would not help."""
_TICK_SECONDS = 0.25
_API_DRAIN_SECONDS, _KILL_SECONDS = 5.0, 8.0
_MOST_DESCRIPTORS = 1 << 20
_STOP = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def main(roles: str = ",".join(ROLES)) -> int:
    """Serves until SIGTERM; the exit status. ``roles`` are those to run here, separated by commas."""
    try:
        _allow_many_connections()
        values = gather(os.environ)
        supervisor = Supervisor(parse(values), values, _roles(roles))
    except SettingsError as error:
        _log(str(error))
        return BAD_SETTINGS
    set_title("rostra: serve")
    return supervisor.run()


class Supervisor:
    """One server on one machine. Sockets are bound when it is made, children run while ``run`` does."""

    def __init__(self, settings: Settings, values: Mapping[str, str], roles: Sequence[str]) -> None:
        self._settings, self._roles = settings, roles
        _warn(settings, roles)
        try:
            settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"ROSTRA_DATA: the folder {settings.data} cannot be made: {error.strerror}") from None
        self._http = [sockets.http(settings.http)] if "api" in roles else []
        self._udp = sockets.media(settings.media_udp) if "media" in roles else []
        control = settings.media_control or sockets.private_folder() / "media.sock"
        self._control = [sockets.control(control)] if "media" in roles else []
        self._made = [control] * len(self._control) + [control.parent] * (settings.media_control is None)
        # Children read the values that we checked, not a file that may have changed since.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ROSTRA_")}
        self._environment = kept | dict(values) | {"ROSTRA_MEDIA_CONTROL": str(control), "ROSTRA_DATA": str(settings.data)}
        self._region = SessionRegion()
        self._children: list[Child] = []
        self._deaths: defaultdict[str, Deaths] = defaultdict(Deaths)
        self._not_before: dict[str, float] = {}
        self._selector, self._signals = selectors.DefaultSelector(), socket.socketpair()
        self._stopping_since: float | None = None
        self._announced, self._status = False, 0

    def run(self) -> int:
        """Until SIGTERM, SIGINT or SIGHUP; the exit status."""
        self._listen_for_signals()
        try:
            while self._stopping_since is None or self._children:
                if self._stopping_since is None:
                    self._start_missing()
                    self._look()
                else:
                    self._drain(_now() - self._stopping_since)
                for key, _ in self._selector.select(_TICK_SECONDS):
                    if key.data:
                        self._heard(key.data)
                self._reap()
        finally:
            sockets.remove(self._made)
        return self._status

    def _listen_for_signals(self) -> None:
        """Signals become bytes that end the wait."""
        for end in self._signals:
            end.setblocking(False)
        signal.set_wakeup_fd(self._signals[1].fileno(), warn_on_full_buffer=False)
        for number in (*_STOP, signal.SIGCHLD):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means it.
                signal.signal(number, lambda *_: None)
        self._selector.register(self._signals[0], selectors.EVENT_READ)

    def _take_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if set(self._signals[0].recv(4096)) & _STOP and self._stopping_since is None:
                self._stop(0)

    # Stopping: first the api, so that everyone hears that the server goes; then media; in the end whoever is left.

    def _stop(self, status: int) -> None:
        self._stopping_since, self._status = _now(), status
        for sock in self._http:
            sock.close()  # Who comes now is refused instead of left waiting.
        for child in self._children:
            if child.role != "media" or child.state != "ready":
                child.stop()

    def _drain(self, seconds: float) -> None:
        if seconds > _KILL_SECONDS:
            self._each(Child.kill)
        elif seconds > _API_DRAIN_SECONDS or all(child.role == "media" for child in self._children):
            self._each(Child.stop)

    def _each(self, act: Callable[[Child], None]) -> None:
        for child in self._children:
            act(child)

    # Starting and restarting.

    def _start_missing(self) -> None:
        running = [child.role for child in self._children]
        serving = any(child.role == "media" and child.state == "ready" for child in self._children)
        for role in self._roles:
            # The standby starts when somebody serves: a takeover must not share the processor with an interpreter that boots.
            wanted = 2 if role == "media" and serving else 1
            if running.count(role) < wanted and _now() >= self._not_before.get(role, 0.0):
                self._start(role)

    def _start(self, role: str) -> None:
        descriptors: list[int] = []
        given: dict[str, object] = {}
        if role == "api":
            descriptors = [sock.fileno() for sock in self._http]
            given = {"http": descriptors}
        elif role == "media":
            if self._region.poisoned:
                sockets.drain(self._udp)
                self._region.poisoned = False
            udp, control = [sock.fileno() for sock in self._udp], self._control[0].fileno()
            descriptors = [self._region.fd, control, *udp]
            given = {"region": self._region.fd, "capacity": self._settings.media_sessions, "udp": udp, "control": control}
            given["candidates"] = sockets.candidates(self._settings, self._udp)
        child = start(role, self._environment, descriptors, given)
        self._children.append(child)
        self._selector.register(child.pipe, selectors.EVENT_READ, child)

    def _heard(self, child: Child) -> None:
        lines = child.hear()
        if lines is None:
            self._selector.unregister(child.pipe)
            return
        for line in lines:
            child.state, child.ready_at = line, _now()
        ready = {child.role for child in self._children if child.state == "ready"}
        if not self._announced and self._stopping_since is None and ready >= {"api", "media"} & set(self._roles):
            self._announced = True
            _write(1, f"Rostra is ready: {sockets.url(self._http[0]) if self._http else ', '.join(self._roles)}\n")

    # Deaths.

    def _reap(self) -> None:
        dead = [(child, status) for child in self._children for pid, status in [os.waitpid(child.pid, os.WNOHANG)] if pid]
        for child, _ in dead:
            self._children.remove(child)
            with contextlib.suppress(KeyError):
                self._selector.unregister(child.pipe)
            os.close(child.pipe)
        # Only now: a stop sent to the whole group has reached us too by the time that somebody has died of it.
        self._take_signals()
        for child, status in dead:
            if self._stopping_since is None and not child.given_up:
                self._died(child, os.waitstatus_to_exitcode(status))

    def _died(self, child: Child, code: int) -> None:
        if code == BAD_SETTINGS and not self._announced:
            return self._stop(BAD_SETTINGS)
        deaths = self._deaths[child.role].add(_now())
        pause = delay(deaths)
        self._not_before[child.role] = _now() + pause
        how = f"was killed by signal {-code}" if code < 0 else f"exited with status {code}"
        then = f"{deaths} deaths in a short while, the next start is in {pause:g} s" if pause else "starting another"
        _log(f"{child.role} {child.pid} ({child.state}) {how}: {then}")
        # A kill or stop from outside says nothing about the region.
        crashed = child.stalled or code not in (0, -signal.SIGKILL, -signal.SIGTERM)
        if child.role == "media" and crashed and self._region.crashed(_now()):
            _log("media crashed three times in a short while: every media session ends, and it starts with an empty region")
            for other in self._media():
                other.given_up = True
                other.kill()

    def _look(self) -> None:
        """The standby of a media process that hangs takes over by itself, once that one is dead."""
        for child in self._region.hung(self._media(), _now()):
            _log(f"media {child.pid} ({child.state}) shows no sign of life: killing it")
            child.stalled = True
            child.kill()

    def _media(self) -> list[Child]:
        return [child for child in self._children if child.role == "media" and not child.given_up]


def _roles(text: str) -> list[str]:
    asked = {word.strip() for word in text.split(",")}
    if not asked <= set(ROLES):
        raise SettingsError(f"--roles {text!r} is not valid: roles are {', '.join(ROLES)}, separated by commas")
    return [role for role in ROLES if role in asked]


def _warn(settings: Settings, roles: Sequence[str]) -> None:
    """Says what is allowed but hardly meant."""
    if "api" in roles and "media" not in roles and settings.media_control is None:
        _log("nobody will be heard: without the media role, ROSTRA_MEDIA_CONTROL must name a media core's socket")
    if "media" in roles and settings.public_url and all(address.is_loopback for address in settings.media_udp):
        _log("only this machine reaches media, because ROSTRA_HTTP is loopback: set ROSTRA_MEDIA_UDP, such as [::]:8080")


def _allow_many_connections() -> None:
    """Every event stream of the audience takes a descriptor. Children inherit the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, _MOST_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _now() -> float:
    """Seconds on the clock of the region's heartbeat, which counts suspend."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _log(text: str) -> None:
    _write(2, f"rostra: {text}\n")


def _write(fd: int, text: str) -> None:
    """Past Python's buffers, which would fail again at exit if nobody reads any more."""
    with contextlib.suppress(OSError):
        os.write(fd, text.encode())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[2:3]) if sys.argv[1:2] in ([], ["--roles"]) else BAD_SETTINGS)
