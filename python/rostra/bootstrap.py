"""The composition root: the only file that names concrete adapters."""

from pathlib import Path

from starlette.types import ASGIApp

from rostra.adapters.clock import SystemClock
from rostra.adapters.ids import SecretIds
from rostra.adapters.media.client import MediaClient
from rostra.adapters.sql.engine import Store, open_store
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
from rostra.settings import Settings

PER_MINUTE = {"guests": 60, "commands": 600}


async def build(settings: Settings, control: Path) -> ASGIApp:
    """The api of one process. ``control`` is the media core's socket."""
    store: Store = await open_store(settings.database_url, data=settings.data)
    clock, ids, media = SystemClock(), SecretIds(), MediaClient(control)
    accounts = AccountService(store.accounts, clock, ids)
    spaces = SpaceService(store.spaces, accounts, Enforcer(media, accounts, clock), clock, ids, events.encode)
    sessions = SessionService(media, spaces, clock, ids)
    services = Services(
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
        public_url=settings.public_url,
        metrics_token=settings.metrics_token,
        limits={} if settings.limits == 0 else {kind: RateLimit(rate * settings.limits, clock) for kind, rate in PER_MINUTE.items()},
    )

    async def start() -> None:
        await spaces.start()
        await media.start()

    async def stop() -> None:
        await media.close()
        await store.close()

    return application(services, web_folder(), start, stop)


def web_folder() -> Path:
    """The built client: beside the package once installed, in web/dist of a checkout."""
    package = Path(__file__).parent
    installed = package / "web"
    return installed if installed.is_dir() else package.parent.parent / "web" / "dist"
