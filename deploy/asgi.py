"""The web process: sockets, public pages, the hot API, MCP, and Django for everything else."""

import atexit
import gc
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import URLRouter  # noqa: E402 - these need Django's registry
from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.http.request import split_domain_port, validate_host  # noqa: E402
from django.urls import re_path  # noqa: E402

from coordination.api import render  # noqa: E402
from coordination.api.admission import Admission, send_response  # noqa: E402
from coordination.api.hot import HotDoor  # noqa: E402
from coordination.api.public import PublicDoor  # noqa: E402
from coordination.api.routes import ROUTES  # noqa: E402
from coordination.api.session import principal_of_cookie  # noqa: E402
from deploy.settings import PUBLIC_KEY  # noqa: E402
from mcp_gateway import download  # noqa: E402
from mcp_gateway.asgi import McpDoor  # noqa: E402
from mcp_gateway.hooks import HooksDoor  # noqa: E402
from tenants.checks import role_owns_nothing  # noqa: E402
from tenants.problems import Code, Problem  # noqa: E402

log = logging.getLogger("interlock.web")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

admission = Admission(failures_per_minute=settings.AUTH_FAILURES_PER_MINUTE, trust_proxy=settings.TRUST_PROXY)
hot = HotDoor(
    ROUTES,
    admission,
    streams_per_team=settings.STREAMS_PER_TEAM,
    session_principal=principal_of_cookie,
)
public = PublicDoor()
mcp = McpDoor(admission)
hooks = HooksDoor(admission)


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
        elif mcp.owns(path):
            await mcp(scope, receive, send)
        elif hooks.owns(path):
            await hooks(scope, receive, send)
        elif download.owns(path):
            await download.application(scope, receive, send)
        elif not _host_is_ours(scope["headers"]):
            await _refuse_host(scope, send)
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


def _host_is_ours(headers: list[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        if name == b"host":
            return _allowed(value)
    return True


@lru_cache(maxsize=1024)
def _allowed(host: bytes) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


async def _refuse_host(scope: Scope, send: Send) -> None:
    """Only cookies make another host's name dangerous; Django would say so with a traceback in the log."""
    context = render.Context(render.new_request_id(), scope["path"])
    problem = Problem(Code.BAD_REQUEST, "This server does not answer to that host name (ALLOWED_HOSTS).")
    await send_response(send, render.problem(problem, context))


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await mcp.stop()
            admission.drain()
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


def _refuse_public_key() -> None:
    """With a key that anybody can read, anybody could sign a session."""
    if settings.SECRET_KEY == PUBLIC_KEY:
        sys.exit("Interlock does not start: SECRET_KEY is the public default. Set 50 random characters.")


_refuse_public_key()
_refuse_wrong_role()
atexit.register(admission.drain)
# Long-lived objects out of the collector's sight, and rarer runs: p99 fell from 75 to 13 ms (stack.md).
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 50)
