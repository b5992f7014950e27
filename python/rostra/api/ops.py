"""For operators: health, readiness, metrics."""

import hmac
import ipaddress

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from rostra.api.errors import Problem
from rostra.api.replies import json
from rostra.api.requests import address
from rostra.ports import Unavailable


class Metrics:
    """The api's own counters; nothing carries a Space's name (safety rule 16)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("rostra_http_requests", "Answered requests", ["method", "status"], registry=self.registry)
        self.seconds = Histogram(
            "rostra_http_seconds", "Time to the response's first byte", ["method"], registry=self.registry,
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5),
        )  # fmt: skip
        self.streams = Gauge("rostra_event_streams", "Open event streams", registry=self.registry)
        self.live = Gauge("rostra_spaces_live", "Live Spaces", registry=self.registry)


async def health(request: Request) -> Response:
    """``/healthz``: this process answers."""
    return json({"status": "ok"})


async def ready(request: Request) -> Response:
    """``/readyz``: everything that a join and a command need answers."""
    services = request.app.state.services
    checks = {"media": services.media.connected(), "database": True}
    try:
        await services.ping()
    except Unavailable:
        checks["database"] = False
    ok = all(checks.values())
    return json({"status": "ready" if ok else "not ready", **checks}, 200 if ok else 503)


async def metrics(request: Request) -> Response:
    """``/metrics``, for loopback or with the operator's token."""
    services = request.app.state.services
    if not _may_measure(request, services.metrics_token):
        raise Problem("not_permitted", "metrics are for loopback or the operator's token")
    counters: Metrics = services.metrics
    loaded = services.spaces.loaded.values()
    counters.streams.set(sum(len(each.feed.streams) for each in loaded))
    counters.live.set(len(services.spaces.live()))
    text = generate_latest(counters.registry)
    try:
        stats = await services.media.stats()
    except Unavailable:
        stats = {}
    lines = "".join(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}\n{name} {value}\n" for name, value in stats.items())
    return Response(text + lines.encode(), media_type=CONTENT_TYPE_LATEST)


def _may_measure(request: Request, token: str) -> bool:
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(sent.encode(), token.encode()):
        return True
    try:
        return ipaddress.ip_address(address(request)).is_loopback
    except ValueError:
        return False
