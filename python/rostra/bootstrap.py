"""The composition root: the only file that names concrete adapters."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from rostra.adapters.clock import SystemClock
from rostra.adapters.ids import SecretIds
from rostra.adapters.media.client import MediaClient
from rostra.adapters.sql.engine import open_store
from rostra.api import events
from rostra.api.http import application
from rostra.api.limits import RateLimit
from rostra.api.services import Services
from rostra.api.wishes import Wishes
from rostra.service.accounts import AccountService
from rostra.service.crowd import CrowdService
from rostra.service.enforcement import Enforcer
from rostra.service.sessions import SessionService
from rostra.service.spaces import SpaceService
from rostra.settings import Settings, SettingsError

PER_MINUTE = {"guests": 60, "commands": 600}


def build(settings: Settings) -> ASGIApp:
    """The api of one process."""
    return application(settings.web, lambda: _open(settings))


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Services]:
    if settings.media_control is None:
        raise SettingsError("ROSTRA_MEDIA_CONTROL is not set: the api needs the media core's socket (`rostra serve` makes one)")
    store = await open_store(settings.database_url, data=settings.data)
    clock, ids, media = SystemClock(), SecretIds(), MediaClient(settings.media_control)
    accounts = AccountService(store.accounts, clock, ids)
    spaces = SpaceService(store.spaces, accounts, Enforcer(media, clock), clock, ids, events.encode)
    sessions = SessionService(media, spaces, clock, ids)
    await spaces.start()
    await media.start()
    try:
        yield Services(
            accounts=accounts,
            spaces=spaces,
            sessions=sessions,
            crowd=CrowdService(spaces, sessions, accounts),
            wishes=Wishes(accounts, clock, ids),
            media=media,
            clock=clock,
            ids=ids,
            ping=store.ping,
            guests=settings.guests,
            public_url=settings.public_url or "",
            metrics_token=settings.metrics_token or "",
            limits={kind: RateLimit(rate * settings.limits, clock) for kind, rate in PER_MINUTE.items() if math.isfinite(settings.limits)},
        )
    finally:
        await media.close()
        await store.close()
