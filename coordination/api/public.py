"""What anybody may ask: health, metrics, the documents, the meaning of problems. Raw ASGI, before any
sign-in.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from coordination.api import health, openapi, pages, parse, render
from coordination.api.admission import send_response
from coordination.api.render import Context, Response
from coordination.api.routes import ROUTES
from tenants.problems import CATALOGUE, Code, Problem, not_found

_HTML = (b"content-type", b"text/html; charset=utf-8")
_JSON = (b"content-type", b"application/json")
_READY_SECONDS = 5.0

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class PublicDoor:
    """The ASGI app. Documents are made once, at the first request."""

    exact = frozenset({"/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/docs", "/problems"})

    def __init__(self) -> None:
        self._made: dict[str, bytes] = {}

    def owns(self, path: str) -> bool:
        """Whether a path is answered here."""
        return path in self.exact or path.startswith("/problems/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        request_id = parse.request_id(headers.get(b"x-request-id")) or render.new_request_id()
        context = Context(request_id, scope["path"])
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise Problem(Code.METHOD_NOT_ALLOWED, "Allowed here: GET, HEAD.", headers={"Allow": "GET, HEAD"})
            response = await self._answer(scope["path"], headers, context)
        except Problem as error:
            response = render.problem(error, context)
        except Exception as error:
            response = render.crash(error, context)
        if scope["method"] == "HEAD":
            length = (b"content-length", b"%d" % len(response.body))
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status,
                    "headers": [*response.headers, length],
                }
            )
            await send({"type": "http.response.body", "body": b""})
            return
        await send_response(send, response)

    async def _answer(self, path: str, headers: dict[bytes, bytes], context: Context) -> Response:
        if path == "/healthz":
            return _response(context, _JSON, b'{"status":"ok"}')
        if path == "/readyz":
            return await _ready(context)
        if path == "/metrics":
            return _response(context, (b"content-type", CONTENT_TYPE_LATEST.encode()), generate_latest())
        if path == "/api/v1/openapi.json":
            return _response(context, _JSON, self._once(path, lambda: render.dumps(openapi.build(ROUTES))))
        if path == "/api/v1/docs":
            return _html(context, self._once(path, lambda: pages.docs(ROUTES)))
        return _problem_page(path, headers, context)

    def _once(self, path: str, make: Callable[[], bytes]) -> bytes:
        if path not in self._made:
            self._made[path] = make()
        return self._made[path]


async def _ready(context: Context) -> Response:
    loop = asyncio.get_running_loop()
    try:
        status, body = await asyncio.wait_for(loop.run_in_executor(None, health.readiness), _READY_SECONDS)
    except TimeoutError:
        status, body = 503, {"status": "unavailable", "checks": {"database": "no answer in time"}}
    return _response(context, _JSON, render.dumps(body), status)


def _problem_page(path: str, headers: dict[bytes, bytes], context: Context) -> Response:
    name = path.removeprefix("/problems").strip("/")
    html = b"application/json" not in headers.get(b"accept", b"")
    if not name:
        listed = [{"code": code, **entry._asdict()} for code, entry in CATALOGUE.items()]
        return _html(context, pages.problems()) if html else _response(context, _JSON, render.dumps({"items": listed}))
    if name not in set(Code):
        raise not_found("problem code")
    code = Code(name)
    if html:
        return _html(context, pages.problem(code))
    return _response(context, _JSON, render.dumps({"code": code, **CATALOGUE[code]._asdict()}))


def _html(context: Context, body: bytes) -> Response:
    response = _response(context, _HTML, body)
    response.headers.append(pages.POLICY)
    return response


def _response(context: Context, kind: tuple[bytes, bytes], body: bytes, status: int = 200) -> Response:
    request_id = (b"x-request-id", context.request_id.encode())
    return Response(status, [kind, render.NO_STORE, render.NOSNIFF, request_id], body)
