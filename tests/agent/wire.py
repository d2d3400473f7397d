"""A wire between the command and the server that counts what goes over it, keeps it, and can be cut."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class Wire:
    """Forwards connections to a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._there = (parts.hostname or "", parts.port or 80)
        self.connections = 0
        self.sent = b""
        self.cut = False
        self._lock = threading.Lock()
        self._ear = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._ear.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    @contextmanager
    def counted(self) -> Iterator[list[int]]:
        """The number of connections made within; the list is filled at the end."""
        before, number = self.connections, list[int]()
        yield number
        number.append(self.connections - before)

    def close(self) -> None:
        """End it."""
        self._ear.close()

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._ear.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
            if self.cut:
                near.close()
                continue
            far = socket.create_connection(self._there)
            threading.Thread(target=self._carry, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, False), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, keep: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if keep:
                    with self._lock:
                        self.sent += data
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        if not keep:
            source.close()
            target.close()
