"""The application: routes, what surrounds every request, and the tasks that live as long as it does."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rostra.api import accounts, events, media, openapi, ops, spaces
from rostra.api.errors import Problem, on_problem, problem
from rostra.api.openapi import SESSION, SPACE
from rostra.api.page import Page
from rostra.api.services import Services
from rostra.domain.errors import Refused
from rostra.ports import MediaRefused, Unavailable

log = logging.getLogger("rostra.api")


Opened = Callable[[], AbstractAsyncContextManager[Services]]
"""Opens what the doors need, for as long as the process serves."""


def application(page: Path, opened: Opened) -> Starlette:
    """The ASGI app; ``page`` is the folder of the built web client."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with opened() as services, asyncio.TaskGroup() as tasks:
            app.state.services, app.state.drain = services, services.drain
            # A failing task ends the process, which its supervisor starts again: nothing lives on without its heartbeat.
            lasting = (services.sessions.follow, services.sessions.renew, services.crowd.tell)
            running = [tasks.create_task(each()) for each in lasting]
            yield
            for task in running:
                task.cancel()

    handlers = dict.fromkeys((Problem, Refused, MediaRefused, Unavailable), on_problem)
    return Starlette(
        routes=[*_routes(), Route("/{path:path}", Page(page).serve)],
        middleware=[Middleware(Surround)],
        exception_handlers={**handlers, HTTPException: _on_http},
        lifespan=lifespan,
    )


def _routes() -> list[Route]:
    return [
        Route("/healthz", ops.health),
        Route("/readyz", ops.ready),
        Route("/metrics", ops.metrics),
        Route("/api/v1/openapi.json", openapi.show),
        Route("/api/v1/guests", accounts.create_guest, methods=["POST"]),
        Route("/api/v1/me", accounts.me),
        Route("/api/v1/me/session", accounts.end_session, methods=["DELETE"]),
        Route("/api/v1/spaces", spaces.index),
        Route("/api/v1/spaces", spaces.create, methods=["POST"]),
        Route(SPACE, spaces.show),
        Route(f"{SPACE}/participants", spaces.participants),
        Route(f"{SPACE}/commands", spaces.command, methods=["POST"]),
        Route(f"{SPACE}/events", events.events),
        Route(f"{SPACE}/whip", media.whip, methods=["POST"]),
        Route(f"{SPACE}/whep", media.whep, methods=["POST"]),
        Route(f"{SPACE}/whip", media.door_options, methods=["OPTIONS"]),
        Route(f"{SPACE}/whep", media.door_options, methods=["OPTIONS"]),
        Route(SESSION, media.session_patch, methods=["PATCH"]),
        Route(SESSION, media.session_delete, methods=["DELETE"]),
        Route(SESSION, media.session_options, methods=["OPTIONS"]),
    ]


async def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        allow = (error.headers or {}).get("Allow", "") if isinstance(error, HTTPException) else ""
        return problem("method_not_allowed", headers={"Allow": allow})
    return problem("no_route" if status == 404 else "invalid" if status < 500 else "internal")


class Surround:
    """Around every request: Host, CORS on the media doors, counting, and a last answer when something of ours fails."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        services: Services = scope["app"].state.services
        started, status, metrics = time.perf_counter(), 0, services.metrics
        cors = is_media_door(scope["path"])

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if cors:
                    message["headers"] = [*message["headers"], *CORS]
                metrics.seconds.labels(scope["method"]).observe(time.perf_counter() - started)
                metrics.requests.labels(scope["method"], str(status)).inc()
            await send(message)

        request = Request(scope)
        try:
            services.check_host(request.headers.get("host", ""))
            if cors and scope["method"] == "OPTIONS" and "access-control-request-method" in request.headers:
                await Response(status_code=204)(scope, receive, counted)
                return
            await self._app(scope, receive, counted)
        except Problem as refused:
            await (await on_problem(request, refused))(scope, receive, counted)
        except ClientDisconnect:
            return  # It went away in the middle of its own request: nobody is left to answer.
        except Exception:
            log.exception("a request failed: %s %s", scope["method"], route_of(scope))
            if not status:
                await problem("internal", "this is our fault and has been logged")(scope, receive, counted)


CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, content-type, if-match"),
    (b"access-control-expose-headers", b"location, etag, link, accept-patch, retry-after"),
]


def is_media_door(path: str) -> bool:
    """Whether foreign pages may call ``path`` (without cookies)."""
    return path.startswith("/api/v1/sessions/") or path.endswith(("/whip", "/whep"))


def route_of(scope: Scope) -> str:
    """The path as it may be logged: session URLs are secrets (safety rule 16)."""
    path: str = scope["path"]
    return "/api/v1/sessions/…" if path.startswith("/api/v1/sessions/") else path
