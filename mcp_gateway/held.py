"""Calls that are held, so that a client can take one back.

A client of 2026-07-28 closes its request and that is that. One of before says ``notifications/cancelled`` in a request
of its own and leaves the first one open: without sessions it is found by token, address and request id. Where two
sessions hold one of the same id, neither is taken back: the wait ends by itself soon enough.
"""

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from coordination.api.stream import Receive


class Call:
    """One held call. ``receive`` is its request's; it also hears that the call was taken back, as a disconnect."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._word = asyncio.Event()

    @property
    def taken_back(self) -> bool:
        """Whether its client does not want the answer any more."""
        return self._word.is_set()

    def take_back(self) -> None:
        """Its client does not."""
        self._word.set()

    async def receive(self) -> dict[str, Any]:
        """The next message of the request."""
        loop = asyncio.get_running_loop()
        word, coming = loop.create_task(self._word.wait()), loop.create_task(self._next())
        try:
            await asyncio.wait((word, coming), return_when=asyncio.FIRST_COMPLETED)
            return {"type": "http.disconnect"} if self.taken_back else coming.result()
        finally:
            word.cancel()
            coming.cancel()

    async def _next(self) -> dict[str, Any]:
        return await self._receive()


class Held:
    """The held calls of this process."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, list[Call]] = {}

    @contextmanager
    def enter(self, key: Hashable, receive: Receive) -> Iterator[Call]:
        """Hold a call meanwhile."""
        call = Call(receive)
        calls = self._calls.setdefault(key, [])
        calls.append(call)
        try:
            yield call
        finally:
            calls.remove(call)
            if not calls:
                self._calls.pop(key, None)

    def take_back(self, key: Hashable) -> None:
        """End the held call of this key, as if its client had gone away."""
        calls = self._calls.get(key, ())
        if len(calls) == 1:
            calls[0].take_back()
