"""The carrier for bearer tokens: raw ASGI before Django (ADR 0004). One hop to a thread and back per request.

Order of checks: address, method, credential, rate, size; then on the thread team, permission, media type,
body.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from coordination.api import metrics, render, serve
from coordination.api.admission import (
    Admission,
    Given,
    Guest,
    Who,
    bearer,
    context_of,
    note_request,
    read_body,
    send_response,
)
from coordination.api.call import Call, Route
from coordination.api.render import Context, Response
from coordination.api.router import Router
from coordination.api.serve import Incoming
from coordination.api.stream import Receive, Send, Stream, Streams
from coordination.api.waits import Gone, Wait
from coordination.services.results import Answer
from tenants.idempotency import Stored
from tenants.principal import Principal
from tenants.problems import Problem

Pairs = list[tuple[bytes, bytes]]

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
    """The ASGI app."""

    def __init__(
        self,
        routes: Iterable[Route],
        admission: Admission,
        *,
        streams_per_team: int = 2000,
        session_principal: SessionPrincipal | None = None,
    ) -> None:
        self.router = Router(routes)
        self.admission = admission
        self.streams = Streams(streams_per_team)
        self._session_principal = session_principal
        metrics.waiting.set_function(lambda: Wait.held)
        metrics.streams.set_function(lambda: self.streams.open)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request that carries a bearer token."""
        started = time.perf_counter()
        headers: Given = dict(scope["headers"])
        context = context_of(scope, headers)
        route: Route | None = None
        extra: Pairs = []
        try:
            route, params = self.router.find(scope["method"], context.path)
            guest = await self._admit(route, params, scope, headers)
            extra = await self.admission.rate(guest)
            request = _Request(route, params, context, guest.who)
            given = await self._ask(request, guest, headers, receive)
            if route.follow is not None and isinstance(given, Answer):
                await self._stream(request, given, extra, receive, send)
                return
            if isinstance(given, Answer):
                # What is waited for is not slow.
                started = time.perf_counter()
                lane = (guest.caller.team_id, params.get("project"))
                given = request.rendered(await Wait(self.admission.pool, *lane, receive).run(given))
            response = given
        except Gone:
            _note(scope, context, route, 499, started)
            return
        except Problem as error:
            response = render.problem(error, context)
        except Exception as error:
            response = render.crash(error, context)
        _note(scope, context, route, response.status, started)
        await send_response(send, response, extra)

    async def _admit(self, route: Route, params: dict[str, str], scope: dict[str, Any], headers: Given) -> Guest:
        """Whoever asks. A browser's event stream is a read, so its cookie is enough; nothing else comes here
        without a token.
        """
        if self._session_principal is None or route.follow is None or bearer(headers) is not None:
            return await self.admission.guest(scope, headers)
        address = self.admission.address(scope, headers)
        cookie = headers.get(b"cookie", b"").decode("latin-1")
        return await self.admission.session_guest(
            partial(self._session_principal, cookie, params["team"], address), address
        )

    async def _ask(self, request: _Request, guest: Guest, headers: Given, receive: Receive) -> Response | Answer:
        """Read the body and have it performed on a thread."""
        body = b""
        if request.route.body is not None:
            body = await read_body(receive, headers.get(b"content-length"))
        request.incoming = incoming(request.context.query_string, body, headers)
        if (instance := headers.get(b"interlock-instance")) is not None:
            request.instance = instance.decode("latin-1")
        project = request.params.get("project")
        given: Response | Answer = await self.admission.pool.run(guest.caller.team_id, project, request.perform)
        if type(given) is Response and given.status == 401:
            self.admission.forget(guest)
        return given

    async def _stream(self, request: _Request, start: Answer, extra: Pairs, receive: Receive, send: Send) -> None:
        call = request.call
        assert call is not None
        self.streams.enter(call.principal.team_id)
        try:
            metrics.count(request.route.name, 200, "token")
            stream = Stream(
                self.admission.pool, request.route, call, start=start.body, recheck=request.principal, send=send
            )
            await stream.run(receive, request.context, extra)
        finally:
            self.streams.leave(call.principal.team_id)


def _note(scope: dict[str, Any], context: Context, route: Route | None, status: int, started: float) -> None:
    name = route.name if route is not None else "unmatched"
    note_request(scope, context, name, status, started, timed=route is not None and route.hot)


def incoming(query_string: bytes, body: bytes, headers: Given) -> Incoming:
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
