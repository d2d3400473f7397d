"""The carrier for bearer tokens: raw ASGI before Django (ADR 0004). One hop to a thread and back per request.

Order of checks: address, method, credential, rate, size; then on the thread team, permission, media type,
body.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from coordination.api import metrics, parse, render, serve
from coordination.api.call import Call, Route
from coordination.api.limits import Failures, shared_limiter
from coordination.api.pool import FairPool
from coordination.api.render import Context, Response
from coordination.api.router import Router
from coordination.api.serve import Incoming
from coordination.api.stream import Receive, Send, Stream, Streams
from coordination.api.waits import Gone, Wait
from coordination.notify import hub
from coordination.services.results import Answer
from tenants.auth import principal_for_token
from tenants.idempotency import Stored
from tenants.principal import Principal
from tenants.problems import Problem

log = logging.getLogger("interlock.api")

_SEEN_SIZE = 20_000
Headers = dict[bytes, bytes]
Pairs = list[tuple[bytes, bytes]]


class _Caller(NamedTuple):
    """Whose turn and whose rate a token counts against. Says nothing about what it may do: that is asked each
    time.
    """

    team_id: UUID
    token_id: Any


Who = Callable[[], Principal]
# The principal behind a Cookie header, in the team of that slug, from that address.
SessionPrincipal = Callable[[str, str, str], Principal]


class _Request:
    """One request on its way through. ``who`` says who asks, anew each time it is called."""

    __slots__ = ("call", "context", "incoming", "instance", "params", "route", "who")

    def __init__(self, route: Route, params: dict[str, str], context: Context, who: Who) -> None:
        self.route = route
        self.params = params
        self.context = context
        self.who = who
        self.instance: str | None = None
        self.incoming = Incoming()
        self.call: Call | None = None

    def principal(self) -> Principal:
        """Who asks, looked at anew: a revoked token is refused at its next call."""
        principal = self.who()
        return principal.acting(instance=self.instance, request_id=self.context.request_id)

    def perform(self) -> Response | Answer:
        """On a thread: the rendered response, or an answer that is to be waited for."""
        try:
            self.call = serve.read(self.route, self.params, self.principal(), self.incoming)
            given = serve.perform(self.route, self.call, self.incoming)
            if isinstance(given, Stored):
                return render.replayed(given, self.context)
            if given.hold is not None or self.route.follow is not None:
                return given
            return self.rendered(given)
        except Problem as error:
            return render.problem(error, self.context)
        except Exception as error:
            return render.crash(error, self.context)

    def rendered(self, answer: Answer) -> Response:
        """The response of a final answer."""
        seen = self.call.if_none_match if self.call is not None else None
        return render.answer(answer, self.context, self.route, if_none_match=seen)


class HotDoor:
    """The ASGI app. Makes its threads at the first request, on the loop that serves it."""

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        failures_per_minute: int = 20,
        streams_per_team: int = 2000,
        trust_proxy: bool = False,
        session_principal: SessionPrincipal | None = None,
    ) -> None:
        self.router = Router(routes)
        self.limiter = shared_limiter()
        self.failures = Failures(failures_per_minute)
        self.streams = Streams(streams_per_team)
        self._trust_proxy = trust_proxy
        self._session_principal = session_principal
        self._pool: FairPool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen: dict[str, _Caller] = {}
        metrics.waiting.set_function(lambda: Wait.held)
        metrics.streams.set_function(lambda: self.streams.open)
        metrics.pool_queued.set_function(lambda: self._pool.queued if self._pool else 0)
        metrics.pool_running.set_function(lambda: self._pool.running if self._pool else 0)

    @property
    def pool(self) -> FairPool:
        """The threads of this process."""
        loop = asyncio.get_running_loop()
        if self._pool is None or self._loop is not loop:
            self._loop = loop
            per_team = settings.HOT_THREADS_PER_TEAM
            # One project leaves its team a thread for the others.
            per_project = max(1, per_team - 1)
            hub.subscribe((), _nothing)  # starts listening: a revoked token must be heard of without a wait open
            self._pool = FairPool(loop, threads=settings.HOT_THREADS, per_team=per_team, per_project=per_project)
        return self._pool

    def drain(self) -> None:
        """At shutdown: let what runs finish."""
        if self._pool is not None:
            self._pool.drain()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request that carries a bearer token."""
        started = time.perf_counter()
        headers: Headers = dict(scope["headers"])
        context = Context(
            parse.request_id(headers.get(b"x-request-id")) or render.new_request_id(),
            scope["path"],
            scope["query_string"],
            parse.trace_id(headers.get(b"traceparent")),
        )
        route: Route | None = None
        extra: Pairs = []
        try:
            route, params = self.router.find(scope["method"], context.path)
            request, caller = await self._admit(route, params, context, scope, headers)
            extra = self.limiter.take(caller.team_id, caller.token_id)
            given = await self._ask(request, caller, headers, receive)
            if route.follow is not None and isinstance(given, Answer):
                await self._stream(request, given, extra, receive, send)
                return
            if isinstance(given, Answer):
                # What is waited for is not slow.
                started = time.perf_counter()
                lane = (caller.team_id, params.get("project"))
                given = request.rendered(await Wait(self.pool, *lane, receive).run(given))
            response = given
        except Gone:
            self._note(scope, context, route, 499, started)
            return
        except Problem as error:
            response = render.problem(error, context)
        except Exception as error:
            response = render.crash(error, context)
        self._note(scope, context, route, response.status, started)
        await send_response(send, response, extra)

    def _note(self, scope: dict[str, Any], context: Context, route: Route | None, status: int, started: float) -> None:
        took = time.perf_counter() - started
        name = route.name if route is not None else "unmatched"
        metrics.count(name, status, "token")
        if route is not None and route.hot:
            metrics.time(name, took)
        if log.isEnabledFor(logging.INFO):
            log.info(
                "%s %s %s %.1fms request=%s trace=%s",
                scope["method"],
                context.path,
                status,
                took * 1000,
                context.request_id,
                context.trace or "-",
            )

    def _address(self, scope: dict[str, Any], headers: Headers) -> str:
        """Where the request came from; behind a trusted proxy, what the proxy says."""
        if self._trust_proxy and (forwarded := headers.get(b"x-forwarded-for")):
            return forwarded.rsplit(b",", 1)[-1].strip().decode("latin-1")[:60]
        client = scope.get("client")
        return str(client[0])[:60] if client else ""

    async def _admit(
        self, route: Route, params: dict[str, str], context: Context, scope: dict[str, Any], headers: Headers
    ) -> tuple[_Request, _Caller]:
        """The request with whoever asks; a token that this process has not seen yet is looked up first."""
        address = self._address(scope, headers)
        token = bearer(headers)
        if token is None:
            return await self._admit_session(route, params, context, address, headers)
        request = _Request(route, params, context, partial(principal_for_token, token, address=address))
        caller = self._seen.get(token)
        if caller is None:
            caller = await self._introduce(request, token, address)
        return request, caller

    async def _introduce(self, request: _Request, token: str, address: str) -> _Caller:
        self.failures.check(address, token)
        lane = f"stranger {address}"
        try:
            principal: Principal = await self.pool.run(lane, lane, request.principal)
        except Problem as problem:
            if problem.status == 401:
                self.failures.note(address, token)
            raise
        if len(self._seen) >= _SEEN_SIZE:
            self._seen.clear()
        caller = self._seen[token] = _Caller(principal.team_id, principal.token_id)
        return caller

    async def _admit_session(
        self, route: Route, params: dict[str, str], context: Context, address: str, headers: Headers
    ) -> tuple[_Request, _Caller]:
        """A browser's event stream: a read, so its cookie is enough. Nothing else comes here without a token."""
        if self._session_principal is None or route.follow is None:
            raise serve.unauthenticated()
        cookie = headers.get(b"cookie", b"").decode("latin-1")
        who = partial(self._session_principal, cookie, params["team"], address)
        request = _Request(route, params, context, who)
        lane = f"stranger {address}"
        principal: Principal = await self.pool.run(lane, lane, request.principal)
        return request, _Caller(principal.team_id, principal.actor.id)

    async def _ask(self, request: _Request, caller: _Caller, headers: Headers, receive: Receive) -> Response | Answer:
        """Read the body and have it performed on a thread."""
        body = b""
        if request.route.body is not None:
            body = await read_body(receive, headers.get(b"content-length"))
        request.incoming = incoming(request.context.query_string, body, headers)
        if (instance := headers.get(b"interlock-instance")) is not None:
            request.instance = instance.decode("latin-1")
        project = request.params.get("project")
        given: Response | Answer = await self.pool.run(caller.team_id, project, request.perform)
        if type(given) is Response and given.status == 401 and (token := bearer(headers)) is not None:
            self._seen.pop(token, None)
        return given

    async def _stream(self, request: _Request, start: Answer, extra: Pairs, receive: Receive, send: Send) -> None:
        call = request.call
        assert call is not None
        self.streams.enter(call.principal.team_id)
        try:
            metrics.count(request.route.name, 200, "token")
            stream = Stream(self.pool, request.route, call, start=start.body, recheck=request.principal, send=send)
            await stream.run(receive, request.context, extra)
        finally:
            self.streams.leave(call.principal.team_id)


