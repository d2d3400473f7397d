"""Who is let in at the raw doors of a process, and on whose threads they are served: one for all of them.

A door asks for the guest behind a request's headers, counts its rate, then has its work done on the guest's lane. The
requests of a team share threads, rate and failed attempts, whichever door they come through.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from coordination.api import metrics, parse, render, serve
from coordination.api.limits import Failures, Headers, shared_limiter
from coordination.api.pool import FairPool
from coordination.api.render import Context, Response
from coordination.api.stream import Receive, Send
from coordination.api.waits import Gone
from coordination.notify import hub
from coordination.services import drains
from tenants.auth import principal_for_token
from tenants.principal import Principal
from tenants.problems import Problem

log = logging.getLogger("interlock.api")

_SEEN_SIZE = 20_000
# How long a refusal for too many requests takes at least (at most twice that), and for how many at once.
SLOW_DOWN_S = 0.25
_MOST_SLOWED = 2000
# Of a request; the last of a name counts.
Given = dict[bytes, bytes]
Who = Callable[[], Principal]


class Caller(NamedTuple):
    """Whose turn and whose rate a token counts against. Says nothing about what it may do: that is asked each
    time.
    """

    team_id: UUID
    token_id: Any


class Guest(NamedTuple):
    """Somebody who was let in. ``who`` says who asks, anew each time it is called, on a thread: a revoked token is
    refused at its next call (Problem 401). ``token`` is empty for a browser's session.
    """

    caller: Caller
    who: Who
    token: str = ""


class Admission:
    """The threads, the rates, the brake on failed attempts, and whose token was seen before."""

    def __init__(self, *, failures_per_minute: int = 20, trust_proxy: bool = False) -> None:
        self.limiter = shared_limiter()
        self.failures = Failures(failures_per_minute)
        self._trust_proxy = trust_proxy
        self._pool: FairPool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen: dict[str, Caller] = {}
        self._slowed = 0
        metrics.pool_queued.set_function(lambda: self._pool.queued if self._pool else 0)
        metrics.pool_running.set_function(lambda: self._pool.running if self._pool else 0)

    @property
    def pool(self) -> FairPool:
        """The threads of this process, made at the first request, on the loop that serves it."""
        loop = asyncio.get_running_loop()
        if self._pool is None or self._loop is not loop:
            self._loop = loop
            per_team = settings.HOT_THREADS_PER_TEAM
            # One project leaves its team a thread for the others.
            per_project = max(1, per_team - 1)
            hub.subscribe((), _nothing)  # starts listening: a revoked token must be heard of without a wait open
            self._pool = FairPool(
                loop,
                threads=settings.HOT_THREADS,
                per_team=per_team,
                per_project=per_project,
                in_company=settings.HOT_THREADS_IN_COMPANY,
            )
        return self._pool

    def drain(self) -> None:
        """At shutdown: let what runs finish, and leave the lines that requests of this process stood in."""
        if self._pool is not None:
            self._pool.drain()
        drains.waiters.leave()

    def address(self, scope: dict[str, Any], headers: Given) -> str:
        """Where the request came from; behind a trusted proxy, what the proxy says."""
        if self._trust_proxy and (forwarded := headers.get(b"x-forwarded-for")):
            return forwarded.rsplit(b",", 1)[-1].strip().decode("latin-1")[:60]
        client = scope.get("client")
        return str(client[0])[:60] if client else ""

    async def guest(self, scope: dict[str, Any], headers: Given) -> Guest:
        """Whoever carries the bearer token of these headers; one this process has not seen yet is looked up first.

        Raises Problem 401 without a token or with one that is not right, 429 after too many of those.
        """
        token = bearer(headers)
        if token is None:
            raise serve.unauthenticated()
        address = self.address(scope, headers)
        who = partial(principal_for_token, token, address=address)
        caller = self._seen.get(token)
        if caller is None:
            caller = await self._introduce(who, token, address)
        return Guest(caller, who, token)

    async def session_guest(self, who: Who, address: str) -> Guest:
        """Whoever is behind a browser's session, for what may be done with a cookie alone."""
        principal = await self._stranger(who, address)
        return Guest(Caller(principal.team_id, principal.actor.id), who)

    async def rate(self, guest: Guest) -> Headers:
        """Count one request. The headers that say what is left; raises Problem ``rate_limited``, and not at once:
        who asks again without waiting would cost more than who is served.
        """
        try:
            return self.limiter.take(guest.caller.team_id, guest.caller.token_id)
        except Problem:
            if self._slowed < _MOST_SLOWED:
                self._slowed += 1
                try:
                    await asyncio.sleep(SLOW_DOWN_S * (1 + random.random()))  # noqa: S311 - spreads a herd
                finally:
                    self._slowed -= 1
            raise

    async def run(self, guest: Guest, project: str | None, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(*arguments)`` on a thread, in the lane of the guest's team and this project."""
        return await self.pool.run(guest.caller.team_id, project, function, *arguments)

    def forget(self, guest: Guest) -> None:
        """Its token was refused: whoever comes with it next is a stranger, and counted as one."""
        self._seen.pop(guest.token, None)

    async def _introduce(self, who: Who, token: str, address: str) -> Caller:
        self.failures.check(address, token)
        try:
            principal = await self._stranger(who, address)
        except Problem as problem:
            if problem.status == 401:
                self.failures.note(address, token)
            raise
        if len(self._seen) >= _SEEN_SIZE:
            self._seen.clear()
        caller = self._seen[token] = Caller(principal.team_id, principal.token_id)
        return caller

    async def _stranger(self, who: Who, address: str) -> Principal:
        lane = f"stranger {address}"
        principal: Principal = await self.pool.run(lane, lane, who)
        return principal


def _nothing() -> None:
    """Wakes nobody."""


def context_of(scope: dict[str, Any], headers: Given) -> Context:
    """What every answer to this request says of it."""
    return Context(
        parse.request_id(headers.get(b"x-request-id")) or render.new_request_id(),
        scope["path"],
        scope["query_string"],
        parse.trace_id(headers.get(b"traceparent")),
    )


def bearer(headers: Given) -> str | None:
    """The token of an Authorization header that begins with ``Bearer``; None where there is none."""
    value = headers.get(b"authorization", b"")
    return value[7:].strip().decode("latin-1") if value[:7].lower() == b"bearer " else None


async def read_body(receive: Receive, content_length: bytes | None, limit: int | None = None) -> bytes:
    """The whole body, of at most ``limit`` bytes (unless said: MAX_BODY_BYTES).

    Raises 413 as soon as it is known to be too large, Gone when the client goes away.
    """
    limit = settings.MAX_BODY_BYTES if limit is None else limit
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


async def send_response(send: Send, response: Response, more: Headers | tuple[()] = ()) -> None:
    """One response, in two messages."""
    headers = [*response.headers, (b"content-length", b"%d" % len(response.body)), *more]
    if response.status in (204, 304):
        headers = [*response.headers, *more]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def note_request(
    scope: dict[str, Any], context: Context, name: str, status: int, started: float, *, timed: bool = False
) -> None:
    """Count and log one request that began at ``started`` (perf_counter). Its body and query never reach the log."""
    took = time.perf_counter() - started
    metrics.count(name, status, "token")
    if timed:
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
