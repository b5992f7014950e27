"""Reading a request: who calls, from where, what was sent; bounded before it is read, checked before it is believed."""

from typing import TypeVar

import msgspec
from starlette.requests import Request

from rostra.api.errors import Problem, invalid_body
from rostra.domain.commands import Account
from rostra.service.accounts import AccountService
from rostra.service.callers import Caller, digest

SESSION_COOKIE = "rostra_session"
DEVICE_COOKIE = "rostra_device"
MAX_BODY = 64 * 1024
T = TypeVar("T")


async def caller(request: Request) -> Caller:
    """Who is calling. A bad or ended bearer token is refused; a stale cookie is nobody."""
    accounts: AccountService = request.app.state.services.accounts
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    account: Account | None = None
    if scheme:
        account = await accounts.by_token(credential.strip()) if scheme.lower() == "bearer" and credential.strip() else None
        if account is None:
            raise Problem("unauthenticated", "the bearer token is not valid")
    elif token := request.cookies.get(SESSION_COOKIE):
        check_origin(request)
        account = await accounts.by_token(token)
    cookie = request.cookies.get(DEVICE_COOKIE, "")
    return Caller(account, digest("device", cookie) if cookie else "", digest("address", address(request)))


async def required(request: Request) -> tuple[Caller, Account]:
    """The caller, who must be somebody."""
    who = await caller(request)
    if who.account is None:
        raise Problem("unauthenticated", "sign in or take a guest name first")
    return who, who.account


def check_origin(request: Request) -> None:
    """A cookie acts only for pages of this server (safety rule 15)."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    origin = request.headers.get("origin", "")
    if origin not in request.app.state.services.origins(request):
        raise Problem("not_permitted", "a cookie may only be used by this server's own pages")


def address(request: Request) -> str:
    """The source address, as the server or a trusted proxy says."""
    return request.client.host if request.client else "unknown"


async def body(request: Request) -> bytes:
    """The whole body, at most 64 KiB."""
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > MAX_BODY:
        raise Problem("too_large", "the body may have 64 KiB")
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > MAX_BODY:
            raise Problem("too_large", "the body may have 64 KiB")
    return bytes(read)


async def decoded(request: Request, decoder: msgspec.json.Decoder[T]) -> tuple[T, bytes]:
    """The JSON body as a wire type, and as it came."""
    if media_type(request) not in ("application/json", ""):
        raise Problem("unsupported_media_type", "send application/json")
    raw = await body(request)
    try:
        return decoder.decode(raw), raw
    except msgspec.DecodeError as error:
        raise invalid_body(error) from error
    except (RecursionError, UnicodeDecodeError) as error:
        raise Problem("invalid", "the body is not JSON, or nested too deeply") from error


async def text(request: Request, kind: str) -> str:
    """The body as text of exactly this media type."""
    if media_type(request) != kind:
        raise Problem("unsupported_media_type", f"send {kind}")
    try:
        return (await body(request)).decode()
    except UnicodeDecodeError as error:
        raise Problem("bad_sdp", "the body is not UTF-8") from error


def media_type(request: Request) -> str:
    """The Content-Type without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
