"""The dashboard: the built page, its files, and what it needs to know at run time.

The page is built into the package (`web_dist`). Without it the gateway still serves the API, and
`/` says how to build the page.
"""

import mimetypes
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from universal_agent import __version__
from universal_agent.api.access import page_policy
from universal_agent.api.problems import problem_responses
from universal_agent.api.wire import Answer, answer, runtime_of
from universal_agent.engine.instance import CHALLENGE_PATTERN, proof

router = APIRouter(tags=["page"])

WEB_DIST = Path(__file__).parent.parent / "web_dist"

#: Seconds between two polls of the page while it has no stream.
POLL_SECONDS = {"calendar": 30, "heartbeat": 20, "continuity": 45}

#: Where index.html takes the nonce of its style elements, and the public path.
_NONCE_PLACE = b"{{style-nonce}}"
_BASE_PLACE = b"{{base-path}}"

#: How index.html names its files: relative to the public path.
_ASSETS = b'"./assets/'

_FOREVER = "public, max-age=31536000, immutable"

_NO_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Universal Agent</title></head>
<body><h1>The gateway is running</h1>
<p>The dashboard is not built into this installation. In a checkout, with Node.js 20.19 or newer,
<code>./ua web</code> builds it; a released package has it inside.</p>
<p>The API describes itself: <a href="/api/openapi.json">/api/openapi.json</a>. Health:
<a href="/api/v1/health">/api/v1/health</a>. On the command line: <code>ua --help</code>.</p>
</body></html>
"""


class PageConfig(Answer):
    sched_push_enabled: bool
    version: str
    auth_required: bool
    signed_in: bool
    user_timezone: str
    poll_seconds: dict[str, int]
    host: str
    proof: str | None


@router.get(
    "/config",
    summary="What the page needs to know",
    response_model=PageConfig,
    responses=problem_responses(422),
)
async def page_config(
    request: Request,
    challenge: Annotated[
        str | None,
        Query(
            pattern=CHALLENGE_PATTERN,
            description="Random hexadecimal digits; `proof` then shows whose gateway this is.",
        ),
    ] = None,
) -> Response:
    runtime = runtime_of(request)
    flags = runtime.flags
    response = answer(
        {
            "proof": _proof(request, challenge),
            "sched_push_enabled": flags["UA_SCHED_PUSH_ENABLED"]
            and flags["NEXT_PUBLIC_UA_SCHED_PUSH_ENABLED"],
            "version": __version__,
            "auth_required": runtime.token.is_set,
            "signed_in": not runtime.token.is_set
            or request.scope.get("state", {}).get("principal") is not None,
            "user_timezone": runtime.settings.page_timezone,
            "poll_seconds": POLL_SECONDS,
            # What reached the gateway: the page sees whether a proxy changed it.
            "host": request.headers["host"],
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _proof(request: Request, challenge: str | None) -> str | None:
    """The answer to a challenge, at the port that the request came to."""
    key, server = runtime_of(request).instance_key, request.scope.get("server")
    if challenge is None or not key or server is None:
        return None
    return proof(key, challenge, server[1])


@router.get("/assets/{path:path}", include_in_schema=False)
async def asset(path: str) -> Response:
    """A built file; its name has its hash, so it never changes."""
    found = _asset(path)
    if found is None:
        raise HTTPException(404, "There is no such file.")
    return found


def _asset(path: str) -> Response | None:
    file = _inside(WEB_DIST / "assets", path)
    return None if file is None else _answer_file(file, _FOREVER)


@router.get("/{path:path}", include_in_schema=False)
async def page(request: Request, path: str) -> Response:
    """The page, for every address outside the API: it routes on the client."""
    first = path.partition("/")[0]
    if first in ("api", "assets", "config", "metrics") or (
        "text/html" not in request.headers.get("accept", "") and path
    ):
        file = None if first in ("api", "assets") else _inside(WEB_DIST, path)
        if file is None:
            raise HTTPException(404, "There is no such address.")
        return _answer_file(file, "no-cache")
    return _index(runtime_of(request).settings.public_path)


class PageFiles:
    """ASGI layer: answers for the page and its files without going through all routes.

    They need no token, so they must be cheap.
    """

    def __init__(self, app: ASGIApp, *, public_path: str) -> None:
        self._app = app
        self._public_path = public_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer_to = self._app
        if scope["type"] == "http" and scope["method"] == "GET":
            path = scope["path"]
            if path == "/":
                answer_to = _index(self._public_path)
            elif path.startswith("/assets/"):
                answer_to = _asset(path.removeprefix("/assets/")) or self._app
        await answer_to(scope, receive, send)


def _index(public_path: str) -> Response:
    index = WEB_DIST / "index.html"
    if not index.is_file():
        return Response(_NO_PAGE, status_code=503, media_type="text/html")
    nonce = secrets.token_urlsafe(16)
    base = public_path.encode()
    page = _read(index).replace(_BASE_PLACE, base).replace(_ASSETS, b'"%b/assets/' % base)
    return Response(
        page.replace(_NONCE_PLACE, nonce.encode()),
        media_type="text/html",
        headers={"Cache-Control": "no-cache", "Content-Security-Policy": page_policy(nonce)},
    )


def _answer_file(file: Path, caching: str) -> Response:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Response(_read(file), media_type=kind, headers={"Cache-Control": caching})


def _read(file: Path) -> bytes:
    """A file of the page. In memory, so that a client that does not read costs no descriptor."""
    stat = file.stat()
    return _content(file, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=256)
def _content(file: Path, changed_at: int, inode: int) -> bytes:
    return file.read_bytes()


def _inside(root: Path, path: str) -> Path | None:
    """The file of that path under `root`; None when there is none, or it lies elsewhere."""
    if "\x00" in path:
        return None
    file = (root / path).resolve()
    return file if file.is_file() and file.is_relative_to(root.resolve()) else None
