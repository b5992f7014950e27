"""Guests and sessions."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rostra.api import wire
from rostra.api.errors import Problem
from rostra.api.replies import json, no_content
from rostra.api.requests import DEVICE_COOKIE, SESSION_COOKIE, address, decoded, required
from rostra.domain.views import plain
from rostra.service.accounts import SESSION_DAYS
from rostra.service.callers import digest

_NEW_GUEST = msgspec.json.Decoder(wire.NewGuest)


async def create_guest(request: Request) -> Response:
    """``POST /api/v1/guests``: a name, a token and a cookie."""
    services = request.app.state.services
    if not services.guests:
        raise Problem("not_permitted", "this server takes accounts only")
    services.limit("guests", address(request))
    sent, _ = await decoded(request, _NEW_GUEST)
    cookie = request.cookies.get(DEVICE_COOKIE) or services.ids.token()
    account, token = await services.accounts.create_guest(sent.name, digest("device", cookie))
    response = json({"account": plain(account), "token": token}, 201)
    secure = services.is_secure(request)
    response.set_cookie(SESSION_COOKIE, token, SESSION_DAYS * 86400, httponly=True, samesite="lax", secure=secure)
    response.set_cookie(DEVICE_COOKIE, cookie, 365 * 86400, httponly=True, samesite="lax", secure=secure)
    return response


async def me(request: Request) -> Response:
    """``GET /api/v1/me``."""
    _, account = await required(request)
    return json({"account": plain(account)})


async def end_session(request: Request) -> Response:
    """``DELETE /api/v1/me/session``: sign out."""
    await required(request)
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    await request.app.state.services.accounts.end_session(bearer.strip() if scheme else request.cookies[SESSION_COOKIE])
    response = no_content()
    response.delete_cookie(SESSION_COOKIE)
    return response
