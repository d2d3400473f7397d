"""One HTTP exchange: proxies from the environment, TLS by the defaults of `ssl`, and never a redirect followed.

A connection is its caller's until `close`, which another thread may call to give the request up.
"""

import contextlib
import http.client
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

CONNECT_SECONDS = 10.0
_MAX_BODY = 64 * 2**20


class ConnectFailed(OSError):
    """Nothing was sent: no name, no route, refused, no TLS."""


class ConnectionLost(OSError):
    """It was sent, and the connection ended before the answer was whole."""


class NoAnswerInTime(OSError):
    """It was sent, and the time is over."""


@dataclass
class Exchange:
    """One request on a connection of its own.

    Attributes:
        url: the full address.
        headers: sent as they are; they may hold the credential.
        timeout: seconds that the server may be silent.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None
    timeout: float = 30.0
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _connection: http.client.HTTPConnection | None = None
    _closed: bool = False

    def send(self) -> http.client.HTTPResponse:
        """Send it; status and headers of the answer. Raises ConnectFailed, ConnectionLost, NoAnswerInTime."""
        parts = urlsplit(self.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection, whole, more = self._made(parts.scheme, parts.hostname or "", parts.port)
        self._connection = connection
        try:
            connection.connect()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise ConnectFailed(_why(error)) from error
        try:
            connection.sock.settimeout(self.timeout)
            if self._closed:  # given up while it connected
                raise ConnectionLost("closed")
            address = self.url if whole else target or "/"
            connection.request(self.method, address, body=self.body, headers=self.headers | more)
            return connection.getresponse()
        except TimeoutError as error:
            raise NoAnswerInTime(_why(error)) from error
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            raise ConnectionLost(_why(error)) from error  # the latter two: closed by another thread on the way

    def read(self, response: http.client.HTTPResponse) -> bytes:
        """The whole body."""
        try:
            body = response.read(_MAX_BODY + 1)
        except TimeoutError as error:
            raise NoAnswerInTime(_why(error)) from error
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            raise ConnectionLost(_why(error)) from error
        if len(body) > _MAX_BODY:
            raise ConnectionLost(f"the answer is larger than {_MAX_BODY} bytes")
        return body

    def close(self) -> None:
        """End it, from any thread; whoever waits for the answer gets ConnectionLost."""
        self._closed = True
        connection = self._connection
        if connection is None:
            return
        sock = connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            connection.close()

    def _made(
        self, scheme: str, host: str, port: int | None
    ) -> tuple[http.client.HTTPConnection, bool, dict[str, str]]:
        """(a connection that is not open yet, whether the request names the whole address, headers for a proxy)."""
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        connect = min(self.timeout, CONNECT_SECONDS)
        proxy = proxy_for(scheme, host, port, self.env)
        if proxy is None:
            return kind(host, port, timeout=connect), False, {}
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        said = _proxy_headers(parts.username, parts.password)
        made = kind(parts.hostname or "", parts.port or 80, timeout=connect)
        if scheme == "https":
            made.set_tunnel(host, port or 443, said)
            return made, False, {}
        return made, True, said


def proxy_for(scheme: str, host: str, port: int | None, env: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for an address; none for what is in `no_proxy`, or this machine."""
    if not any(name.lower().endswith("_proxy") and value for name, value in env.items()):
        return None  # the usual case, without the import below
    if host in ("localhost", "127.0.0.1", "::1"):
        return None
    from urllib import request as known

    # They read this process's environment: what they know about upper and lower case is not worth repeating.
    proxies = known.getproxies_environment()
    address = f"{host}:{port}" if port else host
    if known.proxy_bypass_environment(address, proxies):  # type: ignore[attr-defined]
        return None
    return proxies.get(scheme) or proxies.get("all")


def _proxy_headers(user: str | None, password: str | None) -> dict[str, str]:
    if not user:
        return {}
    import base64

    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _why(error: BaseException) -> str:
    """What went wrong, in the system's own words; requests and headers are never in there."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
