"""A very small HTTP/1.1 client. The load tool shares the machine with what it measures, so each request may cost it
well under 100 microseconds: keep-alive, one request at a time per connection, prepared heads, no general parser.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_BODILESS = frozenset({204, 304})


class Broken(ConnectionError):
    """The server closed the connection in the middle of an exchange, or answered what is no HTTP."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return orjson.loads(self.body)


class Connection(asyncio.Protocol):
    """One keep-alive connection; ``ask`` sends a whole request and waits for the whole answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, host: str, port: int) -> "Connection":
        """Connect."""
        _, protocol = await asyncio.get_running_loop().create_connection(cls, host, port)
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @property
    def closed(self) -> bool:
        """Whether either side has hung up."""
        return self._transport is None or self._transport.is_closing()

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        """The answer to one request."""
        if self._transport is None or self._transport.is_closing():
            raise Broken("the connection is closed")
        self._waiting = self._loop.create_future()
        self._transport.write(request)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            self._buffer = buffer
            return
        status = int(buffer[9:12])
        start = end + 4
        found = _LENGTH.search(buffer, 0, start)
        if found is not None:
            stop = start + int(found[1])
            if len(buffer) < stop:
                self._buffer = buffer
                return
            body = buffer[start:stop]
        elif status in _BODILESS:
            body = b""
        elif _CHUNKED.search(buffer, 0, start):
            if not buffer.endswith(b"0\r\n\r\n"):
                self._buffer = buffer
                return
            body = _dechunked(buffer[start:])
        else:
            self._fail(Broken("an answer without a length"))
            return
        self._buffer = b""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(Answer(status, body))

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: closed."""
        self._fail(Broken(str(exc or "closed by the server")))

    def _fail(self, error: Broken) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def _dechunked(data: bytes) -> bytes:
    parts = []
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            return b"".join(parts)
        parts.append(data[:length])
        data = data[length + 2 :]


class EventReader(asyncio.Protocol):
    """An open Server-Sent Events stream: calls ``on_event`` with each event's data as it comes."""

    def __init__(self, request: bytes, on_event: Callable[[bytes], None]) -> None:
        self._request = request
        self._on_event = on_event
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came. Chunk sizes are lines of their own between events, and are passed over."""
        if not self.opened.done() and b"retry:" in self._buffer + data:
            self.opened.set_result(None)
        self._buffer += data
        *events, self._buffer = self._buffer.split(b"\n\n")
        for event in events:
            for line in event.splitlines():
                if line.startswith(b"data: "):
                    self._on_event(line[6:])

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: closed."""
        if not self.opened.done():
            self.opened.set_exception(Broken("the stream was not opened: " + self._buffer[:200].decode()))

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def request(method: str, path: str, headers: bytes, body: Any = None) -> bytes:
    """The bytes of one request; ``headers`` are whole lines."""
    head = b"%s %s HTTP/1.1\r\n%s" % (method.encode(), path.encode(), headers)
    if body is None:
        return head + (b"\r\n" if method in ("GET", "DELETE") else b"content-length: 0\r\n\r\n")
    data = orjson.dumps(body)
    return b"%scontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (head, len(data), data)


def headers(**lines: str) -> bytes:
    """Header lines for ``request``; underscores become hyphens."""
    return b"".join(b"%s: %s\r\n" % (k.replace("_", "-").encode(), v.encode()) for k, v in lines.items())
