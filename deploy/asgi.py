"""The web process: sockets, public pages, the hot API, MCP, and Django for everything else."""

import atexit
import gc
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import URLRouter  # noqa: E402 - these need Django's registry
from django.db import connection  # noqa: E402
from django.urls import re_path  # noqa: E402

from coordination.api.hot import HotDoor  # noqa: E402
from coordination.api.public import PublicDoor  # noqa: E402
from coordination.api.routes import ROUTES  # noqa: E402
from coordination.api.session import principal_of_cookie  # noqa: E402
from deploy.settings import env_bool, env_int  # noqa: E402
from mcp_gateway.asgi import application as mcp  # noqa: E402
from tenants.checks import role_owns_nothing  # noqa: E402

log = logging.getLogger("interlock.web")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

hot = HotDoor(
    ROUTES,
    failures_per_minute=env_int("AUTH_FAILURES_PER_MINUTE", 20),
    streams_per_team=env_int("STREAMS_PER_TEAM", 2000),
    trust_proxy=env_bool("TRUST_PROXY", default=False),
    session_principal=principal_of_cookie,
)
public = PublicDoor()


async def no_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a WebSocket at an address that has none."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


sockets = URLRouter([re_path("", no_socket)])


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Send each connection to its door. Bearer tokens never reach Django's session.

    Streams go to the hot door whoever asks: it holds thousands of them without a thread each.
    """
    kind = scope["type"]
    if kind == "http":
        path = scope["path"]
        if path.startswith("/api/v1/") and (_has_bearer(scope["headers"]) or path.endswith("/events/stream")):
            await hot(scope, receive, send)
        elif public.owns(path):
            await public(scope, receive, send)
        elif path == "/mcp" or path.startswith("/mcp/"):
            await mcp(scope, receive, send)
        else:
            await django_application(scope, receive, send)
    elif kind == "websocket":
        await sockets(scope, receive, send)
    elif kind == "lifespan":
        await _lifespan(receive, send)


def _has_bearer(headers: list[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        if name == b"authorization":
            return value[:7].lower() == b"bearer "
    return False


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            hot.drain()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _refuse_wrong_role() -> None:
    """A role that owns tables would see every team. A database that is away is /readyz's to tell."""
    found: list[str] = []

    def look() -> None:
        try:
            found.extend(f"{m.msg} {m.hint}" for m in role_owns_nothing(databases=["default"]))
        except Exception as error:
            log.warning("the database cannot be reached yet: %s", error)
        finally:
            connection.close()

    # On a thread of its own: uvicorn imports this module inside its event loop, where Django refuses to
    # query.
    thread = threading.Thread(target=look)
    thread.start()
    thread.join(timeout=10)
    if found:
        sys.exit("Interlock does not start: " + " ".join(found))


_refuse_wrong_role()
atexit.register(hot.drain)
# Long-lived objects out of the collector's sight, and rarer runs: p99 fell from 75 to 13 ms (stack.md).
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 50)
