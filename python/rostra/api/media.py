"""The media doors: WHIP (RFC 9725), WHEP, and the sessions they make."""

from starlette.requests import Request
from starlette.responses import Response

from rostra.api.replies import no_content
from rostra.api.requests import caller, required, text
from rostra.api.spaces import bad_field, loaded_of
from rostra.domain.ids import SessionId
from rostra.service.sessions import Opened

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
DOOR_HEADERS = {"Accept-Post": SDP}


async def whip(request: Request) -> Response:
    """``POST /api/v1/spaces/{id}/whip``."""
    mic = request.query_params.get("mic", "on")
    if mic not in ("on", "off"):
        raise bad_field("mic", "must be on or off")
    who, _ = await required(request)
    loaded = await loaded_of(request)
    loaded.admit(who, request.app.state.services.clock.now())
    offer = await text(request, SDP)
    return _created(await request.app.state.services.sessions.speak(loaded, who, offer, mic_open=mic == "on"))


async def whep(request: Request) -> Response:
    """``POST /api/v1/spaces/{id}/whep``."""
    feed = request.query_params.get("feed", "programme")
    if feed not in ("programme", "stage"):
        raise bad_field("feed", "must be programme or stage")
    who = (await required(request))[0] if feed == "stage" else await caller(request)
    loaded = await loaded_of(request)
    loaded.admit(who, request.app.state.services.clock.now())
    offer = await text(request, SDP)
    return _created(await request.app.state.services.sessions.listen(loaded, who, feed, offer))


async def door_options(request: Request) -> Response:
    """``OPTIONS`` of a door: what it takes."""
    await loaded_of(request)
    return no_content(DOOR_HEADERS)


async def session_patch(request: Request) -> Response:
    """``PATCH`` of a session: trickled candidates or an ICE restart."""
    services, who, session = request.app.state.services, await caller(request), _session(request)
    await services.sessions.owned(session, who)
    fragment = await text(request, FRAGMENT)
    answer = await services.sessions.patch(session, who, _if_match(request), fragment)
    if not answer.sdp:
        return no_content()
    return Response(answer.sdp, 200, {"ETag": f'"{answer.etag}"'}, media_type=FRAGMENT)


async def session_delete(request: Request) -> Response:
    """``DELETE`` of a session: it ends at once."""
    await request.app.state.services.sessions.close(_session(request), await caller(request))
    return Response(status_code=200)


async def session_options(request: Request) -> Response:
    """``OPTIONS`` of a session."""
    await request.app.state.services.sessions.owned(_session(request), await caller(request))
    return no_content({"Accept-Patch": FRAGMENT, "Allow": "PATCH, DELETE, OPTIONS"})


def _session(request: Request) -> SessionId:
    return SessionId(request.path_params["session"])


def _if_match(request: Request) -> str | None:
    sent = request.headers.get("if-match")
    return None if sent is None else sent.strip().strip('"')


def _created(opened: Opened) -> Response:
    headers = {
        "Location": f"/api/v1/sessions/{opened.session}",
        "ETag": f'"{opened.answer.etag}"',
        "Accept-Patch": FRAGMENT,
        "Cache-Control": "no-store",
    }
    return Response(opened.answer.sdp, 201, headers, media_type=SDP)
