"""The api process: uvicorn on the supervisor's listening socket, running the application that ``rostra.bootstrap`` composes."""

import os
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from uvicorn.importer import import_from_string
from uvicorn.lifespan.on import LifespanOn

from rostra import settings
from rostra.processes import arguments, lifeline, log
from rostra.processes.arrival import Arrival
from rostra.processes.title import set_title

_GRACE_SECONDS = 3
"""How long requests may go on after SIGTERM. Event streams end at once, if the application has a ``state.drain`` to tell them."""
_BAD_SETTINGS = 2


class Server(uvicorn.Server):
    """Says when it is ready, and lets long answers end when it must go."""

    def __init__(self, app: Starlette, config: uvicorn.Config, ready: int) -> None:
        super().__init__(config)
        self._app, self._ready = app, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            os.write(self._ready, b"ready\n")

    async def on_tick(self, counter: int) -> bool:
        # A failed background task ends the lifespan, and uvicorn would serve on without it.
        return self._lifespan_failed() or await super().on_tick(counter)

    def _lifespan_failed(self) -> bool:
        return isinstance(self.lifespan, LifespanOn) and self.lifespan.error_occurred

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        drain = getattr(self._app.state, "drain", None)
        if drain is not None:
            drain()
        await super().shutdown(sockets)

    @property
    def status(self) -> int:
        """The exit status."""
        return 0 if self.started and not self._lifespan_failed() else 1


def main() -> int:
    """Serves until SIGTERM; the exit status."""
    set_title("rostra: api")
    given = arguments.read()
    lifeline.hold(given)
    try:
        known = settings.load(os.environ)
        # By name, as any ASGI server does it: the composition root stands above the processes.
        app = import_from_string("rostra.bootstrap:build")(known)
    except settings.SettingsError as error:
        sys.stderr.write(f"rostra: {error}\n")
        return _BAD_SETTINGS
    log.start(known.log)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Arrival,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(known.trusted_proxies),
        forwarded_allow_ips=list(known.trusted_proxies),
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    listening = [socket.socket(fileno=fd) for fd in arguments.numbers(given["http"])]
    server = Server(app, config, int(given["ready"]))
    server.run(listening)
    return server.status


if __name__ == "__main__":
    sys.exit(main())