def _nothing() -> None:
    """Wakes nobody."""


def bearer(headers: Headers) -> str | None:
    """The token of an Authorization header that begins with ``Bearer``; None where there is none."""
    value = headers.get(b"authorization", b"")
    return value[7:].strip().decode("latin-1") if value[:7].lower() == b"bearer " else None


def incoming(query_string: bytes, body: bytes, headers: Headers) -> Incoming:
    """The parts of a request that handlers may care about."""
    get = headers.get
    return Incoming(
        query_string,
        body,
        get(b"content-type"),
        get(b"content-encoding"),
        get(b"if-match"),
        get(b"if-none-match"),
        get(b"idempotency-key"),
        get(b"last-event-id"),
    )


async def read_body(receive: Receive, content_length: bytes | None) -> bytes:
    """The whole body. Raises 413 as soon as it is known to be too large, Gone when the client goes away."""
    limit = settings.MAX_BODY_BYTES
    if serve.declared_too_large(content_length, limit):
        raise serve.too_large(limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise Gone
    if not message.get("more_body"):
        if len(body) > limit:
            raise serve.too_large(limit)
        return body
    chunks, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise serve.too_large(limit)
    return b"".join(chunks)


async def send_response(send: Send, response: Response, more: Pairs | tuple[()] = ()) -> None:
    """One response, in two messages."""
    headers = [*response.headers, (b"content-length", b"%d" % len(response.body)), *more]
    if response.status in (204, 304):
        headers = [*response.headers, *more]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
