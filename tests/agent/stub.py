"""A server that misbehaves as it is told: what proxies, restarts and wrong addresses look like to the command."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """What to answer; status 0 ends the connection without a word."""

    status: int
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never written to


class Stub:
    """A running server, and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []


@contextmanager
def stub(answer: Callable[[int, Asked], Reply]) -> Iterator[Stub]:
    """Serve `answer(how many came before, request)`."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, dict(self.headers.items()), body)
            with lock:
                number = len(running.asked)
                running.asked.append(asked)
            reply = answer(number, asked)
            self.close_connection = True
            if reply.status == 0:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in ({"Content-Type": "application/json"} | reply.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            with suppress(OSError):  # who asked may have gone
                self.wfile.write(raw)

        do_GET = do_POST = do_DELETE = do_CONNECT = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Stub(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
