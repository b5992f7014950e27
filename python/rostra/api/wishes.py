"""From what a client sent to a command of the domain: text cleaned, ids resolved to accounts, minutes to a time."""

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from rostra.api import wire
from rostra.domain import commands as c
from rostra.domain.ids import AccountId, PinId
from rostra.domain.text import clean, invalid
from rostra.ports import Clock, Ids
from rostra.service.accounts import AccountService

_BY_ACCOUNT = (wire.InviteToStage, wire.AddCohost, wire.TransferHost)
_TEXT = {"title": "title", "description": "description", "lang": "lang", "question": "question", "reason": "reason", "text": "text"}


class Wishes:
    """Makes commands."""

    def __init__(self, accounts: AccountService, clock: Clock, ids: Ids) -> None:
        self._accounts, self._clock, self._ids = accounts, clock, ids

    def create(self, sent: wire.NewSpace) -> c.CreateSpace:
        """Raises ``Refused("invalid")``."""
        fields = msgspec.structs.asdict(sent)
        for extra in ("recording", "seats", "open"):
            fields.pop(extra)
        return c.CreateSpace(c.Details(**_details(fields, required=("title",))), sent.seats, sent.open)

    async def command(self, sent: wire.AnyCommand) -> c.Command:
        """Raises ``Refused`` with ``invalid`` or ``account_not_found``."""
        kind = type(sent).__name__
        match sent:
            case wire.UpdateDetails():
                changes = {name: value for name, value in msgspec.structs.asdict(sent).items() if value is not UNSET}
                return c.UpdateDetails(_details(changes, required=("title",)))
            case wire.Remove(account=account, reason=reason, minutes=minutes):
                until = self._clock.now() + timedelta(minutes=minutes) if minutes else None
                return c.Remove(await self._accounts.by_id(account), clean("reason", reason, "reason"), until)
            case wire.Ban(account=account, reason=reason, until=until):
                if until is not None and until <= self._clock.now():
                    raise invalid("until", "must be in the future")
                return c.Ban(await self._accounts.by_id(account), clean("reason", reason, "reason"), until)
            case wire.Warn(account=account, text=text):
                return c.Warn(await self._accounts.by_id(account), clean("text", text, "text", required=True))
            case wire.MuteAll(exempt=exempt):
                return c.MuteAll(tuple(AccountId(account) for account in exempt))
            case wire.Pin(url=url, title=title):
                return c.Pin(self._ids.pin(), _url(url), clean("title", title, "title"))
            case wire.Unpin(pin=pin):
                return c.Unpin(PinId(pin))
            case _ if isinstance(sent, _BY_ACCOUNT):
                return getattr(c, kind)(await self._accounts.by_id(sent.account))
        fields = {name: _clean(name, value) for name, value in msgspec.structs.asdict(sent).items()}
        make: Callable[..., c.Command] = getattr(c, kind)
        return make(**fields)


def _clean(name: str, value: Any) -> Any:
    return clean(name, value, _TEXT[name]) if name in _TEXT else value


def _details(fields: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    out = dict(fields)
    for name in ("title", "description", "lang"):
        if name in out:
            out[name] = clean(name, out[name], name, required=name in required)
    if "topics" in out:
        out["topics"] = tuple(clean(f"topics.{at}", topic, "topic", required=True) for at, topic in enumerate(out["topics"]))
    if out.get("scheduled_start") is not None:
        out["scheduled_start"] = out["scheduled_start"].astimezone(UTC)
    return out


def _url(value: str) -> str:
    url = clean("url", value, "url", required=True)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise invalid("url", "must be an http or https address") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
        raise invalid("url", "must be an http or https address")
    return url
