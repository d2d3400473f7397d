"""The ledger as Server-Sent Events: resumes from a cursor, woken by the hub, holds no thread between
batches.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from coordination.api.call import Call, Route
from coordination.api.pool import FairPool
from coordination.api.render import NOSNIFF, Context, dumps
from coordination.notify import hub
from tenants.principal import Principal
from tenants.problems import Code, Problem

HEARTBEAT_S = 15.0
_RETRY_S = 1.0

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Recheck = Callable[[], Principal]


class Streams:
    """The open streams of this process: at most ``per_team`` for one team."""

    def __init__(self, per_team: int) -> None:
        self._per_team = per_team
        self._open: Counter[UUID] = Counter()

    @property
    def open(self) -> int:
        """How many there are."""
        return self._open.total()

    def enter(self, team_id: UUID) -> None:
        """Count one more. Raises Problem ``rate_limited`` when the team has its share."""
        if self._open[team_id] >= self._per_team:
            raise Problem(
                Code.RATE_LIMITED,
                f"Your team has {self._per_team} streams open here; close one first.",
                headers={"Retry-After": "30"},
                retry_after=30,
                limited="streams",
            )
        self._open[team_id] += 1

    def leave(self, team_id: UUID) -> None:
        """One has ended."""
        self._open[team_id] -= 1
        if not self._open[team_id]:
            del self._open[team_id]


class Stream:
    """One open stream. ``recheck`` answers the principal again, so a revoked credential ends it."""

    def __init__(
        self,
        pool: FairPool,
        route: Route,
        call: Call,
        *,
        start: dict[str, Any],
        recheck: Recheck,
        send: Send,
    ) -> None:
        assert route.follow is not None
        self._pool = pool
        self._follow = route.follow
        self._call = call
        self._cursor = int(start["cursor"])
        self._key: str = start["key"]
        self._recheck = recheck
        self._send = send
        self._woken = asyncio.Event()
        self._left = False

    async def run(self, receive: Receive, context: Context, headers: list[tuple[bytes, bytes]]) -> None:
        """Send until the client goes away, or its credential does."""
        loop = asyncio.get_running_loop()
        watch = loop.create_task(self._watch(receive))
        hub.subscribe([self._key], self._ring)
        try:
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers(context, headers)})
            await self._write(b"retry: 1000\n\n")
            while not self._left:
                self._woken.clear()
                if await self._send_batch():
                    continue  # there may be more
                timer = loop.call_later(HEARTBEAT_S, self._woken.set)
                await self._woken.wait()
                if timer.when() <= loop.time():
                    await self._write(b": still here\n\n")
                timer.cancel()
        except Problem:
            pass  # the credential or what the cursor stood on is gone: the client connects again and is told
        finally:
            watch.cancel()
            hub.unsubscribe([self._key], self._ring)
        if not self._left:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_batch(self) -> bool:
        team, project = self._call.principal.team_id, self._call.project
        try:
            page = await self._pool.go_on(team, project, self._read)
        except Problem as problem:
            if problem.status != 503:
                raise
            await asyncio.sleep(_RETRY_S)
            return True
        before, self._cursor = self._cursor, int(page["cursor"])
        if page["items"] and not self._left:
            await self._write(b"".join(map(_event, page["items"])))
        return self._cursor > before

    def _read(self) -> dict[str, Any]:
        self._recheck()
        return self._follow(self._call, self._cursor)

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._left = True
        self._woken.set()

    def _ring(self) -> None:
        self._pool.mailbox.post(self._woken.set)

    @staticmethod
    def _headers(context: Context, more: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store, no-transform"),
            (b"x-accel-buffering", b"no"),  # nginx would collect the stream otherwise
            NOSNIFF,
            (b"x-request-id", context.request_id.encode()),
            *more,
        ]


def _event(event: dict[str, Any]) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (
        event["cursor"].encode(),
        event["type"].encode(),
        dumps(event),
    )
