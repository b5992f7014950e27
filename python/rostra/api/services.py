"""What the doors use: the services and the server's own settings, put together by the composition root."""

import ipaddress
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import Request

from rostra.api.errors import Problem
from rostra.api.limits import RateLimit
from rostra.api.ops import Metrics
from rostra.api.wishes import Wishes
from rostra.ports import Clock, Ids, Media
from rostra.service.accounts import AccountService
from rostra.service.crowd import CrowdService
from rostra.service.sessions import SessionService
from rostra.service.spaces import SpaceService


@dataclass
class Services:
    """One per process, at ``app.state.services``."""

    accounts: AccountService
    spaces: SpaceService
    sessions: SessionService
    crowd: CrowdService
    wishes: Wishes
    media: Media
    clock: Clock
    ids: Ids
    ping: Callable[[], Awaitable[None]]
    guests: bool = True
    public_url: str = ""
    metrics_token: str = ""
    limits: dict[str, RateLimit] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    closing: bool = False
    """The server is stopping: event streams end so that their readers resume elsewhere."""

    def drain(self) -> None:
        """End every event stream: the process is about to stop."""
        self.closing = True
        for loaded in self.spaces.loaded.values():
            loaded.feed.notify()

    def limit(self, kind: str, address: str) -> None:
        """Count one request of ``kind``. Raises ``Problem("rate_limited")`` with ``Retry-After``."""
        limit = self.limits.get(kind)
        wait = limit.take(address) if limit is not None else 0.0
        if wait > 0:
            raise Problem("rate_limited", "slow down", headers={"Retry-After": str(math.ceil(wait))})

    def is_secure(self, request: Request) -> bool:
        """Whether people reach this server by https."""
        return self.public_url.startswith("https:") or request.url.scheme == "https"

    def origins(self, request: Request) -> set[str]:
        """Origins of this server's own pages."""
        own = f"{request.url.scheme}://{request.headers.get('host', '')}"
        return {own, self.public_url.rstrip("/")} - {""}

    def check_host(self, host: str) -> None:
        """A name that is neither ours, nor loopback, nor a bare address is refused: it may be a rebinding (safety rule 15)."""
        name = (urlsplit(f"//{host}").hostname or "").lower()
        if name in ("localhost", (urlsplit(self.public_url).hostname or "").lower()) or name.endswith(".localhost"):
            return
        try:
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            raise Problem("misdirected", "this server does not answer to that name; set ROSTRA_PUBLIC_URL") from None
