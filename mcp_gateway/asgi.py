"""The agents' MCP door: raw ASGI before Django, like the hot API's, and with the same admission (ADR 0015).

Order of checks: address, origin, method, credential, rate, size, media type, JSON; then team, scopes, project; then
the protocol's own.
"""

import time
from typing import Any

import mcp_types as types
from django.conf import settings

from coordination.api import parse, render
from coordination.api.admission import (
    Admission,
    Given,
    Guest,
    bearer,
    context_of,
    note_request,
    read_body,
    send_response,
)
from coordination.api.limits import Headers
from coordination.api.render import Context, Response
from coordination.api.stream import Receive, Send
from coordination.api.waits import Gone
from mcp_gateway import address
from mcp_gateway.agent import VERSION
from mcp_gateway.held import Held
from mcp_gateway.protocol import VISIT, Protocol
from mcp_gateway.visit import Denied, Place, Visit
from tenants.problems import Code, Problem

Scope = dict[str, Any]

_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_TAKEN_BACK = "notifications/cancelled"
# Methods that are counted by their name; anything else is "other", so labels stay few.
_METHODS = frozenset({"initialize", "server/discover", "tools/list", "tools/call", "ping", "notifications/initialized"})


class McpDoor:
    """The ASGI app."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.held = Held()
        self.protocol = Protocol(VERSION, max_body=settings.MAX_BODY_BYTES)

    @staticmethod
    def owns(path: str) -> bool:
        """Whether a path is answered here."""
        return path == address.PAGE or path.startswith((f"{address.PAGE}/", address.METADATA))

    async def stop(self) -> None:
        """At shutdown."""
        await self.protocol.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        headers: Given = dict(scope["headers"])
        context = context_of(scope, headers)
        if scope["method"] == "HEAD":
            send = _headless(send)
        if context.path == address.PAGE or context.path.startswith(address.METADATA):
            await send_response(send, _public(scope["method"], context))
            return
        await _Request(self, scope, context, headers, receive, send, started).serve()


class _Request:
    """One request for the protocol."""

    def __init__(
        self,
        door: McpDoor,
        scope: Scope,
        context: Context,
        headers: Given,
        receive: Receive,
        send: Send,
        started: float,
    ) -> None:
        self._door = door
        self._scope = scope
        self._context = context
        self._headers = headers
        self._receive = receive
        self._send = send
        self._started = started
        self._extra: Headers = []
        self._name = "mcp"
        self._visit: Visit | None = None

    async def serve(self) -> None:
        """Answer it; refusals of the whole request by their HTTP status."""
        try:
            status = await self._answer()
        except Gone:
            status = 499
        except Denied as denied:
            status = await self._refuse(denied.problem)
        except Problem as problem:
            status = await self._refuse(problem)
        except Exception as error:
            response = render.crash(error, self._context)
            status = response.status
            await send_response(self._send, response, self._extra)
        waited = self._visit is not None and self._visit.waited
        note_request(self._scope, self._context, self._name, status, self._started, timed=not waited)

    async def _answer(self) -> int:
        place = address.place_of(self._context.path, self._scope["query_string"])
        address.check_origin(self._headers.get(b"origin"))
        if self._scope["method"] != "POST":
            raise Problem(Code.METHOD_NOT_ALLOWED, "Allowed here: POST.", headers={"Allow": "POST"})
        guest = await self._door.admission.guest(self._scope, self._headers)
        self._extra = await self._door.admission.rate(guest)
        body = await read_body(self._receive, self._headers.get(b"content-length"))
        parse.check_media_type(self._headers.get(b"content-type"), self._headers.get(b"content-encoding"))
        try:
            message = parse.decode(body)
        except Problem as problem:
            return await self._unreadable(problem)
        visit = self._visit = self._visit_of(guest, place, message)
        scope = {**self._scope, VISIT: visit}
        reply = await self._door.protocol.call(message, scope, self._headers)
        self._name = _counted(message, visit)
        if reply is not None:
            await send_response(self._send, self._response(reply.status, reply.body), self._extra)
            return reply.status
        await visit.enter()
        return await self._by_the_manager(scope, body)

    def _visit_of(self, guest: Guest, place: Place, message: Any) -> Visit:
        origin = self._door.admission.address(self._scope, self._headers)
        visit = Visit(self._door.admission, guest, place, self._context, origin, self._receive, self._door.held)
        if (instance := self._headers.get(b"interlock-instance")) is not None:
            visit.instance = instance.decode("latin-1")
        if isinstance(message, dict):
            visit.request_id = message.get("id")
            if message.get("method") == _TAKEN_BACK and isinstance(params := message.get("params"), dict):
                self._door.held.take_back(visit.key(params.get("requestId")))
        return visit

    async def _unreadable(self, problem: Problem) -> int:
        """What is no JSON is told as JSON-RPC has it, with the problem beside it."""
        document = problem.document(request_id=self._context.request_id) | {"instance": self._context.path}
        error = types.ErrorData(code=types.PARSE_ERROR, message=problem.detail, data=document)
        body = {"jsonrpc": "2.0", "id": None, "error": error.model_dump(mode="json")}
        await send_response(self._send, self._response(400, render.dumps(body)), self._extra)
        return 400

    async def _by_the_manager(self, scope: Scope, body: bytes) -> int:
        status = 200
        kept = True

        async def receive() -> dict[str, Any]:
            nonlocal kept
            if kept:
                kept = False
                return {"type": "http.request", "body": body, "more_body": False}
            return await self._receive()

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                more = self._response(status, b"").headers[1:]
                message = {**message, "headers": [*message.get("headers", ()), *more, *self._extra]}
            await self._send(message)

        await self._door.protocol.handle(scope, receive, send)
        return status

    def _response(self, status: int, body: bytes) -> Response:
        request_id = (b"x-request-id", self._context.request_id.encode())
        return Response(status, [render.JSON, render.NO_STORE, render.NOSNIFF, request_id], body)

    async def _refuse(self, problem: Problem) -> int:
        if problem.status == 401 or problem.extra.get("needs"):
            given = bearer(self._headers) is not None
            problem.headers["WWW-Authenticate"] = address.challenge(problem, self._context.path, given=given)
        await send_response(self._send, render.problem(problem, self._context), self._extra)
        return problem.status


def _counted(message: Any, visit: Visit) -> str:
    if visit.called:
        return f"mcp.{visit.called}"
    method = message.get("method") if isinstance(message, dict) else None
    return f"mcp.{method}" if isinstance(method, str) and method in _METHODS else "mcp.other"


def _public(method: str, context: Context) -> Response:
    request_id = (b"x-request-id", context.request_id.encode())
    try:
        if method not in ("GET", "HEAD"):
            raise Problem(Code.METHOD_NOT_ALLOWED, "Allowed here: GET, HEAD.", headers={"Allow": "GET, HEAD"})
        if context.path == address.PAGE:
            return Response(200, [_TEXT, render.NO_STORE, render.NOSNIFF, request_id], address.page().encode())
        body = render.dumps(address.metadata(context.path))
        # Browsers' clients read it from another origin; there is nothing in it that is anybody's.
        anywhere = (b"access-control-allow-origin", b"*")
        return Response(200, [render.JSON, render.NO_STORE, render.NOSNIFF, request_id, anywhere], body)
    except Problem as problem:
        return render.problem(problem, context)


def _headless(send: Send) -> Send:
    async def without_body(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    return without_body
