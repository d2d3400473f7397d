"""The agents' command as a wheel, served by the platform it belongs to: client and server fit by construction.

    pip install https://interlock.example/agent/interlock-0.1.0-py3-none-any.whl

Public: it is the same source for everybody, and whoever installs it has no token yet.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from coordination.api import parse, render
from coordination.api.admission import send_response
from coordination.api.render import Context, Response
from tenants.problems import Code, Problem, not_found

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "/agent"
# Named by version: a proxy may keep it for a while, and asks again by its ETag.
_CACHE = (b"cache-control", b"public, max-age=300")

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Wheel(NamedTuple):
    """A built wheel."""

    name: str
    content: bytes
    etag: str


@lru_cache(maxsize=1)
def wheel() -> Wheel:
    """The wheel of this very checkout, built once in a process (60 ms)."""
    from hatchling.builders.wheel import WheelBuilder  # noqa: PLC0415 - only who is asked for it needs a builder

    with tempfile.TemporaryDirectory() as directory:
        [built] = WheelBuilder(str(ROOT)).build(directory=directory, versions=["standard"])
        content = Path(built).read_bytes()
    return Wheel(Path(built).name, content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def owns(path: str) -> bool:
    """Whether a path is answered here."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """``/agent/`` leads to the wheel by its full name, which is what pip goes by."""
    headers = dict(scope["headers"])
    context = Context(parse.request_id(headers.get(b"x-request-id")) or render.new_request_id(), scope["path"])
    try:
        if scope["method"] not in ("GET", "HEAD"):
            raise Problem(Code.METHOD_NOT_ALLOWED, "Allowed here: GET, HEAD.", headers={"Allow": "GET, HEAD"})
        found = await asyncio.get_running_loop().run_in_executor(None, wheel)
        response = _answer(scope["path"], headers, found, context)
    except Problem as error:
        response = render.problem(error, context)
    except Exception as error:
        response = render.crash(error, context)
    if scope["method"] == "HEAD":
        response = Response(response.status, response.headers, b"")
    await send_response(send, response)


def _answer(path: str, headers: dict[bytes, bytes], found: Wheel, context: Context) -> Response:
    request_id = (b"x-request-id", context.request_id.encode())
    if path.rstrip("/") == PREFIX:
        location = (b"location", f"{PREFIX}/{found.name}".encode())
        return Response(302, [location, render.NO_STORE, request_id], b"")
    if path != f"{PREFIX}/{found.name}":
        raise not_found(f"file; the command is {PREFIX}/{found.name}")
    named = [(b"etag", found.etag.encode()), _CACHE, render.NOSNIFF, request_id]
    if headers.get(b"if-none-match") == found.etag.encode():
        return Response(304, named, b"")
    return Response(200, [(b"content-type", b"application/octet-stream"), *named], found.content)
