"""The web client: hashed assets kept for ever, the page itself never, and one page for every address outside /api."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

from rostra.api.errors import Problem
from rostra.api.requests import DEVICE_COOKIE

PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; media-src 'self' blob: mediastream:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """Serves the built client from ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = StaticFiles(directory=folder, check_dir=False)

    async def serve(self, request: Request) -> Response:
        """A file of the client, or its page."""
        path = request.path_params.get("path", "")
        if path.startswith("api/") or path == "api":
            raise Problem("no_route", "there is nothing at this address")
        if "." in path.rpartition("/")[2]:
            return await self._file(request, path)
        return self._page(request)

    async def _file(self, request: Request, path: str) -> Response:
        try:
            response = await self._files.get_response(path, request.scope)
        except HTTPException as error:
            raise Problem("no_route", "there is no such file") from error
        kept = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        response.headers["Cache-Control"] = kept
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    def _page(self, request: Request) -> Response:
        index = self._folder / "index.html"
        if not index.is_file():
            return PlainTextResponse("The web client is not built: run `make serve`, or `npm run build` in web/.\n", 503)
        response = FileResponse(index, headers=PAGE_HEADERS)
        if DEVICE_COOKIE not in request.cookies:
            services = request.app.state.services
            secure = services.is_secure(request)
            response.set_cookie(DEVICE_COOKIE, services.ids.token(), 365 * 86400, httponly=True, samesite="lax", secure=secure)
        return response
