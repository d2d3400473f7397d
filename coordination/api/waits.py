"""Holding a request until there is an answer: no thread and no connection while nothing happens."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from coordination.api.pool import FairPool
from coordination.notify import hub
from coordination.services.results import Answer, Hold
from tenants.problems import Problem

# How long the session door blocks its thread at most; browsers ask again.
LONGEST_BLOCK_S = 25.0
# The store is busy or away: look again this soon rather than give up somebody's place in the line.
_RETRY_S = 1.0

Receive = Callable[[], Awaitable[dict[str, Any]]]


class Gone(Exception):
    """The client went away."""


class Wait:
    """One held request on the event loop. ``held`` counts them, for /metrics."""

    held = 0

    def __init__(self, pool: FairPool, team: Hashable, project: Hashable, receive: Receive) -> None:
        self._pool = pool
        self._lane = (team, project)
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._keys: frozenset[str] = frozenset()
        self._left = False  # the client

    async def run(self, answer: Answer) -> Answer:
        """The final answer. Raises Gone when the client went away; what it waited for has then been
        abandoned.
        """
        hold = answer.hold
        assert hold is not None
        watch = self._loop.create_task(self._watch())
        Wait.held += 1
        try:
            return await self._until_final(hold)
        finally:
            Wait.held -= 1
            watch.cancel()
            hub.unsubscribe(self._keys, self._ring)

    async def _until_final(self, hold: Hold) -> Answer:
        deadline = self._loop.time() + hold.seconds
        self._listen_to(hold.keys)
        while True:
            self._woken.clear()
            answer, pause = await self._look(hold)
            if answer is not None and answer.hold is not None:
                if answer.hold.keys != self._keys:
                    self._listen_to(answer.hold.keys)
                    pause = 0.0  # something may have happened between the look and the listening
                else:
                    pause = answer.hold.look_again_s
                hold = answer.hold
            if self._left:
                self._abandon(hold)
                raise Gone
            if answer is not None and answer.hold is None:
                return answer
            left = deadline - self._loop.time()
            if left <= 0:
                return await self._call(hold, hold.give_up)
            if pause:
                await self._sleep(hold, min(left, pause))

    async def _look(self, hold: Hold) -> tuple[Answer | None, float]:
        try:
            return await self._call(hold, hold.again), hold.look_again_s
        except Problem as problem:
            if problem.status != 503:
                self._abandon(hold)
                raise
            return None, _RETRY_S
        except Exception:
            self._abandon(hold)
            raise

    async def _call(self, hold: Hold, function: Callable[[], Answer]) -> Answer:
        running = self._pool.go_on(*self._lane, function)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # It may be granting right now: what it answers must be given back after it, not before.
            running.add_done_callback(lambda _: self._abandon(hold))
            raise

    async def _sleep(self, hold: Hold, seconds: float) -> None:
        timer = self._loop.call_later(seconds, self._woken.set)
        try:
            await self._woken.wait()
        except asyncio.CancelledError:
            self._abandon(hold)
            raise
        finally:
            timer.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left = True
        self._woken.set()

    def _ring(self) -> None:
        """Called by the hub, on its thread."""
        self._pool.mailbox.post(self._woken.set)

    def _listen_to(self, keys: frozenset[str]) -> None:
        hub.subscribe(keys - self._keys, self._ring)
        hub.unsubscribe(self._keys - keys, self._ring)
        self._keys = keys

    def _abandon(self, hold: Hold) -> None:
        self._pool.send(*self._lane, hold.abandon)


def block(answer: Answer, *, longest: float = LONGEST_BLOCK_S) -> Answer:
    """The final answer, holding this thread meanwhile; gives up after ``longest`` seconds."""
    woken = threading.Event()
    hold = answer.hold
    if hold is None:
        return answer
    deadline = time.monotonic() + min(longest, hold.seconds)
    keys: frozenset[str] = frozenset()
    try:
        while True:
            hub.subscribe(hold.keys - keys, woken.set)
            hub.unsubscribe(keys - hold.keys, woken.set)
            keys = hold.keys
            woken.clear()
            answer = hold.again()
            if answer.hold is None:
                return answer
            fresh = answer.hold.keys != keys
            hold = answer.hold
            left = deadline - time.monotonic()
            if left <= 0:
                return hold.give_up()
            if not fresh:
                woken.wait(min(left, hold.look_again_s))
    except Exception:
        hold.abandon()
        raise
    finally:
        hub.unsubscribe(keys, woken.set)
